package login

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// What answers say.
const (
	// denied is Envoy's word for a request that a policy refuses.
	denied = "RBAC: access denied"
	// startPath is where the sign-in page's button leads.
	startPath = "/oauth2/start"
	// unknownIssuer and the others are Envoy's about tokens.
	unknownIssuer = "Jwt issuer is not configured"
)

// unreachable is a hop that the gateway does not reach, or a gateway that nobody reaches.
func (w *walk) unreachable(a answer, name, component, namespace, service, deployment string) report.Cause {
	if c, ok := w.throughProxy(a); ok {
		return c
	}
	if a.err != nil || a.stranded() {
		return w.noConnection(a)
	}
	return w.silent(a, name, component, namespace, service, deployment)
}

// silent is a hop whose pods do not answer.
func (w *walk) silent(a answer, name, component, namespace, service, deployment string) report.Cause {
	w.suspect(component, namespace, deployment)
	ref := report.Ref{Kind: "Service", Namespace: namespace, Name: service}
	c := report.Cause{
		Name: name, Severity: report.Error, Component: component, Object: ref, Evidence: []string{a.evidence()},
		Remedy: fmt.Sprintf("kubectl -n %s get pods\nkubectl -n %s logs deployment/%s", namespace, namespace, deployment),
	}
	c.Evidence = append(c.Evidence, w.g.serviceEvidence(ref)...)
	switch {
	case w.g.service(namespace, service) == nil && !w.g.listFailed("Service", namespace):
		c.Summary = fmt.Sprintf("%s does not exist", ref)
		c.Remedy = "kubectl jupyter install --only " + component
	case w.g.readyEndpoints(namespace, service) == 0 && !w.g.listFailed("EndpointSlice", namespace):
		c.Summary = fmt.Sprintf("%s has no ready pod", ref)
		if d := w.g.deployment(namespace, deployment); d != nil && d.Spec.Replicas != nil && *d.Spec.Replicas == 0 {
			c.Remedy = fmt.Sprintf("kubectl -n %s scale deployment %s --replicas=1", namespace, deployment)
		}
	case a.err == nil && a.header.Get(upstreamTime) != "":
		c.Summary = fmt.Sprintf("%s answers, but not as it must: %s", ref, a.says())
	default:
		c.Summary = fmt.Sprintf("%s has endpoints, but the gateway gets no answer from them", ref)
	}
	return c
}

// serviceEvidence is what the cluster says about what is behind a Service.
func (g *Ground) serviceEvidence(ref report.Ref) []string {
	var lines []string
	for _, l := range g.serviceLinks(ref, 0) {
		if l.State == report.Ready {
			continue
		}
		lines = append(lines, l.Object.String()+": "+strings.TrimSuffix(strings.Join([]string{l.Problem, l.Says}, "; "), "; "))
	}
	return lines
}

// noConnection is that nobody answered at all.
func (w *walk) noConnection(a answer) report.Cause {
	if c, ok := w.untrusted(a); ok {
		return c
	}
	if c, ok := w.throughProxy(a); ok {
		return c
	}
	if w.g.Service != nil && w.g.readyEndpoints(istioNamespace, gatewayService) == 0 && !w.g.listFailed("EndpointSlice", istioNamespace) {
		return w.silent(a, diagnose.GatewayUnreachable, istioComponent, istioNamespace, gatewayService, gatewayService)
	}
	c := report.Cause{
		Name: diagnose.GatewayUnreachable, Severity: report.Error, Component: istioComponent, Object: GatewayRef,
		Evidence: append([]string{a.evidence()}, w.g.serviceEvidence(GatewayRef)...),
	}
	var dns *net.DNSError
	host := w.base.Hostname()
	switch {
	case errors.As(a.err, &dns):
		c.Summary = fmt.Sprintf("the host name %s does not resolve on this machine", host)
		c.Remedy = "add a DNS record, or a line in /etc/hosts, with the gateway's address"
	case a.stranded():
		c.Summary = w.between(a)
		c.Remedy = "a proxy (HTTP_PROXY, NO_PROXY) or a load balancer must be able to reach the address\nkubectl jupyter login-url --check --port-forward   bypasses both"
	case w.o.Through == ThroughPortForward:
		c.Summary = "the gateway's pod accepts no connections"
		c.Remedy = fmt.Sprintf("kubectl -n %s logs deployment/%s", istioNamespace, gatewayService)
	default:
		c.Summary = fmt.Sprintf("nothing answers at %s, although the gateway's pods are ready: the address is not reachable from this machine", w.base.Host)
		c.Remedy = "kubectl jupyter login-url --check --port-forward   shows whether it is the network\nkubectl jupyter port-forward                    works without the address"
	}
	return c
}

