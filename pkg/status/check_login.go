package status

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/login"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

var (
	proxyConfig = report.Ref{Kind: "ConfigMap", Namespace: "oauth2-proxy", Name: "oauth2-proxy"}
	dexConfig   = report.Ref{Kind: "ConfigMap", Namespace: "auth", Name: "dex"}
)

// checkLogin: settings of Dex, oauth2-proxy, web app and gateway that contradict each
// other, or the address at which people open the web app.
func checkLogin(s *Snapshot) []report.Cause {
	if s.Component("oauth2-proxy") == nil || s.Component("dex") == nil {
		return nil
	}
	g, causes := s.ground()
	base, reached := s.base()
	for _, c := range g.Conflicts(base) {
		if c.Name == diagnose.SecureCookiesOverHTTP && !reached {
			// Over a port-forward the browser speaks to localhost, where most keep such cookies.
			c.Severity = report.Warning
			c.Evidence = append(c.Evidence, "there is no address yet; the gateway serves plain HTTP")
		}
		causes = append(causes, c)
	}
	causes = append(causes, issuerOfProxy(g)...)
	return append(causes, cookiesLost(g, base, reached)...)
}

// issuerOfProxy: oauth2-proxy refuses tokens of an issuer that it does not expect.
func issuerOfProxy(g *login.Ground) []report.Cause {
	expected := g.Proxy["oidc_issuer_url"]
	if g.Dex == nil || expected == "" || expected == g.Dex.Issuer {
		return nil
	}
	return []report.Cause{{
		Name: diagnose.JWTIssuerUnknown, Severity: report.Error, Component: "oauth2-proxy", Object: proxyConfig,
		Summary: "oauth2-proxy does not accept tokens from Dex's issuer",
		Evidence: []string{
			fmt.Sprintf("%s: oidc_issuer_url is %s", proxyConfig, expected),
			fmt.Sprintf("%s: issuer is %s", dexConfig, g.Dex.Issuer),
		},
		Remedy: "kubectl jupyter install --only oauth2-proxy,dex --adopt",
	}}
}

// cookiesLost: the login succeeds, and the browser does not send the session back.
func cookiesLost(g *login.Ground, base *url.URL, reached bool) []report.Cause {
	c := report.Cause{
		Name: diagnose.LoginLoop, Severity: report.Error, Component: "oauth2-proxy", Object: proxyConfig,
		Remedy: "kubectl jupyter install --only oauth2-proxy --adopt",
	}
	var causes []report.Cause
	lost := func(summary, evidence string) {
		c.Summary, c.Evidence = summary, []string{fmt.Sprintf("%s: %s", proxyConfig, evidence)}
		if reached {
			c.Evidence = append(c.Evidence, "URL: "+base.String())
		}
		causes = append(causes, c)
	}
	if strings.EqualFold(g.Proxy["cookie_samesite"], "none") && base.Scheme == "http" {
		lost("browsers drop the session cookie, so the login loops: SameSite=None requires Secure", "cookie_samesite is none")
	}
	if !reached {
		return causes
	}
	if domains := quotedList(g.Proxy["cookie_domains"]); len(domains) > 0 && !slices.ContainsFunc(domains, func(d string) bool { return covers(d, base.Hostname()) }) {
		lost("browsers drop the session cookie, so the login loops: it is for another domain",
			"cookie_domains is "+strings.Join(domains, ", "))
	}
	if back, err := url.Parse(g.Proxy["redirect_url"]); err == nil && back.Host != "" && (back.Scheme != base.Scheme || back.Host != base.Host) {
		lost("the login returns to a different address than it started from, where its cookies do not exist", "redirect_url is "+back.String())
	}
	return causes
}

// quotedList reads a list of strings of oauth2-proxy's file: [ "a", "b" ] or one string.
func quotedList(text string) []string {
	var out []string
	for _, item := range strings.Split(strings.Trim(text, "[] "), ",") {
		if item = strings.Trim(item, `"' `); item != "" {
			out = append(out, item)
		}
	}
	return out
}

// covers tells whether a browser takes a cookie of a domain from a host.
func covers(domain, host string) bool {
	domain = strings.TrimPrefix(domain, ".")
	return host == domain || strings.HasSuffix(host, "."+domain)
}

// checkNamespaces: the page asks for the person's namespaces at the host's root.
func checkNamespaces(s *Snapshot) []report.Cause {
	ref := report.Ref{Group: "networking.istio.io", Kind: "VirtualService", Namespace: "kubeflow", Name: "jupyter-web-app-jupyter-web-app"}
	if s.Component("jupyter-web-app") == nil || s.Object(ref) == nil {
		return nil // missing altogether is told otherwise
	}
	const path = "/api/namespaces"
	for _, u := range s.All(ref.Group, ref.Kind) {
		if takes(u, path) {
			return nil
		}
	}
	// Where nobody answers, the page falls back to this name.
	const fallback = "kubeflow-user"
	if s.Presence(report.Ref{Group: "kubeflow.org", Kind: "Profile", Name: fallback}) == Present {
		return nil
	}
	return []report.Cause{{
		Name: diagnose.NamespaceListFails, Severity: report.Error, Component: "jupyter-web-app", Object: ref,
		Summary:  "the web app's request for the namespaces has no route, so it shows none, or one that does not exist",
		Evidence: []string{"no VirtualService that was read has a route for " + path, "Profile " + fallback + ", which the page falls back to: not found"},
		Remedy:   "kubectl jupyter install --only jupyter-web-app --adopt",
	}}
}

// takes tells whether a route leads a path anywhere.
func takes(u *unstructured.Unstructured, path string) bool {
	routes, _, _ := unstructured.NestedSlice(u.Object, "spec", "http")
	for _, r := range routes {
		route, _ := r.(map[string]any)
		matches, _, _ := unstructured.NestedSlice(route, "match")
		if len(matches) == 0 && route["route"] != nil {
			return true // everything
		}
		for _, m := range matches {
			match, _ := m.(map[string]any)
			if method, bound, _ := unstructured.NestedString(match, "method", "exact"); bound && method != "GET" {
				continue
			}
			uri, _ := match["uri"].(map[string]any)
			exact, _ := uri["exact"].(string)
			prefix, isPrefix := uri["prefix"].(string)
			if exact == path || isPrefix && strings.HasPrefix(path, prefix) {
				return true
			}
		}
	}
	return false
}
