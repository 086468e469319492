//go:build e2e_real

package e2e

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// request is one that an advisory describes, as it stands on the wire.
type request struct {
	advisory, path string
	headers        []string
}

// byStrangers have no session. Each would be let in by a version with the fault in a
// configuration that is open to it.
func byStrangers() []request {
	app, notebooks := "/jupyter/", "/jupyter/api/namespaces/"+profileNamespace+"/notebooks"
	encode := base64.RawURLEncoding.EncodeToString
	// The key that istiod takes while it has none of Dex's (CVE-2026-31837) has this many bytes.
	signature := make([]byte, len("Error-IstiodFailedToFetchJwksUri-"))
	_, _ = rand.Read(signature)
	token := encode([]byte(`{"alg":"RS256","kid":"abc","typ":"JWT"}`)) + "." +
		encode(fmt.Appendf(nil, `{"iss":"http://dex.auth.svc.cluster.local:5556/dex","sub":"a","email":%q,"aud":"kubeflow-oidc-authservice","exp":%d}`, loginUser, time.Now().Add(time.Hour).Unix())) +
		"." + encode(signature)
	out := []request{
		{"CVE-2026-31837", app, []string{"Authorization: Bearer " + token}},
		{"CVE-2026-73552", app, []string{"Authorization: \xff\xfe"}},
		{"CVE-2026-73552", app, []string{"Authorization: Bearer \xff"}},
	}
	for _, path := range []string{app, notebooks} {
		for _, query := range []string{"?/dex/", "?x=/oauth2/start", "?^/dex/", "?/dex/../jupyter", "?rd=/dex/auth"} {
			out = append(out, request{"CVE-2025-54576", path + query, nil})
		}
		for _, agent := range []string{"GoogleHC/1.0", "kube-probe/1.36", "Prometheus/2", "oauth2-proxy"} {
			out = append(out, request{"CVE-2026-34457", path, []string{"User-Agent: " + agent}})
		}
		for _, exempt := range []string{"/dex/", "/oauth2/start", "/dex/auth?x", "/ping"} {
			for _, name := range []string{"X-Forwarded-Uri", "X-Original-Url", "X-Original-Uri", "X-Rewrite-Url", "X-Envoy-Original-Path", "x-envoy-decorator-operation", "X-Auth-Request-Redirect"} {
				out = append(out, request{"CVE-2026-40575, CVE-2026-76835", path, []string{name + ": " + exempt, "X-Forwarded-For: 127.0.0.1"}})
			}
		}
		for _, suffix := range []string{"#/dex/", "%23/dex/", "%3F/dex/", "#", "%00/dex/"} {
			out = append(out, request{"CVE-2026-41059", path + suffix, nil})
		}
		out = append(out,
			request{"CVE-2025-64484", path, []string{"kubeflow_userid: " + loginUser, "X_Forwarded_User: " + loginUser, "X_Auth_Request_Email: " + loginUser}},
			request{"CVE-2026-26308", path, []string{"kubeflow-userid: nobody", "kubeflow-userid: " + loginUser}},
			request{"CVE-2026-26308", path, []string{"Authorization: ", "Authorization: Bearer x"}})
	}
	for _, exempt := range []string{"/dex", "/oauth2"} {
		for _, up := range []string{"/..", "/%2e%2e", "/..;x=y", "/.;/..", "/x/../..", "/%2e%2e;a", "/..%2f..", "/..%5c", "\\..", "//..", "/.%2e", "/..%00"} {
			out = append(out, request{"CVE-2026-73511, CVE-2026-73551, CVE-2026-73553", exempt + up + app, nil})
		}
		out = append(out,
			request{"CVE-2026-73511", exempt + ";/../jupyter/", nil}, request{"CVE-2026-73511", exempt + "/;/../.." + app, nil},
			request{"CVE-2026-73551", "/;" + exempt + "/.." + app, nil}, request{"CVE-2026-73551", app + ";x=" + exempt + "/", nil},
			request{"CVE-2026-73551", "/jupyter;" + exempt + "/", nil}, request{"CVE-2026-73551", "//jupyter" + exempt + "/", nil})
	}
	return out
}

