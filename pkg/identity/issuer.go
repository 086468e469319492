package identity

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// Components that have to agree on Dex's issuer.
const (
	dexComponent   = "dex"
	proxyComponent = "oauth2-proxy"
)

// Outer is Dex's issuer at the URL of the web app, where providers can send browsers back to:
// HTTPS at a host name. The error says what to do where it is not.
func Outer(in report.WayIn) (string, error) {
	u, err := url.Parse(in.URL)
	switch {
	case in.URL == "" || err != nil:
		return "", fmt.Errorf("the web app has no URL that a provider could send browsers back to: %s; run `kubectl jupyter expose --tls self-signed --host NAME` first", in.Missing)
	case u.Scheme != "https":
		return "", fmt.Errorf("the web app is at %s, and providers send browsers back to HTTPS only: run `kubectl jupyter expose --tls self-signed --host NAME`, or --tls SECRET, first", in.URL)
	case net.ParseIP(u.Hostname()) != nil:
		return "", fmt.Errorf("the web app is at %s, an IP address: run `kubectl jupyter expose --tls self-signed --host NAME` first, with the host name that users type", in.URL)
	}
	return components.IssuerAt(u), nil
}

// Move is Dex's move to another issuer.
type Move struct {
	Cluster       *cluster.Cluster
	Source        components.Source
	Kustomization string
	// To is the issuer; empty for the name inside the cluster.
	To string
	// ProvidersOnly is the choice about local passwords; nil leaves it as it is.
	ProvidersOnly *bool
}

// ErrElsewhere tells that the issuer is set by somebody else.
var ErrElsewhere = errors.New("Dex is configured elsewhere")

// plans are what is applied, one after the other: oauth2-proxy and the gateway take tokens of
// both issuers before Dex issues those of another one, and until it no longer does.
func (m *Move) plans(ctx context.Context, engine *rollout.Engine) ([]*rollout.Plan, error) {
	settings, err := rollout.ReadSettings(ctx, m.Cluster)
	if err != nil {
		return nil, err
	}
	if settings == nil {
		return nil, fmt.Errorf("nothing is installed in %s: run `kubectl jupyter install` first", m.Cluster.Where())
	}
	if settings.Clone != nil {
		return nil, fmt.Errorf("%w: the installation is a clone of kubeflow/manifests: set the issuer and Dex's configuration in the clone", ErrElsewhere)
	}
	needed := []string{proxyComponent, dexComponent}
	there, err := engine.InstalledOf(ctx, needed)
	if err != nil {
		return nil, err
	}
	if len(there) < len(needed) {
		return nil, fmt.Errorf("%w: Dex and oauth2-proxy of %s are not both managed by kubectl jupyter: set the issuer where they are configured", ErrElsewhere, m.Cluster.Where())
	}
	part := rollout.Part{Cluster: m.Cluster, Source: m.Source, Settings: *settings, Kustomization: m.Kustomization}
	part.Settings.Issuer = settings.Issuer.Moved(m.To)
	if m.ProvidersOnly != nil {
		part.Settings.ProvidersOnly = *m.ProvidersOnly
	}
	if m.To == "" {
		slices.Reverse(needed)
	}
	var out []*rollout.Plan
	for _, name := range needed {
		plan, err := part.Plan(ctx, name)
		if err != nil {
			return nil, err
		}
		out = append(out, plan)
	}
	return out, nil
}

// Check refuses what cannot be done, before anything is written, and lists what would change.
func (m *Move) Check(ctx context.Context, engine *rollout.Engine) ([]report.Ref, error) {
	plans, err := m.plans(ctx, engine)
	if err != nil {
		return nil, err
	}
	var out []report.Ref
	for _, plan := range plans {
		if err := engine.Allowed(ctx, plan); err != nil {
			return nil, err
		}
		survey, err := engine.Unopposed(ctx, plan)
		if err != nil {
			return nil, err
		}
		for _, c := range survey.Changes() {
			if c.Action != report.Unchanged {
				out = append(out, c.Ref)
			}
		}
	}
	return out, nil
}

// Apply moves the issuer, and with it the callbacks of connectors. A run that was killed in
// the middle is completed by the next one: whatever is done already is left as it is.
func (m *Move) Apply(ctx context.Context, engine *rollout.Engine) error {
	plans, err := m.plans(ctx, engine)
	if err != nil {
		return err
	}
	for _, plan := range plans {
		if _, err := engine.Change(ctx, plan); err != nil {
			return err
		}
	}
	if m.To == "" {
		return nil
	}
	return (&Store{Cluster: m.Cluster}).callbacks(ctx, components.Issuer{URL: m.To}.Callback())
}

// callbacks has all connectors that redirect send browsers back to the same callback.
func (s *Store) callbacks(ctx context.Context, callback string) error {
	all, err := s.List(ctx)
	if err != nil {
		return err
	}
	for i := range all {
		c := &all[i]
		if c.Broken != nil || !c.Redirects() || c.Callback() == callback {
			continue
		}
		c.set("redirectURI", callback)
		if err := s.Put(ctx, &c.Connector, c, false); err != nil {
			return err
		}
	}
	return nil
}

// Redirecting are the IDs of connectors that redirect: without an issuer that browsers reach,
// nobody logs in by them.
func (s *Store) Redirecting(ctx context.Context) ([]string, error) {
	all, err := s.List(ctx)
	var ids []string
	for i := range all {
		if all[i].Redirects() {
			ids = append(ids, all[i].ID)
		}
	}
	return ids, err
}
