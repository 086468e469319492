//go:build e2e_real

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

const (
	loginUser     = "user@example.com"
	loginPassword = "correct horse battery staple"
	// gatewayAddress is in the bed's range of cluster IPs, which its proxy reaches from outside.
	gatewayAddress = "10.96.255.10"
	webAppURL      = "http://" + gatewayAddress + "/jupyter/"
)

// checked is what `login-url --check -o json` prints.
type checked struct {
	result
	Through string
	Probes  []struct{ Hop, Outcome, Came, Cause string }
	Causes  []struct {
		Name, Severity, Summary string
		Evidence                []string
	}
}

// names of the causes, the worst first.
func (c checked) names() []string {
	var names []string
	for _, cause := range c.Causes {
		names = append(names, cause.Name)
	}
	return names
}

// says all that proves the causes of a name.
func (c checked) says(name string) string {
	var lines []string
	for _, cause := range c.Causes {
		if cause.Name == name {
			lines = append(append(lines, cause.Severity, cause.Summary), cause.Evidence...)
		}
	}
	return strings.Join(lines, "\n")
}

// checkLogin walks the way in; with a password as the first user.
func (b *bed) checkLogin(t *testing.T, password string, flags ...string) checked {
	t.Helper()
	args := append([]string{"login-url", "--check", "-o", "json"}, flags...)
	if password != "" {
		args = append(args, "--user-email", loginUser, "--password-stdin")
	}
	c := checked{result: b.run(context.Background(), password, nil, args...)}
	if err := json.Unmarshal([]byte(c.Stdout), &c); err != nil {
		t.Fatalf("kubectl %s: %v: %s", strings.Join(args, " "), err, c.result)
	}
	return c
}

// throughProxy lets what this test starts reach addresses of the bed, as a company's
// proxy would.
func (b *bed) throughProxy(t *testing.T) {
	t.Helper()
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"} {
		t.Setenv(name, b.state().Proxy)
	}
}

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

const (
	checkPolicy   = "istio-ingressgateway-oauth2-proxy"
	requirePolicy = "istio-ingressgateway-require-jwt"
)

func deletePolicies(names ...string) func(*bed) {
	return kubectlDoes(append([]string{"-n", "istio-system", "delete", "authorizationpolicy"}, names...)...)
}

var faults = []fault{
	{
		name: "oauth2-proxy is down", make: scale("oauth2-proxy", "oauth2-proxy", 0), repair: scale("oauth2-proxy", "oauth2-proxy", 2),
		cause: "OAuth2ProxyUnreachable", hop: "sign-in page", says: []string{"GET /jupyter/: 403 without a body", "scaled to zero"},
	},
	{
		name: "Dex is down", make: scale("auth", "dex", 0), repair: scale("auth", "dex", 1),
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
		cause: "ForgedIdentityAccepted", hop: "forged identity", says: []string{"fatal", "Basic credentials", requirePolicy + " is missing"},
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
		cause: "PolicyChanged", says: []string{"leaves /jupyter/static/* open to everybody"},
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

// TestRealLoginFaults breaks the way in, one hop after the other, and wants `login-url
// --check` to name each. Envoy, istiod, Dex and oauth2-proxy are themselves; the web app
// behind them is a stand-in with the cookies and answers of the real one.
func TestRealLoginFaults(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("a real node needs root: run it with sudo")
	}
	if realImages(t)["docker.io/istio/proxyv2:1.24.3"] != "real" {
		t.Skip("the proxy is a stand-in, which knows no login: see the list above for why")
	}
	b := newBed(t, "--nodes", "real")
	if r := b.run(context.Background(), loginPassword, nil, "install", "--password-stdin", "--timeout", "5m"); r.Code != 0 {
		t.Fatalf("install: %s", r)
	}

	t.Run("without an address there is a way through the API server, and no URL", func(t *testing.T) {
		if r := b.jupyter("login-url"); r.Code != 1 || r.Stdout != "" {
			t.Errorf("login-url: %s", r)
		}
		c := b.checkLogin(t, loginPassword, "--port-forward")
		if c.Code != 0 || c.Through != "port-forward" || len(c.Causes) > 0 {
			t.Errorf("the check through a port-forward: %s", c.result)
		}
	})

	b.throughProxy(t)
	b.kubectl("-n", "istio-system", "patch", "service", "istio-ingressgateway", "-p", `{"spec":{"externalIPs":["`+gatewayAddress+`"]}}`)
	b.healthy(t)

	t.Run("a person logs in at the address and the URL is proven", func(t *testing.T) {
		r := b.run(context.Background(), loginPassword, nil, "login-url", "--check", "--user-email", loginUser, "--password-stdin")
		if r.Code != 0 || r.Stdout != webAppURL+"\n" {
			t.Fatalf("login-url --check: %s", r)
		}
		wantSays(t, r.Stderr, "302, 302, 302, 200, 303, 302, 200", "Works: 8 of 9 probes passed, 0 failed, 1 left out")
		if strings.Contains(r.Stderr+r.Stdout, loginPassword) {
			t.Error("the password is in the output")
		}
	})
	t.Run("a person logs in with a browser", b.inABrowser)
	t.Run("the chain names every object on the way, and all are ready", func(t *testing.T) {
		r := b.must("login-url", "--explain")
		wantSays(t, r.Stdout, "Service istio-system/istio-ingressgateway", gatewayAddress, "Pod auth/dex-", "AuthorizationPolicy istio-system/"+checkPolicy,
			"VirtualService kubeflow/jupyter-web-app-jupyter-web-app", "Deployment kubeflow/jupyter-web-app-deployment", "issuer http://dex.auth.svc.cluster.local:5556/dex")
		for line := range strings.Lines(r.Stdout) {
			if !strings.HasPrefix(line, "ok ") {
				t.Errorf("not ready: %s", line)
			}
		}
	})
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			b := b.in(t)
			t.Cleanup(func() { f.repair(b); b.healthy(t) })
			f.make(b)
			var c checked
			// Envoy hears of a change a moment later, and nothing tells when.
			eventually(t, f.cause+" is named", func() bool {
				c = b.checkLogin(t, f.login)
				return slices.Contains(c.names(), f.cause) && (f.hop == "" || c.at(f.hop) == f.cause)
			})
			if c.Code != 1 {
				t.Errorf("exit code %d, want 1", c.Code)
			}
			wantSays(t, c.says(f.cause), f.says...)
			// What is worse than an outage comes first.
			if strings.Contains(c.says(f.cause), "fatal\n") {
				if r := b.jupyter("login-url", "--check"); !strings.HasPrefix(r.Stderr, "fatal: "+f.cause) || r.Stdout != "" {
					t.Errorf("the first line is not the worst: %s", r)
				}
			}
		})
	}
	t.Run("every name of a load balancer without an address leads to a remedy", b.noAddressLeft)
	t.Run("over HTTPS the certificate is the cluster's own, and the login works", b.loginOverHTTPS)
}