// How a check goes.
const (
	ThroughAddress     = "address"
	ThroughPortForward = "port-forward"
)

func (w *walk) untrusted(a answer) (report.Cause, bool) {
	var verification *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	c := report.Cause{
		Name: diagnose.CertificateUntrusted, Severity: report.Error, Component: gatewayComponent, Object: gatewayRef,
		Evidence: []string{a.evidence()}, Remedy: "kubectl jupyter expose --tls self-signed   issues one for the current address",
	}
	switch {
	case errors.As(a.err, &name):
		c.Summary = "the gateway's certificate is not for " + w.base.Hostname()
	case errors.As(a.err, &invalid):
		c.Summary = "the gateway's certificate is not valid: " + invalid.Error()
	case errors.As(a.err, &authority):
		c.Summary = "the gateway's certificate is neither the one in the cluster nor trusted by this machine"
		if w.roots == nil {
			c.Summary = "the gateway's certificate is not trusted by this machine"
			c.Evidence = append(c.Evidence, "no certificate was read from the cluster to compare it with")
		}
	case errors.As(a.err, &verification):
		c.Summary = "the gateway's certificate cannot be verified"
	default:
		return c, false
	}
	return c, true
}

// hop names why a path of the login does not answer as it must.
func (w *walk) hop(a answer, path, name, component, namespace, service, deployment string) report.Cause {
	if c, ok := w.tooLarge(a); ok {
		return c
	}
	if c, ok := w.throughProxy(a); ok {
		return c
	}
	switch {
	case a.err != nil || a.stranded():
		return w.noConnection(a)
	case a.code == 403 && strings.Contains(a.body, denied):
		return w.denied(a)
	case a.code == 404 && w.g.route(path) == nil && !w.g.listFailed("VirtualService", namespace):
		return w.noRoute(a, path)
	}
	return w.unreachable(a, name, component, namespace, service, deployment)
}

func (w *walk) noRoute(a answer, path string) report.Cause {
	return report.Cause{
		Name: diagnose.RouteMissing, Severity: report.Error, Component: gatewayComponent, Object: gatewayRef,
		Summary: fmt.Sprintf("no VirtualService has a route for %s", path), Evidence: []string{a.evidence()},
		Remedy: "kubectl jupyter login-url --explain\nkubectl jupyter install",
	}
}

// denied finds out which of the reasons for "RBAC: access denied" it is. The text alone
// does not tell: a provider that is missing, a policy that is missing and a path without
// a route look alike.
func (w *walk) denied(a answer) report.Cause {
	c := report.Cause{
		Name: diagnose.ExtAuthzProviderMissing, Severity: report.Error, Component: istioComponent, Object: meshRef,
		Evidence: []string{a.evidence()}, Remedy: "kubectl jupyter install --only istio,oauth2-proxy --adopt",
	}
	name, service, known := w.g.provider()
	byName := func(policy string) *report.Cause {
		for _, p := range w.g.policyCauses() {
			if p.Object.Name == policy {
				p.Evidence = append([]string{a.evidence()}, p.Evidence...)
				return &p
			}
		}
		return nil
	}
	switch {
	case w.g.Providers != nil && !known:
		names := make([]string, 0, len(w.g.Providers))
		for _, p := range w.g.Providers {
			names = append(names, p.Name)
		}
		c.Summary = fmt.Sprintf("the mesh configuration has no extension provider %q, which AuthorizationPolicy %s names: the gateway denies everything", name, checkPolicy)
		c.Evidence = append(c.Evidence, fmt.Sprintf("%s: providers: %s", meshRef, strings.Join(names, ", ")))
	case known && w.g.service(service.Namespace, service.Name) == nil && !w.g.listFailed("Service", service.Namespace):
		c.Object, c.Component = service, proxyComponent
		c.Summary = fmt.Sprintf("the extension provider %q refers to %s, which does not exist: the gateway denies everything", name, service)
	case byName(checkPolicy) != nil:
		return *byName(checkPolicy)
	case byName(openPolicy) != nil:
		return *byName(openPolicy)
	case w.g.route(webAppPath) == nil && !w.g.listFailed("VirtualService", stackNamespace):
		return w.noRoute(a, webAppPath)
	default:
		c.Severity = report.Error
		c.Summary = "the gateway denies everything although policies and mesh configuration are correct: istiod has not applied them"
		c.Remedy = fmt.Sprintf("kubectl -n %s logs deployment/istiod\nkubectl -n %s rollout restart deployment istiod", istioNamespace, istioNamespace)
	}
	return c
}

