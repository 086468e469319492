package components_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// dexConfig is the part of Dex's configuration that others have to agree with.
type dexConfig struct {
	Issuer string `json:"issuer"`
	Logger struct {
		Level string `json:"level"`
	} `json:"logger"`
	EnablePasswordDB bool `json:"enablePasswordDB"`
	StaticPasswords  []struct {
		Email       string `json:"email"`
		Hash        string `json:"hash"`
		HashFromEnv string `json:"hashFromEnv"`
		UserID      string `json:"userID"`
	} `json:"staticPasswords"`
	StaticClients []struct {
		ID           string   `json:"id"`
		IDEnv        string   `json:"idEnv"`
		Secret       string   `json:"secret"`
		SecretEnv    string   `json:"secretEnv"`
		RedirectURIs []string `json:"redirectURIs"`
	} `json:"staticClients"`
}

func dex(t *testing.T, objects []*unstructured.Unstructured) dexConfig {
	t.Helper()
	var config dexConfig
	file := text(t, find(t, objects, "ConfigMap", "auth", "dex"), "data", "config.yaml")
	if err := yaml.Unmarshal([]byte(file), &config); err != nil {
		t.Fatalf("Dex's configuration: %v", err)
	}
	if len(config.StaticClients) != 1 || len(config.StaticPasswords) != 1 {
		t.Fatalf("Dex has %d clients and %d users of its own, want one of each", len(config.StaticClients), len(config.StaticPasswords))
	}
	return config
}

// proxySetting is a string of oauth2-proxy's configuration file.
func proxySetting(t *testing.T, objects []*unstructured.Unstructured, key string) string {
	t.Helper()
	file := text(t, find(t, objects, "ConfigMap", "oauth2-proxy", "oauth2-proxy"), "data", "oauth2_proxy.cfg")
	found := regexp.MustCompile(`(?m)^` + key + ` = "([^"]*)"$`).FindStringSubmatch(file)
	if found == nil {
		t.Fatalf("oauth2-proxy's configuration does not set %s", key)
	}
	return found[1]
}

func TestDexAndOAuth2ProxyAgree(t *testing.T) {
	forEachVariant(t, func(t *testing.T, objects []*unstructured.Unstructured) {
		config := dex(t, objects)
		client := config.StaticClients[0]
		dexSecret := find(t, objects, "Secret", "auth", "dex-oidc-client")
		proxySecret := find(t, objects, "Secret", "oauth2-proxy", "oauth2-proxy")

		if redirect := proxySetting(t, objects, "redirect_url"); !slices.Contains(client.RedirectURIs, redirect) {
			t.Errorf("oauth2-proxy sends people back to %q, Dex allows %q", redirect, client.RedirectURIs)
		}
		for _, uri := range client.RedirectURIs {
			if !strings.HasPrefix(uri, "/") {
				t.Errorf("redirect URI %q works for one address only", uri)
			}
		}
		if issuer := proxySetting(t, objects, "oidc_issuer_url"); issuer != config.Issuer {
			t.Errorf("oauth2-proxy expects tokens of %q, Dex signs as %q", issuer, config.Issuer)
		}
		for _, key := range []string{"redeem_url", "oidc_jwks_url"} {
			if url := proxySetting(t, objects, key); !strings.HasPrefix(url, config.Issuer+"/") {
				t.Errorf("oauth2-proxy's %s = %q is not at %q", key, url, config.Issuer)
			}
		}
		if client.ID != "" || client.Secret != "" {
			t.Error("the client's name or secret stands in Dex's configuration instead of its Secret")
		}
		if a, b := text(t, dexSecret, "stringData", client.IDEnv), text(t, proxySecret, "stringData", "client-id"); a != b {
			t.Errorf("client %q at Dex, %q at oauth2-proxy", a, b)
		}
		a, okA := components.GeneratedName(text(t, dexSecret, "stringData", client.SecretEnv))
		b, okB := components.GeneratedName(text(t, proxySecret, "stringData", "client-secret"))
		if !okA || !okB || a != b {
			t.Errorf("the client's secret is %q at Dex and %q at oauth2-proxy: want one placeholder", a, b)
		}
	})
}