// loginOverHTTPS proves the way with a certificate that only the cluster vouches for.
func (b *bed) loginOverHTTPS(t *testing.T) {
	b = b.in(t)
	r := b.must("expose", "--type", "LoadBalancer", "--tls", "self-signed", "--probe=false", "--timeout", "3m")
	url := strings.TrimSpace(r.Stdout)
	if !strings.HasPrefix(url, "https://") {
		t.Fatalf("expose --tls self-signed: %s", r)
	}
	b.healthy(t)
	if got := b.must("login-url", "--check").Stdout; got != url+"\n" {
		t.Errorf("the proven URL is %q, want %q", got, url)
	}
	if c := b.checkLogin(t, loginPassword, "--port-forward"); c.Code != 0 {
		t.Errorf("through a port-forward, where the certificate is for another host: %s", c.result)
	}
	b.must("expose", "--type", "LoadBalancer", "--tls", "off", "--probe=false", "--timeout", "3m")
	b.healthy(t)
}

// at is the cause that a hop's probe names.
func (c checked) at(hop string) string {
	for _, p := range c.Probes {
		if p.Hop == hop {
			return p.Cause
		}
	}
	return ""
}

// healthy waits until the whole way works.
func (b *bed) healthy(t *testing.T) {
	t.Helper()
	var c checked
	eventually(t, "the way in works", func() bool {
		c = b.checkLogin(t, loginPassword)
		return c.Code == 0
	})
	if len(c.Causes) > 0 {
		t.Errorf("the way in works, and still there are causes: %s", c.result)
	}
}

// noAddressLeft lets the real MetalLB run out of addresses.
func (b *bed) noAddressLeft(t *testing.T) {
	b = b.in(t)
	b.kubectl("-n", "istio-system", "patch", "service", "istio-ingressgateway", "--type=json", "-p",
		`[{"op":"remove","path":"/spec/externalIPs"},{"op":"replace","path":"/spec/type","value":"LoadBalancer"}]`)
	want := func(cause string) {
		t.Helper()
		var r result
		eventually(t, cause+" is named", func() bool {
			r = b.jupyter("login-url")
			return strings.Contains(r.Stderr, cause)
		})
		if r.Code != 1 || r.Stdout != "" {
			t.Errorf("login-url: %s", r)
		}
		wantSays(t, r.Stderr, "kubectl jupyter port-forward")
	}
	want("NoLoadBalancerController")
	b.must("install", "--only", "metallb", "--timeout", "3m")
	want("AddressPoolMissing")
	b.apply(`
apiVersion: v1
kind: Service
metadata: {name: taken, namespace: default}
spec: {type: LoadBalancer, ports: [{port: 80}]}`)
	b.apply(`
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: one, namespace: metallb-system}
spec: {addresses: [10.96.255.20/32], serviceAllocation: {namespaces: [default]}}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: one, namespace: metallb-system}`)
	b.kubectl("-n", "default", "wait", "service/taken", "--for=jsonpath={.status.loadBalancer.ingress[0].ip}=10.96.255.20", "--timeout=1m")
	b.kubectl("-n", "metallb-system", "patch", "ipaddresspool", "one", "--type=json", "-p", `[{"op":"remove","path":"/spec/serviceAllocation"}]`)
	want("AddressPoolExhausted")
	b.kubectl("-n", "default", "delete", "service", "taken")
	eventually(t, "the gateway has the address", func() bool {
		return b.jupyter("login-url").Stdout == "http://10.96.255.20/jupyter/\n"
	})
	b.healthy(t)
}
