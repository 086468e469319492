package lifecycle

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/notebook"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// StopOptions are what is meant.
type StopOptions struct{ options }

// NewStop is `notebook stop`.
func NewStop(b *plugin.Base) *cobra.Command {
	f := &flags{}
	cmd := &cobra.Command{
		Use:     "stop NAME...",
		GroupID: notebook.GroupManage,
		Short:   "Stop notebooks; volumes and settings are kept",
		Long: `Stop notebooks. Their CPU, memory and GPUs become free; volumes and settings are kept, and
kubectl jupyter notebook start starts them again.

What runs in the notebooks is shown first: kernels and whether they are busy, terminals and
connections, as reported by the notebook servers. Whether there are unsaved changes is not
known.`,
		Example: plugin.Examples(`
			# Show what runs in a notebook, and stop it after a confirmation
			kubectl jupyter notebook stop lab

			# Stop two notebooks without a prompt, and wait until their pods are gone
			kubectl jupyter notebook stop lab vision --yes --wait`),
		Args:              notebook.Names,
		ValidArgsFunction: notebook.CompleteNames(b, 0),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.options(b, args)
			return plugin.Run(cmd, &StopOptions{o}, err)
		},
	}
	f.addYes(cmd)
	f.addWait(cmd, "stopped")
	return cmd
}

// Run stops.
func (o *StopOptions) Run(ctx context.Context) error {
	place, _, all, err := o.chosen(ctx)
	if err != nil {
		return err
	}
	todo, err := o.split(all, func(n *notebooks.Notebook) bool { return !n.Stopped.IsZero() }, "is already stopped")
	if err != nil {
		return err
	}
	if len(todo) > 0 {
		fmt.Fprintf(o.base.ErrOut, "In %s, %s will be stopped:\n", place, report.Count(len(todo), "notebook"))
		o.losses(ctx, place, todo)
		if err := o.confirm(ctx, "--yes to stop them"); err != nil {
			return err
		}
	}
	err = notebook.Each(todo, func(n *notebooks.Notebook) error {
		if err := notebooks.Stop(ctx, place.Cluster, n, time.Now()); err != nil {
			return err
		}
		return o.say(n, "stopped")
	})
	if err != nil {
		return err
	}
	return o.await(ctx, place, all, stopped, "has no pod")
}
