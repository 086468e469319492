package lifecycle

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/notebook"
)

// StartOptions are what is meant.
type StartOptions struct{ options }

// NewStart is `notebook start`.
func NewStart(b *plugin.Base) *cobra.Command {
	f := &flags{}
	cmd := &cobra.Command{
		Use:     "start NAME...",
		GroupID: notebook.GroupManage,
		Short:   "Start notebooks that are stopped",
		Long: `Start notebooks that are stopped, with the volumes and settings that they had.

With --wait, the command ends when the notebooks run, and fails with the causes if one
cannot start.`,
		Example: plugin.Examples(`
			# Start a notebook
			kubectl jupyter notebook start lab

			# Start two notebooks, and wait until they run
			kubectl jupyter notebook start lab vision --wait

			# Start a notebook of another namespace, and wait for at most two minutes
			kubectl jupyter notebook start lab -n team-a --wait --timeout 2m`),
		Args:              notebook.Names,
		ValidArgsFunction: notebook.CompleteNames(b, 0),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.options(b, args)
			return plugin.Run(cmd, &StartOptions{o}, err)
		},
	}
	f.addWait(cmd, "running")
	return cmd
}

// Run starts.
func (o *StartOptions) Run(ctx context.Context) error {
	place, _, all, err := o.chosen(ctx)
	if err != nil {
		return err
	}
	todo, err := o.split(all, func(n *notebooks.Notebook) bool { return n.Stopped.IsZero() }, "is not stopped")
	if err != nil {
		return err
	}
	err = notebook.Each(todo, func(n *notebooks.Notebook) error {
		if err := notebooks.Start(ctx, place.Cluster, n); err != nil {
			return err
		}
		return o.say(n, "started")
	})
	if err != nil {
		return err
	}
	return o.await(ctx, place, all, running, "running")
}
