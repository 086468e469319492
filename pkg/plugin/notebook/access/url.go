// Package access is `notebook why`, `url` and `open`.
package access

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/notebook"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/show"
)

// URLOptions are what is meant.
type URLOptions struct {
	base *plugin.Base
	Name string
	Open bool
}

// NewURL is `notebook url`.
func NewURL(b *plugin.Base) *cobra.Command {
	cmd := newURL(b, false)
	cmd.Use, cmd.Short = "url NAME", "Print the URL of a notebook"
	cmd.Long = `Print the URL of a notebook. Standard output has only the URL.

It leads through the gateway, which requires a login: kubectl jupyter login-url --check tests
the path.`
	cmd.Example = plugin.Examples(`
		# Print the URL of a notebook
		kubectl jupyter notebook url lab

		# Print the URL of a notebook of another namespace
		kubectl jupyter notebook url lab -n team-a

		# Ask the web server behind it with curl
		curl -I "$(kubectl jupyter notebook url lab)"`)
	return cmd
}

// NewOpen is `notebook open`.
func NewOpen(b *plugin.Base) *cobra.Command {
	cmd := newURL(b, true)
	cmd.Use, cmd.Short = "open NAME", "Open a notebook in the browser of this machine"
	cmd.Long = `Open a notebook in the browser of this machine. It has to be running.

The URL, which is also printed, leads through the gateway, which requires a login.`
	cmd.Example = plugin.Examples(`
		# Open a notebook
		kubectl jupyter notebook open lab

		# Open a notebook of another namespace
		kubectl jupyter notebook open lab -n team-a

		# Start a notebook that is stopped, and open it
		kubectl jupyter notebook start lab --wait && kubectl jupyter notebook open lab`)
	return cmd
}

func newURL(b *plugin.Base, open bool) *cobra.Command {
	return &cobra.Command{
		GroupID:           notebook.GroupManage,
		Args:              notebook.OneName,
		ValidArgsFunction: notebook.CompleteNames(b, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return plugin.Run(cmd, &URLOptions{base: b, Name: args[0], Open: open}, nil)
		},
	}
}

// Run prints the URL, and opens it.
func (o *URLOptions) Run(ctx context.Context) error {
	place, err := notebook.Find(ctx, o.base)
	if err != nil {
		return err
	}
	n, err := notebooks.Get(ctx, place.Cluster, place.Namespace, o.Name)
	if err != nil {
		return err
	}
	url, _, err := place.URL(ctx, o.Name)
	if err != nil {
		return err
	}
	if n.State != notebooks.Running {
		does := fmt.Sprintf("is %s: %s", n.State, instead(n))
		if o.Open {
			return fmt.Errorf("%s %s", n.Ref(), does)
		}
		fmt.Fprintf(o.base.ErrOut, "warning: %s %s\n", n.Ref(), does)
	}
	if _, err := fmt.Fprintln(o.base.Out, url); err != nil || !o.Open {
		return err
	}
	return show.OpenBrowser(ctx, url)
}

// instead is what to do with a notebook that does not run.
func instead(n *notebooks.Notebook) string {
	verb := "why"
	if !n.Stopped.IsZero() {
		verb = "start"
	}
	return fmt.Sprintf("run `kubectl jupyter notebook %s %s -n %s`", verb, n.Name, n.Namespace)
}
