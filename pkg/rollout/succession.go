package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/version"

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
		return i.reopen(s)
	}
	installed, err := s.Source()
	if err != nil {
		return err
	}
	chosen := i.Upgrade || i.Given("release") || asked.Clone != nil
	switch {
	case !chosen && s.Clone != nil:
		return s.needsClone()
	case !chosen:
		i.Source = installed
		return nil
	}
	flag, upgrade := "--to", "--to "+asked.Name
	switch {
	case asked.Clone != nil:
		flag, upgrade = "--manifests", "--manifests "+asked.Clone.Path
	case i.Given("release"):
		flag = "--release"
	}
	if older(asked, installed.Release()) {
		return fmt.Errorf("%s: release %s is installed, and an older one (%s) cannot replace it, nothing was changed: %s", flag, s.Release, asked.Name, noWayBack(installed.Release()))
	}
	if asked.Clone != nil && s.Clone == nil {
		return fmt.Errorf("%s: release %s is installed, and a clone (%s) cannot replace a release, nothing was changed: uninstall it first; Profiles and notebooks are kept", flag, s.Release, asked.Name)
	}
	if !i.Upgrade {
		return fmt.Errorf("%s: release %s is installed, nothing was changed: to replace it with release %s, run `kubectl jupyter upgrade %s`; to keep it, omit the flag", flag, s.Release, asked.Name, upgrade)
	}
	i.from, i.before = installed.Release(), s.copied
	return i.reopen(s)
}

// resume goes on with the upgrade that the inventory says is under way.
func (i *Intent) resume(s *Settings, asked *components.Release) error {
	if (i.Given("release") || i.Given("to") || asked.Clone != nil) && asked.Name != s.Release {
		return fmt.Errorf("the upgrade from release %s to release %s is not complete, nothing was changed: complete it with `kubectl jupyter upgrade`, then choose another release", s.From, s.Release)
	}
	if len(i.Only)+len(i.Skip) > 0 {
		return fmt.Errorf("--only, --skip: the upgrade from release %s to release %s is not complete, nothing was changed: complete it with `kubectl jupyter upgrade`", s.From, s.Release)
	}
	source, err := s.Source()
	switch {
	case s.Clone == nil:
	case asked.Clone == nil:
		return s.needsClone()
	default:
		// The inventory's copy is not enough to install it.
		if err = i.reopen(s); err == nil {
			source = i.Source
		}
	}
	if err != nil {
		return err
	}
	before, err := s.sourceBefore()
	if err != nil {
		return err
	}
	i.before = s.before
	i.Source, i.from, i.resumed, i.without = source, before.Release(), true, s.Without
	return nil
}

// older tells whether a release comes before another one: in the list of the plugin's own,
// or, where one of them is somebody's clone, by its version of Istio.
func older(a, b *components.Release) bool {
	if a.Clone == nil && b.Clone == nil {
		names := components.ReleaseNames()
		return slices.Index(names, a.Name) < slices.Index(names, b.Name)
	}
	x, y := meshOf(a), meshOf(b)
	return x != nil && y != nil && x.Major() == y.Major() && x.Minor() < y.Minor()
}

// meshOf is the version of a release's Istio, nil where it cannot be read.
func meshOf(r *components.Release) *version.Version {
	mesh, err := r.Component(istioComponent)
	if err != nil {
		return nil
	}
	v, err := version.ParseGeneric(mesh.Version)
	if err != nil {
		return nil
	}
	return v
}

// noWayBack is why an older release cannot replace a release.
func noWayBack(r *components.Release) string {
	if r.Clone != nil {
		return "Istio does not support sidecars that are newer than its control plane"
	}
	return r.NoWayBack
}

// Newest is the latest release of the plugin, empty where the settings are of that one or
// of one that the plugin does not have.
func (s *Settings) Newest() string {
	if newest := components.NewestRelease(); s != nil && slices.Contains(components.ReleaseNames(), s.Release) && s.Release != newest {
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
	if !i.resumed {
		if without, err = i.leftOut(ctx, installed, readLastRun(there.parent)); err != nil {
			return nil, err
		}
	}
	var names []string
	for _, c := range release.Components {
		before, err := i.from.Component(c.Name)
		switch {
		case slices.Contains(i.UseExisting, c.Name), slices.Contains(c.NotIn, i.Manifests.Profile), slices.Contains(without, c.Name):
		case c.OnDemand && (!slices.Contains(installed, c.Name) || err == nil && before.Version == c.Version): // as the command made it that added it
		default:
			names = append(names, c.Name)
		}
	}
	directories, err := i.directories(ctx, engine, names)
	if err != nil {
		return nil, err
	}
	plan := &Plan{Release: release, From: i.from, Settings: i.settings(directories), Directories: directories, Network: i.net, found: there}
	plan.Settings.From, plan.Settings.Without = i.from.Name, without
	if err := plan.Settings.record(i.Source, i.before); err != nil {
		return nil, err
	}
	return plan, plan.render(ctx, i.Source, names, slices.Concat(i.UseExisting, installed), i.located(directories))
}

// leftOut are the components of the release before that are not installed, and that the last
// run was not about to install.
func (i *Intent) leftOut(ctx context.Context, installed []string, last *LastRun) ([]string, error) {
	begun := map[key]bool{}
	for _, ref := range last.PendingRefs() {
		begun[keyOfRef(ref)] = true
	}
	var out []string
	for _, c := range i.from.Components {
		if !c.OnDemand && !slices.Contains(c.NotIn, i.Manifests.Profile) && !slices.Contains(installed, c.Name) && !slices.Contains(i.UseExisting, c.Name) {
			out = append(out, c.Name)
		}
	}
	if len(begun) == 0 || len(out) == 0 {
		return out, nil
	}
	if i.from.Clone != nil {
		return nil, nil // its manifests are no longer there to say what that run was about to install
	}
	source, err := components.NewEmbedded(i.from.Name)
	if err != nil {
		return nil, err
	}
	rendered, err := source.Render(ctx, out, components.Options{Profile: i.Manifests.Profile, UserEmail: i.Manifests.UserEmail, Outlines: true})
	if err != nil {
		return nil, err
	}
	for _, r := range rendered {
		if slices.ContainsFunc(r.Objects, func(u *unstructured.Unstructured) bool { return begun[keyOf(u)] }) {
			out = slices.DeleteFunc(out, func(name string) bool { return name == r.Component.Name })
		}
	}
	return out, nil
}

// Leaving is a release for uninstall to remove: while an upgrade is not complete, what the
// release before makes at run time goes too.
func (s *Settings) Leaving(release *components.Release) (*components.Release, error) {
	if s == nil || s.From == "" {
		return release, nil
	}
	before, err := s.sourceBefore()
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
