package holders

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/activity"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
)

var update = flag.Bool("update", false, "write the expected documents anew")

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func notebookPod(name, node string, limits corev1.ResourceList) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ada", Name: name, Labels: map[string]string{NotebookLabel: "vision"}, CreationTimestamp: metav1.NewTime(noon.Add(-time.Hour))},
		Spec: corev1.PodSpec{NodeName: node, Containers: []corev1.Container{
			{Name: "main", Resources: corev1.ResourceRequirements{Requests: limits, Limits: limits}},
			{Name: "istio-proxy", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse("10m"), "memory": resource.MustParse("64Mi")}}},
		}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning},
	}
}

func figures(cpu, memory string) *metricsv1beta1.PodMetrics {
	return &metricsv1beta1.PodMetrics{Timestamp: metav1.NewTime(noon.Add(-20 * time.Second)), Containers: []metricsv1beta1.ContainerMetrics{
		{Name: "main", Usage: corev1.ResourceList{"cpu": resource.MustParse(cpu), "memory": resource.MustParse(memory)}},
		{Name: "istio-proxy", Usage: corev1.ResourceList{"cpu": resource.MustParse("5m"), "memory": resource.MustParse("40Mi")}},
	}}
}

func TestANotebookIsTheSumOfItsPods(t *testing.T) {
	limits := corev1.ResourceList{"cpu": resource.MustParse("500m"), "memory": resource.MustParse("1Gi"), "nvidia.com/gpu": resource.MustParse("2")}
	n := Notebook{GPUs: map[string]int64{}, CPU: usage.Known(resource.Quantity{}), Memory: usage.Known(resource.Quantity{}), Created: noon}
	n.add(notebookPod("vision-0", "gpu-0", limits), figures("250m", "512Mi"), nil, nil)
	n.add(notebookPod("vision-1", "gpu-1", limits), figures("100m", "100Mi"), nil, nil)
	cpu, _ := n.CPU.Get()
	memory, _ := n.Memory.Get()
	// 250+5 and 100+5 millicores, 512+40 and 100+40 MiB; requests with the sidecar's.
	if cpu.MilliValue() != 360 || memory.Value()>>20 != 692 || n.CPURequested.MilliValue() != 1020 || n.MemoryRequested.Value()>>20 != 2176 || n.GPUs["nvidia.com/gpu"] != 4 {
		t.Errorf("%dm, %dMi of %dm, %dMi, %v: want 360m, 692Mi of 1020m, 2176Mi, 4 GPUs", cpu.MilliValue(), memory.Value()>>20, n.CPURequested.MilliValue(), n.MemoryRequested.Value()>>20, n.GPUs)
	}
	n.add(notebookPod("vision-2", "gpu-2", limits), nil, nil, nil)
	if _, ok := n.CPU.Get(); ok {
		t.Error("two of three pods' figures pass for the whole")
	}
	if why := n.CPU.Why(); why.Reason != "metrics-server has no metrics for this pod yet" {
		t.Errorf("the reason is %q", why.Reason)
	}
	n.add(notebookPod("vision-3", "", limits), nil, errors.New("connection refused"), nil)
	if len(n.Nodes) != 3 {
		t.Errorf("nodes %v, want the three that have a pod", n.Nodes)
	}
}

func TestDoubtsAboutFiguresAreSaidOnce(t *testing.T) {
	known, unknown := usage.Known(resource.MustParse("1")), usage.Missing[resource.Quantity](usage.Absence{Reason: "none yet"})
	all := []Notebook{
		{CPU: known, Nodes: []string{"n"}, Sampled: noon.Add(-10 * time.Second)},
		{CPU: known, Nodes: []string{"n"}, Sampled: noon.Add(-3 * time.Minute)},
		{CPU: known, Nodes: []string{"n"}, Sampled: noon.Add(-5 * time.Minute)},
		{CPU: unknown, Nodes: []string{"n"}},
		{CPU: unknown}, // it waits: nobody expects figures
	}
	want := []string{
		"CPU and memory of 1 of 5 notebooks are unknown: metrics-server has no metrics for them yet",
		"CPU and memory of 2 of 5 notebooks are stale, up to 5m0s old: metrics-server has not scraped their nodes since",
	}
	if got := (&notebooksReader{}).doubts(all, noon); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := (&notebooksReader{measured: errors.New("connection refused")}).doubts(all, noon); len(got) != 1 || !strings.Contains(got[0], "connection refused") {
		t.Errorf("got %q, want one line with the error", got)
	}
}

