package components_test

import (
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

func TestTheSlimInjectorDiffersInTheSidecarsSizeAlone(t *testing.T) {
	forEachRelease(t, func(t *testing.T, release string) {
		values := func(profile string) map[string]any {
			objects := render(t, release, components.Options{Profile: profile}, "istio")
			var out map[string]any
			if err := json.Unmarshal([]byte(text(t, find(t, objects, "ConfigMap", "istio-system", "istio-sidecar-injector"), "data", "values")), &out); err != nil {
				t.Fatal(err)
			}
			return out
		}
		full, slim := values(components.ProfileDefault), values(components.ProfileSlim)
		const path = "resources"
		for _, v := range []map[string]any{full, slim} {
			proxy := v["global"].(map[string]any)["proxy"].(map[string]any)
			if _, found := proxy[path]; !found {
				t.Fatal("the sidecar has no resources")
			}
		}
		size := func(v map[string]any) any {
			proxy := v["global"].(map[string]any)["proxy"].(map[string]any)
			defer delete(proxy, path)
			return proxy[path]
		}
		if reflect.DeepEqual(size(full), size(slim)) {
			t.Error("the slim sidecar is as large as the default one")
		}
		if !reflect.DeepEqual(full, slim) {
			t.Errorf("default: %v\nslim: %v", full, slim)
		}
	})
}

func TestTheMeshKnowsTheProviderThatThePoliciesName(t *testing.T) {
	// istiod turns a CUSTOM policy with an unknown provider into a denial of everything.
	forEachVariant(t, func(t *testing.T, objects []*unstructured.Unstructured) {
		var mesh struct {
			ExtensionProviders []struct {
				Name              string
				EnvoyExtAuthzHTTP struct {
					Service string
					Port    int64
				} `json:"envoyExtAuthzHttp"`
			}
		}
		if err := yaml.Unmarshal([]byte(text(t, find(t, objects, "ConfigMap", "istio-system", "istio"), "data", "mesh")), &mesh); err != nil {
			t.Fatal(err)
		}
		services := map[string]int64{}
		for _, p := range mesh.ExtensionProviders {
			services[p.Name] = p.EnvoyExtAuthzHTTP.Port
			name, rest, _ := strings.Cut(p.EnvoyExtAuthzHTTP.Service, ".")
			namespace, _, _ := strings.Cut(rest, ".")
			service := typed[corev1.Service](t, find(t, objects, "Service", namespace, name))
			if !slices.ContainsFunc(service.Spec.Ports, func(port corev1.ServicePort) bool { return int64(port.Port) == p.EnvoyExtAuthzHTTP.Port }) {
				t.Errorf("provider %s: Service %s/%s has no port %d", p.Name, namespace, name, p.EnvoyExtAuthzHTTP.Port)
			}
		}
		custom := 0
		for _, u := range ofKind(objects, "AuthorizationPolicy") {
			if provider, found, _ := unstructured.NestedString(u.Object, "spec", "provider", "name"); found {
				custom++
				if _, known := services[provider]; !known {
					t.Errorf("%s asks %q, which the mesh configuration does not define", id(u), provider)
				}
			}
		}
		if custom == 0 {
			t.Error("no policy asks a provider: nobody has to sign in")
		}
	})
}

func TestNothingIsReachableUnlessAPolicyAllowsIt(t *testing.T) {
	forEachVariant(t, func(t *testing.T, objects []*unstructured.Unstructured) {
		deny := find(t, objects, "AuthorizationPolicy", "istio-system", "global-deny-all")
		if spec, _ := deny.Object["spec"].(map[string]any); len(spec) != 0 {
			t.Errorf("global-deny-all has a specification, %v: it denies everything only without one", spec)
		}
	})
}

func TestAtMostOneOfTheInjectorsWebhooksTakesAPod(t *testing.T) {
	forEachRelease(t, func(t *testing.T, release string) {
		objects := render(t, release, components.Options{}, "istio")
		hooks := typed[admissionv1.MutatingWebhookConfiguration](t, find(t, objects, "MutatingWebhookConfiguration", "", "istio-sidecar-injector")).Webhooks
		matches := func(s *metav1.LabelSelector, set labels.Set) bool {
			selector, err := metav1.LabelSelectorAsSelector(s)
			if err != nil {
				t.Fatal(err)
			}
			return selector.Matches(set)
		}
		namespaces := []labels.Set{
			nil,
			{"istio-injection": "enabled"},
			{"istio-injection": "disabled"},
			{"istio.io/rev": "default"},
			{"istio.io/rev": "other"},
			{"istio-injection": "enabled", "istio.io/rev": "default"},
		}
		pods := []labels.Set{
			nil,
			{"sidecar.istio.io/inject": "true"},
			{"sidecar.istio.io/inject": "false"},
			{"istio.io/rev": "default"},
			{"sidecar.istio.io/inject": "true", "istio.io/rev": "default"},
		}
		taken := map[string]bool{}
		for _, namespace := range namespaces {
			for _, pod := range pods {
				var by []string
				for _, hook := range hooks {
					if matches(hook.NamespaceSelector, namespace) && matches(hook.ObjectSelector, pod) {
						by = append(by, hook.Name)
						taken[hook.Name] = true
					}
				}
				if len(by) > 1 {
					t.Errorf("a pod %v in a namespace %v is taken by %v", pod, namespace, by)
				}
				if pod["sidecar.istio.io/inject"] == "false" && len(by) != 0 {
					t.Errorf("a pod that refuses its sidecar is taken by %v in a namespace %v", by, namespace)
				}
			}
		}
		if len(taken) != len(hooks) || len(hooks) != 4 {
			t.Errorf("%d webhooks, of which %v ever take a pod", len(hooks), taken)
		}
	})
}

func TestAMirrorsNameReachesTheInjector(t *testing.T) {
	forEachRelease(t, func(t *testing.T, release string) {
		const mirror = "mirror.example.com/istio"
		objects := render(t, release, components.Options{Registry: mirror}, "istio")
		values := text(t, find(t, objects, "ConfigMap", "istio-system", "istio-sidecar-injector"), "data", "values")
		here := regexp.MustCompile(`"image": "` + mirror + `/(istio|release)/proxyv2:[0-9.]+"`)
		if len(here.FindAllString(values, -1)) != 2 || strings.Count(values, `"image": `) != 2 {
			t.Errorf("sidecars would still be pulled from elsewhere:\n%s", values)
		}
	})
}

func TestAMirrorsNameReachesProgramsThatStartPods(t *testing.T) {
	forEachRelease(t, func(t *testing.T, release string) {
		const mirror = "mirror.example.com"
		objects := render(t, release, components.Options{Registry: mirror}, "cert-manager")
		args := pod(t, find(t, objects, "Deployment", "cert-manager", "cert-manager")).Spec.Containers[0].Args
		want := "--acme-http01-solver-image=" + mirror + "/jetstack/cert-manager-acmesolver:v"
		if !slices.ContainsFunc(args, func(arg string) bool { return strings.HasPrefix(arg, want) }) {
			t.Errorf("args = %v, want %s...", args, want)
		}
	})
}

func TestTheGatewaysServiceLeavesItsTypeToWhoeverOpensIt(t *testing.T) {
	forEachVariant(t, func(t *testing.T, objects []*unstructured.Unstructured) {
		spec := find(t, objects, "Service", "istio-system", "istio-ingressgateway").Object["spec"].(map[string]any)
		for field := range spec {
			if field != "ports" && field != "selector" {
				t.Errorf("spec.%s is sent", field)
			}
		}
	})
}

func TestOlderServersGetOrdinarySidecars(t *testing.T) {
	forEachRelease(t, func(t *testing.T, release string) {
		for _, profile := range components.Profiles() {
			for ordinary, want := range map[bool]string{false: "true", true: "false"} {
				objects := render(t, release, components.Options{Profile: profile, OrdinarySidecars: ordinary}, "istio")
				found := 0
				for _, c := range pod(t, find(t, objects, "Deployment", "istio-system", "istiod")).Spec.Containers {
					for _, e := range c.Env {
						if e.Name == "ENABLE_NATIVE_SIDECARS" {
							found++
							if e.Value != want {
								t.Errorf("%s, ordinary sidecars %t: %s=%s", profile, ordinary, e.Name, e.Value)
							}
						}
					}
				}
				if found != 1 {
					t.Errorf("%s, ordinary sidecars %t: the variable is set %d times", profile, ordinary, found)
				}
			}
		}
	})
}
