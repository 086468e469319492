package identity

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/show"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// listFlags are what was typed.
type listFlags struct{ output string }

// listOptions are what is meant.
type listOptions struct {
	base   *plugin.Base
	Format string
}

func newListCommand(b *plugin.Base) *cobra.Command {
	f := &listFlags{}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the identity providers",
		Long: `List the identity providers. Secrets are not shown.

LOGIN shows how users log in: with a form of Dex, or redirected to the provider.
LIMITED TO shows who may log in; without a limit, it is everyone who has an account with
the provider.`,
		Example: plugin.Examples(`
			# List the identity providers
			kubectl jupyter identity list

			# Show the callbacks that have to be registered, too
			kubectl jupyter identity list -o wide

			# Print the IDs
			kubectl jupyter identity list -o name`),
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
func (f *listFlags) ToOptions(b *plugin.Base) (*listOptions, error) {
	if err := show.CheckListOutput(f.output); err != nil {
		return nil, err
	}
	return &listOptions{base: b, Format: f.output}, nil
}

// providers is the machine-readable form.
type providers struct {
	APIVersion string     `json:"apiVersion"`
	Kind       string     `json:"kind"`
	Items      []provider `json:"items"`
}

// Run lists.
func (o *listOptions) Run(ctx context.Context) error {
	p, store, err := open(ctx, o.base, 0)
	if err != nil {
		return err
	}
	all, err := store.List(ctx)
	if err != nil {
		return err
	}
	doc := providers{report.APIVersion, "IdentityProviderList", []provider{}}
	for i := range all {
		doc.Items = append(doc.Items, providerOf(&all[i]))
	}
	switch {
	case view.IsDocument(o.Format):
		return view.Document(o.base.Out, o.Format, doc)
	case len(all) == 0:
		fmt.Fprintf(o.base.ErrOut, "No identity providers found in %s: users log in with passwords of Dex.\n", p.Cluster.Where())
		return nil
	case o.Format == view.Name:
		for _, i := range doc.Items {
			if _, err := fmt.Fprintln(o.base.Out, i.ID); err != nil {
				return err
			}
		}
		return nil
	}
	headers := []string{"ID", "TYPE", "NAME", "LOGIN", "SERVER", "LIMITED TO", "AGE"}
	wide := o.Format == view.FormatWide
	if wide {
		headers = append(headers, "CALLBACK", "PROBLEM")
	}
	var rows [][]string
	for _, i := range doc.Items {
		row := []string{i.ID, i.Type, i.Name, map[bool]string{true: "redirect", false: "form"}[i.Redirects], i.Server, i.Limits, duration.HumanDuration(time.Since(i.Since))}
		if wide {
			row = append(row, i.Callback, i.Broken)
		}
		rows = append(rows, row)
	}
	return view.Table(o.base.Out, headers, rows)
}
