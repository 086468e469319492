package login

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// running is an installation whose pods are ready, with an address.
func running(t *testing.T) *Ground {
	t.Helper()
	g := installed(t)
	for i := range g.Deployments {
		d := &g.Deployments[i]
		d.Status.ReadyReplicas = 1
		if d.Spec.Replicas != nil {
			d.Status.ReadyReplicas = *d.Spec.Replicas
		}
	}
	for _, s := range g.Services {
		g.Endpoints = append(g.Endpoints, *parse[discoveryv1.EndpointSlice](t, fmt.Sprintf(
			`{metadata: {namespace: %s, labels: {kubernetes.io/service-name: %s}}, endpoints: [{addresses: [10.1.0.1]}]}`, s.Namespace, s.Name)))
	}
	g.Service.Spec.ExternalIPs = []string{"192.0.2.1"}
	return g
}

func drawn(p *Path) string {
	var b strings.Builder
	for _, l := range p.Links {
		fmt.Fprintf(&b, "%s%s %s %s\n", strings.Repeat(" ", l.Depth), l.State, l.Object.Kind, l.Object.Name)
	}
	return b.String()
}

func TestTheChainIsInTheOrderOfARequest(t *testing.T) {
	p := Explain(running(t), report.Target{})
	want := `Ready Service istio-ingressgateway
 Ready Deployment istio-ingressgateway
Ready AuthorizationPolicy istio-ingressgateway-oauth2-proxy
 Ready ConfigMap istio
Ready RequestAuthentication dex-jwt
Ready AuthorizationPolicy istio-ingressgateway-require-jwt
Ready AuthorizationPolicy istio-ingressgateway
Ready AuthorizationPolicy global-deny-all
Ready EnvoyFilter istio-ingressgateway-credentials
Ready Gateway kubeflow-gateway
Ready VirtualService oauth2-proxy
 Ready Service oauth2-proxy
  Ready Deployment oauth2-proxy
Ready VirtualService dex
 Ready Service dex
  Ready Deployment dex
Ready VirtualService jupyter-web-app-jupyter-web-app
 Ready Service jupyter-web-app-service
  Ready Deployment jupyter-web-app-deployment
`
	if got := drawn(p); got != want || p.Broken() || p.Unclear() {
		t.Errorf("broken %t, unclear %t, got\n%swant\n%s", p.Broken(), p.Unclear(), got, want)
	}
	if p.WayIn.URL != "http://192.0.2.1/jupyter/" {
		t.Errorf("URL = %q", p.WayIn.URL)
	}
}

func TestWhatBreaksTheChainIsMarkedInItsPlace(t *testing.T) {
	zero := int32(0)
	for name, c := range map[string]struct {
		change  func(*Ground)
		marked  string
		unclear bool
	}{
		"a route that is gone": {func(g *Ground) { g.Routes = nil }, "Missing VirtualService dex", false},
		"a route on another gateway": {func(g *Ground) {
			for i := range g.Routes {
				g.Routes[i].Spec.Gateways = []string{"other/gateway"}
			}
		}, "Failed VirtualService dex", false},
		"a deployment without replicas": {func(g *Ground) { g.deployment(dexNamespace, dexName).Spec.Replicas = &zero }, "  Failed Deployment dex", false},
		"a deployment whose pods are not ready": {
			func(g *Ground) { g.deployment(proxyNamespace, proxyName).Status.ReadyReplicas = 0 },
			"  Failed Deployment oauth2-proxy", false,
		},
		"a service without an endpoint": {func(g *Ground) { g.Endpoints = nil }, " Failed Service oauth2-proxy", false},
		"a gateway that is gone":        {func(g *Ground) { g.Gateway = nil }, "Missing Gateway kubeflow-gateway", false},
		"a filter that is gone":         {func(g *Ground) { g.Filters = nil }, "Missing EnvoyFilter istio-ingressgateway-credentials", false},
		"a filter that was emptied":     {func(g *Ground) { delete(g.Filters[0].Object["spec"].(map[string]any), "configPatches") }, "Failed EnvoyFilter istio-ingressgateway-credentials", false},
		"a filter that may not be read": {func(g *Ground) {
			g.Filters, g.failed = nil, append(g.failed, readError{"EnvoyFilter of istio-system", errors.New("forbidden")})
		}, "Unknown EnvoyFilter istio-ingressgateway-credentials", true},
		"a provider that is gone": {func(g *Ground) { g.Providers = []Provider{} }, " Failed ConfigMap istio", false},
		"services that may not be read": {func(g *Ground) {
			g.Services = nil
			for _, ns := range namespaces {
				g.failed = append(g.failed, readError{"Service of " + ns, errors.New("forbidden")})
			}
		}, " Unknown Service dex", true},
		"routes that may not be read": {func(g *Ground) {
			g.Routes = nil
			for _, ns := range namespaces {
				g.failed = append(g.failed, readError{"VirtualService of " + ns, errors.New("forbidden")})
			}
		}, "Unknown VirtualService dex", true},
	} {
		t.Run(name, func(t *testing.T) {
			g := running(t)
			c.change(g)
			p := Explain(g, report.Target{})
			if got := drawn(p); !strings.Contains(got, c.marked+"\n") || p.Broken() == c.unclear || p.Unclear() != c.unclear {
				t.Errorf("broken %t, unclear %t, want %q in\n%s", p.Broken(), p.Unclear(), c.marked, got)
			}
		})
	}
}