func TestWhatTheGPUsOfANotebookDo(t *testing.T) {
	device := func(index string, percent float64, used int64) *usage.Device {
		return &usage.Device{Node: "gpu-0", UUID: "GPU-" + index, Index: index, Live: usage.Live{Utilization: usage.Known(percent), MemoryUsed: usage.Known(used), MemoryTotal: usage.Known[int64](100)}}
	}
	row := func(pod string, d *usage.Device) Row {
		return Row{Resource: "nvidia.com/gpu", Origin: usage.DevicePlugin, State: Held, Device: d, Pod: Pod{Namespace: "ada", Name: pod}}
	}
	slot := func(pod string, d *usage.Device) Row {
		r := row(pod, d)
		r.Sharing = usage.TimeSlicing
		return r
	}
	zero := device("0", 80, 60)
	for _, tt := range []struct {
		name    string
		rows    []Row
		percent float64
		used    int64
		known   bool
		shared  bool
	}{
		{"the mean and the sum of its own, not of others", []Row{row("vision-0", zero), row("vision-0", device("1", 20, 10)), row("other-0", device("2", 100, 100))}, 50, 70, true, false},
		{"two slots of one GPU are one GPU, and shared", []Row{slot("vision-0", zero), slot("vision-0", zero)}, 80, 60, true, true},
		{"one unknown device makes the whole unknown", []Row{row("vision-0", zero), row("vision-0", nil)}, 0, 0, false, false},
		{"so does none", nil, 0, 0, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := Notebook{Namespace: "ada", Name: "vision", Nodes: []string{"gpu-0"}, pods: []string{"vision-0"}, GPUs: map[string]int64{"nvidia.com/gpu": 2}}
			n.have(byPod(tt.rows))
			percent, known := n.Live.Utilization.Get()
			used, _ := n.Live.MemoryUsed.Get()
			if percent != tt.percent || used != tt.used || known != tt.known || n.Shared != tt.shared {
				t.Errorf("%v%% (known: %v), %d used, shared: %v; want %v, %v, %d, %v", percent, known, used, n.Shared, tt.percent, tt.known, tt.used, tt.shared)
			}
			if !known && n.Live.Utilization.Why().Reason == "" {
				t.Error("unknown without a reason")
			}
		})
	}
}

func TestWhatAClaimAsksFor(t *testing.T) {
	exactly := func(class string, count int64) resourcev1.DeviceRequest {
		return resourcev1.DeviceRequest{Exactly: &resourcev1.ExactDeviceRequest{DeviceClassName: class, Count: count}}
	}
	c := &resourcev1.ResourceClaim{Spec: resourcev1.ResourceClaimSpec{Devices: resourcev1.DeviceClaim{Requests: []resourcev1.DeviceRequest{
		exactly("gpu", 2), exactly("gpu", 0), exactly("nic", 1),
		{FirstAvailable: []resourcev1.DeviceSubRequest{{DeviceClassName: "big", Count: 1}, {DeviceClassName: "gpu", Count: 8}}},
	}}}}
	got := asks(c)
	if got["gpu"] != 3 || got["nic"] != 1 || got["big"] != 1 || len(got) != 3 {
		t.Errorf("%v, want 2 and 1 of gpu, one nic, and the first of the alternatives", got)
	}
}

func TestTheSchedulersMessageInBrief(t *testing.T) {
	for _, tt := range [][2]string{
		{"0/5 nodes are available: 2 Insufficient nvidia.com/gpu. still not schedulable, preemption: 0/5 nodes are available: 5 Preemption is not helpful for scheduling.", "0/5 nodes are available: 2 Insufficient nvidia.com/gpu."},
		{"0/5 nodes are available: 5 Insufficient nvidia.com/gpu. no new claims to deallocate, preemption: 0/5 nodes are available.", "0/5 nodes are available: 5 Insufficient nvidia.com/gpu."},
		{"0/5 nodes are available: 5 cannot allocate all claims. preemption: 0/5 nodes are available.", "0/5 nodes are available: 5 cannot allocate all claims."},
		{"Scheduling is blocked due to non-empty scheduling gates", "Scheduling is blocked due to non-empty scheduling gates"},
		{"", ""},
	} {
		if got := (Waiting{Message: tt[0]}).Brief(); got != tt[1] {
			t.Errorf("%q is %q in brief, want %q", tt[0], got, tt[1])
		}
	}
}

