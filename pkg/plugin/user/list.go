package user

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/people"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/show"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/users"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// UserListFlags are what was typed.
type UserListFlags struct{ output string }

// UserListOptions are what is meant.
type UserListOptions struct {
	base   *plugin.Base
	Format string
}

func newUserListCommand(b *plugin.Base) *cobra.Command {
	f := &UserListFlags{}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List users with their Profiles and notebooks",
		Long: `List users: every e-mail address that has a password in Dex or owns a Profile.

PASSWORD shows whether the user can log in. NOTEBOOKS is the number of notebooks in the
namespace of the user, running or stopped. With -o wide, ISOLATED shows whether the
namespace has the NetworkPolicy that isolates it, and SHARED WITH whom it is shared with.`,
		Example: plugin.Examples(`
			# List all users
			kubectl jupyter user list

			# Show the quotas of the namespaces, and whom they are shared with
			kubectl jupyter user list -o wide

			# Print the e-mail addresses of users who can log in
			kubectl jupyter user list -o 'jsonpath={range .items[?(@.password)]}{.email}{"\n"}{end}'`),
		Args: plugin.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := f.ToOptions(b)
			return plugin.Run(cmd, o, err)
		},
	}
	show.AddListOutput(cmd, &f.output)
	return cmd
}

// ToOptions checks what was typed.
func (f *UserListFlags) ToOptions(b *plugin.Base) (*UserListOptions, error) {
	if err := show.CheckListOutput(f.output); err != nil {
		return nil, err
	}
	return &UserListOptions{base: b, Format: f.output}, nil
}

// userList is the machine-readable form.
type userList struct {
	APIVersion string       `json:"apiVersion"`
	Kind       string       `json:"kind"`
	Items      []users.User `json:"items"`
}

// Run lists.
func (o *UserListOptions) Run(ctx context.Context) error {
	p, err := people.Open(ctx, o.base, 0)
	if err != nil {
		return err
	}
	all, err := p.List(ctx)
	if err != nil {
		return err
	}
	if o.Format == view.FormatWide || view.IsDocument(o.Format) {
		if err := p.WithContributors(ctx, all); err != nil {
			return err
		}
	}
	switch {
	case view.IsDocument(o.Format):
		if all == nil {
			all = []users.User{}
		}
		return view.Document(o.base.Out, o.Format, userList{report.APIVersion, "UserList", all})
	case len(all) == 0:
		fmt.Fprintf(o.base.ErrOut, "No users found in %s.\n", p.Cluster.Where())
		return nil
	case o.Format == view.Name:
		for _, u := range all {
			if _, err := fmt.Fprintln(o.base.Out, u.Email); err != nil {
				return err
			}
		}
		return nil
	}
	return view.Table(o.base.Out, userHeaders(o.Format == view.FormatWide), userRows(all, o.Format == view.FormatWide, time.Now()))
}

func userHeaders(wide bool) []string {
	headers := []string{"EMAIL", "PROFILE", "PASSWORD", "NOTEBOOKS", "AGE"}
	if wide {
		headers = append(headers, "FIRST USER", "ISOLATED", "SHARED WITH", "QUOTA")
	}
	return headers
}

func userRows(all []users.User, wide bool, now time.Time) [][]string {
	yes := map[bool]string{true: "yes", false: "no"}
	var rows [][]string
	for _, u := range all {
		age := ""
		if u.Since != nil {
			age = duration.HumanDuration(now.Sub(*u.Since))
		}
		row := []string{u.Email, u.Profile, yes[u.Password], strconv.Itoa(u.Notebooks), age}
		if wide {
			var quota []string
			for _, name := range slices.Sorted(maps.Keys(u.Quota)) {
				quota = append(quota, name+"="+u.Quota[name])
			}
			row = append(row, yes[u.First], yes[u.Isolated], sharedWith(u.Contributors), strings.Join(quota, ","))
		}
		rows = append(rows, row)
	}
	return rows
}

// sharedWith lists people and their roles.
func sharedWith(all []users.Contributor) string {
	var parts []string
	for _, c := range all {
		parts = append(parts, c.Email+" ("+string(c.Role)+")")
	}
	return strings.Join(parts, ",")
}
