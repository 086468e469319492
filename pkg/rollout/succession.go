package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// ErrNotInstalled tells an upgrade that there is nothing to upgrade.
var ErrNotInstalled = errors.New("nothing is installed by kubectl jupyter: run `kubectl jupyter install`")

// keepRelease takes the release that is installed, and completes an upgrade that has been
// begun. Only Upgrade leads from one release to a later one.
func (i *Intent) keepRelease(s *Settings) error {
	asked := i.Source.Release()
	if s.From != "" {
		return i.resume(s, asked)
	}
	if s.Release == "" || s.Release == asked.Name {
		return nil
	}
	installed, err := s.Source()
	if err != nil {
		return err
	}
	if !i.Upgrade && !i.Given("release") {
		i.Source = installed
		return nil
	}
	flag := "--to"
	if i.Given("release") {
		flag = "--release"
	}
	if older(asked.Name, s.Release) {
		return fmt.Errorf("%s: release %s is installed, and an older one (%s) cannot replace it, nothing was changed: %s", flag, s.Release, asked.Name, installed.Release().NoWayBack)
	}
	if !i.Upgrade {
		return fmt.Errorf("%s: release %s is installed, nothing was changed: to replace it with release %s, run `kubectl jupyter upgrade --to %s`; to keep it, omit the flag", flag, s.Release, asked.Name, asked.Name)
	}
	i.from = installed.Release()
	return nil
}

// resume goes on with the upgrade that the inventory says is under way.
func (i *Intent) resume(s *Settings, asked *components.Release) error {
	if (i.Given("release") || i.Given("to")) && asked.Name != s.Release {
		return fmt.Errorf("the upgrade from release %s to release %s is not complete, nothing was changed: complete it with `kubectl jupyter upgrade`, then choose another release", s.From, s.Release)
	}
	if len(i.Only)+len(i.Skip) > 0 {
		return fmt.Errorf("--only, --skip: the upgrade from release %s to release %s is not complete, nothing was changed: complete it with `kubectl jupyter upgrade`", s.From, s.Release)
	}
	source, err := s.Source()
	if err != nil {
		return err
	}
	before, err := (&Settings{Release: s.From}).Source()
	if err != nil {
		return err
	}
	i.Source, i.from, i.resumed, i.without = source, before.Release(), true, s.Without
	return nil
}

// older tells whether a release comes before another one in the list of all.
func older(a, b string) bool {
	names := components.ReleaseNames()
	return slices.Index(names, a) < slices.Index(names, b)
}

// Newest is the latest release of the plugin, empty where the settings are of that one or
// of one that the plugin does not have.
func (s *Settings) Newest() string {
	names := components.ReleaseNames()
	if newest := names[len(names)-1]; s != nil && slices.Contains(names, s.Release) && s.Release != newest {
		return newest
	}
	return ""
}

// upgradePlan renders the release that follows: what is installed of the one before, with
// what a command has added since, and what is new. What was left out stays out.
func (i *Intent) upgradePlan(ctx context.Context, engine *Engine) (*Plan, error) {
	there, err := engine.find(ctx)
	if err != nil {
		return nil, err
	}
	installed := there.components()
	release := i.Source.Release()
	without := i.without
	if last := readLastRun(there.parent); !i.resumed && (last == nil || last.Result == RunFinished) {
		for _, c := range i.from.Components {
			if !c.OnDemand && !slices.Contains(installed, c.Name) {
				without = append(without, c.Name)
			}
		}
	}
	var names []string
	for _, c := range release.Components {
		before, err := i.from.Component(c.Name)
		switch {
		case slices.Contains(i.UseExisting, c.Name), slices.Contains(c.NotIn, i.Manifests.Profile):
		case slices.Contains(without, c.Name) && !slices.Contains(before.NotIn, i.Manifests.Profile):
		case c.OnDemand && (!slices.Contains(installed, c.Name) || err == nil && before.Version == c.Version): // as the command made it that added it
		default:
			names = append(names, c.Name)
		}
	}
	directories, err := i.directories(ctx, engine, names)
	if err != nil {
		return nil, err
	}
	plan := &Plan{Release: release, From: i.from, Settings: i.settings(directories), Directories: directories, found: there}
	plan.Settings.From, plan.Settings.Without = i.from.Name, without
	return plan, plan.render(ctx, i.Source, names, slices.Concat(i.UseExisting, installed), i.located(directories))
}

// Leaving is a release for uninstall to remove: while an upgrade is not complete, what the
// release before makes at run time goes too.
func (s *Settings) Leaving(release *components.Release) (*components.Release, error) {
	if s == nil || s.From == "" {
		return release, nil
	}
	before, err := (&Settings{Release: s.From}).Source()
	if err != nil {
		return nil, err
	}
	out := *release
	out.Components = slices.Clone(release.Components)
	for i := range out.Components {
		c := &out.Components[i]
		if old, err := before.Release().Component(c.Name); err == nil {
			c.Leaves = slices.Concat(c.Leaves, old.Leaves)
		}
	}
	return &out, nil
}
