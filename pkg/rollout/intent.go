package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// Intent is what somebody wants installed: the components, and the choices about them.
type Intent struct {
	// Source of the manifests.
	Source components.Source
	// Manifests are the choices about them; Given tells which flags were typed. What
	// was not typed is taken from the installation that is there.
	Manifests components.Options
	Given     func(flag string) bool

	Only, Skip, UseExisting []string
	// Upgrade allows Source to be of a later release than the one that is installed.
	Upgrade bool
	// IsolateNamespaces is a choice for later: who creates a namespace reads it.
	IsolateNamespaces bool
	// Reopen opens the clone of Source again with choices of the last run that were not made
	// this time; nil where Source is no clone.
	Reopen func(last *components.Clone) (components.Source, error)

	// isolated and pulledWith are what the last run chose.
	isolated   bool
	pulledWith string
	// from is the release that is replaced, where that has been begun or is to be.
	from *components.Release
	// resumed tells that it has been begun, without that it leaves these components out.
	resumed bool
	without []string

	// before is the copy of that release where it is somebody's clone.
	before []byte

	// recorded is what the last run did, for a run that does not do it again.
	recorded CNISettings
	// recordedNetwork is what the last run knew of the network, net what this one found.
	recordedNetwork NetworkSettings
	net             *Network
}

// Keep takes from the last run what was not named this time: an install without
// flags must not undo the flags of the one before.
func (i *Intent) Keep(s *Settings) error {
	if s == nil {
		return i.Manifests.SelfService.Complete()
	}
	if s.Kustomization != "" && !i.Given("kustomize") {
		return fmt.Errorf(`the installation uses -k %s: specify it again, or use -k "" to install without it`, s.Kustomization)
	}
	if err := i.keepRelease(s); err != nil {
		return err
	}
	m := &i.Manifests
	i.recorded, i.recordedNetwork = s.CNI, s.Network
	// Another first user would take the login of the one who is there.
	if i.Given("user-email") && s.UserEmail != "" && m.UserEmail != s.UserEmail {
		return fmt.Errorf("--user-email: the first user is already %s, and install does not change the first user: omit the flag", s.UserEmail)
	}
	for flag, take := range map[string]func(){
		"profile":           func() { m.Profile = s.Profile },
		"user-email":        func() { m.UserEmail = s.UserEmail },
		"secure-cookies":    func() { m.SecureCookies = s.SecureCookies },
		"registry":          func() { m.Registry = s.Registry },
		"image-pull-secret": func() { m.PullSecret = s.PullSecret },
		"image":             func() { m.Images = s.Images },
		"cluster-domain": func() {
			if s.Network.Given {
				m.ClusterDomain = s.Network.Domain
			}
		},
		"cull-idle":     func() { m.Culling = s.Culling },
		"self-service":  func() { m.SelfService.On = s.SelfService.On },
		"allow-domain":  func() { m.SelfService.Domains = s.SelfService.Domains },
		"allow-group":   func() { m.SelfService.Groups = s.SelfService.Groups },
		"default-quota": func() { m.SelfService.Quota = s.SelfService.Quota },
		"cni-bin-dir": func() {
			if s.CNI.BinGiven {
				m.CNI.BinDir = s.CNI.BinDir
			}
		},
		"cni-conf-dir": func() {
			if s.CNI.ConfGiven {
				m.CNI.ConfDir = s.CNI.ConfDir
			}
		},
		"isolate-namespaces": func() { i.IsolateNamespaces = s.IsolateNamespaces },
		"use-existing": func() {
			i.UseExisting = slices.DeleteFunc(slices.Clone(s.UseExisting), func(n string) bool { return slices.Contains(i.Only, n) })
		},
	} {
		if !i.Given(flag) {
			take()
		}
	}
	if i.Given("self-service") && !m.SelfService.On {
		m.SelfService = components.SelfService{} // with all that was chosen about it
	}
	i.isolated, i.pulledWith = s.IsolateNamespaces, s.PullSecret
	m.TLS, m.NotebookOrigin = s.TLS, s.NotebookOrigin     // chosen by expose, and by nothing else
	m.Form = s.Form                                       // chosen by notebook form
	m.Issuer, m.ProvidersOnly = s.Issuer, s.ProvidersOnly // chosen by expose and identity
	if err := m.SelfService.Complete(); err != nil {
		return err
	}
	return m.Validate()
}

// Names are the components to send. Installed are those of an earlier run.
func (i *Intent) Names(installed []string) ([]string, error) {
	return Select(i.Source.Release(), i.Manifests.Profile, i.Only, slices.Concat(i.Skip, i.UseExisting), slices.Concat(i.UseExisting, installed))
}

// CanSkip tells whether the components can be left out: nothing that stays needs them.
func (i *Intent) CanSkip(names []string) bool {
	_, err := Select(i.Source.Release(), i.Manifests.Profile, i.Only, slices.Concat(i.Skip, names), i.UseExisting)
	return err == nil
}

