package fit

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
)

func quantityOf(text string) *resource.Quantity {
	q := resource.MustParse(text)
	return &q
}

func asking(name, node, memory string) corev1.Pod {
	p := ofNotebook(podWith(name, node), "lab")
	p.UID = types.UID(name)
	list := corev1.ResourceList{"memory": resource.MustParse(memory)}
	p.Spec.Containers = []corev1.Container{{Name: "lab", Resources: corev1.ResourceRequirements{Requests: list, Limits: list}}}
	return p
}

func TestWhatANotebookHasCountsAsFreeForItsChange(t *testing.T) {
	now := asking("lab-0", "n1", "6Gi")
	other := asking("other", "n1", "1Gi")
	room := &diagnose.Snapshot{
		Read: []string{"nodes", "pods of all nodes"}, Pods: []corev1.Pod{now, other},
		Nodes:     []corev1.Node{{ObjectMeta: metav1.ObjectMeta{Name: "n1"}, Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{"memory": *quantityOf("8Gi"), "pods": *quantityOf("10")}}}},
		Requested: map[string]corev1.ResourceList{"n1": {"memory": *quantityOf("7Gi"), "pods": *quantityOf("2")}},
	}
	for memory, fits := range map[string]bool{"7Gi": true, "8Gi": false} {
		wanted := asking("lab-0", "", memory)
		if nodes, _ := diagnose.Place(without(room, []corev1.Pod{now}), diagnose.Subject{}, &wanted); (len(nodes) == 1) != fits {
			t.Errorf("%s in the place of 6Gi, with 1Gi free: nodes %v, want room %t", memory, nodes, fits)
		}
	}
	requested := room.Requested["n1"]
	if left := requested.Memory().String(); left != "7Gi" || len(room.Pods) != 2 {
		t.Errorf("the room itself has %s requested by %d pods: want it as it was", left, len(room.Pods))
	}
}

func TestAQuotaCountsWhatANotebookHasOnlyOnce(t *testing.T) {
	quota := func(name corev1.ResourceName, hard, used string, scopes ...corev1.ResourceQuotaScope) corev1.ResourceQuota {
		return corev1.ResourceQuota{
			Spec:   corev1.ResourceQuotaSpec{Scopes: scopes},
			Status: corev1.ResourceQuotaStatus{Hard: corev1.ResourceList{name: *quantityOf(hard)}, Used: corev1.ResourceList{name: *quantityOf(used)}},
		}
	}
	for _, c := range []struct {
		name    string
		quota   corev1.ResourceQuota
		memory  string
		allowed bool
	}{
		{"as much as it has and as is left", quota("requests.memory", "8Gi", "7Gi"), "7Gi", true},
		{"more than that", quota("requests.memory", "8Gi", "7Gi"), "7.5Gi", false},
		{"of limits, too", quota("limits.memory", "8Gi", "8Gi"), "6Gi", true},
		{"by the short name", quota("memory", "8Gi", "8Gi"), "6.5Gi", false},
		{"of pods, one in the place of another", quota("pods", "1", "1"), "6Gi", true},
		{"of something that a pod does not take", quota("persistentvolumeclaims", "1", "1"), "6Gi", true},
		{"of one for other pods nothing is said", quota("requests.memory", "1", "1", corev1.ResourceQuotaScopeTerminating), "60Gi", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			wanted := asking("lab-0", "", c.memory)
			f := &Facts{quotas: []corev1.ResourceQuota{c.quota}}
			if got := f.within(&wanted, []corev1.Pod{asking("lab-0", "n1", "6Gi")}); got != c.allowed {
				t.Errorf("%s in the place of 6Gi: allowed %t, want %t", c.memory, got, c.allowed)
			}
		})
	}
}