func TestTheFirstUserCanSignIn(t *testing.T) {
	forEachRelease(t, func(t *testing.T, release string) {
		const email = "first.last+lab@corp.example"
		objects := render(t, release, components.Options{UserEmail: email})
		config := dex(t, objects)
		user := config.StaticPasswords[0]
		if user.Email != email || user.UserID != email {
			t.Errorf("Dex knows %q as %q, want %q", user.Email, user.UserID, email)
		}
		if user.Hash != "" {
			t.Error("a password's hash stands in Dex's configuration")
		}
		passwords := find(t, objects, "Secret", "auth", "dex-passwords")
		if name, ok := components.GeneratedName(text(t, passwords, "stringData", user.HashFromEnv)); !ok {
			t.Errorf("the hash that Dex reads from %s is not made in the cluster (%q)", user.HashFromEnv, name)
		}
		if !config.EnablePasswordDB {
			t.Error("Dex does not read Password objects: no second user could be added")
		}
		if level := config.Logger.Level; level != "info" {
			t.Errorf("Dex logs at level %q", level)
		}

		profile := find(t, objects, "Profile", "", "kubeflow-first-last-lab-corp-example")
		if owner := text(t, profile, "spec", "owner", "name"); owner != email {
			t.Errorf("the Profile belongs to %q", owner)
		}
		for _, u := range objects {
			everyString(u.Object, func(s string) {
				if strings.Contains(s, "$(USER_") || strings.Contains(s, components.DefaultUserEmail) {
					t.Errorf("%s: %.80q was not filled in", id(u), s)
				}
			})
		}
	})
}

// The list of all namespaces tells everybody who else is there.
func TestNobodyInTheStackListsNamespacesForPeople(t *testing.T) {
	forEachRelease(t, func(t *testing.T, release string) {
		for _, u := range render(t, release, components.Options{}, "jupyter-web-app") {
			everyString(u.Object, func(s string) {
				if s == "namespaces" && u.GetKind() != "VirtualService" {
					t.Errorf("%s is about namespaces", id(u))
				}
			})
		}
	})
}

func TestCookiesAreSecureTogetherOrNotAtAll(t *testing.T) {
	forEachRelease(t, func(t *testing.T, release string) {
		for _, profile := range components.Profiles() {
			for _, secure := range []bool{false, true} {
				objects := render(t, release, components.Options{Profile: profile, SecureCookies: secure}, "oauth2-proxy", "jupyter-web-app")
				want := map[bool]string{false: "false", true: "true"}[secure]
				for _, cookie := range []struct{ deployment, namespace, env string }{
					{"oauth2-proxy", "oauth2-proxy", "OAUTH2_PROXY_COOKIE_SECURE"},
					{"jupyter-web-app-deployment", "kubeflow", "APP_SECURE_COOKIES"},
				} {
					if got := env(t, objects, find(t, objects, "Deployment", cookie.namespace, cookie.deployment), cookie.env); got != want {
						t.Errorf("%s, TLS %t: %s has %s=%q", profile, secure, cookie.deployment, cookie.env, got)
					}
				}
			}
		}
	})
}

func TestTurningSecureCookiesOnReplacesThePods(t *testing.T) {
	forEachRelease(t, func(t *testing.T, release string) {
		hash := func(secure bool, namespace, name string) string {
			objects := render(t, release, components.Options{SecureCookies: secure}, "oauth2-proxy", "jupyter-web-app")
			return pod(t, find(t, objects, "Deployment", namespace, name)).Annotations[components.ConfigHashAnnotation]
		}
		for namespace, name := range map[string]string{"oauth2-proxy": "oauth2-proxy", "kubeflow": "jupyter-web-app-deployment"} {
			plain, tls := hash(false, namespace, name), hash(true, namespace, name)
			if plain == "" || plain == tls {
				t.Errorf("%s/%s has the hash %q without TLS and %q with it: its pods would keep the old setting", namespace, name, plain, tls)
			}
		}
	})
}

