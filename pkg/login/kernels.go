package login

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// maxTried notebooks are asked: what is wrong with one is mostly wrong with all, and one
// that does not answer takes the time of a request.
const maxTried = 8

// kernels asks the notebooks of the person that run, one after the other, until one fails.
func (w *walk) kernels(ctx context.Context) verdict {
	profile := w.g.profileOf(w.o.Email)
	if profile == nil {
		return skip("the user's namespace is not known")
	}
	running, err := w.source.notebooks(ctx, profile.Name)
	if err != nil {
		return skip(err.Error())
	}
	if len(running) == 0 {
		return skip("no running notebook to try")
	}
	if w.g.separate() && w.o.Notebooks == "" {
		return skip("the notebooks' origin is not reachable this way")
	}
	var best verdict
	for _, n := range running[:min(len(running), maxTried)] {
		v := w.kernel(ctx, n)
		if v.outcome == report.ProbeFailed {
			return v
		}
		if best.outcome != report.ProbePassed {
			best = v
		}
	}
	return best
}

// kernel asks a notebook for a WebSocket, which every kernel needs. What it asks for is the
// stream of the server's events: it starts nothing.
func (w *walk) kernel(ctx context.Context, n Notebook) verdict {
	path := fmt.Sprintf("/notebook/%s/%s/", n.Namespace, n.Name)
	at := cmp.Or(w.notebooksOf(n.Namespace), w.base.Scheme+"://"+w.base.Host)
	a := w.person.get(ctx, at+path+"api/events/subscribe",
		"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "a3ViZWN0bC1qdXB5dGVyLQ==",
		"Origin", at)
	ref := report.Ref{Group: "kubeflow.org", Kind: "Notebook", Namespace: n.Namespace, Name: n.Name}
	behind := a.header.Get(upstreamTime) != ""
	switch {
	case a.err == nil && a.code == http.StatusSwitchingProtocols:
		return pass(a.request, a)
	case a.stranded(), a.err != nil && !timedOut(a.err):
		return fail(a, "", w.noConnection(a))
	case a.code == http.StatusBadRequest && strings.Contains(a.body, "Upgrade"), a.code == http.StatusUpgradeRequired:
		return fail(a, "", report.Cause{
			Name: diagnose.WebSocketDropped, Severity: report.Error, Component: istioComponent, Object: ref,
			Summary: "something between this machine and the notebook drops WebSockets: no kernel can connect", Evidence: []string{a.evidence()},
			Remedy: "configure the proxy or load balancer in front of the gateway to pass the headers Upgrade and Connection\nkubectl jupyter login-url --check --port-forward   shows whether it is the reason",
		})
	case a.err == nil && !behind && a.code == http.StatusNotFound && strings.TrimSpace(a.body) == "":
		c := w.noRoute(a, path)
		c.Component, c.Object = "notebook-controller", ref
		c.Remedy = fmt.Sprintf("kubectl -n %s get virtualservices\nkubectl -n %s logs deployment/notebook-controller-deployment", n.Namespace, stackNamespace)
		return fail(a, "", c)
	case a.err != nil, a.code >= http.StatusBadGateway && a.code <= http.StatusGatewayTimeout, strings.Contains(a.body, denied), toLogin(a):
		return fail(a, "", w.notebookSilent(a, n, ref)...)
	case a.code == http.StatusNotFound:
		return skip("the notebook's server has no event stream: it is not Jupyter Server 2")
	}
	return skip(fmt.Sprintf("the notebook answers %s", a.says()))
}

// timedOut tells that the gateway took a request, and nobody answered it.
func timedOut(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// notebookSilent names why a notebook that is ready does not answer through the gateway.
func (w *walk) notebookSilent(a answer, n Notebook, ref report.Ref) []report.Cause {
	var its []corev1.Pod
	for i := range w.g.MeshPods {
		if p := w.g.MeshPods[i]; p.Namespace == n.Namespace && p.Labels[notebookLabel] == n.Name {
			its = append(its, p)
		}
	}
	// It does not answer, so it has not got another certificate since.
	if causes := MeshRootCauses(w.g.MeshRoot, its, time.Time{}); len(causes) > 0 && a.err == nil && a.code == http.StatusServiceUnavailable {
		causes[0].Evidence = append([]string{a.evidence()}, causes[0].Evidence...)
		return causes
	}
	c := report.Cause{
		Name: diagnose.NotebookUnreachable, Severity: report.Error, Component: istioComponent, Object: ref,
		Summary:  fmt.Sprintf("notebook %s/%s is ready, but does not answer through the gateway", n.Namespace, n.Name),
		Evidence: []string{a.evidence()},
		Remedy: fmt.Sprintf("kubectl -n %s get pods,services,virtualservices,authorizationpolicies,networkpolicies\nkubectl -n %s logs %s-0 -c %s",
			n.Namespace, n.Namespace, n.Name, meshProxy),
	}
	if strings.Contains(a.body, denied) {
		c.Summary += ": a policy denies the request"
		return []report.Cause{c}
	}
	gateway := podOf(w.g.Pods, istioNamespace, gatewayService)
	if gateway == nil || len(its) == 0 {
		return []report.Cause{c}
	}
	from := diagnose.Peer{Says: "the gateway", Namespace: gateway.Namespace, Labels: gateway.Labels}
	if b := notebookBlocked(w.g.NetworkPolicies, &its[0], from); b != nil {
		b.Severity = report.Error
		return []report.Cause{*b, c}
	}
	return []report.Cause{c}
}
