package usage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

// noon is when every snapshot is taken.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// node is ready, of 8 CPUs and 32 GiB, less what the system keeps, and older than noon.
func node(name string, more ...string) corev1.Node {
	n := corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(noon.Add(-time.Hour)), Labels: map[string]string{"name": name}},
		Status: corev1.NodeStatus{
			Capacity:    resources(append([]string{"cpu", "8", "memory", "32Gi"}, more...)...),
			Allocatable: resources(append([]string{"cpu", "7500m", "memory", "30Gi"}, more...)...),
			Conditions:  []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
		},
	}
	return n
}

// measuredAt is what metrics-server says of a node.
func measuredAt(name string, age time.Duration, cpu, memory string) metricsv1beta1.NodeMetrics {
	return metricsv1beta1.NodeMetrics{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"name": name}},
		Timestamp:  metav1.NewTime(noon.Add(-age)), Window: metav1.Duration{Duration: 15 * time.Second},
		Usage: resources("cpu", cpu, "memory", memory),
	}
}

func podOn(node, name string, phase corev1.PodPhase, pairs ...string) corev1.Pod {
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "ns"},
		Spec:       corev1.PodSpec{NodeName: node, Containers: []corev1.Container{container("c", pairs...)}},
		Status:     corev1.PodStatus{Phase: phase},
	}
}

// small is a cluster of two nodes, one with GPUs.
func small() *fakeServer {
	return &fakeServer{
		nodes:   []corev1.Node{node("gpu-0", gpu, "4"), node("cpu-0")},
		metrics: []metricsv1beta1.NodeMetrics{measuredAt("gpu-0", 10*time.Second, "1500m", "3Gi"), measuredAt("cpu-0", 20*time.Second, "123456789n", "1000Mi")},
		pods: []corev1.Pod{
			podOn("gpu-0", "runs", corev1.PodRunning, gpu, "1"), podOn("gpu-0", "starts", corev1.PodPending, gpu, "2"),
			podOn("gpu-0", "is-done", corev1.PodSucceeded, gpu, "1"), podOn("", "waits", corev1.PodPending, gpu, "1"),
			podOn("cpu-0", "elsewhere", corev1.PodRunning, "cpu", "1"),
		},
		metricsVersion: "v1beta1",
	}
}

func options(change ...func(*Options)) Options {
	o := Options{Now: func() time.Time { return noon }}
	for _, c := range change {
		c(&o)
	}
	return o
}

// row is a node in a few words, as a table would have it.
func row(n Node) string {
	text := n.Name + " " + n.Status()
	for _, a := range []Amount{n.CPU, n.Memory} {
		if q, ok := a.Used.Get(); ok {
			p, _ := a.Percent(false).Get()
			text += fmt.Sprintf(" %s (%d%%)", q.String(), int64(p))
		} else {
			text += " " + a.Used.Why().String()
		}
	}
	for _, g := range n.GPUs {
		text += " " + g.Resource
		for _, m := range []Maybe[int64]{Known(g.Allocatable), g.Requested, g.Free()} {
			if v, ok := m.Get(); ok {
				text += fmt.Sprintf(" %d", v)
			} else {
				text += " " + m.Why().String()
			}
		}
	}
	return text
}

func rows(s *Snapshot) []string {
	var out []string
	for _, n := range s.Nodes {
		out = append(out, row(n))
	}
	return out
}

const (
	fineGPU = "gpu-0 Ready 1500m (20%) 3Gi (10%) nvidia.com/gpu 4 3 1"
	fineCPU = "cpu-0 Ready 123456789n (1%) 1000Mi (3%)"
	metrics = "/apis/metrics.k8s.io/v1beta1/nodes"
)