// env is the value that a variable of a Deployment's only container has, looked up in
// the ConfigMap that it comes from.
func env(t *testing.T, objects []*unstructured.Unstructured, deployment *unstructured.Unstructured, name string) string {
	t.Helper()
	for _, e := range pod(t, deployment).Spec.Containers[0].Env {
		if e.Name != name {
			continue
		}
		if e.ValueFrom == nil || e.ValueFrom.ConfigMapKeyRef == nil {
			return e.Value
		}
		ref := e.ValueFrom.ConfigMapKeyRef
		return text(t, find(t, objects, "ConfigMap", deployment.GetNamespace(), ref.Name), "data", ref.Key)
	}
	t.Fatalf("%s has no variable %s", id(deployment), name)
	return ""
}

func TestTheGatewayAsksWhoIsThere(t *testing.T) {
	forEachRelease(t, func(t *testing.T, release string) {
		objects := render(t, release, components.Options{}, "oauth2-proxy", "dex", "istio")
		config := dex(t, objects)
		check := find(t, objects, "AuthorizationPolicy", "istio-system", "istio-ingressgateway-oauth2-proxy")
		require := find(t, objects, "AuthorizationPolicy", "istio-system", "istio-ingressgateway-require-jwt")
		tokens := find(t, objects, "RequestAuthentication", "istio-system", "dex-jwt")

		for policy, action := range map[*unstructured.Unstructured]string{check: "CUSTOM", require: "DENY"} {
			if got := text(t, policy, "spec", "action"); got != action {
				t.Errorf("%s does %s, want %s", id(policy), got, action)
			}
			if got := exempt(t, policy); !slices.Equal(got, []string{"/dex/*", "/dex/**", "/oauth2/*"}) {
				t.Errorf("%s leaves %q open; only the login itself may be", id(policy), got)
			}
		}
		for _, u := range []*unstructured.Unstructured{check, require, tokens} {
			if app := text(t, u, "spec", "selector", "matchLabels", "app"); app != "istio-ingressgateway" {
				t.Errorf("%s is for pods of app %q", id(u), app)
			}
		}

		rules, _, _ := unstructured.NestedSlice(tokens.Object, "spec", "jwtRules")
		if len(rules) != 1 {
			t.Fatalf("%s has %d rules", id(tokens), len(rules))
		}
		rule := rules[0].(map[string]any)
		if rule["issuer"] != config.Issuer {
			t.Errorf("%s trusts %v, Dex signs as %q", id(tokens), rule["issuer"], config.Issuer)
		}
		headers := map[string]string{}
		claims, _, _ := unstructured.NestedSlice(rule, "outputClaimToHeaders")
		for _, c := range claims {
			headers[c.(map[string]any)["header"].(string)] = c.(map[string]any)["claim"].(string)
		}
		if headers["kubeflow-userid"] != "email" {
			t.Errorf("%s writes %v: nobody would know who is asking", id(tokens), headers)
		}

		mesh := text(t, find(t, objects, "ConfigMap", "istio-system", "istio"), "data", "mesh")
		provider := text(t, check, "spec", "provider", "name")
		if !regexp.MustCompile(`(?m)name: "?` + regexp.QuoteMeta(provider) + `"?$`).MatchString(mesh) {
			t.Errorf("the mesh configuration has no provider %q: the gateway would deny everything", provider)
		}
		if service := "oauth2-proxy.oauth2-proxy.svc.cluster.local"; !strings.Contains(mesh, service) {
			t.Errorf("the mesh configuration does not name %s", service)
		}
	})
}

// exempt are the paths that the only rule of a policy leaves out.
func exempt(t *testing.T, policy *unstructured.Unstructured) []string {
	t.Helper()
	rules, _, _ := unstructured.NestedSlice(policy.Object, "spec", "rules")
	if len(rules) != 1 {
		t.Fatalf("%s has %d rules", id(policy), len(rules))
	}
	to, _, _ := unstructured.NestedSlice(rules[0].(map[string]any), "to")
	if len(to) != 1 {
		t.Fatalf("%s: the rule has %d operations", id(policy), len(to))
	}
	paths, _, _ := unstructured.NestedStringSlice(to[0].(map[string]any), "operation", "notPaths")
	return paths
}
