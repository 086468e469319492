package user

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/people"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/users"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// New is the command that the verbs of users are below: those of this package, and verbs.
func New(verbs ...plugin.Verb) plugin.Verb {
	return func(b *plugin.Base) *cobra.Command { return command(b, verbs) }
}

func command(b *plugin.Base, verbs []plugin.Verb) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "user",
		GroupID: plugin.GroupAccess,
		Short:   "List, add and remove users, change their passwords, and share their namespaces",
		Long: `List, add and remove users, one by one or from a list, change their passwords, and share and
isolate their namespaces.

A user is an e-mail address with a password in Dex, and a Profile: a namespace for the
notebooks of the user.`,
		Example: plugin.Examples(`
			# List all users
			kubectl jupyter user list

			# Add a user with a generated password, and a quota of 4 CPUs and 16 GiB of memory
			kubectl jupyter user add ada@example.com --cpu 4 --memory 16Gi

			# Set a new password, entered at a prompt
			kubectl jupyter user set-password ada@example.com --password-stdin

			# Remove the password; notebooks and volumes are kept
			kubectl jupyter user remove ada@example.com`),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return plugin.UnknownCommand(cmd, args[0])
		},
	}
	cmd.AddCommand(newUserListCommand(b), newUserAddCommand(b), newUserSetPasswordCommand(b), newUserIsolateCommand(b), newUserRemoveCommand(b))
	for _, v := range verbs {
		cmd.AddCommand(v(b))
	}
	return cmd
}

// oneEmail takes the address that a command is about.
func oneEmail(cmd *cobra.Command, args []string) error {
	switch len(args) {
	case 1:
		return nil
	case 0:
		return plugin.UsageError(cmd, fmt.Errorf("%s requires an e-mail address", cmd.CommandPath()))
	}
	return plugin.UsageError(cmd, fmt.Errorf("%s takes one e-mail address, but also got %q", cmd.CommandPath(), args[1]))
}

// toChange is the installation whose users are to be changed.
func toChange(ctx context.Context, b *plugin.Base, timeout time.Duration) (*users.Installation, error) {
	p, err := people.Open(ctx, b, timeout)
	if err != nil {
		return nil, err
	}
	return p, p.ToChange()
}

// verified says what Dex said about a password; that it could not be asked is no failure
// of what was done.
func verified(ctx context.Context, b *plugin.Base, p *users.Installation, email string, password []byte) error {
	err := p.Verify(ctx, email, password, true)
	switch {
	case err == nil:
		fmt.Fprintf(b.ErrOut, "Dex accepts the password of %s.\n", email)
		return nil
	case users.IsUnverified(err):
		fmt.Fprintf(b.ErrOut, "warning: the password of %s is set, but it could not be verified with Dex: %v\n", email, err)
		return nil
	}
	return err
}

// newPassword reads the password or makes one.
func newPassword(ctx context.Context, b *plugin.Base, fromStdin bool, whose string) (password []byte, generated bool, err error) {
	if fromStdin {
		password, err = plugin.ReadPassword(ctx, b.IOStreams, whose)
		return password, false, err
	}
	return users.GeneratePassword(), true, nil
}

// changedPerson is the machine-readable form of who was added or has a new password.
type changedPerson struct {
	Email   string `json:"email"`
	Profile string `json:"profile,omitempty"`
	// Password only where it was generated.
	Password string `json:"password,omitempty"`
}

// printPerson says what has become of a person, and shows the password if there is one
// to show: in the document, or once on standard error.
func printPerson(b *plugin.Base, format string, person changedPerson, what string) error {
	if view.IsDocument(format) {
		return view.Document(b.Out, format, person)
	}
	if person.Password != "" {
		style := plugin.StyleFor(b.ErrOut)
		fmt.Fprintf(b.ErrOut, "\nUser:      %s\nPassword:  %s\n           Shown only once: the cluster keeps a hash.\n\n",
			style.Bold(person.Email), style.Bold(person.Password))
	}
	line := person.Email + " " + what
	if format == view.Name {
		line = person.Email
	}
	_, err := fmt.Fprintln(b.Out, line)
	return err
}
