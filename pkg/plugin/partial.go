package plugin

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/version"
)

// partial is a change of some components of an installation, which keeps every other
// choice of it.
type partial struct {
	base     *base
	cluster  *cluster.Cluster
	source   components.Source
	settings rollout.Settings
	// kustomization is named again where the installation was made with one: without it
	// what it had patched would be undone.
	kustomization string
	timeout       time.Duration
	// adopt takes fields back that somebody else has changed.
	adopt bool
}

// plan renders the components with the settings.
func (p partial) plan(ctx context.Context, names ...string) (*rollout.Plan, error) {
	if p.settings.Kustomization != "" && p.kustomization == "" {
		return nil, fmt.Errorf("the installation was made with -k %s: name it again, so that what it changes stays", p.settings.Kustomization)
	}
	o := p.settings.Options()
	o.OrdinarySidecars = int(p.cluster.Version.Minor()) < components.NativeSidecarsSince
	release := p.source.Release()
	plan := &rollout.Plan{Release: release, Settings: p.settings, Partial: true}
	var err error
	if existing := needed(release, names, release.Names()); len(existing) > 0 {
		if plan.Existing, err = p.source.Render(ctx, existing, o); err != nil {
			return nil, err
		}
	}
	o.Kustomization = p.kustomization
	plan.Rendered, err = p.source.Render(ctx, names, o)
	return plan, err
}

// engine shows its progress until the returned function is called.
func (p partial) engine() (*rollout.Engine, func()) {
	progress, _ := p.base.progress(false)
	return rollout.New(p.cluster, rollout.Options{
		Timeout: p.timeout, Wait: true, Adopt: p.adopt, Explain: explain(p.cluster), Hopeless: diagnose.Hopeless,
		Events: progress.Event, Tooling: version.Get().Tooling(),
	}), progress.Close
}

// allowed refuses a plan that the user lacks a right for.
func (p partial) allowed(ctx context.Context, engine *rollout.Engine, plan *rollout.Plan) error {
	missing, err := engine.Permissions(ctx, plan)
	if err != nil {
		return fmt.Errorf("permissions: %w", err)
	}
	return lacks(p.cluster, missing)
}

// installedOf are those of the components that the inventory has objects of.
func (p partial) installedOf(ctx context.Context, engine *rollout.Engine, names []string) ([]string, error) {
	installed, err := engine.Installed(ctx)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, n := range names {
		if slices.Contains(installed, n) {
			out = append(out, n)
		}
	}
	return out, nil
}

// survey looks at what a plan would change, and refuses to write over somebody else.
func survey(ctx context.Context, engine *rollout.Engine, plan *rollout.Plan) (*rollout.Survey, error) {
	survey, err := engine.Survey(ctx, plan)
	if err != nil {
		return nil, err
	}
	return survey, changedByOthers(survey.Conflicts())
}

// apply brings a plan into the cluster and waits until it is ready. It returns what it
// has found before, which is what it has changed.
func (p partial) apply(ctx context.Context, engine *rollout.Engine, plan *rollout.Plan) (*rollout.Survey, error) {
	survey, err := survey(ctx, engine, plan)
	if err != nil {
		return nil, err
	}
	_, _, err = engine.Apply(ctx, plan, survey)
	return survey, err
}

// changedByOthers refuses to write over what somebody else has changed.
func changedByOthers(conflicts []rollout.Conflict) error {
	if len(conflicts) == 0 {
		return nil
	}
	lines := make([]string, 0, len(conflicts))
	for _, c := range conflicts {
		lines = append(lines, c.String())
	}
	return fmt.Errorf("somebody else has changed what this would change, nothing was changed:\n  %s\n`kubectl jupyter install --adopt` takes it back; then run this again", strings.Join(lines, "\n  "))
}
