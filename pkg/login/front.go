package login

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// tooLarge tells that something refuses headers for their size. The session's cookie is some
// kilobytes of them, in oauth2-proxy's answer after the login and in each request from then on.
func (w *walk) tooLarge(a answer) (report.Cause, bool) {
	said := strings.ToLower(a.body)
	request := a.err == nil && (a.code == http.StatusRequestHeaderFieldsTooLarge ||
		a.code == http.StatusBadRequest && strings.Contains(said, "too large") && (strings.Contains(said, "header") || strings.Contains(said, "cookie")))
	// Of an answer that is too large, a proxy says only that it got none; but it has passed
	// other answers of the same gateway.
	response := a.stranded() && strings.HasPrefix(a.at.Path, callbackPath) && w.passed()
	if !request && !response {
		return report.Cause{}, false
	}
	who := "the gateway"
	if !a.envoy() {
		who = "what is in front of the gateway"
		if name := a.header.Get("Server"); name != "" {
			who += " (" + name + ")"
		}
	}
	c := report.Cause{
		Name: diagnose.HeadersTooLarge, Severity: report.Error, Component: istioComponent, Object: GatewayRef, Evidence: []string{a.evidence()},
		Summary: who + " refuses a request whose headers are too large for it: the session's cookie is one of them",
		Remedy:  "raise its limit for headers of requests; in nginx: large_client_header_buffers 4 32k",
	}
	if response {
		c.Summary = who + " does not pass on the answer that sets the session's cookie: most likely its headers are too large for it"
		c.Remedy = "raise its limit for headers of answers; in nginx: proxy_buffer_size 32k and proxy_buffers 8 32k"
	}
	c.Remedy += "\nkubectl jupyter login-url --check --port-forward   bypasses it"
	return c, true
}

// callbackPath is where Dex sends the browser back to.
const callbackPath = "/oauth2/callback"

// passed tells that the gateway, or something behind it, has answered a request before.
func (w *walk) passed() bool {
	for _, p := range w.result.Probes {
		if p.Outcome == report.ProbePassed {
			return true
		}
	}
	return false
}

// throughProxy tells that a proxy of this machine's environment has answered, or cannot be
// reached: what it passes on of the gateway has Envoy's name.
func (w *walk) throughProxy(a answer) (report.Cause, bool) {
	proxy, by := cluster.Proxy(a.at.String(), nil)
	if proxy == "" || a.envoy() || a.err == nil && a.header.Get(upstreamTime) != "" || a.err != nil && timedOut(a.err) {
		return report.Cause{}, false
	}
	return report.Cause{
		Name: diagnose.GatewayUnreachable, Severity: report.Error, Component: istioComponent, Object: GatewayRef,
		Summary:  fmt.Sprintf("requests to %s go through the proxy %s (%s), which answers in the gateway's place or is not reachable", w.base.Host, proxy, by),
		Evidence: []string{a.evidence()},
		Remedy:   fmt.Sprintf("add %s to NO_PROXY, here and in the browser\nkubectl jupyter login-url --check --port-forward   bypasses it", w.base.Hostname()),
	}, true
}

// between is what stands in front of the gateway and answers in its place.
func (w *walk) between(a answer) (summary string) {
	who := cmp.Or(a.header.Get("Server"), "something")
	if w.passed() {
		return fmt.Sprintf("%s in front of the gateway answers for %s, although it has passed other requests", who, w.base.Host)
	}
	return fmt.Sprintf("%s in front of the gateway answers for %s, but does not reach it", who, w.base.Host)
}
