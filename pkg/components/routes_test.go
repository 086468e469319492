package components_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// virtualService is what the routes of a release use of Istio's API. Decoding is strict:
// whatever is added to the routes must be added to the test's reading of them.
type virtualService struct {
	Spec struct {
		Gateways []string `json:"gateways"`
		Hosts    []string `json:"hosts"`
		HTTP     []struct {
			Name  string `json:"name"`
			Match []struct {
				URI struct {
					Exact  string `json:"exact"`
					Prefix string `json:"prefix"`
				} `json:"uri"`
				Method struct {
					Exact string `json:"exact"`
				} `json:"method"`
			} `json:"match"`
			Rewrite struct {
				URI string `json:"uri"`
			} `json:"rewrite"`
			Redirect struct {
				URI          string `json:"uri"`
				RedirectCode int    `json:"redirectCode"`
			} `json:"redirect"`
			Headers struct {
				Request struct {
					Add map[string]string `json:"add"`
				} `json:"request"`
				Response struct {
					Set map[string]string `json:"set"`
				} `json:"response"`
			} `json:"headers"`
			DirectResponse struct {
				Status int `json:"status"`
				Body   struct {
					String string `json:"string"`
				} `json:"body"`
			} `json:"directResponse"`
			Route []struct {
				Destination struct {
					Host string `json:"host"`
					Port struct {
						Number int32 `json:"number"`
					} `json:"port"`
				} `json:"destination"`
			} `json:"route"`
		} `json:"http"`
	} `json:"spec"`
	APIVersion string         `json:"apiVersion"`
	Kind       string         `json:"kind"`
	Metadata   map[string]any `json:"metadata"`
}

// answers says what the gateway does with a GET of a path, for every VirtualService that has a
// route for it: more than one would leave the choice to chance.
func answers(t *testing.T, objects []*unstructured.Unstructured, path string) []string {
	t.Helper()
	var out []string
	for _, u := range ofKind(objects, "VirtualService") {
		v := typed[virtualService](t, u)
	rules:
		for _, rule := range v.Spec.HTTP {
			for _, m := range rule.Match {
				matched, rest := path == m.URI.Exact, ""
				if p := m.URI.Prefix; p != "" && strings.HasPrefix(path, p) {
					matched, rest = true, strings.TrimPrefix(path, p)
				}
				if !matched || m.Method.Exact != "" && m.Method.Exact != "GET" {
					continue
				}
				switch {
				case rule.Redirect.URI != "":
					out = append(out, fmt.Sprintf("%d %s", rule.Redirect.RedirectCode, rule.Redirect.URI))
				case rule.DirectResponse.Status != 0:
					out = append(out, fmt.Sprintf("%d %s", rule.DirectResponse.Status, rule.Headers.Response.Set["content-type"]))
				case rule.Rewrite.URI != "":
					out = append(out, rule.Route[0].Destination.Host+rule.Rewrite.URI+rest)
				default:
					out = append(out, rule.Route[0].Destination.Host+path)
				}
				break rules
			}
		}
	}
	return out
}

func TestWhereThePathsOfTheGatewayLead(t *testing.T) {
	forEachRelease(t, func(t *testing.T, release string) {
		const (
			webApp = "jupyter-web-app-service.kubeflow.svc.cluster.local"
			dex    = "dex.auth.svc.cluster.local"
			proxy  = "oauth2-proxy.oauth2-proxy.svc.cluster.local"
			kfam   = "profiles-kfam.kubeflow.svc.cluster.local"
		)
		objects := render(t, release, components.Options{})
		for _, test := range []struct{ path, want, why string }{
			{"/", "302 /jupyter/", "the address without a path leads to the notebooks"},
			{"/jupyter", "302 /jupyter/", "a forgotten slash does no harm"},
			{"/jupyter/", webApp + "/", "the web app serves at its own root"},
			{"/jupyter/api/namespaces/me/notebooks", webApp + "/api/namespaces/me/notebooks", "so does its API"},
			{"/api/namespaces", kfam + "/kfam/v1/bindings", "the page asks for the person's namespaces at the host's root"},
			{"/dex/auth/local/login", dex + "/dex/auth/local/login", "Dex is told its path"},
			{"/oauth2/callback", proxy + "/oauth2/callback", "so is oauth2-proxy"},
			{"/kfam/v1/bindings", kfam + "/kfam/v1/bindings", "KFAM too"},
			{"/api/namespaces/me/notebooks", "", "the rest of the web app's API is not served twice"},
			{"/api/workgroup/exists", "", "that is the dashboard's, which there is not"},
			{"/dashboard_lib.bundle.js", "200 text/javascript; charset=utf-8", "the page loads its namespace selector from there"},
			{"/jupyterhub", "", "a path that only starts alike is another path"},
			{"/notebook/me/lab/", "", "the notebook controller makes that route when there is a notebook"},
		} {
			t.Run(test.path, func(t *testing.T) {
				var want []string
				if test.want != "" {
					want = []string{test.want}
				}
				if got := answers(t, objects, test.path); !slices.Equal(got, want) {
					t.Errorf("leads to %q, want %q: %s", got, test.want, test.why)
				}
			})
		}
	})
}