func TestASnapshot(t *testing.T) {
	forbidden := refuse(http.StatusForbidden, metav1.StatusReasonForbidden, "nobody may")
	for _, tt := range []struct {
		name     string
		change   func(*fakeServer)
		options  func(*Options)
		want     []string
		problems []string // what each begins with
	}{
		{name: "has what the server says, and only pods that occupy their node", want: []string{fineGPU, fineCPU}},
		{name: "asks for metrics in JSON where protobuf is not wanted", options: func(o *Options) { o.JSONMetrics = true }, want: []string{fineGPU, fineCPU}},
		{name: "takes metrics as v1 where the server has nothing else", change: func(f *fakeServer) { f.metricsVersion = "v1" }, want: []string{fineGPU, fineCPU}},
		{name: "selects nodes at the server", options: func(o *Options) { o.Selector = "name=cpu-0" }, want: []string{fineCPU}},
		{name: "reads named nodes alone", options: func(o *Options) { o.Names = []string{"gpu-0"} }, want: []string{fineGPU}},
		{name: "leaves out names that are no nodes, where that is asked for", options: func(o *Options) { o.Names, o.Present = []string{"cpu-9", "gpu-0"}, true }, want: []string{fineGPU}},
		{
			name:    "reads a named node that metrics-server does not know yet",
			change:  func(f *fakeServer) { f.metrics = nil },
			options: func(o *Options) { o.Names = []string{"cpu-0"} },
			want:    []string{"cpu-0 Ready <unknown> <unknown>"}, problems: []string{"CPU and memory of 1 of 1 nodes are unknown: metrics-server has no metrics for cpu-0 yet"},
		},
		{
			name:    "counts a resource that the user names",
			change:  func(f *fakeServer) { f.nodes = []corev1.Node{node("cpu-0", "example.com/fpga", "2")} },
			options: func(o *Options) { o.GPUResources = []string{"example.com/fpga"} },
			want:    []string{fineCPU + " example.com/fpga 2 0 2"},
		},
		{
			name: "keeps nodes that are not ready or cordoned",
			change: func(f *fakeServer) {
				f.nodes[0].Spec.Unschedulable = true
				f.nodes[1].Status.Conditions[0].Status = corev1.ConditionUnknown
			},
			want: []string{strings.Replace(fineGPU, "Ready", "Ready,cordoned", 1), strings.Replace(fineCPU, "Ready", "NotReady", 1)},
		},
		{
			name:   "has more than all where pods hold GPUs that are not healthy any more",
			change: func(f *fakeServer) { f.nodes[0].Status.Allocatable[gpu] = resources(gpu, "2")[gpu] },
			want:   []string{"gpu-0 Ready 1500m (20%) 3Gi (10%) nvidia.com/gpu 2 3 -1", fineCPU},
		},
		{
			name:     "comes without metrics-server",
			change:   func(f *fakeServer) { f.metricsVersion, f.metrics = "", nil },
			want:     []string{"gpu-0 Ready <unknown> <unknown> nvidia.com/gpu 4 3 1", "cpu-0 Ready <unknown> <unknown>"},
			problems: []string{"CPU and memory are unknown: the cluster has no metrics API: metrics-server is not installed"},
		},
		{
			name: "comes while metrics-server does not answer",
			change: func(f *fakeServer) {
				f.fail = map[string]http.HandlerFunc{metrics: refuse(http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, "the server is currently unable to handle the request")}
			},
			want:     []string{"gpu-0 Ready <unknown> <unknown> nvidia.com/gpu 4 3 1", "cpu-0 Ready <unknown> <unknown>"},
			problems: []string{"CPU and memory are unknown: metrics-server does not answer (see `kubectl get apiservice v1beta1.metrics.k8s.io`)"},
		},
		{
			name: "says what the user may not see",
			change: func(f *fakeServer) {
				f.fail = map[string]http.HandlerFunc{metrics: forbidden, "/api/v1/pods": forbidden}
			},
			want:     []string{"gpu-0 Ready <forbidden> <forbidden> nvidia.com/gpu 4 <forbidden> <forbidden>", "cpu-0 Ready <forbidden> <forbidden>"},
			problems: []string{"CPU and memory are unknown: the user is not allowed to list nodes of metrics.k8s.io", "GPU requests on gpu-0 are unknown: the user is not allowed to list pods"},
		},
		{
			name:     "misses half of the nodes",
			change:   func(f *fakeServer) { f.metrics = f.metrics[:1] },
			want:     []string{fineGPU, "cpu-0 Ready <unknown> <unknown>"},
			problems: []string{"CPU and memory of 1 of 2 nodes are unknown: metrics-server has no metrics for cpu-0 yet"},
		},
		{
			name:     "marks figures that are stale",
			change:   func(f *fakeServer) { f.metrics[1] = measuredAt("cpu-0", 5*time.Minute, "123456789n", "1000Mi") },
			want:     []string{fineGPU, fineCPU},
			problems: []string{"CPU and memory of 1 of 2 nodes are stale, up to 5m0s old: metrics-server has not scraped cpu-0 since"},
		},
		{
			name:     "does not take figures without memory for no memory",
			change:   func(f *fakeServer) { delete(f.metrics[1].Usage, "memory") },
			want:     []string{fineGPU, "cpu-0 Ready 123456789n (1%) <unknown>"},
			problems: nil,
		},
		{
			name: "does not count pods whose list breaks off",
			change: func(f *fakeServer) {
				f.fail = map[string]http.HandlerFunc{"/api/v1/pods": func(w http.ResponseWriter, r *http.Request) {
					whole := &capture{header: http.Header{}}
					f.serve(whole, r)
					_, _ = w.Write(whole.body[:len(whole.body)-30])
				}}
			},
			want:     []string{"gpu-0 Ready 1500m (20%) 3Gi (10%) nvidia.com/gpu 4 <unknown> <unknown>", fineCPU},
			problems: []string{"GPU requests on gpu-0 are unknown: pods cannot be listed: GET /api/v1/pods: the list is truncated"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := small()
			if tt.change != nil {
				tt.change(f)
			}
			o := options()
			if tt.options != nil {
				tt.options(&o)
			}
			s, err := Read(t.Context(), f.start(t), o)
			if err != nil {
				t.Fatal(err)
			}
			if got := rows(s); !slices.Equal(got, tt.want) {
				t.Errorf("nodes\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
			if !slices.EqualFunc(s.Problems, tt.problems, strings.HasPrefix) {
				t.Errorf("problems\n%s\nwant\n%s", strings.Join(s.Problems, "\n"), strings.Join(tt.problems, "\n"))
			}
		})
	}
}

// capture keeps an answer.
type capture struct {
	header http.Header
	body   []byte
}

func (c *capture) Header() http.Header         { return c.header }
func (c *capture) WriteHeader(int)             {}
func (c *capture) Write(p []byte) (int, error) { c.body = append(c.body, p...); return len(p), nil }

func TestMetricsThatHangHoldUpNothingElse(t *testing.T) {
	defer func(was time.Duration) { metricsTimeout = was }(metricsTimeout)
	metricsTimeout = 300 * time.Millisecond
	f := small()
	f.fail = map[string]http.HandlerFunc{metrics: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }}
	begin := time.Now()
	s, err := Read(t.Context(), f.start(t), options())
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	if got := rows(s)[0]; got != "gpu-0 Ready <unknown> <unknown> nvidia.com/gpu 4 3 1" {
		t.Errorf("got %s", got)
	}
	if want := []string{"CPU and memory are unknown: metrics-server did not answer within 300ms"}; !slices.Equal(s.Problems, want) {
		t.Errorf("problems %q", s.Problems)
	}
}

func TestAnInterruptionIsNotAGap(t *testing.T) {
	f := small()
	c := f.start(t)
	ctx, cancel := context.WithCancel(t.Context())
	f.fail = map[string]http.HandlerFunc{"/api/v1/pods": func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() }}
	if s, err := Read(ctx, c, options()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, %v", s, err)
	}
}

