package login

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

func envoyFilter(t testing.TB, name, spec string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	text := "{apiVersion: networking.istio.io/v1alpha3, kind: EnvoyFilter, metadata: {namespace: istio-system, name: " + name + "}}"
	if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
		t.Fatal(err)
	}
	var s map[string]any
	if err := yaml.Unmarshal([]byte(spec), &s); err != nil {
		t.Fatal(err)
	}
	u.Object["spec"] = s
	return u
}

// credentialsFilter has the shape of the real one, whose script is tried elsewhere.
func credentialsFilter(t testing.TB) *unstructured.Unstructured {
	t.Helper()
	return envoyFilter(t, CredentialsRef.Name, `
workloadSelector: {labels: {istio: ingressgateway}}
priority: 1000
configPatches:
- applyTo: HTTP_FILTER
  patch:
    operation: INSERT_BEFORE
    value: {typed_config: {default_source_code: {inline_string: 'local session = "oauth2_proxy_kubeflow"'}}}
`)
}

// patch is one of another filter of the same namespace.
func patch(operation, of string) string {
	match := ""
	if of != "" {
		match = ", subFilter: {name: " + of + "}"
	}
	return "{configPatches: [{applyTo: HTTP_FILTER, match: {listener: {filterChain: {filter: {name: hcm" + match + "}}}}, patch: {operation: " + operation + "}}]}"
}

// wantFilterCause is that a filter does not do what it is for, and that this is told with the
// evidence and the remedy. Where says is empty, nothing is wrong.
func wantFilterCause(t *testing.T, causes []report.Cause, name, says string) {
	t.Helper()
	if says == "" {
		if len(causes) > 0 {
			t.Errorf("causes = %+v, want none", causes)
		}
		return
	}
	if len(causes) != 1 || causes[0].Name != name || causes[0].Severity != report.Fatal || !strings.Contains(causes[0].Summary, says) {
		t.Fatalf("causes = %+v, want a fatal %s that says %q", causes, name, says)
	}
	if causes[0].Remedy == "" || len(causes[0].Evidence) == 0 {
		t.Errorf("it says neither what to do nor how it is known: %+v", causes[0])
	}
}

func TestCredentialsAreForwardedWithoutTheFilterAsItWasInstalled(t *testing.T) {
	now := metav1.Now()
	change := func(f func(*Ground, *unstructured.Unstructured)) func(*Ground) {
		return func(g *Ground) { f(g, g.Filters[0]) }
	}
	set := func(u *unstructured.Unstructured, v any, path ...string) {
		if err := unstructured.SetNestedField(u.Object, v, path...); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		change func(*Ground)
		says   string // empty: nothing is wrong
	}{
		"as installed":           {func(*Ground) {}, ""},
		"a number that was read": {change(func(_ *Ground, f *unstructured.Unstructured) { set(f, int64(1000), "spec", "priority") }), ""},
		"metadata of others":     {change(func(_ *Ground, f *unstructured.Unstructured) { f.SetLabels(map[string]string{"a": "b"}) }), ""},
		"nobody may read it": {func(g *Ground) {
			g.Filters, g.failed = nil, []readError{{"EnvoyFilter of istio-system", errors.New("forbidden")}}
		}, ""},
		"what is installed is not known": {func(g *Ground) { g.Filter = nil }, ""},
		"missing":                        {func(g *Ground) { g.Filters = nil }, "is missing: notebooks get the session cookie"},
		"of another namespace":           {change(func(_ *Ground, f *unstructured.Unstructured) { f.SetNamespace("team") }), "is missing"},
		"going":                          {change(func(_ *Ground, f *unstructured.Unstructured) { f.SetDeletionTimestamp(&now) }), "is being deleted"},
		"another script": {change(func(_ *Ground, f *unstructured.Unstructured) {
			set(f, []any{map[string]any{}}, "spec", "configPatches")
		}), "differs from what this version installs"},
		"another order": {change(func(_ *Ground, f *unstructured.Unstructured) { set(f, int64(-1), "spec", "priority") }), "differs"},
		"emptied":       {change(func(_ *Ground, f *unstructured.Unstructured) { set(f, []any{}, "spec", "configPatches") }), "has no patch"},
		"for other pods": {change(func(_ *Ground, f *unstructured.Unstructured) {
			set(f, "none", "spec", "workloadSelector", "labels", "istio")
		}), "selects pods with the label istio=none"},
		"another cookie than oauth2-proxy": {func(g *Ground) { g.Proxy = map[string]string{"cookie_name": "mine"} }, "does not remove the cookie mine"},
		"a filter that removes it": {func(g *Ground) {
			g.Filters = append(g.Filters, envoyFilter(t, "other", patch("REMOVE", CredentialsRef.Name)))
		}, "EnvoyFilter other disables or replaces"},
		"a filter that disables a part of it": {func(g *Ground) {
			g.Filters = append(g.Filters, envoyFilter(t, "other", patch("MERGE", CredentialsRef.Name+"-cluster")))
		}, "EnvoyFilter other disables or replaces"},
		"a filter that removes all":     {func(g *Ground) { g.Filters = append(g.Filters, envoyFilter(t, "other", patch("REMOVE", ""))) }, "EnvoyFilter other"},
		"a filter that removes another": {func(g *Ground) { g.Filters = append(g.Filters, envoyFilter(t, "other", patch("REMOVE", "cors"))) }, ""},
		"a filter that adds one before it": {func(g *Ground) {
			g.Filters = append(g.Filters, envoyFilter(t, "other", patch("INSERT_BEFORE", CredentialsRef.Name)))
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			g := &Ground{
				Filters: []*unstructured.Unstructured{credentialsFilter(t)}, Filter: credentialsFilter(t),
				Proxy:       map[string]string{"cookie_name": "oauth2_proxy_kubeflow"},
				Deployments: []appsv1.Deployment{*parse[appsv1.Deployment](t, `{metadata: {namespace: istio-system, name: istio-ingressgateway}, spec: {template: {metadata: {labels: {istio: ingressgateway}}}}}`)},
			}
			c.change(g)
			wantFilterCause(t, g.CredentialsCauses(), diagnose.CredentialsForwarded, c.says)
		})
	}
}

func TestTheProbeSaysHowItIsKnownThatCredentialsAreRemoved(t *testing.T) {
	probe := func(g *Ground) report.Probe {
		r := walkTo(t, httptest.NewServer(pretence{}), g, CheckOptions{})
		return r.Probes[len(r.Probes)-1]
	}
	p := probe(whole(t))
	if p.Hop != "credentials" || p.Outcome != report.ProbePassed || p.Request != "get EnvoyFilter istio-system/istio-ingressgateway-credentials" ||
		!strings.Contains(p.Came, "from outside it cannot be seen") || !strings.Contains(p.Came, "notebook first leads to first.kubeflow-user-example-com.svc.cluster.local") {
		t.Errorf("%+v", p)
	}
	g := whole(t)
	g.Filters = nil
	if p = probe(g); p.Outcome != report.ProbeFailed || p.Cause != diagnose.CredentialsForwarded {
		t.Errorf("without the filter: %+v", p)
	}
	g.failed = append(g.failed, readError{"EnvoyFilter of istio-system", errors.New("forbidden")})
	if p = probe(g); p.Outcome != report.ProbeSkipped || !strings.Contains(p.Came, "could not be read") {
		t.Errorf("where it may not be read: %+v", p)
	}
}
