//go:build e2e_real

package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

const gateway = "http://istio-ingressgateway.istio-system.svc.cluster.local"

// browser is a person's browser at the gateway: it keeps cookies as one does, withholding those marked Secure over
// plain HTTP, and does not follow redirects by itself, so that each can be looked at.
type browser struct {
	t      *testing.T
	base   string
	client http.Client
}

func (b *bed) browser(t *testing.T) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, gateway, http.Client{
		Jar: jar, Timeout: 30 * time.Second, Transport: b.transport(t),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

type page struct {
	code     int
	location string
	body     string
}

func (w *browser) do(method, path, body string, header map[string]string) page {
	w.t.Helper()
	u, err := url.Parse(w.base)
	if err != nil {
		w.t.Fatal(err)
	}
	if u, err = u.Parse(path); err != nil {
		w.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(context.Background(), method, u.String(), strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	for k, v := range header {
		r.Header.Set(k, v)
	}
	a, err := w.client.Do(r)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = a.Body.Close() }()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return page{a.StatusCode, a.Header.Get("Location"), string(text)}
}

func (w *browser) get(path string) page { w.t.Helper(); return w.do(http.MethodGet, path, "", nil) }

// want gets a path and fails the test unless the answer is as expected.
func (w *browser) want(path string, code int, says string) {
	w.t.Helper()
	if p := w.get(path); p.code != code || !strings.Contains(p.body, says) {
		w.t.Errorf("GET %s = %d, want %d and %q: %.300s", path, p.code, code, says, p.body)
	}
}

// follow goes on until a page comes that is no redirect.
func (w *browser) follow(p page) page {
	w.t.Helper()
	for range 10 {
		if p.code != http.StatusFound && p.code != http.StatusSeeOther {
			return p
		}
		p = w.get(p.location)
	}
	w.t.Fatal("the redirects do not end")
	return p
}

func (w *browser) cookie(path, name string) string {
	u, err := url.Parse(w.base + path)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, c := range w.client.Jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

var formAction = regexp.MustCompile(`action="([^"]*)"`)

// login is the whole way of a request: Envoy asks oauth2-proxy, Dex checks the password, Envoy checks the token and
// writes the header that the web app believes, mTLS tells the web app's Envoy that it is the gateway who asks.
func (b *bed) login(t *testing.T, password, image string) {
	stranger := b.browser(t)
	stranger.want("/dex/healthz", http.StatusOK, "")
	stranger.want("/oauth2/auth", http.StatusUnauthorized, "")
	stranger.want("/jupyter/", http.StatusForbidden, "/oauth2/start")
	stranger.want("/jupyter/api/config", http.StatusUnauthorized, "")
	if p := stranger.do(http.MethodGet, "/jupyter/", "", map[string]string{"kubeflow-userid": "user@example.com"}); p.code == http.StatusOK {
		t.Fatal("a forged kubeflow-userid header lets a stranger in")
	}
	if p := stranger.do(http.MethodGet, "/jupyter/", "", map[string]string{"Authorization": "Bearer nonsense"}); p.code != http.StatusUnauthorized {
		t.Errorf("a nonsense token = %d, want 401", p.code)
	}

	person := b.browser(t)
	form := person.follow(person.get("/oauth2/start?rd=%2Fjupyter%2F"))
	enter := func(password string) page { return person.send(form, "user@example.com", password) }
	if p := enter("not " + password); p.code != http.StatusUnauthorized {
		t.Errorf("a wrong password = %d, want 401", p.code)
	}
	if p := person.follow(enter(password)); p.code != http.StatusOK || !strings.Contains(p.body, "Jupyter") {
		t.Fatalf("after the login = %d, want the web app: %.300s", p.code, p.body)
	}
	person.want("/api/namespaces", http.StatusOK, profileNamespace)
	person.want("/jupyter/api/namespaces/default/notebooks", http.StatusForbidden, "not authorized")
	for _, path := range []string{"/", "/jupyter"} {
		if p := person.get(path); p.code != http.StatusFound || !strings.HasSuffix(p.location, "/jupyter/") {
			t.Errorf("GET %s = %d to %q, want 302 to /jupyter/", path, p.code, p.location)
		}
	}

	token := person.cookie("/jupyter/", "XSRF-TOKEN")
	if token == "" {
		t.Fatal("the browser has no cookie XSRF-TOKEN: it is marked Secure and this is plain HTTP")
	}
	notebooks := "/jupyter/api/namespaces/" + profileNamespace + "/notebooks"
	header := map[string]string{"Content-Type": "application/json"}
	if p := person.do(http.MethodPost, notebooks, "{}", header); p.code != http.StatusForbidden {
		t.Errorf("a POST without the token in its header = %d, want 403: %s", p.code, p.body)
	}
	header["X-XSRF-TOKEN"] = token
	if p := person.do(http.MethodPost, notebooks, "{}", header); p.code != http.StatusBadRequest || !strings.Contains(p.body, "'name'") {
		t.Errorf("a POST without a name = %d, want 400: %s", p.code, p.body)
	}
	p := person.do(http.MethodPost, notebooks, `{"name":"by-form","image":"`+image+`","cpu":"0.1","memory":"64Mi"}`, header)
	if p.code != http.StatusOK {
		t.Fatalf("creating a notebook = %d, want 200: %s", p.code, p.body)
	}
	b.kubectl("-n", profileNamespace, "wait", "notebook/by-form", "--for=jsonpath={.status.readyReplicas}=1", "--timeout=2m")
	// The mesh hears of the new pod a moment after the notebook's controller.
	path := fmt.Sprintf("/notebook/%s/by-form/", profileNamespace)
	// Nothing can be watched that tells when Envoy has its configuration, or when JupyterLab answers.
	if err := wait.PollUntilContextTimeout(t.Context(), 500*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
		p = person.follow(person.get(path))
		return p.code == http.StatusOK && strings.Contains(p.body, "JupyterLab"), nil
	}); err != nil {
		t.Fatalf("GET %s = %d, want 200: %.300s", path, p.code, p.body)
	}
	if p := stranger.get(path); p.code == http.StatusOK {
		t.Error("a stranger reads somebody's notebook")
	}
}

// at is a browser at an address, trusting an authority where one is given.
func (b *bed) at(t *testing.T, address string, roots *x509.CertPool) *browser {
	t.Helper()
	w := b.browser(t)
	w.base = address
	if transport, ok := w.client.Transport.(*http.Transport); ok && roots != nil {
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	return w
}

// enter goes to the login form and sends it.
func (w *browser) enter(email, password string) page {
	w.t.Helper()
	return w.send(w.follow(w.get("/oauth2/start?rd=%2Fjupyter%2F")), email, password)
}

// send fills in Dex's form.
func (w *browser) send(form page, email, password string) page {
	w.t.Helper()
	action := formAction.FindStringSubmatch(form.body)
	if action == nil {
		w.t.Fatalf("no form to log in at the end of /oauth2/start: %d %.300s", form.code, form.body)
	}
	return w.do(http.MethodPost, strings.ReplaceAll(action[1], "&amp;", "&"),
		url.Values{"login": {email}, "password": {password}}.Encode(), map[string]string{"Content-Type": "application/x-www-form-urlencoded"})
}

func (b *bed) signsIn(t *testing.T, address string, roots *x509.CertPool, email, password, namespace string) *browser {
	t.Helper()
	// A gateway that has just been changed comes to it in a moment, and so does its view of
	// oauth2-proxy's pods: while it still asks one that has ended, it answers 403 without a page.
	var w *browser
	var p page
	err := wait.PollUntilContextTimeout(t.Context(), time.Second, time.Minute, true, func(context.Context) (bool, error) {
		w = b.at(t, address, roots)
		if p = w.get("/jupyter/"); p.code != http.StatusForbidden || !strings.Contains(p.body, "/oauth2/start") {
			return false, nil
		}
		form := w.follow(w.get("/oauth2/start?rd=%2Fjupyter%2F"))
		if p = form; formAction.FindString(form.body) == "" {
			return false, nil
		}
		if p = w.follow(w.send(form, email, password)); p.code != http.StatusOK || !strings.Contains(p.body, "Jupyter") {
			return false, nil
		}
		// KFAM's sidecar closes connections when it gets its filter.
		p = w.get("/api/namespaces")
		return p.code == http.StatusOK && strings.Contains(p.body, namespace), nil
	})
	if err != nil {
		t.Fatalf("%s signs in at %s = %d, want the web app and %s: %.300s", email, address, p.code, namespace, p.body)
	}
	w.want("/jupyter/api/namespaces/"+namespace+"/notebooks", http.StatusOK, "notebooks")
	return w
}

func (b *bed) isRefused(t *testing.T, address string, roots *x509.CertPool, email, password string) {
	t.Helper()
	if p := b.at(t, address, roots).enter(email, password); p.code != http.StatusUnauthorized {
		t.Errorf("the login of %s = %d, want 401", email, p.code)
	}
}
