package login

import (
	"context"
	"net/http"
	"strings"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// upstreamTime is the header by which Envoy tells that a service behind it has answered.
const upstreamTime = "X-Envoy-Upstream-Service-Time"

// gateway asks the gateway's Envoy about itself.
func (w *walk) gateway(ctx context.Context) verdict {
	if err := w.o.Unreached; err != nil {
		a := answer{request: "port-forward", at: w.base, err: err}
		v := fail(a, "the gateway does not answer", w.noConnection(a))
		v.halt = true
		return v
	}
	if w.o.Health == "" {
		return skip("port 15021 is not exposed")
	}
	a := w.stranger.get(ctx, w.o.Health)
	if a.ok() {
		return pass(a.request, a)
	}
	if a.err != nil || a.stranded() {
		// A firewall may let the web's ports through and no others.
		if other := w.stranger.get(ctx, "/dex/healthz"); other.err == nil && !other.stranded() {
			return skip("port 15021 does not answer from this machine, the URL's port does")
		}
		v := fail(a, "the gateway does not answer", w.noConnection(a))
		v.halt = true // nothing can be let in where nothing is reached
		return v
	}
	return fail(a, "", w.unreachable(a, diagnose.GatewayUnreachable, istioComponent, istioNamespace, gatewayService, gatewayService))
}

func (w *walk) dex(ctx context.Context) verdict {
	a := w.stranger.get(ctx, "/dex/healthz")
	if a.ok() {
		return pass(a.request, a)
	}
	v := fail(a, "Dex does not answer", w.hop(a, "/dex/", diagnose.DexUnreachable, dexComponent, dexNamespace, dexName, dexName))
	v.halt = a.err != nil
	return v
}

func (w *walk) proxy(ctx context.Context) verdict {
	a := w.stranger.get(ctx, "/oauth2/auth")
	switch {
	case a.err == nil && a.code == http.StatusUnauthorized:
		return pass(a.request, a)
	case a.ok():
		return w.open(a, "oauth2-proxy accepts a user who is not logged in")
	}
	return fail(a, "oauth2-proxy does not answer", w.hop(a, "/oauth2/", diagnose.OAuth2ProxyUnreachable, proxyComponent, proxyNamespace, proxyName, proxyName))
}

// signIn asks for the web app as somebody who has not logged in.
func (w *walk) signIn(ctx context.Context) verdict {
	a := w.stranger.get(ctx, webAppPath)
	program := w.stranger.get(ctx, webAppPath+"api/config")
	switch {
	case passedBy(a):
		return w.open(a, "the web app answers users who are not logged in")
	case passedBy(program):
		return w.open(program, "the web app's API answers users who are not logged in")
	case a.err != nil || a.stranded():
		return fail(a, "the gateway does not answer", w.noConnection(a))
	case toLogin(a) && program.err == nil && (program.code == http.StatusUnauthorized || program.code == http.StatusForbidden):
		return pass(a.request+", "+webAppPath+"api/config", a, program)
	case a.code == http.StatusForbidden && strings.Contains(a.body, denied):
		return fail(a, "the login page does not appear", w.denied(a))
	case a.code == http.StatusForbidden && strings.TrimSpace(a.body) == "":
		return fail(a, "oauth2-proxy does not answer",
			w.unreachable(a, diagnose.OAuth2ProxyUnreachable, proxyComponent, proxyNamespace, proxyName, proxyName))
	case a.code == http.StatusNotFound && w.g.route(webAppPath) == nil:
		return fail(a, "the web app has no route", w.noRoute(a, webAppPath))
	case a.code == http.StatusUnauthorized:
		// Without the CUSTOM policy nobody is asked to log in, and the token is missed.
		return fail(a, "the login page does not appear", w.denied(a))
	}
	return fail(a, "the login page does not appear", w.hop(a, webAppPath, diagnose.OAuth2ProxyUnreachable, proxyComponent, proxyNamespace, proxyName, proxyName))
}

// passedBy tells that a request of nobody got past the policies: the web app answers,
// whatever it says, or the gateway has tried to reach it.
func passedBy(a answer) bool {
	return a.err == nil && !toLogin(a) && (a.ok() || a.header.Get(upstreamTime) != "" ||
		a.code == http.StatusServiceUnavailable && a.envoy() && strings.Contains(a.body, "upstream"))
}

// refusal tells that the gateway said no.
func refusal(a answer) bool {
	return a.code == http.StatusUnauthorized || a.code == http.StatusForbidden || toLogin(a)
}

// toLogin tells that an answer shows the way to the login: oauth2-proxy's page with its
// button, or, where that is switched off, a redirect; elsewhere, where others know people.
func toLogin(a answer) bool {
	if a.redirect() {
		return a.location.Host != a.at.Host || strings.HasPrefix(a.location.Path, startPath) || strings.HasPrefix(a.location.Path, "/dex/auth")
	}
	return a.code == http.StatusForbidden && strings.Contains(a.body, startPath)
}

// open is the worst there is.
func (w *walk) open(a answer, summary string) verdict {
	c := report.Cause{
		Name: diagnose.ApplicationUnprotected, Severity: report.Fatal, Component: proxyComponent, Object: GatewayRef,
		Summary: summary + ": anyone who reaches " + w.base.Host + " can act as any user", Evidence: []string{a.evidence()},
		Remedy: closeFirst,
	}
	for _, p := range w.g.policyCauses() {
		c.Evidence = append(c.Evidence, p.Summary)
	}
	v := fail(a, "the web app is open to everyone", c)
	v.halt = true
	return v
}

// closeFirst makes the gateway unreachable from outside, and only then repairs it.
const closeFirst = `kubectl jupyter expose --type ClusterIP             makes it unreachable from outside
kubectl jupyter install --only istio,oauth2-proxy   restores the policies`

// forged tries to be somebody without having logged in: by writing the header that the
// web app believes, with a token that nobody signed, and with credentials of a kind that
// oauth2-proxy is not asked about.
func (w *walk) forged(ctx context.Context) verdict {
	who := w.o.Email
	if users := w.g.Users(); who == "" && len(users) > 0 {
		who = users[0]
	}
	header := w.stranger.get(ctx, webAppPath, "kubeflow-userid", who)
	token := w.stranger.get(ctx, webAppPath, "kubeflow-userid", who, "Authorization", "Bearer nonsense")
	other := w.stranger.get(ctx, webAppPath, "kubeflow-userid", who, "Authorization", "Basic bm9ib2R5Og==")
	for _, a := range []answer{header, token, other} {
		if a.err != nil {
			return fail(a, "the gateway does not answer", w.noConnection(a))
		}
		if passedBy(a) {
			c := report.Cause{
				Name: diagnose.ForgedIdentityAccepted, Severity: report.Fatal, Component: proxyComponent, Object: GatewayRef,
				Summary: "a request with a forged kubeflow-userid header reaches the web app: anyone who reaches " + w.base.Host + " can act as any user",
				Remedy:  closeFirst,
			}
			for _, p := range w.g.policyCauses() {
				c.Evidence = append(c.Evidence, p.Summary)
			}
			c.Evidence = append([]string{map[bool]string{
				true: "without credentials", false: "with " + strings.SplitN(a.sent, " ", 2)[0] + " fake credentials",
			}[a.sent == ""] + ": " + a.evidence()}, c.Evidence...)
			v := fail(a, "the web app is open to everyone", c)
			v.halt = true
			return v
		}
	}
	for _, a := range []answer{header, token, other} {
		if !refusal(a) {
			return skip("inconclusive: " + a.says())
		}
	}
	if token.code != http.StatusUnauthorized && w.stopped == "" {
		causes := w.g.policyCauses()
		if len(causes) == 0 {
			causes = []report.Cause{w.denied(token)}
		}
		return fail(token, "", causes...)
	}
	return pass(header.request, header, token, other)
}
