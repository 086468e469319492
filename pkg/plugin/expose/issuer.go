package expose

import (
	"context"
	"errors"
	"fmt"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/identity"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// issuerFor is the issuer that Dex is to have with a URL of the web app: one that browsers reach
// where a host name was chosen for HTTPS, now or before, and the name inside the cluster where
// there is none any more. While nothing is known of the URL, it stays.
func issuerFor(in report.WayIn, chosen bool, now string) string {
	outer, err := identity.Outer(in)
	switch {
	case err == nil && (chosen || now != ""):
		return outer
	case in.URL == "" && in.Scheme == "https":
		return now
	}
	return ""
}

// moveIssuer has Dex call itself as issuerFor says, with all that has to agree with it.
func (o *ExposeOptions) moveIssuer(ctx context.Context, c *cluster.Cluster, in report.WayIn) error {
	settings, err := rollout.ReadSettings(ctx, c)
	if err != nil || settings == nil {
		return err
	}
	to := issuerFor(in, len(o.tls.Hosts) > 0, settings.Issuer.URL)
	if to == "" && settings.Issuer.URL == "" {
		return nil
	}
	w := o.base.ErrOut
	if to != settings.Issuer.URL {
		if err := o.announceIssuer(ctx, c, to); err != nil {
			return err
		}
	}
	engine, done := o.base.Engine(c, rollout.Options{Timeout: o.Timeout})
	err = (&identity.Move{Cluster: c, Source: o.source, Kustomization: o.tls.Kustomization, To: to}).Apply(ctx, engine)
	done()
	if errors.Is(err, identity.ErrElsewhere) {
		fmt.Fprintf(w, "Dex's issuer stays as it is: %v\n", err)
		return nil
	}
	return err
}

// announceIssuer says where the issuer moves, and what that means for providers.
func (o *ExposeOptions) announceIssuer(ctx context.Context, c *cluster.Cluster, to string) error {
	ids, err := (&identity.Store{Cluster: c}).Redirecting(ctx)
	if err != nil {
		return err
	}
	w := o.base.ErrOut
	switch {
	case to != "":
		fmt.Fprintf(w, "Dex's issuer moves to %s. Users who are logged in stay logged in.\n", to)
		if len(ids) > 0 {
			fmt.Fprintf(w, "warning: register the callback %s/callback at the identity providers (%s): until then, nobody logs in by them\n", to, plugin.List(ids))
		}
	default:
		fmt.Fprintln(w, "Dex's issuer moves back to its name inside the cluster. Users who are logged in stay logged in.")
		if len(ids) > 0 {
			fmt.Fprintf(w, "warning: the identity providers %s redirect browsers, which needs HTTPS at a host name: nobody logs in by them until there is one again\n", plugin.List(ids))
		}
	}
	return nil
}
