package install

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// cullingSays is what the controller does not see. Whoever switches it on is told.
const cullingSays = `Notebooks will be stopped %s after the last activity of a kernel; a running cell counts as activity. Terminals,
VS Code and RStudio do not count: a notebook without a kernel is stopped %s after it was started, or for one
that runs now, after this run, even if it is in use. Files on its volumes stay, and it can be started again.
`

// checkCulling refuses a choice for a component that is not to be installed.
func (o *InstallOptions) checkCulling() error {
	const controller = components.ControllerComponent
	i := &o.Intent
	left := len(i.Only) > 0 && !slices.Contains(i.Only, controller) || slices.Contains(i.Skip, controller) || slices.Contains(i.UseExisting, controller)
	if left && i.Given("cull-idle") {
		return fmt.Errorf("--cull-idle: component %s, which stops notebooks, is not among the components to install: omit the flag", controller)
	}
	return nil
}

// culling prepares for a controller that stops idle notebooks, where that was chosen now:
// it must not go by what an earlier one has written and nobody has kept up to date. Nothing
// else happens to notebooks: their pods are not the controller's.
func (o *InstallOptions) culling(ctx context.Context, c *cluster.Cluster, messages *plugin.Messages) error {
	chosen := o.Intent.Manifests.Culling
	if !o.Intent.Given("cull-idle") || chosen == "" || chosen == components.CullingOff {
		return nil
	}
	fmt.Fprintf(messages, cullingSays, chosen, chosen)
	if o.dry() {
		return nil
	}
	forgotten, err := notebooks.ForgetRecords(ctx, c, time.Now())
	if err != nil {
		return fmt.Errorf("--cull-idle: nothing was installed: outdated records of the last activity, by which notebooks would be stopped at once, cannot be removed: %w", err)
	}
	if forgotten > 0 {
		fmt.Fprintf(messages, "Removed outdated records of the last activity of %s.\n", report.Count(forgotten, "notebook"))
	}
	return nil
}
