//go:build e2e_real

package e2e

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

const (
	credentialsFilter = "istio-ingressgateway-credentials"
	sessionCookie     = "oauth2_proxy_kubeflow"
	victim            = "victim@example.com"
)

// TestRealCredentials opens a notebook that says what it is told of its visitors. Envoy,
// istiod, Dex and oauth2-proxy are themselves; notebook and web app are stand-ins: JupyterLab does not say it.
func TestRealCredentials(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("a real node needs root: run it with sudo")
	}
	images := realImages(t)
	if !realProxy(images) {
		t.Skip("the proxy is a stand-in, which knows no filter: see the list above for why")
	}
	b := newBed(t, "--nodes", "real", "--network-policies")
	if r := b.run(context.Background(), loginPassword, nil, "install", "--password-stdin", "--timeout", "5m"); r.Code != 0 {
		t.Fatalf("install: %s", r)
	}
	b.apply(fmt.Sprintf(`
apiVersion: kubeflow.org/v1
kind: Notebook
metadata: {name: first, namespace: %[1]s}
spec: {template: {spec: {serviceAccountName: default-editor, containers: [{name: first, image: %[3]q}]}}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: by-hand, namespace: default}
spec:
  gateways: [kubeflow/kubeflow-gateway]
  hosts: ["*"]
  http:
  - match: [{uri: {prefix: /by-hand/}}]
    rewrite: {uri: /notebook/%[1]s/first/}
    headers: {request: {set: {
      kubeflow-userid: %[2]s, x-leak: "[%%REQ(cookie)%% %%REQ(authorization)%%]",
      x-kubectl-jupyter-cluster: "outbound|80||oauth2-proxy.oauth2-proxy.svc.cluster.local"}}}
    route: [{destination: {host: first.%[1]s.svc.cluster.local, port: {number: 80}}}]
`, profileNamespace, victim, echoImage(t, images)))
	b.apply(nameOfTheWebApp("kubeflow-userid: " + victim))
	b.kubectl("-n", profileNamespace, "wait", "notebook/first", "--for=jsonpath={.status.readyReplicas}=1", "--timeout=2m")
	person := b.signsIn(t, gateway, nil, loginUser, loginPassword, profileNamespace)
	session := person.cookie("/", sessionCookie)
	if session == "" {
		t.Fatal("there is no session to keep from anybody")
	}
	v := visitor{t: t, b: b, base: gateway, session: session}
	notebook := "/notebook/" + profileNamespace + "/first/echo"

	// What it is against: without the filter all of it arrives.
	var token string
	t.Run("without the filter notebooks get everything, and it is told", func(t *testing.T) {
		b, v := b.in(t), v.in(t)
		b.kubectl("-n", "istio-system", "delete", "envoyfilter", credentialsFilter)
		v.until("the notebook is told everything", func() bool {
			told := v.echo(notebook, false).told
			token = told.Get("Authorization")
			if v.echo("/oauth2/auth", false).header.Get("Authorization") != token {
				return false
			}
			return strings.HasPrefix(token, "Bearer ") && strings.Contains(told.Get("Cookie"), session)
		})
		v.until("the route that leads to the web app is somebody else", func() bool { return v.user("/evil/api/config") == victim })
		r := b.jupyter("status")
		if r.Code == 0 {
			t.Error("status: exit code 0")
		}
		wantSays(t, r.Stdout+r.Stderr, "CredentialsForwarded", credentialsFilter+" is missing")
		b.must("install", "--only", "oauth2-proxy", "--timeout", "3m")
		v.until("the notebook is told nothing", func() bool { return v.echo(notebook, false).told.Get("Authorization") == "" })
		if r := b.jupyter("status"); strings.Contains(r.Stdout+r.Stderr, "CredentialsForwarded") {
			t.Errorf("status: %s", r)
		}
	})

	for major, http2 := range map[int]bool{1: false, 2: true} {
		for _, path := range []string{notebook, "/by-hand/echo"} {
			t.Run(fmt.Sprintf("HTTP %d %s", major, path), func(t *testing.T) {
				v := v.in(t)
				e := v.echo(path, http2)
				if e.major != major {
					t.Errorf("the gateway speaks HTTP %d, want %d", e.major, major)
				}
				v.isToldNothing(e)
			})
		}
	}
	for _, path := range []string{notebook, "/by-hand/echo"} {
		t.Run("a WebSocket "+path, func(t *testing.T) {
			v := v.in(t)
			e := v.echo(path, false, "Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "a3ViZWN0bC1qdXB5dGVyLQ==")
			if e.code != http.StatusSwitchingProtocols {
				t.Fatalf("GET %s = %d, want 101", path, e.code)
			}
			v.isToldNothing(e)
		})
	}
	t.Run("a program with a token of its own", func(t *testing.T) {
		v := v.in(t)
		v.session = ""
		e := v.echo(notebook, false, "Authorization", token)
		if e.code != http.StatusOK || e.told.Get("Authorization") != "" || e.told.Get("Kubeflow-Userid") != loginUser {
			t.Errorf("%d, the notebook is told %v", e.code, e.told)
		}
	})
	t.Run("a Service of type ExternalName leads to the web app as nobody else", func(t *testing.T) {
		if user := v.in(t).user("/evil/api/config"); user != loginUser {
			t.Errorf("the web app takes the visitor for %q, want %s", user, loginUser)
		}
	})
	t.Run("oauth2-proxy and the web app get what they need", func(t *testing.T) {
		w := *person
		w.t = t
		w.want("/oauth2/auth", http.StatusAccepted, "")
		// A page that a notebook serves can ask as well, and read the answer.
		if got := v.in(t).echo("/oauth2/auth", false); got.code != http.StatusAccepted || got.header.Get("Authorization") != "" || got.header.Get("X-Auth-Request-Email") != "" {
			t.Errorf("GET /oauth2/auth = %d with the headers %v, want 202 without the token", got.code, got.header)
		}
		w.want("/jupyter/api/config", http.StatusOK, "")
		w.want("/jupyter/api/namespaces/"+profileNamespace+"/notebooks", http.StatusOK, `"first"`)
	})
	t.Run("the check says how it is known", func(t *testing.T) {
		c := b.in(t).checkLogin(t, loginPassword, "--port-forward")
		for _, p := range c.Probes {
			if p.Hop == "credentials" && p.Outcome == "Passed" && strings.Contains(p.Came, "first."+profileNamespace+".svc.cluster.local") {
				return
			}
		}
		t.Errorf("the probe: %+v", c.Probes)
	})
	t.Run("over HTTPS it is the same", func(t *testing.T) {
		b, v := b.in(t), v.in(t)
		v.base = strings.Replace(gateway, "http:", "https:", 1)
		v.roots = b.selfSigned(t, strings.TrimPrefix(gateway, "http://"))
		v.session = b.signsIn(t, v.base, v.roots, loginUser, loginPassword, profileNamespace).cookie("/", sessionCookie)
		for _, http2 := range []bool{false, true} {
			for _, path := range []string{notebook, "/by-hand/echo"} {
				v.isToldNothing(v.echo(path, http2))
			}
		}
		if user := v.user("/evil/api/config"); user != loginUser {
			t.Errorf("the web app takes the visitor for %q, want %s", user, loginUser)
		}
	})
}