// advisories tries, on the real gateway, what docs/security.md says is not reached.
func advisories(t *testing.T, b *bed) {
	restarts := func() string {
		return b.kubectl("-n", "istio-system", "get", "pods", "-l", "app=istio-ingressgateway", "-o", "jsonpath={.items[*].metadata.name} {.items[*].status.containerStatuses[*].restartCount}")
	}
	before := restarts()
	person := b.signsIn(t, gateway, nil, loginUser, loginPassword, profileNamespace)
	session := "Cookie: " + sessionCookie + "=" + person.cookie("/", sessionCookie)
	// What a person gets is what a stranger must not get.
	if code, body := b.raw(t, request{path: "/jupyter/api/namespaces/" + profileNamespace + "/notebooks", headers: []string{session}}); code != http.StatusOK || !strings.Contains(body, "notebooks") {
		t.Fatalf("a person's own request = %d: %.300s", code, body)
	}
	all := byStrangers()
	for _, r := range all {
		code, body := b.raw(t, r)
		// Dex's and oauth2-proxy's own answers are for everybody: 404, their pages, a redirect.
		if code == http.StatusOK && (strings.Contains(body, "notebooks") || strings.Contains(body, `"user"`) || strings.Contains(body, "<title>Jupyter")) || code >= 500 && code != http.StatusNotImplemented {
			t.Errorf("%s: GET %s with %q = %d: %.300s", r.advisory, r.path, r.headers, code, body)
		}
	}
	t.Logf("%d requests by strangers, none of them let in", len(all))

	// A person who is logged in is nobody else.
	for _, headers := range [][]string{
		{"kubeflow_userid: " + victim},
		{"kubeflow-userid: " + victim},
		{"kubeflow-userid: " + victim, "kubeflow-userid: " + victim},
		{"KUBEFLOW_USERID: " + victim, "kubeflow-groups: system:masters"},
		{"Connection: kubeflow-userid", "kubeflow-userid: " + victim},
		{"Connection: authorization, cookie"},
	} {
		code, body := b.raw(t, request{path: "/api/namespaces", headers: append([]string{session}, headers...)})
		if code == http.StatusOK && (!strings.Contains(body, loginUser) || strings.Contains(body, victim)) {
			t.Errorf("CVE-2025-64484, CVE-2026-26308: with %q the web app answers %d: %s", headers, code, body)
		}
		if code >= 500 {
			t.Errorf("with %q the gateway answers %d: %.300s", headers, code, body)
		}
	}
	if after := restarts(); after != before {
		t.Errorf("the gateway's pods were %s, and are %s", before, after)
	}
}

// connects is CVE-2026-73547: a CONNECT has no path, and the gateway asks oauth2-proxy all
// the same.
func connects(t *testing.T, b *bed) {
	v := visitor{t: t, b: b, base: gateway}
	for _, http2 := range []bool{false, true} {
		u, err := url.Parse(gateway)
		if err != nil {
			t.Fatal(err)
		}
		r := (&http.Request{Method: http.MethodConnect, URL: &url.URL{Scheme: u.Scheme, Host: u.Host}, Host: "jupyter-web-app-service.kubeflow:80", Header: http.Header{}}).WithContext(t.Context())
		a, err := v.client(http2).Do(r)
		if err == nil {
			_ = a.Body.Close()
			if a.StatusCode < 400 {
				t.Errorf("CONNECT over HTTP/%d = %s", a.ProtoMajor, a.Status)
			}
		}
		t.Logf("CONNECT, HTTP/2 %t: %v, %v", http2, a, err)
	}
	if code, body := b.raw(t, request{path: "/dex/healthz"}); code != http.StatusOK {
		t.Errorf("afterwards the gateway answers %d: %.300s", code, body)
	}
}

// raw sends a request as it is written to the gateway, which no client library would do,
// and returns the answer's code and body; 0 where the connection is closed instead.
func (b *bed) raw(t *testing.T, r request) (int, string) {
	t.Helper()
	proxy, err := url.Parse(b.state().Proxy)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", proxy.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	host := strings.TrimPrefix(gateway, "http://")
	in := bufio.NewReader(c)
	fmt.Fprintf(c, "CONNECT %[1]s:80 HTTP/1.1\r\nHost: %[1]s:80\r\n\r\n", host)
	if a, err := http.ReadResponse(in, nil); err != nil || a.StatusCode != http.StatusOK {
		t.Fatalf("CONNECT %s: %v (%v)", host, a, err)
	}
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", r.path, host)
	for _, h := range r.headers {
		fmt.Fprintf(c, "%s\r\n", h)
	}
	fmt.Fprint(c, "\r\n")
	a, err := http.ReadResponse(in, nil)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = a.Body.Close() }()
	body, _ := io.ReadAll(io.LimitReader(a.Body, 1<<20))
	return a.StatusCode, string(body)
}
