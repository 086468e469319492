package login

import (
	"context"
	"fmt"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// CredentialsRef names the filter that keeps people's credentials from notebooks.
var CredentialsRef = report.Ref{Group: networkingGroup, Kind: "EnvoyFilter", Namespace: istioNamespace, Name: "istio-ingressgateway-credentials"}

// credentialsDoes is what it is for, credentialsWithout what happens without it.
const (
	credentialsDoes    = "removes the session cookie and the token before other services than the stack's own get a request"
	credentialsWithout = "notebooks get the session cookie and the token of everyone who opens them, and can act as them"
)

// CredentialsCauses name what keeps the filter from doing what it is for. It reads Filters,
// Filter and oauth2-proxy's settings; what could not be read proves nothing.
func (g *Ground) CredentialsCauses() []report.Cause {
	return g.filterCauses(duty{CredentialsRef, diagnose.CredentialsForwarded, proxyComponent, credentialsWithout, g.Filter})
}

// credentials tells that notebooks are not handed what lets them act as their visitors. What
// a notebook gets is seen by the notebook alone, so this probe reads the filter as it was
// applied, and the route of a notebook that runs.
func (w *walk) credentials(ctx context.Context) verdict {
	v := verdict{asked: "get " + CredentialsRef.String()}
	if w.g.listFailed(CredentialsRef.Kind, istioNamespace) {
		return skip("the EnvoyFilters of " + istioNamespace + " could not be read")
	}
	if v.causes = w.g.CredentialsCauses(); len(v.causes) > 0 {
		v.outcome, v.came = report.ProbeFailed, "handed on: the EnvoyFilter is missing, changed or disabled"
		return v
	}
	v.outcome = report.ProbePassed
	v.came = "removed, as the EnvoyFilter in the cluster says; from outside it cannot be seen"
	if profile := w.g.profileOf(w.o.Email); profile != nil && w.stopped == "" {
		if running, err := w.source.notebooks(ctx, profile.Name); err == nil && len(running) > 0 {
			if to := w.source.destination(ctx, running[0]); to != "" {
				v.came += fmt.Sprintf(" (the route of notebook %s leads to %s)", running[0].Name, to)
			}
		}
	}
	return v
}

// credentialsLink is the filter on the way of a request.
func (g *Ground) credentialsLink() report.Link {
	return g.filterLink(CredentialsRef, credentialsDoes, credentialsWithout, g.CredentialsCauses())
}