func TestEveryRouteEndsAtAServiceAndStartsAtTheGateway(t *testing.T) {
	forEachVariant(t, func(t *testing.T, objects []*unstructured.Unstructured) {
		routes := ofKind(objects, "VirtualService")
		if len(routes) == 0 {
			t.Fatal("no route at all")
		}
		for _, u := range routes {
			v := typed[virtualService](t, u)
			for _, gateway := range v.Spec.Gateways {
				if !strings.Contains(gateway, "/") {
					gateway = u.GetNamespace() + "/" + gateway
				}
				namespace, name, _ := strings.Cut(gateway, "/")
				find(t, objects, "Gateway", namespace, name)
			}
			for _, rule := range v.Spec.HTTP {
				if len(rule.Match) == 0 {
					t.Errorf("%s has a route for every path of the host", id(u))
				}
				for _, route := range rule.Route {
					d := route.Destination
					name, namespace, ok := strings.Cut(strings.TrimSuffix(d.Host, ".svc.cluster.local"), ".")
					if !ok {
						t.Fatalf("%s: %q is not a full name", id(u), d.Host)
					}
					service := typed[corev1.Service](t, find(t, objects, "Service", namespace, name))
					open := false
					for _, p := range service.Spec.Ports {
						open = open || p.Port == d.Port.Number
					}
					if !open {
						t.Errorf("%s leads to port %d of %s, which has no such port", id(u), d.Port.Number, d.Host)
					}
				}
			}
		}
	})
}

func TestOnlyTheGatewaySpeaksToTheWebApp(t *testing.T) {
	forEachVariant(t, func(t *testing.T, objects []*unstructured.Unstructured) {
		policy := find(t, objects, "AuthorizationPolicy", "kubeflow", "jupyter-web-app")
		if action := text(t, policy, "spec", "action"); action != "ALLOW" {
			t.Errorf("the policy does %s", action)
		}
		gateway := pod(t, find(t, objects, "Deployment", "istio-system", "istio-ingressgateway")).Spec.ServiceAccountName
		want := "cluster.local/ns/istio-system/sa/" + gateway
		rules, _, _ := unstructured.NestedSlice(policy.Object, "spec", "rules")
		if len(rules) != 1 {
			t.Fatalf("the policy has %d rules", len(rules))
		}
		from, _, _ := unstructured.NestedSlice(rules[0].(map[string]any), "from")
		if len(from) != 1 {
			t.Fatalf("the rule has %d sources", len(from))
		}
		principals, _, _ := unstructured.NestedStringSlice(from[0].(map[string]any), "source", "principals")
		if len(principals) != 1 || principals[0] != want {
			t.Errorf("%v may speak to the web app, want %s alone: whoever does can be anybody", principals, want)
		}
		app := text(t, policy, "spec", "selector", "matchLabels", "app")
		if got := pod(t, find(t, objects, "Deployment", "kubeflow", "jupyter-web-app-deployment")).Labels["app"]; got != app {
			t.Errorf("the policy is for pods of app %q, the web app's are of %q", app, got)
		}
		rule := find(t, objects, "DestinationRule", "kubeflow", "jupyter-web-app")
		if mode := text(t, rule, "spec", "trafficPolicy", "tls", "mode"); mode != "ISTIO_MUTUAL" {
			t.Errorf("the gateway speaks to the web app with TLS mode %s: nobody could tell who it is", mode)
		}
	})
}
