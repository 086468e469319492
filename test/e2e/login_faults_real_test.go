//go:build e2e_real

package e2e

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
)

const (
	checkPolicy   = "istio-ingressgateway-oauth2-proxy"
	requirePolicy = "istio-ingressgateway-require-jwt"
)

// TestRealLoginFaults breaks the way in, one hop after the other, and wants `login-url
// --check` to name each. Envoy, istiod, Dex and oauth2-proxy are themselves; the web app
// behind them is a stand-in with the cookies and answers of the real one.
func TestRealLoginFaults(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("a real node needs root: run it with sudo")
	}
	if !realProxy(realImages(t)) {
		t.Skip("the proxy is a stand-in, which knows no login: see the list above for why")
	}
	b := newBed(t, "--nodes", "real", "--network-policies")
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
		wantSays(t, r.Stderr, "302, 302, 302, 200, 303, 302, 200", "Works: 9 of 11 probes passed, 0 failed, 2 skipped")
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
