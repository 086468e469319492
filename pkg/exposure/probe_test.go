package exposure

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// wayTo is the way in at a server of the test.
func wayTo(t *testing.T, address string) (report.WayIn, *corev1.Service) {
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	host, text, err := net.SplitHostPort(u.Host)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	// Its health is at the same server, as at a node port.
	svc := &corev1.Service{Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: healthPort, NodePort: int32(port)}}}}
	return report.WayIn{URL: address + "/jupyter/", Address: host, Port: port, Via: "NodePort"}, svc
}

func TestAnAddressAnswersOrSaysWhyNot(t *testing.T) {
	for name, c := range map[string]struct {
		serve func(n int32, w http.ResponseWriter, r *http.Request)
		want  string // part of the error, empty for an answer
	}{
		"a redirection to the login is an answer": {func(_ int32, w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/jupyter/" {
				http.Redirect(w, r, "http://nowhere.invalid/", http.StatusFound)
			}
		}, ""},
		"a refusal is an answer": {func(_ int32, w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/jupyter/" {
				w.WriteHeader(http.StatusForbidden)
			}
		}, ""},
		"what comes a little later is waited for": {func(n int32, w http.ResponseWriter, _ *http.Request) {
			if n < 2 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}, ""},
		"nobody behind the gateway is no answer": {func(_ int32, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, "/jupyter/: the answer is 503 Service Unavailable"},
		"a gateway that is not ready is none": {func(_ int32, w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/healthz/ready" {
				w.WriteHeader(http.StatusInternalServerError)
			}
		}, "/healthz/ready: the answer is 500"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var n atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { c.serve(n.Add(1), w, r) }))
			defer server.Close()
			way, svc := wayTo(t, server.URL)
			ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
			defer cancel()
			err := Probe(ctx, svc, way, func(string) {})
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("Probe() = %v, want %q", err, c.want)
			}
			if c.want != "" && err != nil && !strings.Contains(Unreachable(way, err).Summary, "not a ready gateway") {
				t.Errorf("an answer is taken for silence: %+v", Unreachable(way, err))
			}
		})
	}
}

func TestAnAddressWhereNobodyListensIsNamed(t *testing.T) {
	server := httptest.NewServer(nil)
	way, svc := wayTo(t, server.URL)
	server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	said := ""
	err := Probe(ctx, svc, way, func(s string) { said = s })
	if err == nil || !strings.Contains(said, "does not answer yet") {
		t.Fatalf("Probe() = %v, said %q", err, said)
	}
	c := Unreachable(way, err)
	if c.Name != diagnose.AddressUnreachable || !strings.Contains(c.Evidence[0], "connection refused") || !strings.Contains(c.Remedy, "port-forward") {
		t.Errorf("cause = %+v", c)
	}
}
