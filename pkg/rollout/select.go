package rollout

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// Select chooses the components of a run, in catalogue order. Only and skip are
// what --only and --skip named; existing are components that somebody else
// installed, or that an earlier run did. A choice that leaves out what a chosen
// component needs is refused, naming both.
func Select(release *components.Release, profile string, only, skip, existing []string) ([]string, error) {
	for flag, names := range map[string][]string{"--only": only, "--skip": skip, "--use-existing": existing} {
		for _, n := range names {
			if _, err := release.Component(n); err != nil {
				return nil, fmt.Errorf("%s: %w", flag, err)
			}
		}
	}
	for _, n := range only {
		if slices.Contains(skip, n) {
			return nil, fmt.Errorf("--only and --skip both name %s: remove it from one of them", n)
		}
	}
	var chosen []string
	for _, c := range release.Components {
		named := slices.Contains(only, c.Name)
		switch {
		case slices.Contains(skip, c.Name):
		case len(only) > 0 && !named:
		case len(only) == 0 && (c.OnDemand || slices.Contains(c.NotIn, profile)):
		default:
			chosen = append(chosen, c.Name)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("--skip leaves no component to install: the components are %s", strings.Join(release.Names(), ", "))
	}
	for _, n := range chosen {
		c, err := release.Component(n)
		if err != nil {
			return nil, err
		}
		for _, need := range c.Needs {
			if !slices.Contains(chosen, need.Component) && !slices.Contains(existing, need.Component) {
				flag := "--only"
				if slices.Contains(skip, need.Component) {
					flag = "--skip"
				}
				return nil, fmt.Errorf("%s: %s needs %s (%s), which is skipped and not installed: install both, skip both, or use --use-existing if the cluster already has it",
					flag, n, need.Component, need.Condition)
			}
		}
	}
	return chosen, nil
}
