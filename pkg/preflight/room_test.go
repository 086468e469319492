package preflight

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// manyNodes stands in for the API server of a cluster with that many equal nodes, each of
// which has one pod with these requests, and one that is being deleted. It counts what is
// asked.
func manyNodes(t *testing.T, nodes int, cpu, memory string) (l *looker, lists, pods *atomic.Int64) {
	t.Helper()
	lists, pods = &atomic.Int64{}, &atomic.Int64{}
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(v); err != nil {
			t.Error(err)
		}
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/api/v1/nodes":
			lists.Add(1)
			from := 0
			if c := r.URL.Query().Get("continue"); c != "" {
				_, _ = fmt.Sscan(c, &from)
			}
			list := corev1.NodeList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "NodeList"}}
			for i := from; i < min(from+page, nodes); i++ {
				list.Items = append(list.Items, *node(fmt.Sprintf("n%04d", i)))
			}
			if from+page < nodes {
				list.Continue = fmt.Sprint(from + page)
			}
			answer(w, list)
		case r.URL.Path == "/api/v1/pods" && strings.Contains(r.URL.Query().Get("fieldSelector"), "spec.nodeName=n"):
			pods.Add(1)
			requests := corev1.ResourceList{"cpu": resource.MustParse(cpu), "memory": resource.MustParse(memory)}
			p := corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Resources: corev1.ResourceRequirements{Requests: requests}}}}}
			leaving := *p.DeepCopy()
			leaving.DeletionTimestamp = ptr.To(metav1.Now())
			leaving.Spec.Containers[0].Resources.Requests["memory"] = resource.MustParse("8Gi")
			answer(w, corev1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}, Items: []corev1.Pod{p, leaving}})
		default:
			w.WriteHeader(http.StatusNotFound)
			answer(w, metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: "Failure", Reason: metav1.StatusReasonNotFound, Code: http.StatusNotFound})
		}
	}))
	t.Cleanup(server.Close)
	c := &cluster.Cluster{Config: &rest.Config{Host: server.URL, QPS: -1}, Mapper: &cluster.Mapper{}}
	reader, err := newCore(c)
	if err != nil {
		t.Fatal(err)
	}
	f := good()
	f.Open, f.Rooms, f.Capacity = nil, nil, nil
	return &looker{cluster: c, core: reader, facts: f}, lists, pods
}

func TestTheRequestsForRoomDoNotGrowWithTheCluster(t *testing.T) {
	notebook := pod("the default notebook", 600, 1152)
	for _, tc := range []struct {
		name        string
		nodes       int
		cpu, memory string // of the pod on each node; a node has 4 cpu and 8Gi
		lists, pods int64
		result      Result
	}{
		{"plenty of room", 1000, "1", "1Gi", 2, 8, OK},
		{"a small cluster with room", 3, "1", "1Gi", 1, 3, OK},
		// 8Gi less 7Gi leaves 1Gi: a pod of 2Gi fits nowhere, however many nodes there are.
		{"a full cluster", 1000, "1", "7Gi", 2, 64, Warning},
		{"a small full cluster", 3, "1", "7Gi", 1, 3, Fatal},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l, lists, pods := manyNodes(t, tc.nodes, tc.cpu, tc.memory)
			l.pods, l.notebook = []Pod{pod("Deployment istio-system/istiod", 500, 2048)}, &notebook
			if err := l.room(t.Context(), func(components.PodRequest) bool { return true }); err != nil {
				t.Fatal(err)
			}
			if err := l.facts.failed[readPods]; err != nil {
				t.Fatal(err)
			}
			if lists.Load() != tc.lists || pods.Load() != tc.pods {
				t.Errorf("%d lists of nodes and %d of pods, want %d and %d", lists.Load(), pods.Load(), tc.lists, tc.pods)
			}
			for _, a := range Judge(l.facts).Answers {
				if a.Check == "capacity" && a.Result != tc.result {
					t.Errorf("capacity is %s (%s), want %s", a.Result, a.Found, tc.result)
				}
			}
			if want := tc.nodes; len(l.facts.Open) != want {
				t.Errorf("%d open nodes, want %d", len(l.facts.Open), want)
			}
		})
	}
}
