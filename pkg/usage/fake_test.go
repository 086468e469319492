package usage

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apifields "k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
)

// fakeServer stands in for an API server with what a real one cannot be made to show:
// stale figures, lists that break off, a metrics API that hangs. It answers LISTs of nodes,
// pods and NodeMetrics with the real encoders, in the format that was asked for.
type fakeServer struct {
	nodes   []corev1.Node
	pods    []corev1.Pod
	metrics []metricsv1beta1.NodeMetrics
	// metricsVersion is what discovery says, none when empty.
	metricsVersion string
	// fail answers a path instead, where it is named.
	fail map[string]http.HandlerFunc
	// page bounds a list of pods, whatever is asked for; 0 has no bound.
	page int

	mu   sync.Mutex
	asks []string
}

func (f *fakeServer) asked() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.asks...)
}

// start serves until the test ends and connects to itself.
func (f *fakeServer) start(t testing.TB) *cluster.Cluster {
	t.Helper()
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	c, err := cluster.Connect(t.Context(), getter(server.URL), cluster.Options{UserAgent: "test"})
	if err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	f.asks = nil
	f.mu.Unlock()
	return c
}

// getter is a kubeconfig with nothing but a server.
type getter string

func (g getter) ToRESTConfig() (*rest.Config, error) { return g.ToRawKubeConfigLoader().ClientConfig() }

func (g getter) ToRawKubeConfigLoader() clientcmd.ClientConfig {
	return clientcmd.NewDefaultClientConfig(clientcmdapi.Config{
		CurrentContext: "fake",
		Contexts:       map[string]*clientcmdapi.Context{"fake": {Cluster: "fake"}},
		Clusters:       map[string]*clientcmdapi.Cluster{"fake": {Server: string(g)}},
	}, nil)
}

func (f *fakeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	f.mu.Lock()
	f.asks = append(f.asks, strings.TrimSuffix(r.URL.Path+"?"+q.Get("fieldSelector")+q.Get("labelSelector"), "?"))
	f.mu.Unlock()
	if h, ok := f.fail[r.URL.Path]; ok {
		h(w, r)
		return
	}
	f.serve(w, r)
}

func (f *fakeServer) serve(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	matches := func(m metav1.ObjectMeta, set apifields.Set) bool {
		l, err := labels.Parse(q.Get("labelSelector"))
		if err != nil {
			panic(err)
		}
		s, err := apifields.ParseSelector(q.Get("fieldSelector"))
		if err != nil {
			panic(err)
		}
		set["metadata.name"] = m.Name
		return l.Matches(labels.Set(m.Labels)) && s.Matches(set)
	}
	switch r.URL.Path {
	case "/version":
		_, _ = w.Write([]byte(`{"gitVersion":"v1.36.3"}`))
	case "/api":
		answer(w, r, &metav1.APIVersions{Versions: []string{"v1"}})
	case "/apis":
		groups := &metav1.APIGroupList{}
		if v := f.metricsVersion; v != "" {
			gv := metav1.GroupVersionForDiscovery{GroupVersion: "metrics.k8s.io/" + v, Version: v}
			groups.Groups = append(groups.Groups, metav1.APIGroup{Name: "metrics.k8s.io", Versions: []metav1.GroupVersionForDiscovery{gv}, PreferredVersion: gv})
		}
		answer(w, r, groups)
	case "/api/v1":
		answer(w, r, &metav1.APIResourceList{GroupVersion: "v1", APIResources: []metav1.APIResource{{Name: "nodes", Kind: "Node"}}})
	case "/apis/metrics.k8s.io/" + f.metricsVersion:
		answer(w, r, &metav1.APIResourceList{GroupVersion: "metrics.k8s.io/" + f.metricsVersion, APIResources: []metav1.APIResource{{Name: "nodes", Kind: "NodeMetrics"}}})
	case "/api/v1/nodes":
		l := &corev1.NodeList{TypeMeta: metav1.TypeMeta{Kind: "NodeList", APIVersion: "v1"}}
		for _, n := range f.nodes {
			if matches(n.ObjectMeta, apifields.Set{}) {
				l.Items = append(l.Items, n)
			}
		}
		answer(w, r, l)
	case "/api/v1/pods":
		l := &corev1.PodList{TypeMeta: metav1.TypeMeta{Kind: "PodList", APIVersion: "v1"}}
		past := q.Get("continue") == ""
		for _, p := range f.pods {
			if past && f.page > 0 && len(l.Items) == f.page {
				l.Continue = p.Name
				break
			}
			past = past || p.Name == q.Get("continue")
			if past && matches(p.ObjectMeta, apifields.Set{"spec.nodeName": p.Spec.NodeName, "status.phase": string(p.Status.Phase)}) {
				l.Items = append(l.Items, p)
			}
		}
		answer(w, r, l)
	case "/apis/metrics.k8s.io/" + f.metricsVersion + "/nodes":
		l := &metricsv1beta1.NodeMetricsList{TypeMeta: metav1.TypeMeta{Kind: "NodeMetricsList", APIVersion: "metrics.k8s.io/" + f.metricsVersion}}
		for _, n := range f.metrics {
			if matches(n.ObjectMeta, apifields.Set{}) {
				l.Items = append(l.Items, n)
			}
		}
		answer(w, r, l)
	default:
		for _, n := range f.metrics {
			if r.URL.Path == "/apis/metrics.k8s.io/"+f.metricsVersion+"/nodes/"+n.Name {
				answer(w, r, &n)
				return
			}
		}
		refuse(http.StatusNotFound, metav1.StatusReasonNotFound, "the server could not find the requested resource")(w, r)
	}
}

func answer(w http.ResponseWriter, r *http.Request, o runtime.Object) {
	if strings.HasPrefix(r.Header.Get("Accept"), runtime.ContentTypeProtobuf) {
		scheme := runtime.NewScheme()
		for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, metricsv1beta1.AddToScheme} {
			if err := add(scheme); err != nil {
				panic(err)
			}
		}
		w.Header().Set("Content-Type", runtime.ContentTypeProtobuf)
		if err := protobuf.NewSerializer(scheme, scheme).Encode(o, w); err != nil {
			panic(err)
		}
		return
	}
	w.Header().Set("Content-Type", runtime.ContentTypeJSON)
	if err := json.NewEncoder(w).Encode(o); err != nil {
		panic(err)
	}
}

// refuse answers as an API server refuses.
func refuse(code int, reason metav1.StatusReason, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", runtime.ContentTypeJSON)
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(metav1.Status{
			TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
			Status:   metav1.StatusFailure, Code: int32(code), Reason: reason, Message: message,
		})
	}
}
