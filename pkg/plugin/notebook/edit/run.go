package edit

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/activity"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/edits"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/fit"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/notebook"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// checking bounds what is asked before anything is changed.
const checking = time.Minute

// edit shows a change, checks it, asks, and makes it.
func (o *Options) edit(ctx context.Context, place *notebook.Place, editor *edits.Editor, u *unstructured.Unstructured) error {
	e, err := o.prepare(ctx, place, u)
	if err != nil {
		return err
	}
	w := o.base.ErrOut
	if len(e.Differences()) == 0 {
		_, err := fmt.Fprintf(o.base.Out, "notebook.kubeflow.org/%s unchanged\n", o.Name)
		return err
	}
	fmt.Fprintf(w, "Changing notebook %s in %s:\n", o.Name, place)
	if err := show(o.base, e); err != nil {
		return err
	}
	if err := editor.Check(ctx, e); err != nil {
		return err
	}
	if o.DryRun == plugin.DryRunServer {
		_, err := fmt.Fprintf(o.base.Out, "notebook.kubeflow.org/%s edited (server dry run)\n", o.Name)
		return err
	}
	if e.Runs() && !o.Yes {
		o.losses(ctx, place)
		if err := o.base.Confirm(ctx, "--yes to stop, change and start it"); err != nil {
			return err
		}
	}
	if err := editor.Apply(ctx, e); err != nil {
		return err
	}
	return o.done(e)
}

// prepare works out the change, and finds out whether the notebook would run with it.
func (o *Options) prepare(ctx context.Context, place *notebook.Place, u *unstructured.Unstructured) (*edits.Edit, error) {
	ctx, cancel := context.WithTimeout(ctx, checking)
	defer cancel()
	facts, err := fit.Read(ctx, place.Cluster, place.Namespace)
	if err != nil {
		return nil, err
	}
	change := o.Change
	if err := place.Resolve(ctx, &change, facts); err != nil {
		return nil, err
	}
	e, err := edits.Plan(u, change, time.Now())
	if err != nil {
		return nil, err
	}
	changed, err := e.Changed(u)
	if err != nil {
		return nil, err
	}
	verdict, err := facts.TryChange(ctx, changed)
	if err != nil {
		return nil, err
	}
	for _, p := range verdict.Problems {
		fmt.Fprintf(o.base.ErrOut, "warning: %s\n", p)
	}
	if len(verdict.Causes) > 0 {
		return nil, &rollout.Failure{Err: fmt.Errorf("%s would not run with the new values: nothing was changed", e.Notebook.Ref()), Causes: verdict.Causes}
	}
	return e, nil
}

// show prints the old and the new values.
func show(b *plugin.Base, e *edits.Edit) error {
	var rows [][]string
	for _, d := range e.Differences() {
		rows = append(rows, []string{d.Field, d.Before, d.After})
	}
	return view.Table(b.ErrOut, []string{"FIELD", "BEFORE", "AFTER"}, rows)
}

// losses says what runs in the notebook and ends.
func (o *Options) losses(ctx context.Context, place *notebook.Place) {
	n, err := notebooks.Get(ctx, place.Cluster, place.Namespace, o.Name)
	if err != nil || n.State != notebooks.Running {
		return
	}
	target := activity.TargetOf(n)
	result := activity.Read(ctx, place.Cluster, []activity.Target{target})[target.Key()]
	fmt.Fprintf(o.base.ErrOut, "It runs: %s. Kernels and terminals end, with what is only in their memory.\n", result.Text())
}

func (o *Options) done(e *edits.Edit) error {
	if _, err := fmt.Fprintf(o.base.Out, "notebook.kubeflow.org/%s edited\n", o.Name); err != nil {
		return err
	}
	if !e.Runs() {
		fmt.Fprintf(o.base.ErrOut, "The notebook is stopped, and has not been started with the new values: kubectl jupyter notebook start %s -n %s --wait\n", o.Name, e.Notebook.Namespace)
	}
	return nil
}

// finish ends an edit that was interrupted, one way or the other.
func (o *Options) finish(ctx context.Context, place *notebook.Place, editor *edits.Editor, e *edits.Edit) error {
	if e == nil {
		return fmt.Errorf("%s: no edit was interrupted", notebooks.RefOf(place.Namespace, o.Name))
	}
	fmt.Fprintf(o.base.ErrOut, "The edit of notebook %s in %s, begun %s:\n", o.Name, place, e.Began().Local().Format(time.DateTime))
	if err := show(o.base, e); err != nil {
		return err
	}
	if o.DryRun == plugin.DryRunServer {
		return nil
	}
	if !o.Yes {
		if err := o.base.Confirm(ctx, "--yes to stop, change and start it"); err != nil {
			return err
		}
	}
	if o.Continue {
		if err := editor.Apply(ctx, e); err != nil {
			return err
		}
		return o.done(e)
	}
	if err := editor.Undo(ctx, e); err != nil {
		return err
	}
	_, err := fmt.Fprintf(o.base.Out, "notebook.kubeflow.org/%s restored\n", o.Name)
	return err
}