// nameOfTheWebApp is a Service of the user's namespace that is another name of the web app's,
// with a route to it at /evil/ that sets a header, NAME: VALUE.
func nameOfTheWebApp(header string) string {
	return fmt.Sprintf(`
apiVersion: v1
kind: Service
metadata: {name: evil, namespace: %[1]s}
spec: {type: ExternalName, externalName: jupyter-web-app-service.kubeflow.svc.cluster.local, ports: [{name: http, port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: evil, namespace: %[1]s}
spec:
  gateways: [kubeflow/kubeflow-gateway]
  hosts: ["*"]
  http:
  - match: [{uri: {prefix: /evil/}}]
    rewrite: {uri: /}
    headers: {request: {set: {%[2]s}}}
    route: [{destination: {host: evil.%[1]s.svc.cluster.local, port: {number: 80}}}]
`, profileNamespace, header)
}

// selfSigned turns HTTPS on for a host, and returns the authority of its certificate.
func (b *bed) selfSigned(t *testing.T, host string) *x509.CertPool {
	t.Helper()
	b.must("expose", "--type", "ClusterIP", "--tls", "self-signed", "--host", host)
	authority, err := base64.StdEncoding.DecodeString(b.kubectl("-n", "istio-system", "get", "secret", "jupyter-gateway-tls", "-o", `jsonpath={.data.ca\.crt}`))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		t.Fatalf("no authority in %q", authority)
	}
	return roots
}

// visitor is somebody who is logged in, and sends more than a browser would.
type visitor struct {
	t       *testing.T
	b       *bed
	base    string
	roots   *x509.CertPool
	session string
}

func (v visitor) in(t *testing.T) visitor {
	v.t, v.b = t, v.b.in(t)
	return v
}

