package dcgm

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metalabels "k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
)

// apiServer is a stand-in for an API server whose pods/proxy fails in ways that a healthy
// one does not. Each exporter is named after its fault and runs on the node of that name.
type apiServer struct {
	exporters map[string]http.HandlerFunc
	list      http.HandlerFunc
	scrapes   atomic.Int32
}

func (a *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/api/v1/pods" {
		if a.list != nil {
			a.list(w, r)
			return
		}
		// Both selectors find the same pods, as where a chart sets both labels.
		l := corev1.PodList{TypeMeta: metav1.TypeMeta{Kind: "PodList", APIVersion: "v1"}}
		for node := range a.exporters {
			p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "gpu-operator", Name: node}, Spec: corev1.PodSpec{NodeName: node}, Status: corev1.PodStatus{Phase: corev1.PodRunning}}
			if node == "starting" {
				p.Status.Phase = corev1.PodPending
			}
			l.Items = append(l.Items, p)
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(l)
		return
	}
	for node, answer := range a.exporters {
		if r.URL.Path == "/api/v1/namespaces/gpu-operator/pods/https:"+node+":9400/proxy/metrics" && strings.HasPrefix(node, "tls") {
			body(recordedText)(w, r)
			return
		}
		if r.URL.Path == "/api/v1/namespaces/gpu-operator/pods/http:"+node+":9400/proxy/metrics" {
			a.scrapes.Add(1)
			answer(w, r)
			return
		}
	}
	http.Error(w, "unexpected "+r.URL.Path, http.StatusTeapot)
}

func (a *apiServer) source(t *testing.T) *Source {
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	client, err := discovery.NewDiscoveryClientForConfig(&rest.Config{Host: server.URL, QPS: -1})
	if err != nil {
		t.Fatal(err)
	}
	return &Source{REST: client.RESTClient()}
}

func code(c int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "nothing here", c) }
}

