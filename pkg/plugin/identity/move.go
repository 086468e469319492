package identity

import (
	"context"
	"fmt"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/identity"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/login"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/users"
)

// move is what the connector needs of Dex's issuer: a URL that browsers reach, if it redirects
// them. Others leave the issuer as it is.
func (o *addOptions) move(ctx context.Context, p *users.Installation) (*identity.Move, error) {
	m := &identity.Move{Cluster: p.Cluster, Source: p.Source, Kustomization: o.Kustomization, To: p.Settings.Issuer.URL}
	if !o.Connector.Redirects() {
		return m, nil
	}
	in, err := login.FindAddress(ctx, p.Cluster)
	if err != nil {
		return nil, err
	}
	m.To, err = identity.Outer(in)
	return m, err
}

// announce says what else than the connector changes, before anything does, and refuses what
// cannot be done.
func (o *addOptions) announce(ctx context.Context, p *users.Installation, m *identity.Move) error {
	check := *m
	check.ProvidersOnly = o.Only
	if !o.Connector.Redirects() && o.Only == nil {
		return nil
	}
	changes, err := check.Check(ctx, rollout.New(p.Cluster, rollout.Options{}))
	if err != nil {
		return err
	}
	w := o.base.ErrOut
	if o.Connector.Redirects() && len(changes) > 0 {
		fmt.Fprintf(w, "Dex's issuer moves to %s. Users who are logged in stay logged in.\n", m.To)
	}
	for _, ref := range changes {
		fmt.Fprintf(w, "  changes %s\n", ref)
	}
	if o.Only != nil && *o.Only {
		fmt.Fprintln(w, "warning: --only: Dex will take no local passwords, not even that of the first user. --only=false takes them again.")
	}
	return nil
}

// apply moves the issuer with an engine that shows its progress.
func apply(ctx context.Context, b *plugin.Base, p *users.Installation, m *identity.Move, timeout time.Duration) error {
	engine, done := b.Engine(p.Cluster, rollout.Options{Timeout: timeout})
	defer done()
	return m.Apply(ctx, engine)
}
