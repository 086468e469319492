package usage

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// resources reads pairs of a name and a quantity.
func resources(pairs ...string) corev1.ResourceList {
	out := corev1.ResourceList{}
	for i := 0; i < len(pairs); i += 2 {
		out[corev1.ResourceName(pairs[i])] = resource.MustParse(pairs[i+1])
	}
	return out
}

const gib = 1 << 30

func TestTheGPUsOfANode(t *testing.T) {
	for _, tt := range []struct {
		name                  string
		labels                map[string]string
		capacity, allocatable corev1.ResourceList
		others                []string
		want                  []GPU
	}{
		{
			name:     "a node without GPUs has none",
			capacity: resources("cpu", "8", "memory", "32Gi", "example.com/fpga", "2"),
		},
		{
			name:     "whole GPUs are described by their labels",
			labels:   map[string]string{"nvidia.com/gpu.product": "Tesla-T4", "nvidia.com/gpu.memory": "15360", "nvidia.com/gpu.replicas": "1", "nvidia.com/gpu.sharing-strategy": "none"},
			capacity: resources("nvidia.com/gpu", "4"),
			want:     []GPU{{Resource: "nvidia.com/gpu", Product: "Tesla-T4", Replicas: 1, MemoryEach: 15 * gib, Capacity: 4, Allocatable: 4}},
		},
		{
			name:        "capacity above what is allocatable are devices that are not healthy",
			capacity:    resources("nvidia.com/gpu", "8"),
			allocatable: resources("nvidia.com/gpu", "7"),
			want:        []GPU{{Resource: "nvidia.com/gpu", Replicas: 1, Capacity: 8, Allocatable: 7}},
		},
		{
			name: "GKE's labels tell the product and how it is shared",
			labels: map[string]string{
				"cloud.google.com/gke-accelerator": "nvidia-l4", "cloud.google.com/gke-gpu-sharing-strategy": "time-sharing", "cloud.google.com/gke-max-shared-clients-per-gpu": "4",
			},
			capacity: resources("nvidia.com/gpu", "4"),
			want:     []GPU{{Resource: "nvidia.com/gpu", Product: "nvidia-l4", Sharing: TimeSlicing, Replicas: 4, Capacity: 4, Allocatable: 4}},
		},
		{
			name:     "Intel's sharedDevNum counts a card several times",
			labels:   map[string]string{"gpu.intel.com/product": "Flex_170", "gpu.intel.com/device-id.0300-46a6.count": "1"},
			capacity: resources("gpu.intel.com/i915", "5"),
			want:     []GPU{{Resource: "gpu.intel.com/i915", Product: "Flex_170", Sharing: Slots, Replicas: 5, Capacity: 5, Allocatable: 5}},
		},
		{
			name:     "a device plugin that is away leaves a resource of none",
			labels:   map[string]string{"nvidia.com/gpu.product": "Tesla-T4"},
			capacity: resources("nvidia.com/gpu", "0"),
			want:     []GPU{{Resource: "nvidia.com/gpu", Product: "Tesla-T4", Replicas: 1}},
		},
		{
			// Two A100 of 40 GB: one cut into 3 slices of 1g.5gb and one of 4g.20gb, the
			// other into seven of 1g.5gb. 3+7 = 10 small slices and one large.
			name: "mixed MIG slices are resources of their own, each with its labels",
			labels: map[string]string{
				"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-40GB", "nvidia.com/mig.strategy": "mixed",
				"nvidia.com/mig-1g.5gb.product": "NVIDIA-A100-SXM4-40GB-MIG-1g.5gb", "nvidia.com/mig-1g.5gb.memory": "4864",
				"nvidia.com/mig-4g.20gb.product": "NVIDIA-A100-SXM4-40GB-MIG-4g.20gb", "nvidia.com/mig-4g.20gb.memory": "19968",
			},
			capacity: resources("nvidia.com/gpu", "0", "nvidia.com/mig-1g.5gb", "10", "nvidia.com/mig-4g.20gb", "1"),
			want: []GPU{
				{Resource: "nvidia.com/gpu", Product: "NVIDIA-A100-SXM4-40GB", Replicas: 1},
				{Resource: "nvidia.com/mig-1g.5gb", Product: "NVIDIA-A100-SXM4-40GB-MIG-1g.5gb", Replicas: 1, MemoryEach: 4864 << 20, Capacity: 10, Allocatable: 10},
				{Resource: "nvidia.com/mig-4g.20gb", Product: "NVIDIA-A100-SXM4-40GB-MIG-4g.20gb", Replicas: 1, MemoryEach: 19968 << 20, Capacity: 1, Allocatable: 1},
			},
		},
		{
			name:     "MIG slices of one kind are counted as GPUs, and their product says what they are",
			labels:   map[string]string{"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-40GB-MIG-1g.5gb", "nvidia.com/mig.strategy": "single", "nvidia.com/gpu.memory": "4864"},
			capacity: resources("nvidia.com/gpu", "7"),
			want:     []GPU{{Resource: "nvidia.com/gpu", Product: "NVIDIA-A100-SXM4-40GB-MIG-1g.5gb", Replicas: 1, MemoryEach: 4864 << 20, Capacity: 7, Allocatable: 7}},
		},
		{
			// 2 GPUs with 4 slots each: 8 are advertised.
			name: "time-sliced GPUs are counted in slots",
			labels: map[string]string{
				"nvidia.com/gpu.product": "Tesla-T4-SHARED", "nvidia.com/gpu.count": "2", "nvidia.com/gpu.replicas": "4",
				"nvidia.com/gpu.sharing-strategy": "time-slicing", "nvidia.com/gpu.memory": "15360",
			},
			capacity: resources("nvidia.com/gpu", "8"),
			want:     []GPU{{Resource: "nvidia.com/gpu", Product: "Tesla-T4", Sharing: TimeSlicing, Replicas: 4, MemoryEach: 15 * gib, Capacity: 8, Allocatable: 8}},
		},
		{
			name:     "shared GPUs may have a resource of another name, with the labels of the GPU",
			labels:   map[string]string{"nvidia.com/gpu.product": "Tesla-T4", "nvidia.com/gpu.replicas": "10"},
			capacity: resources("nvidia.com/gpu.shared", "10"),
			want:     []GPU{{Resource: "nvidia.com/gpu.shared", Product: "Tesla-T4", Sharing: TimeSlicing, Replicas: 10, Capacity: 10, Allocatable: 10}},
		},
		{
			name:     "MPS shares in another way",
			labels:   map[string]string{"nvidia.com/gpu.product": "Tesla-T4-SHARED", "nvidia.com/gpu.replicas": "2", "nvidia.com/gpu.sharing-strategy": "mps"},
			capacity: resources("nvidia.com/gpu", "2"),
			want:     []GPU{{Resource: "nvidia.com/gpu", Product: "Tesla-T4", Sharing: MPS, Replicas: 2, Capacity: 2, Allocatable: 2}},
		},
		{
			name:     "AMD's GPUs, with memory in units of 2^30",
			labels:   map[string]string{"amd.com/gpu.product-name": "AMD_Instinct_MI300X", "amd.com/gpu.vram": "192G"},
			capacity: resources("amd.com/gpu", "8"),
			want:     []GPU{{Resource: "amd.com/gpu", Product: "AMD_Instinct_MI300X", Replicas: 1, MemoryEach: 192 * gib, Capacity: 8, Allocatable: 8}},
		},
		{
			// One MI300X in CPX mode with NPS4 is eight devices.
			name:     "AMD's partitions are resources of their own",
			capacity: resources("amd.com/cpx_nps4", "8", "amd.com/gpu", "7"),
			want: []GPU{
				{Resource: "amd.com/cpx_nps4", Replicas: 1, Capacity: 8, Allocatable: 8},
				{Resource: "amd.com/gpu", Replicas: 1, Capacity: 7, Allocatable: 7},
			},
		},
		{
			name:     "Intel's GPUs, of both drivers, without what only monitors",
			labels:   map[string]string{"gpu.intel.com/product": "Max_1550"},
			capacity: resources("gpu.intel.com/i915", "2", "gpu.intel.com/xe", "1", "gpu.intel.com/i915_monitoring", "1", "gpu.intel.com/xe_monitoring", "1"),
			want: []GPU{
				{Resource: "gpu.intel.com/i915", Product: "Max_1550", Replicas: 1, Capacity: 2, Allocatable: 2},
				{Resource: "gpu.intel.com/xe", Product: "Max_1550", Replicas: 1, Capacity: 1, Allocatable: 1},
			},
		},
		{
			name:     "a resource that the user names",
			capacity: resources("example.com/fpga", "2", "example.com/other", "1"),
			others:   []string{"example.com/fpga"},
			want:     []GPU{{Resource: "example.com/fpga", Replicas: 1, Capacity: 2, Allocatable: 2}},
		},
		{
			name:     "labels that are no numbers say nothing",
			labels:   map[string]string{"nvidia.com/gpu.memory": "much", "nvidia.com/gpu.replicas": "many"},
			capacity: resources("nvidia.com/gpu", "1"),
			want:     []GPU{{Resource: "nvidia.com/gpu", Replicas: 1, Capacity: 1, Allocatable: 1}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: tt.labels}, Status: corev1.NodeStatus{Capacity: tt.capacity, Allocatable: tt.allocatable}}
			if tt.allocatable == nil {
				n.Status.Allocatable = tt.capacity
			}
			for i := range tt.want {
				tt.want[i].Origin = DevicePlugin
			}
			if diff := cmp.Diff(tt.want, GPUsOf(n, tt.others), cmp.AllowUnexported(Maybe[int64]{}, Maybe[float64]{}, Live{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatIsFree(t *testing.T) {
	unknown := Missing[int64](Absence{Reason: "nobody knows"})
	for _, tt := range []struct {
		name              string
		node              Node
		allocatable       int64
		requested         Maybe[int64]
		free, schedulable Maybe[int64]
	}{
		{"allocatable without what is requested", Node{Ready: true}, 4, Known[int64](1), Known[int64](3), Known[int64](3)},
		{"a cordoned node's GPUs are free and nobody can get them", Node{Ready: true, Cordoned: true}, 4, Known[int64](1), Known[int64](3), Known[int64](0)},
		{"so are those of a node that is not ready", Node{}, 4, Known[int64](1), Known[int64](3), Known[int64](0)},
		{"pods may hold devices that have become unhealthy", Node{Ready: true}, 2, Known[int64](4), Known[int64](-2), Known[int64](0)},
		{"nothing is known without the pods", Node{Ready: true}, 4, unknown, unknown, unknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := GPU{Allocatable: tt.allocatable, Requested: tt.requested}
			if g.Free() != tt.free || tt.node.Schedulable(g) != tt.schedulable {
				t.Errorf("free %v, schedulable %v; want %v and %v", g.Free(), tt.node.Schedulable(g), tt.free, tt.schedulable)
			}
		})
	}
}

func TestTheStatusOfANode(t *testing.T) {
	for want, n := range map[string]Node{
		"Ready": {Ready: true}, "NotReady": {}, "Ready,cordoned": {Ready: true, Cordoned: true}, "NotReady,cordoned": {Cordoned: true},
	} {
		if n.Status() != want {
			t.Errorf("%+v is %s, want %s", n, n.Status(), want)
		}
	}
}
