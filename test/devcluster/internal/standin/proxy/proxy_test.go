package proxy

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	for _, tt := range []struct{ name, path, to, there string }{
		{"Dex keeps its path", "/dex/auth", "dex.auth.svc:5556", "/dex/auth"},
		{"the web app does not see its prefix", "/jupyter/api/config", "jupyter-web-app-service.kubeflow.svc:80", "/api/config"},
		{"a notebook is found by its namespace and name", "/notebook/jane/n1/lab", "n1.jane.svc:80", "/notebook/jane/n1/lab"},
		{"half a notebook's path goes nowhere", "/notebook/jane", "", ""},
		{"what nobody serves goes nowhere", "/metrics", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			to, there, ok := match(Routes, tt.path)
			if to != tt.to || there != tt.there || ok != (tt.to != "") {
				t.Errorf("match(%q) = %q, %q, %t, want %q, %q", tt.path, to, there, ok, tt.to, tt.there)
			}
		})
	}
}

func TestGatewaySaysThatItIsAStandIn(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.Path) }))
	defer s.Close()
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]struct {
		code int
		body string
	}{
		"/app/x":   {http.StatusOK, "/x"},
		"/gone/x":  {http.StatusServiceUnavailable, "no healthy upstream"},
		"/nothing": {http.StatusNotFound, "not found"},
	} {
		w := httptest.NewRecorder()
		Gateway([]Route{{Prefix: "/app/", To: u.Host, Strip: true}, {Prefix: "/gone/", To: "127.0.0.1:1"}}, io.Discard).
			ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != want.code || !strings.Contains(w.Body.String(), want.body) || w.Header().Get(Header) == "" {
			t.Errorf("GET %s = %d %q, header %q; want %d %q and the header", path, w.Code, w.Body, w.Header().Get(Header), want.code, want.body)
		}
	}
}

func TestRunAsAnInitContainerReturns(t *testing.T) {
	var log strings.Builder
	if err := Run(context.Background(), []string{"istio-iptables", "-p", "15001"}, "", &log); err != nil || !strings.Contains(log.String(), Name) {
		t.Errorf("Run = %v and says %q, want nil and %q", err, log.String(), Name)
	}
	if err := Run(context.Background(), []string{"dance"}, "", io.Discard); err == nil {
		t.Error("an unknown command is taken")
	}
}

func TestProbes(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" || r.Header.Get("X-Probe") != "yes" {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	defer app.Close()
	u, err := url.Parse(app.URL)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(`{"/app-health/c/livez":{"httpGet":{"path":"/healthz","port":PORT,"scheme":"HTTP","httpHeaders":[{"name":"X-Probe","value":"yes"}]},"timeoutSeconds":3},
		"/app-health/c/readyz":{"httpGet":{"path":"/other","port":PORT}},
		"/app-health/c/startupz":{"tcpSocket":{"port":PORT}},
		"/app-health/d/readyz":{"tcpSocket":{"port":1}}}`, "PORT", u.Port())
	all, err := parseProbers(text)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{
		"/app-health/c/livez": 200, "/app-health/c/readyz": 418, "/app-health/c/startupz": 200,
		"/app-health/d/readyz": 500, "/app-health/none": 404, "/healthz/ready": 200,
	} {
		w := httptest.NewRecorder()
		probes(all).ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != want {
			t.Errorf("GET %s = %d, want %d", path, w.Code, want)
		}
	}
	for _, bad := range []string{"{", `{"/x":{}}`} {
		if _, err := parseProbers(bad); err == nil {
			t.Errorf("parseProbers(%s) = nil, want an error", bad)
		}
	}
}