// Plan renders what is to be sent, for the server's version. Blind: what is in the
// cluster may not be read.
func (i *Intent) Plan(ctx context.Context, engine *Engine, blind bool) (*Plan, error) {
	i.Manifests.ForServer(int(engine.cluster.Version.Minor()))
	if !blind {
		network, err := i.network(ctx, engine)
		if err != nil {
			return nil, err
		}
		i.apply(network)
	}
	release := i.Source.Release()
	partial := len(i.Only)+len(i.Skip) > 0
	var there *found
	var installed []string
	switch {
	case i.from != nil:
		return i.upgradePlan(ctx, engine)
	case blind:
		installed = release.Names() // nothing may be read, so nothing is known to be missing
	case partial:
		// Only what is left out now can be needed from an earlier run.
		var err error
		if there, err = engine.find(ctx); err != nil {
			return nil, err
		}
		// What a person's own kustomization added is in no catalogue.
		installed = slices.DeleteFunc(there.components(), func(n string) bool { return !slices.Contains(release.Names(), n) })
	}
	names, err := i.Names(installed)
	if err != nil {
		return nil, err
	}
	directories, err := i.directories(ctx, engine, names)
	if err != nil {
		return nil, err
	}
	plan := &Plan{Release: release, Settings: i.settings(directories), Directories: directories, Network: i.net, Partial: partial, found: there}
	if err := plan.Settings.record(i.Source, nil); err != nil {
		return nil, err
	}
	return plan, plan.render(ctx, i.Source, names, slices.Concat(i.UseExisting, installed), i.located(directories))
}

// WasIsolated tells that the last run isolated the namespaces of people.
func (i *Intent) WasIsolated() bool { return i.isolated }

// PulledWith is the pull secret of the last run.
func (i *Intent) PulledWith() string { return i.pulledWith }

func (i *Intent) settings(d *Directories) Settings {
	m := i.Manifests
	return Settings{
		Release: i.Source.Release().Name, Profile: m.Profile, UserEmail: m.UserEmail,
		SecureCookies: m.SecureCookies, Registry: m.Registry, PullSecret: m.PullSecret, Images: m.Images,
		UseExisting: i.UseExisting, Kustomization: m.Kustomization, TLS: m.TLS, NotebookOrigin: m.NotebookOrigin, Issuer: m.Issuer, ProvidersOnly: m.ProvidersOnly, Form: m.Form, Culling: m.Culling,
		CNI:               i.cniSettings(d),
		Network:           i.networkSettings(),
		IsolateNamespaces: i.IsolateNamespaces,
		SelfService:       m.SelfService,
	}
}

// render makes the objects of the named components, and of those in the cluster that
// they need. The user's own kustomization belongs to what is sent, not to what is there.
func (p *Plan) render(ctx context.Context, source components.Source, names, inCluster []string, o components.Options) (err error) {
	if p.Rendered, err = source.Render(ctx, names, o); err != nil {
		return err
	}
	existing := needed(p.Release, names, inCluster)
	if len(existing) == 0 {
		return nil
	}
	o.Kustomization = ""
	p.Existing, err = source.Render(ctx, existing, o)
	return err
}

// needed are the components in the cluster that the chosen ones need, directly or
// through another one of them.
func needed(release *components.Release, names, inCluster []string) []string {
	var out []string
	var visit func(name string)
	visit = func(name string) {
		c, err := release.Component(name)
		if err != nil {
			return // the user's own objects need no component by name
		}
		needs := slices.Clone(c.Needs)
		for _, g := range c.Gates {
			needs = append(needs, g.Needs...)
		}
		for _, n := range needs {
			if !slices.Contains(names, n.Component) && slices.Contains(inCluster, n.Component) && !slices.Contains(out, n.Component) {
				out = append(out, n.Component)
				visit(n.Component)
			}
		}
	}
	for _, n := range names {
		visit(n)
	}
	return out
}

// conflictsShown bounds the list of what belongs to others; a foreign Istio has hundreds of objects.
const conflictsShown = 20

// Refusal is the error of an installation that would take over what belongs to others: it
// names the objects and the choices. Nil where there are none.
func (i *Intent) Refusal(conflicts []Conflict) error { return conflictError(conflicts, i.CanSkip) }

func conflictError(conflicts []Conflict, canSkip func(names []string) bool) error {
	if len(conflicts) == 0 {
		return nil
	}
	var b strings.Builder
	noun := "objects belong"
	if len(conflicts) == 1 {
		noun = "object belongs"
	}
	fmt.Fprintf(&b, "%d %s to another owner, nothing was changed:", len(conflicts), noun)
	var names []string
	for i, c := range conflicts {
		if i < conflictsShown {
			fmt.Fprintf(&b, "\n  %s", c)
		}
		if !slices.Contains(names, c.Component) {
			names = append(names, c.Component)
		}
	}
	if n := len(conflicts) - conflictsShown; n > 0 {
		fmt.Fprintf(&b, "\n  and %d more", n)
	}
	fmt.Fprintf(&b, "\nchoose: --use-existing %s (use what exists) or --adopt (take it over)", strings.Join(names, ","))
	if canSkip(names) {
		fmt.Fprintf(&b, ", or skip it: --skip %s", strings.Join(names, ","))
	}
	return errors.New(b.String())
}
