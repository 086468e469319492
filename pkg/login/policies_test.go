package login

import (
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// installed is the ground that an installation makes, as far as manifests tell.
func installed(t *testing.T) *Ground {
	t.Helper()
	source, err := components.NewEmbedded(components.DefaultRelease)
	if err != nil {
		t.Fatal(err)
	}
	rendered, err := source.Render(t.Context(), []string{"istio", "dex", "oauth2-proxy", "kubeflow-gateway", "jupyter-web-app"}, components.Options{})
	if err != nil {
		t.Fatal(err)
	}
	g := &Ground{}
	for _, r := range rendered {
		for _, u := range r.Objects {
			u = u.DeepCopy()
			switch u.GetKind() {
			case "AuthorizationPolicy", "RequestAuthentication":
				if u.GetNamespace() == istioNamespace {
					g.Policies = append(g.Policies, u)
				}
			case "EnvoyFilter":
				g.Filters = append(g.Filters, u)
				g.Filter = u.DeepCopy()
			case "Deployment":
				d := &appsv1.Deployment{}
				if err := convert(u, d); err != nil {
					t.Fatal(err)
				}
				g.Deployments = append(g.Deployments, *d)
			case "VirtualService":
				if err := into(&g.Routes)(u); err != nil {
					t.Fatal(err)
				}
			case "Service":
				if err := into(&g.Services)(u); err != nil {
					t.Fatal(err)
				}
			case "Gateway":
				if u.GetName() == gatewayName {
					if g.Gateway, err = GatewayOf(u); err != nil {
						t.Fatal(err)
					}
				}
			case "ConfigMap":
				ref := report.Ref{Kind: "ConfigMap", Namespace: u.GetNamespace(), Name: u.GetName()}
				if err := g.Configure(ref, u); err != nil {
					t.Fatal(err)
				}
				if ref == meshRef {
					if g.Providers, err = parseMesh(data(u)["mesh"]); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
	g.Service = g.service(istioNamespace, gatewayService)
	return g
}

func (g *Ground) mustPolicy(t *testing.T, kind, name string) *unstructured.Unstructured {
	t.Helper()
	p := g.policy(kind, name)
	if p == nil {
		t.Fatalf("the manifests have no %s %s", kind, name)
	}
	return p
}

func TestThePoliciesOfAnInstallationAreAsTheyMustBe(t *testing.T) {
	g := installed(t)
	if causes := slices.Concat(g.policyCauses(), g.CredentialsCauses()); len(causes) > 0 || g.filterNamed(CredentialsRef.Name) == nil {
		t.Errorf("%+v", causes)
	}
	if name, service, known := g.provider(); !known || name != "oauth2-proxy" || service.String() != "Service oauth2-proxy/oauth2-proxy" {
		t.Errorf("provider %q is %s, known %t", name, service, known)
	}
}

func TestAPolicyThatSaysSomethingElseIsNamed(t *testing.T) {
	set := func(value any, path ...string) func(*unstructured.Unstructured) {
		return func(u *unstructured.Unstructured) {
			if err := unstructured.SetNestedField(u.Object, value, path...); err != nil {
				panic(err)
			}
		}
	}
	rule := func(change func(map[string]any)) func(*unstructured.Unstructured) {
		return func(u *unstructured.Unstructured) {
			rules, _, _ := unstructured.NestedSlice(u.Object, "spec", "rules")
			change(rules[0].(map[string]any))
			set(rules, "spec", "rules")(u)
		}
	}
	operation := func(key string, value any) func(*unstructured.Unstructured) {
		return rule(func(r map[string]any) {
			r["to"].([]any)[0].(map[string]any)["operation"].(map[string]any)[key] = value
		})
	}
	for name, c := range map[string]struct {
		kind, policy string
		change       func(*unstructured.Unstructured)
		says         string
	}{
		"a check that allows":             {"AuthorizationPolicy", checkPolicy, set("ALLOW", "spec", "action"), `has the action "ALLOW" instead of CUSTOM`},
		"a check that asks nobody":        {"AuthorizationPolicy", checkPolicy, set("", "spec", "provider", "name"), "has no provider"},
		"a check for other pods":          {"AuthorizationPolicy", checkPolicy, set("other", "spec", "selector", "matchLabels", "app"), "selects pods with the label app=other"},
		"a check that leaves out the API": {"AuthorizationPolicy", checkPolicy, operation("notPaths", []any{"/dex/*", "/jupyter/api/*"}), "leaves /jupyter/api/* open"},
		"a check for reading only":        {"AuthorizationPolicy", checkPolicy, operation("methods", []any{"GET"}), "has no rule for the paths of the web app"},
		"a check without a rule":          {"AuthorizationPolicy", checkPolicy, set([]any{}, "spec", "rules"), "it applies to nothing"},
		"a denial that audits":            {"AuthorizationPolicy", requirePolicy, set("AUDIT", "spec", "action"), `"AUDIT" instead of DENY`},
		"a denial for some hours":         {"AuthorizationPolicy", requirePolicy, rule(func(r map[string]any) { r["when"] = []any{} }), `its rule has "when"`},
		"a token that writes no header":   {"RequestAuthentication", tokenPolicy, set([]any{map[string]any{"issuer": "x"}}, "spec", "jwtRules"), "does not set the header kubeflow-userid"},
		"an entrance that denies":         {"AuthorizationPolicy", openPolicy, set("DENY", "spec", "action"), `"DENY" instead of ALLOW`},
	} {
		t.Run(name, func(t *testing.T) {
			g := installed(t)
			c.change(g.mustPolicy(t, c.kind, c.policy))
			causes := g.policyCauses()
			if len(causes) != 1 || causes[0].Name != diagnose.PolicyChanged || causes[0].Object.Name != c.policy || !strings.Contains(causes[0].Summary, c.says) {
				t.Errorf("causes = %+v, want PolicyChanged of %s that says %q", causes, c.policy, c.says)
			}
		})
	}
}

func TestARuleOfSomebodyElseBesideOursIsNoHole(t *testing.T) {
	g := installed(t)
	p := g.mustPolicy(t, "AuthorizationPolicy", checkPolicy)
	rules, _, _ := unstructured.NestedSlice(p.Object, "spec", "rules")
	rules = append([]any{map[string]any{"to": []any{map[string]any{"operation": map[string]any{"methods": []any{"TRACE"}}}}}}, rules...)
	if err := unstructured.SetNestedSlice(p.Object, rules, "spec", "rules"); err != nil {
		t.Fatal(err)
	}
	if causes := g.policyCauses(); len(causes) > 0 {
		t.Errorf("%+v", causes)
	}
}

func TestWhatMayNotBeReadIsNotMissing(t *testing.T) {
	g := &Ground{failed: []readError{{"AuthorizationPolicy of " + istioNamespace, http403{}}, {"RequestAuthentication of " + istioNamespace, http403{}}}}
	if causes := g.policyCauses(); len(causes) > 0 {
		t.Errorf("%+v", causes)
	}
	for _, l := range g.policyLinks() {
		if l.State == report.Missing && l.Object != meshRef {
			t.Errorf("%s is called missing", l.Object)
		}
	}
}

type http403 struct{}

func (http403) Error() string { return "forbidden" }

func TestSettingsThatContradictEachOtherAreFoundWithoutARequest(t *testing.T) {
	people := "http://192.168.49.240/jupyter/"
	for name, c := range map[string]struct {
		change func(*Ground)
		url    string
		cause  string
	}{
		"as installed":                        {func(*Ground) {}, people, ""},
		"another issuer":                      {func(g *Ground) { g.Dex.Issuer += "/" }, people, diagnose.JWTIssuerUnknown},
		"another callback":                    {func(g *Ground) { g.Proxy["redirect_url"] = "/callback" }, people, diagnose.RedirectURIUnregistered},
		"another secret":                      {func(g *Ground) { no := false; g.ClientAgrees = &no }, people, diagnose.OIDCClientMismatch},
		"secure cookies of the proxy":         {func(g *Ground) { g.ProxyParameters["FORCE_HTTPS"] = "true" }, people, diagnose.SecureCookiesOverHTTP},
		"secure cookies of the web app":       {func(g *Ground) { g.WebAppParameters["JWA_APP_SECURE_COOKIES"] = "true" }, people, diagnose.SecureCookiesOverHTTP},
		"secure cookies over HTTPS":           {func(g *Ground) { g.ProxyParameters["FORCE_HTTPS"] = "true" }, "https://192.168.49.240/jupyter/", ""},
		"secure cookies to this machine":      {func(g *Ground) { g.ProxyParameters["FORCE_HTTPS"] = "true" }, "http://127.0.0.1:8080/jupyter/", ""},
		"what could not be read says nothing": {func(g *Ground) { g.Dex, g.Proxy, g.Policies = nil, nil, nil }, people, ""},
	} {
		t.Run(name, func(t *testing.T) {
			g := installed(t)
			c.change(g)
			base := mustURL(t, c.url)
			causes := g.configCauses(base)
			if c.cause == "" {
				if len(causes) > 0 {
					t.Errorf("%+v", causes)
				}
				return
			}
			if len(causes) != 1 || causes[0].Name != c.cause || causes[0].Remedy == "" || len(causes[0].Evidence) == 0 && c.cause != diagnose.OIDCClientMismatch {
				t.Errorf("causes = %+v, want %s", causes, c.cause)
			}
		})
	}
}

func TestDeniedIsTracedToItsReason(t *testing.T) {
	a := answer{request: "GET /jupyter/", code: 403, body: denied}
	for name, c := range map[string]struct {
		change func(*Ground)
		cause  string
		says   string
	}{
		"the mesh has no provider":    {func(g *Ground) { g.Providers = []Provider{} }, diagnose.ExtAuthzProviderMissing, "no extension provider"},
		"the provider has no Service": {func(g *Ground) { g.Services = nil }, diagnose.ExtAuthzProviderMissing, "Service oauth2-proxy/oauth2-proxy, which does not exist"},
		"nobody asks":                 {func(g *Ground) { g.Policies = without(g.Policies, checkPolicy) }, diagnose.PolicyMissing, checkPolicy},
		"nobody lets in":              {func(g *Ground) { g.Policies = without(g.Policies, openPolicy) }, diagnose.PolicyMissing, openPolicy},
		"the path has no route":       {func(g *Ground) { g.Routes = nil }, diagnose.RouteMissing, webAppPath},
		"everything is as it must be": {func(*Ground) {}, diagnose.ExtAuthzProviderMissing, "istiod has not applied them"},
	} {
		t.Run(name, func(t *testing.T) {
			g := installed(t)
			c.change(g)
			w := &walk{g: g}
			if got := w.denied(a); got.Name != c.cause || !strings.Contains(got.Summary, c.says) || got.Evidence[0] != "GET /jupyter/: 403, RBAC: access denied" {
				t.Errorf("%+v, want %s that says %q", got, c.cause, c.says)
			}
		})
	}
}

func without(policies []*unstructured.Unstructured, name string) []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, p := range policies {
		if p.GetName() != name {
			out = append(out, p)
		}
	}
	return out
}
