package lifecycle

import (
	"context"
	"errors"
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
	f, idle := &flags{}, &idleFlags{}
	cmd := &cobra.Command{
		Use:     "stop (NAME... | --idle=TIME)",
		GroupID: notebook.GroupManage,
		Short:   "Stop notebooks; volumes and settings are kept",
		Long: `Stop notebooks. Their CPU, memory and GPUs become free; volumes and settings are kept, and
kubectl jupyter notebook start starts them again.

What runs in the notebooks is shown first: kernels and whether they are busy, terminals and
connections, as reported by the notebook servers. Whether there are unsaved changes is not
known.

With --idle, --older-than or --gpu-below, those notebooks are stopped that meet all of these
conditions. They are shown first, with how it is known and how old that is, and nothing is
stopped without --yes, unless a terminal is there to ask. A notebook with a busy kernel, or
of which it is not known what runs in it, is left alone. Each is asked once more right before
it is stopped.`,
		Example: plugin.Examples(`
			# Show what runs in a notebook, and stop it after a confirmation
			kubectl jupyter notebook stop lab

			# Stop two notebooks without a prompt, and wait until their pods are gone
			kubectl jupyter notebook stop lab vision --yes --wait

			# Show which notebooks of all namespaces were not used for four hours, and why others are left alone
			kubectl jupyter notebook stop --idle=4h -A -o wide

			# Stop those whose GPUs are not used in the next ten minutes either
			kubectl jupyter notebook stop --idle=4h --gpu-below=5% --for=10m -A --yes`),
		Args:              idleArgs,
		ValidArgsFunction: notebook.CompleteNames(b, 0),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.options(b, args)
			given := cmd.Flags().Changed
			if err == nil && chosenByUse(given) {
				byUse, err := idle.options(o, given)
				return plugin.Run(cmd, byUse, err)
			}
			return plugin.Run(cmd, &StopOptions{o}, errors.Join(err, idle.without(given)))
		},
	}
	idle.add(cmd)
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
	return o.await(ctx, place, all, hasStopped, "has no pod")
}
