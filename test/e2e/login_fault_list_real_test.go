//go:build e2e_real

package e2e

import (
	"encoding/json"
	"fmt"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// fault is something that is broken on a working stack, on purpose.
type fault struct {
	name         string
	make, repair func(*bed)
	// cause must be named, and say these.
	cause string
	says  []string
	// hop at which the check must see it; empty where the objects alone prove it.
	hop string
	// login tells that it shows only to somebody with this password.
	login string
}

func kubectlDoes(args ...string) func(*bed) {
	return func(b *bed) { b.t.Helper(); b.kubectl(args...) }
}

func scale(namespace, deployment string, replicas int) func(*bed) {
	return kubectlDoes("-n", namespace, "scale", "deployment", deployment, fmt.Sprintf("--replicas=%d", replicas))
}

// installAgain puts back what is gone; with names, also what others changed.
func installAgain(adopt ...string) func(*bed) {
	return func(b *bed) {
		b.t.Helper()
		args := []string{"install", "--timeout", "3m"}
		if len(adopt) > 0 {
			args = append(args, "--adopt", "--only", strings.Join(adopt, ","))
		}
		b.must(args...)
	}
}

// edit changes a text in an object, as somebody with an editor would.
func edit(kind, namespace, name, from, to string) func(*bed) {
	return func(b *bed) {
		b.t.Helper()
		object := b.kubectl("-n", namespace, "get", kind, name, "-o", "json")
		if !strings.Contains(object, from) {
			b.t.Fatalf("%s %s/%s does not say %q", kind, namespace, name, from)
		}
		if _, err := b.tryKubectl(strings.ReplaceAll(object, from, to), "replace", "-f", "-"); err != nil {
			b.t.Fatal(err)
		}
	}
}

func both(first, second func(*bed)) func(*bed) {
	return func(b *bed) { b.t.Helper(); first(b); second(b) }
}

func restart(namespace, deployment string) func(*bed) {
	return both(kubectlDoes("-n", namespace, "rollout", "restart", "deployment", deployment),
		kubectlDoes("-n", namespace, "rollout", "status", "deployment", deployment, "--timeout=2m"))
}

func deletePolicies(names ...string) func(*bed) {
	return kubectlDoes(append([]string{"-n", "istio-system", "delete", "authorizationpolicy"}, names...)...)
}

var faults = []fault{
	{
		name: "oauth2-proxy is down", make: scale("oauth2-proxy", "oauth2-proxy", 0), repair: scale("oauth2-proxy", "oauth2-proxy", 2),
		cause: "OAuth2ProxyUnreachable", hop: "sign-in page", says: []string{"GET /jupyter/: 403 without a body", "scaled to zero"},
	},
	{
		// Connections that are open stay open, so its pods are made anew.
		name:   "a network policy keeps the gateway from oauth2-proxy",
		make:   both(kubectlDoes("-n", "oauth2-proxy", "delete", "networkpolicy", "allow-istio-ingressgateway"), restart("oauth2-proxy", "oauth2-proxy")),
		repair: installAgain(), cause: "NetworkPolicyBlocks",
		says: []string{"no connections from istio-ingressgateway to oauth2-proxy", "default-allow-same-namespace-oauth2-proxy"},
	},
	{
		name: "Dex is down", make: scale("auth", "dex", 0), repair: scale("auth", "dex", 2),
		cause: "DexUnreachable", hop: "dex", says: []string{"GET /dex/healthz: 503", "scaled to zero"},
	},
	{
		name:   "the provider is missing from the mesh",
		make:   edit("configmap", "istio-system", "istio", "- name: oauth2-proxy", "- name: another"),
		repair: edit("configmap", "istio-system", "istio", "- name: another", "- name: oauth2-proxy"),
		cause:  "ExtAuthzProviderMissing", hop: "sign-in page", says: []string{"RBAC: access denied", `no extension provider "oauth2-proxy"`},
	},
	{
		name: "the gateway expects another issuer", login: loginPassword,
		// The keys are still found, so that nothing but the name is wrong.
		make: kubectlDoes("-n", "istio-system", "patch", "requestauthentication", "dex-jwt", "--type=json", "-p",
			`[{"op":"replace","path":"/spec/jwtRules/0/issuer","value":"http://dex.auth.svc.cluster.local:5556/other"},
			  {"op":"add","path":"/spec/jwtRules/0/jwksUri","value":"http://dex.auth.svc.cluster.local:5556/dex/keys"}]`),
		repair: kubectlDoes("-n", "istio-system", "patch", "requestauthentication", "dex-jwt", "--type=json", "-p",
			`[{"op":"replace","path":"/spec/jwtRules/0/issuer","value":"http://dex.auth.svc.cluster.local:5556/dex"},
			  {"op":"remove","path":"/spec/jwtRules/0/jwksUri"}]`),
		cause: "JWTIssuerUnknown", hop: "login", says: []string{"401, Jwt issuer is not configured", "5556/other"},
	},
	{
		name:   "cookies are Secure and the address is plain HTTP",
		make:   func(b *bed) { b.t.Helper(); b.must("install", "--secure-cookies", "--timeout", "3m") },
		repair: func(b *bed) { b.t.Helper(); b.must("install", "--secure-cookies=false", "--timeout", "3m") },
		cause:  "SecureCookiesOverHTTP", hop: "login", says: []string{"oauth2_proxy_kubeflow_csrf", "FORCE_HTTPS is true"},
	},
	{
		name: "the gateway has no pod", make: scale("istio-system", "istio-ingressgateway", 0), repair: scale("istio-system", "istio-ingressgateway", 1),
		cause: "GatewayUnreachable", hop: "gateway", says: []string{"no endpoint", "scaled to zero"},
	},
	{
		name: "both policies are deleted and the web app is open to everyone", make: deletePolicies(checkPolicy, requirePolicy), repair: installAgain(),
		cause: "ApplicationUnprotected", hop: "sign-in page", says: []string{"fatal", "GET /jupyter/: 200", checkPolicy + " is missing", requirePolicy + " is missing"},
	},
	{
		name: "the policy that wants a token is deleted and any Authorization header passes", make: deletePolicies(requirePolicy), repair: installAgain(),
		cause: "ForgedIdentityAccepted", hop: "forged identity", says: []string{"fatal", "with Basic fake credentials", requirePolicy + " is missing"},
	},
	{
		name: "the filter that keeps credentials from notebooks is deleted", make: kubectlDoes("-n", "istio-system", "delete", "envoyfilter", credentialsFilter), repair: installAgain(),
		cause: "CredentialsForwarded", hop: "credentials", says: []string{"fatal", credentialsFilter + " is missing"},
	},
	{
		name: "the filter that keeps credentials from notebooks was changed", repair: installAgain("oauth2-proxy"),
		make:  edit("envoyfilter", "istio-system", credentialsFilter, "oauth2_proxy_kubeflow", "another_cookie"),
		cause: "CredentialsForwarded", hop: "credentials", says: []string{"fatal", "differs from what this version installs"},
	},
	{
		name: "the policy that asks oauth2-proxy is deleted and the login page does not appear", make: deletePolicies(checkPolicy), repair: installAgain(),
		cause: "PolicyMissing", hop: "sign-in page", says: []string{"RBAC: access denied", checkPolicy + " is missing"},
	},
	{
		name: "the policy leaves a path of the web app open",
		make: kubectlDoes("-n", "istio-system", "patch", "authorizationpolicy", requirePolicy, "--type=json", "-p",
			`[{"op":"add","path":"/spec/rules/0/to/0/operation/notPaths/-","value":"/jupyter/static/*"}]`),
		repair: kubectlDoes("-n", "istio-system", "patch", "authorizationpolicy", requirePolicy, "--type=json", "-p",
			`[{"op":"remove","path":"/spec/rules/0/to/0/operation/notPaths/3"}]`),
		cause: "PolicyChanged", says: []string{"leaves /jupyter/static/* open to everyone"},
	},
	{
		name: "Dex has no route", make: kubectlDoes("-n", "auth", "delete", "virtualservice", "dex"), repair: installAgain(),
		cause: "RouteMissing", hop: "dex", says: []string{"GET /dex/healthz: 404"},
	},
	{
		name:   "Dex does not know where oauth2-proxy sends people back to",
		make:   both(edit("configmap", "auth", "dex", "- /oauth2/callback", "- /oauth2/elsewhere"), restart("auth", "dex")),
		repair: both(edit("configmap", "auth", "dex", "- /oauth2/elsewhere", "- /oauth2/callback"), restart("auth", "dex")),
		cause:  "RedirectURIUnregistered", hop: "login", says: []string{"redirectURIs /oauth2/elsewhere"},
	},
	{
		name: "the web app is down", login: loginPassword, make: scale("kubeflow", "jupyter-web-app-deployment", 0), repair: scale("kubeflow", "jupyter-web-app-deployment", 1),
		cause: "WebAppUnreachable", hop: "login", says: []string{"GET /jupyter/: 503", "scaled to zero"},
	},
	{
		name: "the password is wrong", login: "not the password", make: func(*bed) {}, repair: func(*bed) {},
		cause: "LoginRefused", hop: "login", says: []string{"POST /dex/auth/local/login: 401"},
	},
	{
		name: "the password's Secret was changed and Dex has not read it", login: "a new password",
		make:   func(b *bed) { b.t.Helper(); b.writePassword("a new password") },
		repair: func(b *bed) { b.t.Helper(); b.writePassword(loginPassword) },
		cause:  "PasswordChangeIgnored", hop: "login", says: []string{"read the Secret before the change"},
	},
	{
		name: "nobody gave the person a namespace", login: loginPassword,
		make:   kubectlDoes("patch", "profile", profileNamespace, "--type=merge", "-p", `{"spec":{"owner":{"name":"somebody@example.com"}}}`),
		repair: kubectlDoes("patch", "profile", profileNamespace, "--type=merge", "-p", `{"spec":{"owner":{"name":"`+loginUser+`"}}}`),
		cause:  "ProfileMissing", hop: "web app", says: []string{loginUser + " has no Profile"},
	},
}

// writePassword changes the first user's hash behind Dex's back.
func (b *bed) writePassword(password string) {
	b.t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		b.t.Fatal(err)
	}
	patch, err := json.Marshal(map[string]any{"stringData": map[string]string{"DEX_USER_PASSWORD": string(hash)}})
	if err != nil {
		b.t.Fatal(err)
	}
	b.kubectl("-n", "auth", "patch", "secret", "dex-passwords", "-p", string(patch))
}
