package kwok

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kwok/pkg/apis/internalversion"
	kwokconfig "sigs.k8s.io/kwok/pkg/config"
	"sigs.k8s.io/kwok/pkg/utils/lifecycle"
)

// podStagesOf reads the stages from the configuration as kwok would.
func podStagesOf(t *testing.T, delay time.Duration) lifecycle.Lifecycle {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kwok.yaml")
	if err := os.WriteFile(file, []byte(Configuration(delay)), 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := kwokconfig.Load(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	var stages []*internalversion.Stage
	for _, s := range kwokconfig.FilterWithType[*internalversion.Stage](all) {
		if s.Spec.ResourceRef.Kind == "Pod" {
			stages = append(stages, s)
		}
	}
	l, err := lifecycle.NewLifecycle(stages)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func pod(change func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: "ns"},
		Spec:       corev1.PodSpec{NodeName: "cpu-0", Containers: []corev1.Container{{Name: "c", Image: "nginx"}}},
		Status:     corev1.PodStatus{Phase: corev1.PodPending},
	}
	if change != nil {
		change(p)
	}
	return p
}

func creating(p *corev1.Pod) {
	p.Status.PodIP = "10.244.0.1"
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "c", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}}}}
}

func volumesThere(p *corev1.Pod) {
	creating(p)
	p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: corev1.PodReadyToStartContainers, Status: corev1.ConditionTrue})
}

func TestTheStageThatAPodEnters(t *testing.T) {
	const bedDelay = 1500 * time.Millisecond
	stages := podStagesOf(t, bedDelay)
	for name, tc := range map[string]struct {
		pod   *corev1.Pod
		stage string
		delay time.Duration
	}{
		"a new pod gets its address":                        {pod: pod(nil), stage: "pod-creating"},
		"a pod without its volumes waits":                   {pod: pod(creating), stage: ""},
		"a pod with its volumes runs after the bed's delay": {pod: pod(volumesThere), stage: "pod-running", delay: bedDelay},
		"a pod may have a delay of its own": {pod: pod(func(p *corev1.Pod) {
			volumesThere(p)
			p.Annotations = map[string]string{DelayAnnotation: "20s"}
		}), stage: "pod-running", delay: 20 * time.Second},
		"an image that cannot be pulled": {pod: pod(func(p *corev1.Pod) {
			volumesThere(p)
			p.Spec.Containers[0].Image = "images.invalid/nothing:1"
		}), stage: "pod-image-pull-backoff", delay: 500 * time.Millisecond},
		"an image that cannot be pulled, in an init container": {pod: pod(func(p *corev1.Pod) {
			volumesThere(p)
			p.Spec.InitContainers = []corev1.Container{{Name: "i", Image: "images.invalid/nothing:1"}}
		}), stage: "pod-image-pull-backoff", delay: 500 * time.Millisecond},
		"an image that could not be pulled stays so": {pod: pod(func(p *corev1.Pod) {
			volumesThere(p)
			p.Spec.Containers[0].Image = "images.invalid/nothing:1"
			p.Status.ContainerStatuses[0].State.Waiting.Reason = "ImagePullBackOff"
		}), stage: ""},
		"an image whose program fails": {pod: pod(func(p *corev1.Pod) {
			volumesThere(p)
			p.Spec.Containers[0].Image = "images.invalid/crash:1"
		}), stage: "pod-crash-loop", delay: 500 * time.Millisecond},
		"a running pod stays": {pod: pod(func(p *corev1.Pod) {
			volumesThere(p)
			p.Status.Phase = corev1.PodRunning
		}), stage: ""},
		"a running pod of a Job completes": {pod: pod(func(p *corev1.Pod) {
			volumesThere(p)
			p.Status.Phase = corev1.PodRunning
			p.OwnerReferences = []metav1.OwnerReference{{Kind: "Job", Name: "j"}}
		}), stage: "pod-completed", delay: 500 * time.Millisecond},
		"a pod that is being deleted goes": {pod: pod(func(p *corev1.Pod) {
			volumesThere(p)
			p.DeletionTimestamp = &metav1.Time{Time: time.Now()}
		}), stage: "pod-deleted", delay: 400 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			event := &lifecycle.Event{Labels: tc.pod.Labels, Annotations: tc.pod.Annotations, Data: tc.pod}
			possible, err := stages.ListAllPossible(t.Context(), event)
			if err != nil {
				t.Fatal(err)
			}
			if tc.stage == "" {
				if len(possible) != 0 {
					t.Errorf("stage %s, want none", possible[0].Name())
				}
				return
			}
			if len(possible) != 1 || possible[0].Name() != tc.stage {
				var names []string
				for _, s := range possible {
					names = append(names, s.Name())
				}
				t.Fatalf("stages %v, want %s", names, tc.stage)
			}
			delay, _, err := possible[0].Delay(t.Context(), event, time.Now())
			if err != nil || delay != tc.delay {
				t.Errorf("delay %s, %v; want %s", delay, err, tc.delay)
			}
		})
	}
}

// at is the address of a node, by its number.
func at(index int) []netip.Addr {
	return []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 1, byte(index + 1)})}
}

func TestNodes(t *testing.T) {
	all, err := Nodes(NodeOptions{Count: 5, GPUs: 2, Addresses: at})
	if err != nil {
		t.Fatal(err)
	}
	var names, addresses []string
	gpus := map[string]string{}
	for _, n := range all {
		names = append(names, n.GetName())
		list, _, _ := unstructured.NestedSlice(n.Object, "status", "addresses")
		addresses = append(addresses, list[0].(map[string]any)["address"].(string))
		if q, ok, _ := unstructured.NestedString(n.Object, "status", "allocatable", "nvidia.com/gpu"); ok {
			gpus[n.GetName()] = q + " " + n.GetLabels()["nvidia.com/gpu.product"]
		}
		if _, tainted, _ := unstructured.NestedSlice(n.Object, "spec", "taints"); tainted {
			t.Errorf("node %s is tainted: no pod would land on it", n.GetName())
		}
	}
	if got, want := names, []string{"cpu-0", "cpu-1", "cpu-2", "gpu-0", "gpu-1"}; !slices.Equal(got, want) {
		t.Errorf("nodes %v, want %v", got, want)
	}
	if got, want := addresses, []string{"10.0.1.1", "10.0.1.2", "10.0.1.3", "10.0.1.4", "10.0.1.5"}; !slices.Equal(got, want) {
		t.Errorf("addresses %v, want %v", got, want)
	}
	if len(gpus) != 2 || gpus["gpu-0"] != "4 NVIDIA-A100-SXM4-80GB" || gpus["gpu-1"] != "1 Tesla-T4" {
		t.Errorf("GPUs %v", gpus)
	}
}

func TestNodesBesideARealOneKeepOrdinaryPodsAway(t *testing.T) {
	all, err := Nodes(NodeOptions{Count: 1, GPUs: 1, Tainted: true, Addresses: at})
	if err != nil {
		t.Fatal(err)
	}
	taints, _, _ := unstructured.NestedSlice(all[0].Object, "spec", "taints")
	if len(taints) != 1 || taints[0].(map[string]any)["effect"] != "NoSchedule" {
		t.Errorf("taints %v", taints)
	}
}

func TestNodesThatCannotBe(t *testing.T) {
	for what, n := range map[string][2]int{"a negative number": {-1, 0}, "more than there are addresses": {MaxNodes + 1, 0}, "negative GPUs": {1, -1}} {
		if _, err := Nodes(NodeOptions{Count: n[0], GPUs: n[1], Addresses: at}); err == nil {
			t.Errorf("%s is accepted", what)
		}
	}
}
