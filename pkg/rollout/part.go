package rollout

import (
	"context"
	"fmt"
	"strings"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// Part is a change of some components of an installation, which keeps every other
// choice of it.
type Part struct {
	Cluster  *cluster.Cluster
	Source   components.Source
	Settings Settings
	// Kustomization is named again where the installation was made with one: without it
	// what it had patched would be undone.
	Kustomization string
	// IgnoreExcluded is that of components.Options.
	IgnoreExcluded bool
}

// Plan renders the components with the settings.
func (p Part) Plan(ctx context.Context, names ...string) (*Plan, error) {
	if p.Settings.Kustomization != "" && p.Kustomization == "" {
		return nil, fmt.Errorf("the installation uses -k %s: specify it again to keep its changes", p.Settings.Kustomization)
	}
	if p.Settings.From != "" {
		return nil, fmt.Errorf("the upgrade from release %s to release %s is not complete: complete it with `kubectl jupyter upgrade`, then run this command again", p.Settings.From, p.Settings.Release)
	}
	o := p.Settings.Options()
	o.ForServer(int(p.Cluster.Version.Minor()))
	o.Kustomization, o.IgnoreExcluded = p.Kustomization, p.IgnoreExcluded
	release := p.Source.Release()
	plan := &Plan{Release: release, Settings: p.Settings, Partial: true}
	return plan, plan.render(ctx, p.Source, names, release.Names(), o)
}

// Allowed refuses a plan that the user lacks a right for.
func (e *Engine) Allowed(ctx context.Context, plan *Plan) error {
	missing, err := e.Permissions(ctx, plan)
	if err != nil {
		return fmt.Errorf("permissions: %w", err)
	}
	return Lacks(e.cluster, missing)
}

// Unopposed surveys what a plan would change, and refuses to write over what somebody
// else has changed.
func (e *Engine) Unopposed(ctx context.Context, plan *Plan) (*Survey, error) {
	survey, err := e.Survey(ctx, plan)
	if err != nil {
		return nil, err
	}
	conflicts := survey.Conflicts()
	if len(conflicts) == 0 {
		return survey, nil
	}
	lines := make([]string, 0, len(conflicts))
	for _, c := range conflicts {
		lines = append(lines, c.String())
	}
	return survey, fmt.Errorf("another owner has changed fields that this command would change, nothing was changed:\n  %s\nrun `kubectl jupyter install --adopt` to take them over, then run this command again", strings.Join(lines, "\n  "))
}

// Change brings a plan into the cluster and waits until it is ready. It returns what it
// has found before, which is what it has changed.
func (e *Engine) Change(ctx context.Context, plan *Plan) (*Survey, error) {
	survey, err := e.Unopposed(ctx, plan)
	if err != nil {
		return nil, err
	}
	_, _, err = e.Apply(ctx, plan, survey)
	return survey, err
}
