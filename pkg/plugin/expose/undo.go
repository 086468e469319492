package expose

import (
	"context"
	"fmt"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/exposure"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// takeBack puts back what earlier runs have changed.
func (o *ExposeOptions) takeBack(ctx context.Context, c *cluster.Cluster, a *exposure.Applier, snapshot *exposure.Snapshot, out *exposed) error {
	undo, err := snapshot.NewUndo(o.RemoveMetalLB)
	if err != nil {
		return named(err, map[exposure.Input]string{exposure.InputMetalLB: "--remove-metallb"})
	}
	out.Detection, out.Kept = undo.Detection, undo.Kept
	// Who may not read the settings is only told less.
	if settings, err := rollout.ReadSettings(ctx, c); err == nil && settings != nil {
		if settings.TLS.On() {
			out.Kept = append(out.Kept, "HTTPS stays enabled; run kubectl jupyter expose --tls off to disable it")
		}
		if settings.NotebookOrigin.On() {
			out.Kept = append(out.Kept, "notebooks keep an origin of their own; run kubectl jupyter expose --notebook-origin shared to change it")
		}
	}
	if undo.Nothing() {
		fmt.Fprintf(o.base.ErrOut, "Nothing to undo: expose has not changed the gateway (%s) of %s.\n", exposure.ServiceRef, c.Where())
		return nil
	}
	fmt.Fprintf(o.base.ErrOut, "Reverting the changes made by expose in %s.\n", c.Where())
	quiet := rollout.New(c, rollout.Options{})
	missing, err := quiet.Lacking(ctx, undo.Rights())
	if err != nil {
		return fmt.Errorf("permissions: %w", err)
	}
	if undo.MetalLB {
		more, err := quiet.UninstallPermissions(ctx)
		if err != nil {
			return fmt.Errorf("permissions: %w", err)
		}
		missing = append(missing, more...)
	}
	if err := rollout.Lacks(c, missing); err != nil {
		return err
	}
	if o.DryRun == plugin.DryRunClient {
		for _, ch := range undo.Changes() {
			o.tell(out, ch)
		}
		return nil
	}
	changes, err := a.Undo(ctx, undo)
	if err := o.changed(out, changes, err); err != nil || !undo.MetalLB {
		return err
	}
	component := exposure.Change{Object: report.Ref{Kind: "Namespace", Name: undo.Detection.Namespace}, Action: report.Deleted, Note: "with all of MetalLB except its CustomResourceDefinitions"}
	if o.DryRun != plugin.DryRunNone {
		o.tell(out, component)
		return nil
	}
	engine, done := o.base.Engine(c, rollout.Options{Timeout: o.Timeout})
	n, err := engine.RemoveComponent(ctx, o.source.Release(), exposure.MetalLBComponent)
	done()
	if err != nil {
		return err
	}
	component.Note = fmt.Sprintf("%d objects of MetalLB; its CustomResourceDefinitions are kept", n)
	out.Changes = append(out.Changes, component)
	fmt.Fprintf(o.base.ErrOut, "MetalLB deleted (%d objects); its CustomResourceDefinitions are kept\n", n)
	return nil
}