func body(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

// forbidden answers as the API server does.
func forbidden(what string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		_, _ = fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,"message":%q}`, what+" is forbidden: user ada cannot")
	}
}

const recordedText = "DCGM_FI_DEV_GPU_UTIL{gpu=\"0\",UUID=\"GPU-1\"} 12\n"

func TestAnExporterBehindTLSOrAPasswordIsAskedAgainOrNamed(t *testing.T) {
	a := &apiServer{exporters: map[string]http.HandlerFunc{
		"tls": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "Client sent an HTTP request to an HTTPS server.", http.StatusBadRequest)
		},
		"password": code(http.StatusUnauthorized),
		"bad":      code(http.StatusBadRequest),
	}}
	devices, absent, _ := a.source(t).Devices(t.Context(), []string{"tls", "password", "bad"})
	if len(devices["tls"]) != 1 {
		t.Errorf("an exporter that speaks TLS: %+v, %+v", devices["tls"], absent["tls"])
	}
	for node, reason := range map[string]string{"password": "asks for a password", "bad": "HTTP 400 Bad Request"} {
		if !strings.Contains(absent[node].Reason, reason) {
			t.Errorf("%s is absent with %q, want %q", node, absent[node].Reason, reason)
		}
	}
}

func TestExportersOfAllVendorsChartsAreLookedFor(t *testing.T) {
	for _, labels := range []map[string]string{
		{"app": "nvidia-dcgm-exporter"},
		{"app": "nvidia-dcgm-exporter-dra"},
		{"app": "dcgm-exporter"},
		{"k8s-app": "dcgm-exporter"},
		{"app.kubernetes.io/name": "dcgm-exporter"},
		{"app.kubernetes.io/name": "nvidia-dcgm-exporter"},
		{"app.kubernetes.io/name": "gke-managed-dcgm-exporter"},
	} {
		found := false
		for _, text := range selectors {
			selector, err := metalabels.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			found = found || selector.Matches(metalabels.Set(labels))
		}
		if !found {
			t.Errorf("an exporter with the labels %v is not found", labels)
		}
	}
}

func TestOneNodeThatDoesNotAnswerLeavesTheOthers(t *testing.T) {
	a := &apiServer{exporters: map[string]http.HandlerFunc{
		"good":      body(string(recorded(t, "whole.prom"))),
		"empty":     body(""),
		"cut":       body("DCGM_FI_DEV_GPU_UTIL{UUID=\"G\"} 1\nDCGM_FI"),
		"garbled":   body("DCGM_FI_DEV_GPU_UTIL{ 1\n"),
		"missing":   code(http.StatusNotFound),
		"broken":    code(http.StatusInternalServerError),
		"bad":       code(http.StatusBadGateway),
		"away":      code(http.StatusServiceUnavailable),
		"away-too":  code(http.StatusServiceUnavailable),
		"late":      code(http.StatusGatewayTimeout),
		"elsewhere": code(http.StatusInternalServerError),
		"starting":  body("never asked"),
	}}
	var nodes []string
	for n := range a.exporters {
		if n != "elsewhere" {
			nodes = append(nodes, n)
		}
	}
	nodes = append(nodes, "no-exporter")
	devices, absent, problems := a.source(t).Devices(t.Context(), nodes)

	if len(devices["good"]) != 2 || devices["good"][0].Node != "good" {
		t.Errorf("devices of the node that answers: %+v, want its two", devices["good"])
	}
	for node, reason := range map[string]string{
		"empty": "a response without GPUs", "cut": "in the middle of a line", "garbled": "a response without metrics",
		"missing": "HTTP 404 Not Found", "broken": "HTTP 500 Internal Server Error", "bad": "HTTP 502 Bad Gateway",
		"away": "HTTP 503 Service Unavailable", "late": "HTTP 504 Gateway Timeout", "starting": "the exporter is not running",
	} {
		if a := absent[node]; !strings.Contains(a.Reason, reason) || a.Forbidden {
			t.Errorf("%s is absent with %+v, want the reason %q", node, a, reason)
		}
		if _, known := devices[node]; known {
			t.Errorf("%s has devices", node)
		}
	}
	if _, ok := absent["no-exporter"]; ok {
		t.Error("a node without an exporter has none that fails")
	}
	if len(problems) != 1 {
		t.Fatalf("problems %q, want one line for all", problems)
	}
	for _, want := range []string{"unknown on 10 of 11 nodes", "away, away-too: HTTP 503", "broken: HTTP 500"} {
		if !strings.Contains(problems[0], want) {
			t.Errorf("the problem does not say %q: %s", want, problems[0])
		}
	}
	if strings.Contains(problems[0], "elsewhere") {
		t.Errorf("a node that nobody asked about is named: %s", problems[0])
	}
	if n := a.scrapes.Load(); n != 10 {
		t.Errorf("%d exporters were asked, want the 10 that run on wanted nodes, each once", n)
	}
}

func TestWhatTheUserMayNotDoIsForbidden(t *testing.T) {
	t.Run("scraping: one refusal stands for all exporters of the namespace", func(t *testing.T) {
		a := &apiServer{exporters: map[string]http.HandlerFunc{}}
		var nodes []string
		for i := range 10 * workers {
			nodes = append(nodes, fmt.Sprintf("n%d", i))
			a.exporters[nodes[i]] = forbidden("pods/proxy")
		}
		_, absent, problems := a.source(t).Devices(t.Context(), nodes)
		if len(absent) != len(nodes) || !absent["n7"].Forbidden || len(problems) != 1 || !strings.Contains(problems[0], "forbidden (get pods/proxy in namespace gpu-operator)") {
			t.Errorf("%d of %d nodes are absent, one with %+v; problems %q", len(absent), len(nodes), absent["n7"], problems)
		}
		if n := a.scrapes.Load(); int(n) >= len(nodes) {
			t.Errorf("%d exporters were asked after the first had refused", n)
		}
	})
	t.Run("looking for exporters", func(t *testing.T) {
		a := &apiServer{list: forbidden("pods")}
		_, absent, problems := a.source(t).Devices(t.Context(), []string{"n1", "n2"})
		if !absent["n1"].Forbidden || !absent["n2"].Forbidden || len(problems) != 1 || !strings.Contains(problems[0], "list pods of DCGM exporters") {
			t.Errorf("absent %+v, problems %q", absent, problems)
		}
	})
}

// asking notes how long a request may take.
type asking struct {
	http.RoundTripper
	may func(time.Duration)
}

func (a asking) RoundTrip(r *http.Request) (*http.Response, error) {
	if until, set := r.Context().Deadline(); set && strings.HasSuffix(r.URL.Path, "/metrics") {
		a.may(time.Until(until))
	}
	return a.RoundTripper.RoundTrip(r)
}

func TestAnExporterMayTakeTheTimeOfOne(t *testing.T) {
	server := httptest.NewServer(&apiServer{exporters: map[string]http.HandlerFunc{"good": body(string(recorded(t, "shared.prom")))}})
	t.Cleanup(server.Close)
	var may time.Duration
	client, err := discovery.NewDiscoveryClientForConfig(&rest.Config{Host: server.URL, WrapTransport: func(rt http.RoundTripper) http.RoundTripper {
		return asking{rt, func(d time.Duration) { may = d }}
	}})
	if err != nil {
		t.Fatal(err)
	}
	source := &Source{REST: client.RESTClient()}
	if _, absent, _ := source.Devices(t.Context(), []string{"good"}); len(absent) > 0 {
		t.Errorf("absent: %+v", absent)
	}
	if may <= PerExporter/2 || may > PerExporter {
		t.Errorf("an exporter was given %s, want %s", may, PerExporter)
	}
}

func TestAnExporterThatHangsIsLeftAfterItsTime(t *testing.T) {
	const patience = time.Second
	a := &apiServer{exporters: map[string]http.HandlerFunc{
		"hangs": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"slows": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "# a line that comes at once\n")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
		"good": body(string(recorded(t, "shared.prom"))),
	}}
	source := a.source(t)
	source.patience = patience
	start := time.Now()
	devices, absent, _ := source.Devices(t.Context(), []string{"hangs", "slows", "good"})
	if took := time.Since(start); took < patience || took > patience+3*time.Second {
		t.Errorf("it took %s, want the %s of one exporter", took, patience)
	}
	for _, n := range []string{"hangs", "slows"} {
		if absent[n].Reason != "no response within 1s" {
			t.Errorf("%s is absent with %+v", n, absent[n])
		}
	}
	if len(devices["good"]) != 1 {
		t.Errorf("the node that answers has %d devices, want 1", len(devices["good"]))
	}
}
