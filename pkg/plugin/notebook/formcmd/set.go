package formcmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/offer"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// changeOptions are what is meant by set and reset.
type changeOptions struct {
	base          *plugin.Base
	FromCluster   bool
	Reset         bool
	Given         components.Form
	Diff, Yes     bool
	Kustomization string
	Timeout       time.Duration
}

func (o *changeOptions) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.Diff, "diff", false, "If true, print the changes and change nothing")
	cmd.Flags().BoolVarP(&o.Yes, "yes", "y", false, "If true, change the form without asking")
	cmd.Flags().StringVarP(&o.Kustomization, "kustomize", "k", "", "Directory of the kustomization that the installation was made with")
	cmd.Flags().DurationVar(&o.Timeout, "timeout", plugin.DefaultTimeout, "The length of time to wait for the web app, or 0 for no timeout")
}

func newSetCommand(b *plugin.Base) *cobra.Command {
	o := &changeOptions{base: b}
	cmd := &cobra.Command{
		Use:   "set",
		Short: "Change what the form for new notebooks offers",
		Long: `Change what the form for new notebooks offers. The command prints the changes and asks before it
makes them. What is not set stays as it is.

With --from-cluster, the form offers what the nodes have: each resource that is a GPU, a slice
(MIG) or a slot of a shared GPU; nodes by the product of their GPUs; tolerations of the taints
of nodes with GPUs. A CPU or memory request of the form that no node has room for becomes the
largest that fits. Run the command again after nodes have changed.`,
		Example: plugin.Examples(`
			# Print what would change
			kubectl jupyter notebook form set --from-cluster --diff

			# Offer what the nodes of the cluster have
			kubectl jupyter notebook form set --from-cluster

			# Offer two images, the first one selected, and propose 2 cores and 8 GiB
			kubectl jupyter notebook form set --image registry.example.com/lab:v2 --image registry.example.com/lab:v1 --cpu 2 --memory 8.0Gi`),
		Args: plugin.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return plugin.Run(cmd, o, o.check()) },
	}
	cmd.Flags().BoolVar(&o.FromCluster, "from-cluster", false, "If true, offer the GPUs, the nodes and the sizes that the cluster has")
	cmd.Flags().StringArrayVar(&o.Given.Images, "image", nil, "Image with JupyterLab to offer, in place of all that the form offers; can be repeated, the first one is selected by default")
	cmd.Flags().StringVar(&o.Given.CPU, "cpu", "", "CPU request that the form proposes, in cores")
	cmd.Flags().StringVar(&o.Given.Memory, "memory", "", "Memory request that the form proposes, in Gi")
	o.add(cmd)
	return cmd
}

func newResetCommand(b *plugin.Base) *cobra.Command {
	o := &changeOptions{base: b, Reset: true}
	cmd := &cobra.Command{
		Use:   "reset",
		Short: "Undo all changes of the form for new notebooks",
		Long:  `Undo all changes of the form for new notebooks: it offers what the release offers again.`,
		Example: plugin.Examples(`
			# Print what would change
			kubectl jupyter notebook form reset --diff

			# Offer what the release offers, after a confirmation
			kubectl jupyter notebook form reset

			# The same without a prompt
			kubectl jupyter notebook form reset --yes`),
		Args: plugin.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return plugin.Run(cmd, o, o.check()) },
	}
	o.add(cmd)
	return cmd
}

// check refuses what makes no sense.
func (o *changeOptions) check() error {
	if !o.Reset && !o.FromCluster && o.Given.IsZero() {
		return errors.New("specify what the form should offer: --from-cluster, --image, --cpu or --memory")
	}
	if err := unique(o.Given.Images); err != nil {
		return err
	}
	if err := (components.Options{Form: o.Given}).Validate(); err != nil {
		return err
	}
	return plugin.CheckTimeout(o.Timeout)
}

// Run changes the form.
func (o *changeOptions) Run(ctx context.Context) error {
	c, err := o.base.Connect(ctx, o.base.ErrOut)
	if err != nil {
		return err
	}
	i, err := offer.Open(ctx, c, o.Kustomization)
	if err != nil {
		return err
	}
	chosen, err := o.chosen(ctx, c, i)
	if err != nil {
		return err
	}
	engine, done := o.base.Engine(c, rollout.Options{Timeout: o.Timeout})
	defer done()
	plan, err := i.Plan(ctx, engine, chosen)
	if err != nil {
		return err
	}
	changed, err := o.print(plan)
	if err != nil || o.Diff {
		return err
	}
	if !changed {
		fmt.Fprintln(o.base.ErrOut, "Nothing to change: the form offers that already.")
		return nil
	}
	if !o.Yes {
		fmt.Fprintf(o.base.ErrOut, "The form for new notebooks in %s will be changed.\n", c.Where())
		if err := o.base.Confirm(ctx, "--yes"); err != nil {
			return err
		}
	}
	if err := plan.Apply(ctx, engine); err != nil {
		return err
	}
	_, err = fmt.Fprintln(o.base.Out, "form changed")
	return err
}

// chosen is what the form is to offer: what was typed, before what the cluster has, before
// what was chosen earlier.
func (o *changeOptions) chosen(ctx context.Context, c *cluster.Cluster, i *offer.Installation) (components.Form, error) {
	if o.Reset {
		return components.Form{}, nil
	}
	out := i.Chosen
	if o.FromCluster {
		nodes, err := offer.Nodes(ctx, c)
		if err != nil {
			return out, err
		}
		found, notes := offer.FromNodes(nodes, i.Form)
		for _, note := range notes {
			fmt.Fprintf(o.base.ErrOut, "Note: %s.\n", note)
		}
		out = over(out, found)
	}
	return over(out, o.Given), nil
}

// over is a form with what another one has.
func over(f, by components.Form) components.Form {
	f.CPU, f.Memory = cmp.Or(by.CPU, f.CPU), cmp.Or(by.Memory, f.Memory)
	if len(by.Images) > 0 {
		f.Images = by.Images
	}
	if len(by.GPUs) > 0 {
		f.GPUs = by.GPUs
	}
	if len(by.Affinities) > 0 {
		f.Affinities = by.Affinities
	}
	if len(by.Tolerations) > 0 {
		f.Tolerations = by.Tolerations
	}
	return f
}

// print shows what would change, and tells whether anything would.
func (o *changeOptions) print(plan *offer.Plan) (changed bool, err error) {
	for _, change := range plan.Survey.Changes() {
		if change.Action == report.Unchanged {
			continue
		}
		changed = true
		if err := view.Diff(o.base.Out, change.Ref, change.Live, change.Merged); err != nil {
			return changed, err
		}
	}
	return changed, nil
}
