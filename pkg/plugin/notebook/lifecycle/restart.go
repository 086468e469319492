package lifecycle

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/notebook"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// RestartOptions are what is meant.
type RestartOptions struct{ options }

// NewRestart is `notebook restart`.
func NewRestart(b *plugin.Base) *cobra.Command {
	f := &flags{}
	cmd := &cobra.Command{
		Use:     "restart NAME...",
		GroupID: notebook.GroupManage,
		Short:   "Restart notebooks: create their pods anew",
		Long: `Restart notebooks: delete their pods, which are then created anew with the same volumes and
settings, the current sidecar, and the PodDefaults as they are now. A stopped notebook is
started.

What runs in the notebooks is shown first, as for kubectl jupyter notebook stop.`,
		Example: plugin.Examples(`
			# Restart a notebook, and wait until it runs again
			kubectl jupyter notebook restart lab --wait

			# Restart two notebooks without a prompt
			kubectl jupyter notebook restart lab vision --yes

			# Show which notebooks have an old sidecar, and renew the one of a notebook
			kubectl jupyter status
			kubectl jupyter notebook restart lab`),
		Args:              notebook.Names,
		ValidArgsFunction: notebook.CompleteNames(b, 0),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.options(b, args)
			return plugin.Run(cmd, &RestartOptions{o}, err)
		},
	}
	f.addYes(cmd)
	f.addWait(cmd, "running again")
	return cmd
}

// Run restarts.
func (o *RestartOptions) Run(ctx context.Context) error {
	place, _, all, err := o.chosen(ctx)
	if err != nil {
		return err
	}
	if all, err = o.split(all, func(*notebooks.Notebook) bool { return false }, ""); err != nil {
		return err
	}
	fmt.Fprintf(o.base.ErrOut, "In %s, %s will be restarted:\n", place, report.Count(len(all), "notebook"))
	o.losses(ctx, place, all)
	if err := o.confirm(ctx, "--yes to restart them"); err != nil {
		return err
	}
	before := map[string]string{}
	err = notebook.Each(all, func(n *notebooks.Notebook) error {
		before[n.Name] = n.PodUID()
		restart := notebooks.Restart
		if !n.Stopped.IsZero() {
			restart = notebooks.Start
		}
		if err := restart(ctx, place.Cluster, n); err != nil {
			return err
		}
		return o.say(n, "restarted")
	})
	if err != nil {
		return err
	}
	return o.await(ctx, place, all, func(n *notebooks.Notebook) bool { return running(n) && n.PodUID() != before[n.Name] }, "running")
}
