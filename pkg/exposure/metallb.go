package exposure

import (
	"context"
	"fmt"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// MetalLBComponent is the catalogue's name of it.
const MetalLBComponent = "metallb"

// Installation brings MetalLB, where a plan says so.
type Installation struct {
	// plan is nil where it is not to be installed.
	plan *rollout.Plan
	// Missing are rights that the user lacks for it.
	Missing []string
}

// NewInstallation prepares it. Quiet is an engine that asks about every object and shows
// nothing. The choices of the installation that is there are kept, such as a registry;
// kustomization is named again where it was made with one.
func NewInstallation(ctx context.Context, c *cluster.Cluster, source components.Source, p *Plan, kustomization string, quiet *rollout.Engine) (*Installation, error) {
	m := &Installation{}
	if !p.Install {
		return m, nil
	}
	settings, err := rollout.ReadSettings(ctx, c)
	if err != nil {
		return nil, err
	}
	if settings == nil {
		// Somebody else has brought the stack.
		settings = &rollout.Settings{Release: source.Release().Name, Profile: components.ProfileDefault, UserEmail: components.DefaultUserEmail}
	}
	part := rollout.Part{Cluster: c, Source: source, Settings: *settings, Kustomization: kustomization, IgnoreExcluded: p.IgnoreExcluded}
	if m.plan, err = part.Plan(ctx, MetalLBComponent); err != nil {
		return nil, err
	}
	if m.Missing, err = quiet.Permissions(ctx, m.plan); err != nil {
		return nil, fmt.Errorf("permissions: %w", err)
	}
	return m, nil
}

// Needed tells whether there is anything to install.
func (m *Installation) Needed() bool { return m.plan != nil }

// Install brings MetalLB, and waits until its webhook answers and its speakers are ready.
func (m *Installation) Install(ctx context.Context, engine *rollout.Engine) ([]Change, error) {
	survey, err := engine.Change(ctx, m.plan)
	return Changes(survey), err
}

// Dry is what would be brought; it is refused where somebody else has some of it.
func (m *Installation) Dry(ctx context.Context, quiet *rollout.Engine) ([]Change, error) {
	survey, err := quiet.Unopposed(ctx, m.plan)
	if err != nil {
		return nil, err
	}
	return Changes(survey), nil
}

// Changes are what a survey has found to change; none of one that was refused before
// anything was.
func Changes(survey *rollout.Survey) []Change {
	if survey == nil {
		return nil
	}
	var out []Change
	for _, ch := range survey.Changes() {
		if ch.Action != report.Unchanged {
			out = append(out, Change{Object: ch.Ref, Action: ch.Action})
		}
	}
	return out
}
