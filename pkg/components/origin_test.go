package components_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

func TestNotebooksShareTheOriginUnlessToldOtherwise(t *testing.T) {
	forEachRelease(t, func(t *testing.T, release string) {
		for _, u := range render(t, release, components.Options{}) {
			if u.GetKind() == "EnvoyFilter" && u.GetName() == "kubeflow-gateway-origins" {
				t.Error("there is a filter that tells origins apart")
			}
			if u.GetKind() == "Service" && u.GetName() == "istio-ingressgateway" && strings.Contains(fmt.Sprint(u.Object), fmt.Sprint(components.NotebookPort)) {
				t.Error("the gateway has the notebooks' port")
			}
		}
	})
}

func TestAPortForNotebooksIsOpenAllTheWay(t *testing.T) {
	forEachRelease(t, func(t *testing.T, release string) {
		for name, c := range map[string]struct {
			tls      components.TLS
			protocol string
		}{
			"HTTP":  {components.TLS{}, "HTTP"},
			"HTTPS": {components.TLS{Secret: "mine"}, "HTTPS"},
		} {
			t.Run(name, func(t *testing.T) {
				o := components.Options{TLS: c.tls, NotebookOrigin: components.NotebookOrigin{Port: true}}
				server := servers(t, release, o)[components.NotebookPort]
				if protocol, _, _ := unstructured.NestedString(server, "port", "protocol"); protocol != c.protocol {
					t.Errorf("it is served by %v, want %s", server, c.protocol)
				}
				if secret, _, _ := unstructured.NestedString(server, "tls", "credentialName"); secret != c.tls.Secret {
					t.Errorf("it presents %q, want %q", secret, c.tls.Secret)
				}
				objects := render(t, release, o, "istio")
				service := typed[corev1.Service](t, find(t, objects, "Service", "istio-system", "istio-ingressgateway"))
				i := slices.IndexFunc(service.Spec.Ports, func(p corev1.ServicePort) bool { return p.Port == components.NotebookPort })
				if i < 0 || service.Spec.Ports[i].TargetPort.IntVal != components.NotebookPort {
					t.Errorf("the Service's ports are %v", service.Spec.Ports)
				}
				for _, u := range ofKind(objects, "NetworkPolicy") {
					policy := typed[networkingv1.NetworkPolicy](t, u)
					if policy.Name == "istio-ingressgateway" && !toPort(policy.Spec.Ingress[0].Ports, pod(t, find(t, objects, "Deployment", "istio-system", "istio-ingressgateway")), components.NotebookPort) {
						t.Errorf("%s does not admit it: %v", id(u), policy.Spec.Ingress)
					}
				}
			})
		}
	})
}