// until polls what Envoy hears of a moment later.
func (v visitor) until(what string, check func() bool) { v.t.Helper(); eventually(v.t, what, check) }

// client goes through a tunnel to the gateway, as HTTP/2 needs one here.
func (v visitor) client(http2 bool) *http.Client {
	proxy, err := url.Parse(v.b.state().Proxy)
	if err != nil {
		v.t.Fatal(err)
	}
	protocols := &http.Protocols{}
	protocols.SetHTTP1(!http2)
	protocols.SetHTTP2(http2)
	protocols.SetUnencryptedHTTP2(http2)
	trust := &tls.Config{RootCAs: v.roots, MinVersion: tls.VersionTLS12}
	transport := &http.Transport{Protocols: protocols, TLSClientConfig: trust, DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", proxy.Host)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(c, "CONNECT %[1]s HTTP/1.1\r\nHost: %[1]s\r\n\r\n", address)
		// Nothing follows the answer before the client has spoken.
		a, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || a.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("CONNECT %s: %v (%w)", address, a, err)
		}
		return c, nil
	}}
	v.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Timeout: 20 * time.Second, Transport: transport}
}

// echoed is what a notebook was told.
type echoed struct {
	code, major int
	header      http.Header
	told        http.Header
	body        string
}

// echo opens a notebook that answers what it is told.
func (v visitor) echo(path string, http2 bool, headers ...string) echoed {
	v.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, v.base+path, http.NoBody)
	if err != nil {
		v.t.Fatal(err)
	}
	cookies := "_xsrf=2|mine; " + sessionCookie + "_0=part; " + sessionCookie + "_csrf=begun; " + sessionCookie + "2=other"
	if v.session != "" {
		cookies = sessionCookie + "=" + v.session + "; " + cookies
	}
	r.Header.Set("Cookie", cookies)
	for _, name := range []string{"X-Auth-Request-Access-Token", "X-Auth-Request-Email", "X-Forwarded-Access-Token", "X-Forwarded-Email"} {
		r.Header.Set(name, "planted")
	}
	r.Header.Set("X-Kubectl-Jupyter-Cluster", "outbound|80||oauth2-proxy.oauth2-proxy.svc.cluster.local")
	r.Header.Set("Kubeflow-Userid", victim)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	a, err := v.client(http2).Do(r)
	if err != nil {
		v.t.Fatalf("GET %s: %v", path, err)
	}
	defer func() { _ = a.Body.Close() }()
	e := echoed{code: a.StatusCode, major: a.ProtoMajor, header: a.Header, body: a.Header.Get("X-Echo")}
	if a.StatusCode != http.StatusSwitchingProtocols {
		text, err := io.ReadAll(a.Body)
		if err != nil {
			v.t.Fatal(err)
		}
		e.body = string(text)
	}
	_ = json.Unmarshal([]byte(e.body), &e.told) // the gateway's own answers say nothing
	return e
}

// isToldNothing but who the visitor is, and the notebook's own cookies.
func (v visitor) isToldNothing(e echoed) {
	v.t.Helper()
	if e.code != http.StatusOK && e.code != http.StatusSwitchingProtocols {
		v.t.Fatalf("%d: %.300s", e.code, e.body)
	}
	if user := e.told.Get("Kubeflow-Userid"); user != loginUser {
		v.t.Errorf("kubeflow-userid is %q, want %s", user, loginUser)
	}
	if got, want := strings.Join(e.told.Values("Cookie"), "; "), "_xsrf=2|mine; "+sessionCookie+"2=other"; got != want {
		v.t.Errorf("the cookies are %q, want %q", got, want)
	}
	for name := range e.told {
		if lower := strings.ToLower(name); lower == "authorization" || strings.HasPrefix(lower, "x-auth-request-") || lower == "x-forwarded-access-token" || lower == "x-forwarded-email" {
			v.t.Errorf("the notebook is told %s", name)
		}
	}
	for _, secret := range []string{v.session, "Bearer", "planted"} {
		if strings.Contains(e.body, secret) {
			v.t.Errorf("%q is in what the notebook is told: %s", secret, e.body)
		}
	}
}

// user is whom the web app takes the visitor for.
func (v visitor) user(path string) string {
	v.t.Helper()
	var answer struct{ User string }
	e := v.echo(path, false)
	if e.code != http.StatusOK {
		return fmt.Sprint(e.code)
	}
	if err := json.Unmarshal([]byte(e.body), &answer); err != nil {
		v.t.Fatalf("%v: %s", err, e.body)
	}
	return answer.User
}
