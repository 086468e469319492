package diagnose

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

func TestAGateIsNamedWithWhatKueueSaysOfIt(t *testing.T) {
	now := metav1.Now()
	pod := func(gate string) corev1.Pod {
		return corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Name: "lab-0", Namespace: "ada", UID: "p", CreationTimestamp: metav1.NewTime(now.Add(-time.Hour)),
				Labels: map[string]string{"notebook-name": "lab", "kueue.x-k8s.io/queue-name": "gpus"},
			},
			Spec: corev1.PodSpec{SchedulingGates: []corev1.PodSchedulingGate{{Name: gate}}},
			Status: corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{{
				Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "SchedulingGated", Message: "Scheduling is blocked due to non-empty scheduling gates",
			}}},
		}
	}
	workload := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "kueue.x-k8s.io/v1beta1", "kind": "Workload",
		"metadata": map[string]any{"name": "pod-lab-0", "namespace": "ada", "ownerReferences": []any{map[string]any{"apiVersion": "v1", "kind": "Pod", "name": "lab-0", "uid": "p"}}},
		"status":   map[string]any{"conditions": []any{map[string]any{"type": "QuotaReserved", "status": "False", "reason": "Pending", "message": "insufficient unused quota for nvidia.com/gpu in flavor a100, 1 more needed"}}},
	}}
	for name, tc := range map[string]struct {
		gate      string
		says, not string
	}{
		"Kueue's":        {"kueue.x-k8s.io/admission", "1 more needed", "example.com"},
		"somebody elses": {"example.com/approval", "example.com/approval", "1 more needed"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &Snapshot{Time: now, Pods: []corev1.Pod{pod(tc.gate)}, Objects: []*unstructured.Unstructured{workload}}
			causes := Classify(s, []Subject{{Ref: report.Ref{Group: "kubeflow.org", Kind: "Notebook", Namespace: "ada", Name: "lab"}}})
			if len(causes) != 1 || causes[0].Name != SchedulingGated || causes[0].Severity != report.Delay {
				t.Fatalf("%+v", causes)
			}
			text := causes[0].Summary + strings.Join(causes[0].Evidence, "\n")
			if !strings.Contains(text, tc.says) || strings.Contains(text, tc.not) {
				t.Errorf("%s", text)
			}
		})
	}
}

func TestAClaimThatOneNodeOrOnePodCanHaveIsHeld(t *testing.T) {
	claim := func(mode corev1.PersistentVolumeAccessMode) corev1.PersistentVolumeClaim {
		return corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "home", Namespace: "ada"}, Spec: corev1.PersistentVolumeClaimSpec{AccessModes: []corev1.PersistentVolumeAccessMode{mode}}}
	}
	with := func(name, node string, phase corev1.PodPhase) corev1.Pod {
		return corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name + "-0", Namespace: "ada", Labels: map[string]string{"notebook-name": name}},
			Spec: corev1.PodSpec{NodeName: node, Volumes: []corev1.Volume{{Name: "home", VolumeSource: corev1.VolumeSource{
				PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "home"},
			}}}},
			Status: corev1.PodStatus{Phase: phase},
		}
	}
	for name, tc := range map[string]struct {
		mode  corev1.PersistentVolumeAccessMode
		phase corev1.PodPhase
		open  []string
		says  string
	}{
		"another node may be chosen":    {corev1.ReadWriteOnce, corev1.PodRunning, []string{"a", "b"}, "is mounted on node a by Notebook ada/other"},
		"only its node would be chosen": {corev1.ReadWriteOnce, corev1.PodRunning, []string{"a"}, ""},
		"one pod at a time":             {corev1.ReadWriteOncePod, corev1.PodRunning, []string{"a"}, "by one pod at a time"},
		"many nodes may have it":        {corev1.ReadWriteMany, corev1.PodRunning, []string{"a", "b"}, ""},
		"a pod that has done its work":  {corev1.ReadWriteOnce, corev1.PodSucceeded, []string{"a", "b"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := &Snapshot{Claims: []corev1.PersistentVolumeClaim{claim(tc.mode)}, Pods: []corev1.Pod{with("other", "a", tc.phase)}}
			wanted := with("lab", "", corev1.PodPending)
			causes := Held(s, Subject{Ref: report.Ref{Kind: "Notebook", Namespace: "ada", Name: "lab"}}, &wanted, tc.open)
			switch {
			case tc.says == "" && len(causes) > 0:
				t.Errorf("%+v", causes)
			case tc.says != "" && (len(causes) != 1 || causes[0].Name != VolumeInUse || !strings.Contains(causes[0].Summary, tc.says) || !strings.Contains(causes[0].Remedy, "notebook stop other -n ada")):
				t.Errorf("%+v, want %q", causes, tc.says)
			}
		})
	}
}

func TestRoomsAreThoseOfTheNodesThatAPodMayRunOn(t *testing.T) {
	s := &Snapshot{
		Nodes: []corev1.Node{
			placeNode("a", "cpu=4"), placeNode("b", "cpu=8", func(n *corev1.Node) { n.Spec.Unschedulable = true }),
			placeNode("c", "cpu=8", func(n *corev1.Node) {
				n.Spec.Taints = []corev1.Taint{{Key: "gpu", Effect: corev1.TaintEffectNoSchedule}}
			}),
		},
		Requested: map[string]corev1.ResourceList{"a": amounts("cpu=1500m")}, Read: []string{"nodes"},
	}
	rooms, known := Rooms(s, &corev1.Pod{})
	if known {
		t.Error("what runs on the nodes was not read, and is taken as known")
	}
	if cpu := rooms[0].Free[corev1.ResourceCPU]; len(rooms) != 1 || rooms[0].Node != "a" || cpu.String() != "2500m" {
		t.Errorf("%+v", rooms)
	}
	if Devices(&Snapshot{}) != nil || Devices(s) == nil {
		t.Error("no devices and unknown devices are taken for each other")
	}
}