// TestDocuments holds the machine-readable shape: a change of these files is a change of
// what programs rely on.
func TestDocuments(t *testing.T) {
	node := &usage.Node{Name: "gpu-0", Ready: true}
	device := usage.Device{Node: "gpu-0", UUID: "GPU-a", Index: "0", Instance: "7", Profile: "1g.5gb", Live: usage.Live{Utilization: usage.Known(12.5), MemoryUsed: usage.Known[int64](1 << 30), MemoryTotal: usage.Known[int64](5 << 30)}}
	gpus := &GPUs{Time: noon, Problems: []string{"a problem"}, Rows: []Row{
		{Node: node, Resource: "nvidia.com/mig-1g.5gb", Origin: usage.DevicePlugin, Product: "A100", State: Held, Device: &device, Pod: Pod{Namespace: "ada", Name: "vision-0", Notebook: "vision"}},
		{Node: &usage.Node{Name: "gpu-1", Cordoned: true}, Resource: "nvidia.com/gpu", Origin: usage.DevicePlugin, Sharing: usage.TimeSlicing, State: Free},
		{
			Resource: "gpu.example.com", Origin: usage.DRA, State: Unusable, Why: usage.Absence{Reason: "its driver has tainted it: hot"}, Claims: []string{"ada/c"},
			Device: &usage.Device{Claimed: usage.DRADevice{Driver: "gpu.example.com", Pool: "fabric", Device: "far-0"}},
		},
	}, Waiting: []Waiting{{Pod: Pod{Namespace: "ada", Name: "greedy"}, Created: noon.Add(-time.Minute), Wants: map[string]int64{"nvidia.com/gpu": 8}, Reason: "Unschedulable", Message: "0/2 nodes are available"}}}
	notebooks := &Notebooks{Time: noon, Notebooks: []Notebook{
		{
			Namespace: "ada", Name: "vision", Owner: usage.Known("ada@example.com"), Nodes: []string{"gpu-0"}, Phase: corev1.PodRunning,
			CPU: usage.Known(resource.MustParse("250m")), Memory: usage.Known(resource.MustParse("512Mi")), Sampled: noon.Add(-20 * time.Second),
			CPURequested: resource.MustParse("510m"), MemoryRequested: resource.MustParse("1Gi"), GPUs: map[string]int64{"nvidia.com/mig-1g.5gb": 1},
			Live: device.Live, Created: noon.Add(-time.Hour), Use: activity.Use{Last: usage.Known(noon.Add(-2 * time.Minute)), Source: activity.FromController, At: noon.Add(-time.Minute)},
		},
		{
			Namespace: "bob", Name: "new", Owner: usage.Missing[string](usage.Absence{Forbidden: true, Reason: "the user is not allowed to list profiles"}), Phase: corev1.PodPending,
			CPU: usage.Missing[resource.Quantity](usage.Absence{Reason: "the pod is on no node yet"}), Memory: usage.Missing[resource.Quantity](usage.Absence{Reason: "the pod is on no node yet"}),
			GPUs: map[string]int64{}, Live: usage.LiveOf(nil, usage.Absence{Reason: "it has no GPUs"}), Created: noon, Use: activity.Use{Last: usage.Missing[time.Time](usage.Absence{Reason: "it did not answer"})},
		},
	}}
	for name, document := range map[string]any{"gpus.json": gpus.Document("jupyter.kubectl/v1alpha1", nil), "notebooks.json": notebooks.Document("jupyter.kubectl/v1alpha1")} {
		t.Run(name, func(t *testing.T) {
			got, err := json.MarshalIndent(document, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			file := filepath.Join("testdata", name)
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("the document is not that of %s (-update writes it anew):\n%s", file, got)
			}
		})
	}
}
