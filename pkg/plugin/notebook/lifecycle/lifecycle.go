// Package lifecycle is `notebook start`, `stop`, `restart` and `delete`.
package lifecycle

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/activity"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/notebook"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// flags are those of all verbs of this package; each adds the ones that it has a use for.
type flags struct {
	wait    bool
	yes     bool
	timeout time.Duration
}

func (f *flags) addWait(cmd *cobra.Command, until string) {
	fs := cmd.Flags()
	fs.BoolVar(&f.wait, "wait", false, "If true, wait until the notebooks are "+until)
	fs.DurationVar(&f.timeout, "timeout", notebook.DefaultTimeout, "The length of time to wait with --wait; 0 means no timeout")
}

func (f *flags) addYes(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&f.yes, "yes", "y", false, "If true, do not prompt for confirmation")
}

// options are what is meant.
type options struct {
	base    *plugin.Base
	Names   []string
	Wait    bool
	Yes     bool
	Timeout time.Duration
}

func (f *flags) options(b *plugin.Base, names []string) (options, error) {
	return options{base: b, Names: names, Wait: f.wait, Yes: f.yes, Timeout: f.timeout}, plugin.CheckTimeout(f.timeout)
}

// chosen connects and reads the notebooks that were named, with all of their namespace.
func (o *options) chosen(ctx context.Context) (*notebook.Place, *notebooks.List, []*notebooks.Notebook, error) {
	place, err := notebook.Find(ctx, o.base)
	if err != nil {
		return nil, nil, nil, err
	}
	list, err := notebooks.Read(ctx, place.Cluster, place.Namespace)
	if err != nil {
		return nil, nil, nil, err
	}
	all, err := list.Find(place.Namespace, o.Names)
	return place, list, all, err
}

// await waits for all of them in the time that they have together, where that was asked for.
func (o *options) await(ctx context.Context, place *notebook.Place, all []*notebooks.Notebook, done func(*notebooks.Notebook) bool, what string) error {
	if !o.Wait {
		return nil
	}
	ctx, cancel := rollout.Bounded(ctx, o.Timeout)
	defer cancel()
	return notebook.Each(all, func(n *notebooks.Notebook) error {
		if err := place.Await(ctx, o.base, n.Name, done); err != nil {
			return err
		}
		return o.say(n, what)
	})
}

// say writes what has become of a notebook.
func (o *options) say(n *notebooks.Notebook, what string) error {
	_, err := fmt.Fprintf(o.base.Out, "notebook.kubeflow.org/%s %s\n", n.Name, what)
	return err
}

// losses says what runs in the notebooks and would end, before somebody is asked whether
// it may.
func (o *options) losses(ctx context.Context, place *notebook.Place, all []*notebooks.Notebook) {
	var targets []activity.Target
	for _, n := range all {
		if n.State == notebooks.Running {
			targets = append(targets, activity.TargetOf(n))
		}
	}
	readings := activity.Read(ctx, place.Cluster, targets)
	for _, n := range all {
		what := "not running yet"
		if r, asked := readings[activity.TargetOf(n).Key()]; asked {
			what = r.Text()
		}
		fmt.Fprintf(o.base.ErrOut, "  %s: %s\n", n.Name, what)
	}
	if len(targets) > 0 {
		fmt.Fprintln(o.base.ErrOut, "Kernels and terminals end, with what is only in their memory. Whether there are unsaved changes is not known.")
	}
}

// confirm asks, unless it was told not to.
func (o *options) confirm(ctx context.Context, instead string) error {
	if o.Yes {
		return nil
	}
	return o.base.Confirm(ctx, instead)
}

// split leaves those for which there is something to do, and says of the others why not.
func (o *options) split(all []*notebooks.Notebook, idle func(*notebooks.Notebook) bool, what string) ([]*notebooks.Notebook, error) {
	var todo []*notebooks.Notebook
	for _, n := range all {
		if n.State == notebooks.Deleting {
			return nil, fmt.Errorf("%s is being deleted", n.Ref())
		}
		if !idle(n) {
			todo = append(todo, n)
			continue
		}
		if err := o.say(n, what); err != nil {
			return nil, err
		}
	}
	return slices.Clip(todo), nil
}

func running(n *notebooks.Notebook) bool { return n != nil && n.State == notebooks.Running }

func hasStopped(n *notebooks.Notebook) bool { return n != nil && n.State == notebooks.Stopped }

func gone(n *notebooks.Notebook) bool { return n == nil }