func TestTheOriginsKnowTheStacksOwnRoutesAndNoOthers(t *testing.T) {
	forEachRelease(t, func(t *testing.T, release string) {
		objects := render(t, release, components.Options{NotebookOrigin: components.NotebookOrigin{Host: "notebooks.jupyter.example.com", AppNodePort: 31080, NodePort: 31888}})
		filter := find(t, objects, "EnvoyFilter", "istio-system", "kubeflow-gateway-origins")
		var script string
		everyString(filter.Object, func(s string) {
			if strings.Contains(s, "envoy_on_request") {
				script = s
			}
		})
		clusters, paths := map[string]bool{}, map[string]bool{}
		for _, u := range ofKind(objects, "VirtualService") {
			for _, rule := range typed[virtualService](t, u).Spec.HTTP {
				for _, r := range rule.Route {
					clusters[fmt.Sprintf("outbound|%d||%s", r.Destination.Port.Number, r.Destination.Host)] = true
				}
				for _, m := range rule.Match {
					if len(rule.Route) == 0 {
						paths[m.URI.Exact] = true
					}
				}
			}
		}
		got := map[string]bool{}
		for _, found := range regexp.MustCompile(`"(outbound\|[^"]+)"`).FindAllStringSubmatch(script, -1) {
			got[found[1]] = true
		}
		if !maps.Equal(got, clusters) {
			t.Errorf("the stack's own are %v, want %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(clusters)))
		}
		got = map[string]bool{}
		for _, found := range regexp.MustCompile(`\["(/[^"]*)"\] = true`).FindAllStringSubmatch(script, -1) {
			got[found[1]] = true
		}
		if !maps.Equal(got, paths) {
			t.Errorf("the gateway answers %v, want %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(paths)))
		}
		for _, want := range []string{
			fmt.Sprintf("local port = %q\n", fmt.Sprint(components.NotebookPort)), `local host = "notebooks.jupyter.example.com"`, `("31080=31888")`,
			fmt.Sprintf("local session, token = %q", proxySetting(t, objects, "cookie_name")),
		} {
			if !strings.Contains(script, want) {
				t.Errorf("the script does not say %s", want)
			}
		}
		if strings.Contains(script, "$(") {
			t.Error("the script has a token that nobody has replaced")
		}
	})
}

func TestTheWebAppTakesNothingThatCameInWhereNotebooksAre(t *testing.T) {
	forEachRelease(t, func(t *testing.T, release string) {
		for _, own := range []bool{false, true} {
			policy := find(t, render(t, release, components.Options{NotebookOrigin: components.NotebookOrigin{Port: own}}, "jupyter-web-app"), "AuthorizationPolicy", "kubeflow", "jupyter-web-app")
			rules, _, _ := unstructured.NestedSlice(policy.Object, "spec", "rules")
			when := fmt.Sprint(rules[0].(map[string]any)["when"])
			if asks := strings.Contains(when, "request.headers[x-kubectl-jupyter-door] values:[app]"); asks != own {
				t.Errorf("an origin of their own %v: the policy asks for %s", own, when)
			}
		}
	})
}

func TestChoicesAboutTheNotebooksOriginAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		origin components.NotebookOrigin
		want   string
	}{
		"nothing":                         {components.NotebookOrigin{}, ""},
		"a port":                          {components.NotebookOrigin{Port: true}, ""},
		"a host":                          {components.NotebookOrigin{Host: "notebooks.jupyter.example.com"}, ""},
		"a host for each namespace":       {components.NotebookOrigin{Host: "*.jupyter.example.com"}, ""},
		"a star within a name":            {components.NotebookOrigin{Host: "a*.jupyter.example.com"}, "must be a host name"},
		"all hosts of a top-level domain": {components.NotebookOrigin{Host: "*.example"}, "one label below that of the web app"},
		"both":                            {components.NotebookOrigin{Port: true, Host: "n.j.example.com"}, "either port or host=n.j.example.com"},
		"a host that would end a string":  {components.NotebookOrigin{Host: `a".b.c`}, "must be a host name"},
		"a host below a top-level domain": {components.NotebookOrigin{Host: "notebooks.example"}, "one label below that of the web app"},
		"an address":                      {components.NotebookOrigin{Host: "192.0.2.1"}, "must be a host name"},
	} {
		t.Run(name, func(t *testing.T) {
			err := components.Options{NotebookOrigin: c.origin}.Validate()
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want %q", err, c.want)
			}
		})
	}
}

func TestWhatIsTypedAboutTheNotebooksOriginIsReadAndWritten(t *testing.T) {
	for _, text := range []string{"port", "host=notebooks.jupyter.example.com", "host=*.jupyter.example.com", "shared"} {
		if n, err := components.ParseNotebookOrigin(text); err != nil || n.String() != text || n.On() != (text != "shared") {
			t.Errorf("%s: %+v, %v", text, n, err)
		}
	}
	for _, text := range []string{"", "host=", "host=nb", "ports", "Port", "8888"} {
		if n, err := components.ParseNotebookOrigin(text); err == nil || !strings.HasPrefix(err.Error(), "--notebook-origin:") {
			t.Errorf("%s: %+v, %v", text, n, err)
		}
	}
}