func TestWithoutNodesThereIsNoSnapshot(t *testing.T) {
	for _, tt := range []struct {
		name    string
		options func(*Options)
		fail    http.HandlerFunc
		want    string
	}{
		{"when they may not be listed", nil, refuse(http.StatusForbidden, metav1.StatusReasonForbidden, "nobody may"), "nodes cannot be listed: nobody may"},
		{"when a name is wrong", func(o *Options) { o.Names = []string{"cpu-0", "cpu-9"} }, nil, "node cpu-9 does not exist in fake: `kubectl get nodes` lists the nodes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := small()
			if tt.fail != nil {
				f.fail = map[string]http.HandlerFunc{"/api/v1/nodes": tt.fail}
			}
			o := options()
			if tt.options != nil {
				tt.options(&o)
			}
			if _, err := Read(t.Context(), f.start(t), o); err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestWhatIsAsked(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*fakeServer)
		want   []string
	}{
		{
			name:   "without GPUs no pods are listed",
			change: func(f *fakeServer) { f.nodes = f.nodes[1:] },
			want:   []string{"/api/v1/nodes", metrics},
		},
		{
			name: "pods are listed of each node with GPUs, and those that are done are left to the server",
			want: []string{"/api/v1/nodes", "/api/v1/pods?spec.nodeName=gpu-0,status.phase!=Succeeded,status.phase!=Failed", metrics},
		},
		{
			name: "beyond a thousand nodes with GPUs all pods are walked through, page by page",
			change: func(f *fakeServer) {
				f.page = 2
				for i := range fewNodes {
					f.nodes = append(f.nodes, node(fmt.Sprintf("gpu-%d", i+1), gpu, "1"))
				}
			},
			want: []string{
				"/api/v1/nodes", "/api/v1/pods?spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed",
				"/api/v1/pods?spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed", metrics,
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := small()
			if tt.change != nil {
				tt.change(f)
			}
			s, err := Read(t.Context(), f.start(t), options())
			if err != nil {
				t.Fatal(err)
			}
			asked := f.asked()
			slices.Sort(asked)
			if !slices.Equal(asked, tt.want) {
				t.Errorf("asked\n%s\nwant\n%s", strings.Join(asked, "\n"), strings.Join(tt.want, "\n"))
			}
			for _, n := range s.Nodes {
				if r, ok := requestedOf(n, gpu); n.Name == "gpu-0" && (!ok || r != 3) {
					t.Errorf("gpu-0 has %d requested, want 3", r)
				}
			}
		})
	}
}

// requestedOf is what is requested of a node's resource.
func requestedOf(n Node, name string) (int64, bool) {
	for _, g := range n.GPUs {
		if g.Resource == name {
			return g.Requested.Get()
		}
	}
	return 0, false
}
