package usage

import (
	"maps"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
)

func container(name string, pairs ...string) corev1.Container {
	return corev1.Container{Name: name, Resources: corev1.ResourceRequirements{Requests: resources(pairs...)}}
}

func sidecar(name string, pairs ...string) corev1.Container {
	c := container(name, pairs...)
	always := corev1.ContainerRestartPolicyAlways
	c.RestartPolicy = &always
	return c
}

const gpu = "nvidia.com/gpu"

func TestWhatAPodRequests(t *testing.T) {
	for _, tt := range []struct {
		name string
		pod  corev1.Pod
		want corev1.ResourceList
		gpus map[string]int64
	}{
		{
			name: "containers add up",
			pod:  corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{container("a", "cpu", "1", gpu, "1"), container("b", "cpu", "500m", gpu, "2")}}},
			want: resources("cpu", "1500m", gpu, "3"), gpus: map[string]int64{gpu: 3},
		},
		{
			// max(1+0, 4) CPU and max(0, 1) GPU: an init container's GPU stays the pod's.
			name: "an init container counts when it asks for more than all containers together",
			pod: corev1.Pod{Spec: corev1.PodSpec{
				InitContainers: []corev1.Container{container("warm-up", "cpu", "4", gpu, "1")},
				Containers:     []corev1.Container{container("a", "cpu", "1"), container("b", "cpu", "0")},
			}},
			want: resources("cpu", "4", gpu, "1"), gpus: map[string]int64{gpu: 1},
		},
		{
			// Sidecars run beside everything: 1 + 2 = 3; the init container after it needs
			// 2 + 5 = 7, which is more.
			name: "a sidecar counts with the containers, and with the init containers after it",
			pod: corev1.Pod{Spec: corev1.PodSpec{
				InitContainers: []corev1.Container{sidecar("proxy", "cpu", "2", gpu, "1"), container("prepare", "cpu", "5")},
				Containers:     []corev1.Container{container("a", "cpu", "1", gpu, "1")},
			}},
			want: resources("cpu", "7", gpu, "2"), gpus: map[string]int64{gpu: 2},
		},
		{
			name: "the runtime's overhead counts",
			pod:  corev1.Pod{Spec: corev1.PodSpec{Overhead: resources("cpu", "250m"), Containers: []corev1.Container{container("a", "cpu", "1", gpu, "1")}}},
			want: resources("cpu", "1250m", gpu, "1"), gpus: map[string]int64{gpu: 1},
		},
		{
			name: "resources of the whole pod override CPU and memory, and never GPUs",
			pod: corev1.Pod{Spec: corev1.PodSpec{
				Resources:  &corev1.ResourceRequirements{Requests: resources("cpu", "8", "memory", "4Gi")},
				Containers: []corev1.Container{container("a", "cpu", "1", "memory", "1Gi", gpu, "1"), container("b", "cpu", "1", gpu, "1")},
			}},
			want: resources("cpu", "8", "memory", "4Gi", gpu, "2"), gpus: map[string]int64{gpu: 2},
		},
		{
			name: "until a resize is done, the larger of old and new counts",
			pod: corev1.Pod{
				Spec: corev1.PodSpec{Containers: []corev1.Container{container("a", "cpu", "1", gpu, "1")}},
				Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
					Name: "a", AllocatedResources: resources("cpu", "3"), Resources: &corev1.ResourceRequirements{Requests: resources("cpu", "2")},
				}}},
			},
			want: resources("cpu", "3", gpu, "1"), gpus: map[string]int64{gpu: 1},
		},
		{
			name: "slices, slots and GPUs are counted apart",
			pod:  corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{container("a", "nvidia.com/mig-1g.5gb", "2", "amd.com/gpu", "1", "gpu.intel.com/xe_monitoring", "1")}}},
			want: resources("nvidia.com/mig-1g.5gb", "2", "amd.com/gpu", "1", "gpu.intel.com/xe_monitoring", "1"),
			gpus: map[string]int64{"nvidia.com/mig-1g.5gb": 2, "amd.com/gpu": 1},
		},
		{
			name: "what a ResourceClaim stands for is counted there",
			pod: corev1.Pod{
				Spec: corev1.PodSpec{Containers: []corev1.Container{container("a", gpu, "1", "amd.com/gpu", "1")}},
				Status: corev1.PodStatus{ExtendedResourceClaimStatus: &corev1.PodExtendedResourceClaimStatus{
					ResourceClaimName: "generated", RequestMappings: []corev1.ContainerExtendedResourceRequest{{ContainerName: "a", ResourceName: gpu, RequestName: "r"}},
				}},
			},
			want: resources(gpu, "1", "amd.com/gpu", "1"), gpus: map[string]int64{"amd.com/gpu": 1},
		},
		{
			name: "zero GPUs are none",
			pod:  corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{container("a", gpu, "0")}}},
			want: resources(gpu, "0"),
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := PodRequests(&tt.pod); !equality.Semantic.DeepEqual(got, tt.want) {
				t.Errorf("requests %v, want %v", got, tt.want)
			}
			if got := PodGPUs(&tt.pod, nil); !maps.Equal(got, tt.gpus) {
				t.Errorf("GPUs %v, want %v", got, tt.gpus)
			}
		})
	}
}

func TestWhichPodsOccupyTheirNode(t *testing.T) {
	for _, tt := range []struct {
		name  string
		node  string
		phase corev1.PodPhase
		want  bool
	}{
		{"one that runs", "n", corev1.PodRunning, true},
		{"one that is bound and still pulls its images", "n", corev1.PodPending, true},
		{"one whose node has not been heard of", "n", corev1.PodUnknown, true},
		{"not one that has succeeded", "n", corev1.PodSucceeded, false},
		{"not one that has failed", "n", corev1.PodFailed, false},
		{"not one that waits for a node", "", corev1.PodPending, false},
	} {
		p := &corev1.Pod{Spec: corev1.PodSpec{NodeName: tt.node}, Status: corev1.PodStatus{Phase: tt.phase}}
		if Occupies(p) != tt.want {
			t.Errorf("%s: %t", tt.name, !tt.want)
		}
	}
}