// configCauses are those that the objects prove without a request.
func (g *Ground) configCauses(base *url.URL) []report.Cause {
	var causes []report.Cause
	if issuers := g.issuers(); g.Dex != nil && g.Dex.Issuer != "" && len(issuers) > 0 && !slices.Contains(issuers, g.Dex.Issuer) {
		causes = append(causes, g.issuerCause())
	}
	if redirect := g.Proxy["redirect_url"]; redirect != "" && g.Dex != nil && len(g.Dex.StaticClients) > 0 &&
		!slices.ContainsFunc(g.Dex.StaticClients, func(c DexClient) bool { return slices.Contains(c.RedirectURIs, redirect) }) {
		causes = append(causes, g.redirectCause())
	}
	if g.ClientAgrees != nil && !*g.ClientAgrees {
		causes = append(causes, clientCause("Secret auth/dex-oidc-client and Secret oauth2-proxy/oauth2-proxy have different values"))
	}
	if secure := g.secureSettings(); base.Scheme == "http" && !loopback(base.Hostname()) && len(secure) > 0 {
		causes = append(causes, secureCause(secure...))
	}
	return causes
}

func (g *Ground) issuerCause(evidence ...string) report.Cause {
	dex := "unknown"
	if g.Dex != nil {
		dex = g.Dex.Issuer
	}
	return report.Cause{
		Name: diagnose.JWTIssuerUnknown, Severity: report.Error, Component: proxyComponent,
		Object:  report.Ref{Group: securityGroup, Kind: "RequestAuthentication", Namespace: istioNamespace, Name: tokenPolicy},
		Summary: "the gateway does not accept tokens from Dex's issuer",
		Evidence: append(evidence, fmt.Sprintf("%s: issuer %s", dexConfigRef, dex),
			fmt.Sprintf("RequestAuthentication %s/%s: issuer %s", istioNamespace, tokenPolicy, strings.Join(g.issuers(), ", "))),
		Remedy: "kubectl jupyter install --only oauth2-proxy,dex --adopt",
	}
}

func (g *Ground) redirectCause(evidence ...string) report.Cause {
	var known []string
	if g.Dex != nil {
		for _, c := range g.Dex.StaticClients {
			known = append(known, c.RedirectURIs...)
		}
	}
	return report.Cause{
		Name: diagnose.RedirectURIUnregistered, Severity: report.Error, Component: dexComponent, Object: dexConfigRef,
		Summary: "Dex does not know oauth2-proxy's redirect URI",
		Evidence: append(evidence, fmt.Sprintf("%s: redirect_url %s", proxyConfigRef, g.Proxy["redirect_url"]),
			fmt.Sprintf("%s: redirectURIs %s", dexConfigRef, strings.Join(known, ", "))),
		Remedy: "kubectl jupyter install --only dex,oauth2-proxy --adopt",
	}
}

func clientCause(evidence ...string) report.Cause {
	return report.Cause{
		Name: diagnose.OIDCClientMismatch, Severity: report.Error, Component: proxyComponent,
		Object:   report.Ref{Kind: "Secret", Namespace: proxyNamespace, Name: "oauth2-proxy"},
		Summary:  "Dex does not accept oauth2-proxy's client ID or secret",
		Evidence: evidence,
		Remedy:   "kubectl -n auth rollout restart deployment dex\nkubectl -n oauth2-proxy rollout restart deployment oauth2-proxy",
	}
}

// secureSettings are those that mark cookies Secure.
func (g *Ground) secureSettings() []string {
	var out []string
	for _, s := range []struct {
		ref    report.Ref
		values map[string]string
		key    string
	}{{proxyParamsRef, g.ProxyParameters, "FORCE_HTTPS"}, {webAppParamsRef, g.WebAppParameters, "JWA_APP_SECURE_COOKIES"}} {
		if s.values[s.key] == "true" {
			out = append(out, fmt.Sprintf("%s: %s is true", s.ref, s.key))
		}
	}
	return out
}

func secureCause(evidence ...string) report.Cause {
	return report.Cause{
		Name: diagnose.SecureCookiesOverHTTP, Severity: report.Error, Component: proxyComponent, Object: proxyParamsRef,
		Summary:  "cookies are marked Secure but the URL is plain HTTP: browsers drop them, so the login or every change fails",
		Evidence: evidence,
		Remedy:   "kubectl jupyter expose --tls self-signed\nor, if anyone on the network path may read the traffic: kubectl jupyter install --secure-cookies=false",
	}
}
