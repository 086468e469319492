package plugin

import (
	"context"
	"fmt"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/exposure"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// metalLBComponent is the catalogue's name of it.
const metalLBComponent = "metallb"

// metalLBInstallation brings MetalLB, where the plan says so.
type metalLBInstallation struct {
	part partial
	// quiet asks and shows nothing, so that a question can be put meanwhile.
	quiet *rollout.Engine
	// plan is nil where it is not to be installed.
	plan *rollout.Plan
	// missing are rights that the user lacks for it.
	missing []string
}

// metalLB prepares the installation. It keeps the choices of the installation that is
// there, such as a registry.
func (o *ExposeOptions) metalLB(ctx context.Context, c *cluster.Cluster, p *exposure.Plan) (*metalLBInstallation, error) {
	part := partial{base: o.base, cluster: c, source: o.source, kustomization: o.tls.Kustomization, timeout: o.Timeout}
	m := &metalLBInstallation{part: part, quiet: rollout.New(c, rollout.Options{AskAll: true})}
	if !p.Install {
		return m, nil
	}
	settings, err := rollout.ReadSettings(ctx, c)
	if err != nil {
		return nil, err
	}
	if settings == nil {
		// Somebody else has brought the stack.
		settings = &rollout.Settings{Release: o.source.Release().Name, Profile: components.ProfileDefault, UserEmail: components.DefaultUserEmail}
	}
	m.part.settings = *settings
	if m.plan, err = m.part.plan(ctx, metalLBComponent); err != nil {
		return nil, err
	}
	if p.IgnoreExcluded {
		options := settings.Options()
		options.IgnoreExcluded, options.Kustomization = true, m.part.kustomization
		if m.plan.Rendered, err = o.source.Render(ctx, []string{metalLBComponent}, options); err != nil {
			return nil, err
		}
	}
	if m.missing, err = m.quiet.Permissions(ctx, m.plan); err != nil {
		return nil, fmt.Errorf("permissions: %w", err)
	}
	return m, nil
}

// install brings MetalLB, and waits until its webhook answers and its speakers are ready.
func (m *metalLBInstallation) install(ctx context.Context, out *exposed) error {
	if m.plan == nil {
		return nil
	}
	engine, done := m.part.engine()
	defer done()
	survey, err := m.part.apply(ctx, engine, m.plan)
	record(survey, out)
	return err
}

// dry says what would be brought, and whether somebody else has some of it.
func (m *metalLBInstallation) dry(ctx context.Context, out *exposed) error {
	if m.plan == nil {
		return nil
	}
	survey, err := survey(ctx, m.quiet, m.plan)
	if err != nil {
		return err
	}
	record(survey, out)
	return nil
}

func record(survey *rollout.Survey, out *exposed) {
	if survey == nil {
		return // it was refused before anything was changed
	}
	for _, ch := range survey.Changes() {
		if ch.Action != report.Unchanged {
			out.Changes = append(out.Changes, exposure.Change{Object: ch.Ref, Action: ch.Action})
		}
	}
}
