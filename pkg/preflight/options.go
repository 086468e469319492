package preflight

import (
	"context"
	"slices"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// OptionsFor are those for what install is about to do, or might.
func OptionsFor(intent *rollout.Intent, plan *rollout.Plan, brief bool) Options {
	o := Options{Plan: plan, CanSkip: intent.CanSkip, Brief: brief}
	if intent.Manifests.Profile == components.ProfileSlim || plan.Release.Clone != nil {
		return o
	}
	o.Smaller = func(ctx context.Context) (string, []components.Rendered, error) {
		slim := intent.Manifests
		slim.Profile = components.ProfileSlim
		var names []string
		for _, r := range plan.Rendered {
			if c, err := plan.Release.Component(r.Component.Name); err == nil && !slices.Contains(c.NotIn, slim.Profile) {
				names = append(names, c.Name)
			}
		}
		rendered, err := intent.Source.Render(ctx, names, slim)
		return slim.Profile, rendered, err
	}
	return o
}
