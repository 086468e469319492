//go:build e2e_real

package e2e

import (
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// https turns HTTPS on, logs in over it, and turns it off again.
func (b *bed) https(t *testing.T, password string) {
	const host = "istio-ingressgateway.istio-system.svc.cluster.local"
	r := b.must("expose", "--type", "ClusterIP", "--tls", "self-signed", "--host", host)
	wantSays(t, r.Stderr, "SHA-256")
	crt := []byte(b.kubectl("-n", "istio-system", "get", "secret", "jupyter-gateway-tls", "-o", `jsonpath={.data.ca\.crt}`))
	authority, err := base64.StdEncoding.DecodeString(string(crt))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		t.Fatalf("no authority in %q", authority)
	}
	person := b.signsIn(t, "https://"+host, roots, "ada@example.com", password, "kubeflow-ada-example-com")
	if u, _ := url.Parse("http://" + host + "/jupyter/"); len(person.client.Jar.Cookies(u)) > 0 {
		t.Errorf("a browser would send the cookies %v over plain HTTP: they are not Secure", person.client.Jar.Cookies(u))
	}
	// Also for somebody without a session, whom oauth2-proxy would answer with its sign-in page.
	for _, path := range []string{"/jupyter/", "/jupyter/api/config", "/oauth2/start?rd=%2Fjupyter%2F"} {
		p := b.at(t, gateway, nil).get(path)
		if p.code != http.StatusMovedPermanently && p.code != http.StatusPermanentRedirect || p.location != "https://"+host+path {
			t.Errorf("GET %s over HTTP = %d to %q, want a redirect to HTTPS: %.200s", path, p.code, p.location, p.body)
		}
	}
	if p := b.at(t, gateway, nil).do(http.MethodGet, "/jupyter/", "", map[string]string{"X-Forwarded-Proto": "https", "kubeflow-userid": "ada@example.com"}); p.code == http.StatusOK {
		t.Error("a forged X-Forwarded-Proto lets a stranger in over HTTP")
	}
	if code, _ := b.get(t, gateway+":15021/healthz/ready"); code != http.StatusOK {
		t.Errorf("the gateway's health over HTTP = %d, want 200", code)
	}
	wantSays(t, b.must("install", "--timeout", "5m").Stderr, "nothing to change")

	before := string(crt)
	r = b.must("expose", "--type", "ClusterIP", "--tls", "self-signed", "--host", "notebooks.example.com", "--host", host)
	wantSays(t, r.Stderr, "notebooks.example.com")
	if now := b.kubectl("-n", "istio-system", "get", "secret", "jupyter-gateway-tls", "-o", `jsonpath={.data.ca\.crt}`); now != before {
		t.Error("another host has another authority: people who trust the old one are warned again")
	}
	if r := b.jupyter("expose", "--type", "ClusterIP", "--tls", "nobodys"); r.Code != 1 || !strings.Contains(r.Stderr, "Secret istio-system/nobodys does not exist") {
		t.Errorf("a Secret that does not exist: %s", r)
	}

	r = b.must("expose", "--type", "ClusterIP", "--tls", "off")
	wantSays(t, r.Stderr, "plain HTTP")
	b.signsIn(t, gateway, nil, "ada@example.com", password, "kubeflow-ada-example-com")
	for _, kind := range []string{"certificate/jupyter-gateway", "secret/jupyter-gateway-tls", "secret/jupyter-gateway-ca"} {
		if _, err := b.tryKubectl("", "-n", "istio-system", "get", kind); err == nil {
			t.Errorf("%s is still there after --tls off", kind)
		}
	}
	wantSays(t, b.must("install", "--timeout", "5m").Stderr, "nothing to change")
}
