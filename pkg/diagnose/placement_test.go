package diagnose

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

func amounts(text string) corev1.ResourceList {
	out := corev1.ResourceList{}
	for _, a := range strings.Fields(text) {
		name, amount, _ := strings.Cut(a, "=")
		out[corev1.ResourceName(name)] = resource.MustParse(amount)
	}
	return out
}

func placeNode(name, has string, change ...func(*corev1.Node)) corev1.Node {
	n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"kubernetes.io/hostname": name}}, Status: corev1.NodeStatus{Allocatable: amounts("pods=110 " + has)}}
	for _, c := range change {
		c(&n)
	}
	return n
}

func TestAPodThatIsNotThereYetIsToldWhetherANodeWouldTakeIt(t *testing.T) {
	tainted := func(n *corev1.Node) {
		n.Spec.Taints = []corev1.Taint{{Key: "nvidia.com/gpu", Value: "present", Effect: corev1.TaintEffectNoSchedule}}
	}
	cordoned := func(n *corev1.Node) { n.Spec.Unschedulable = true }
	tolerating := func(p *corev1.Pod) {
		p.Spec.Tolerations = []corev1.Toleration{{Key: "nvidia.com/gpu", Operator: corev1.TolerationOpExists}}
	}
	onFast := func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{"disk": "fast"} }
	for name, tc := range map[string]struct {
		nodes  []corev1.Node
		used   map[string]corev1.ResourceList
		asks   string
		change func(*corev1.Pod)
		unread bool
		want   []string
		causes []string
		says   string
	}{
		"the nodes with room": {
			nodes: []corev1.Node{placeNode("a", "cpu=4"), placeNode("b", "cpu=4"), placeNode("c", "cpu=1")}, used: map[string]corev1.ResourceList{"b": amounts("cpu=3500m")},
			asks: "cpu=1", want: []string{"a", "c"},
		},
		"no room left": {
			nodes: []corev1.Node{placeNode("a", "cpu=4 memory=8Gi")}, used: map[string]corev1.ResourceList{"a": amounts("cpu=3500m")},
			asks: "cpu=1 memory=1Gi", causes: []string{"error InsufficientCPU"}, says: "node a: 500m of 4 cpu free",
		},
		"a resource that no node has": {
			nodes: []corev1.Node{placeNode("a", "cpu=4 nvidia.com/gpu=1")}, asks: "cpu=1 nvidia.com/mig-1g.5gb=1",
			causes: []string{"error ResourceMissing"}, says: "nodes have: nvidia.com/gpu",
		},
		"GPUs on several nodes": {
			nodes: []corev1.Node{placeNode("a", "cpu=4 nvidia.com/gpu=2"), placeNode("b", "cpu=4 nvidia.com/gpu=2")},
			used:  map[string]corev1.ResourceList{"a": amounts("nvidia.com/gpu=1"), "b": amounts("nvidia.com/gpu=1")},
			asks:  "nvidia.com/gpu=2", causes: []string{"error ResourceFragmented"}, says: "2 nvidia.com/gpu are free, but not on one node",
		},
		"a node with a taint that has room, and another one that has none": {
			nodes: []corev1.Node{placeNode("a", "cpu=1"), placeNode("gpu", "cpu=8 nvidia.com/gpu=2", tainted)}, asks: "cpu=2",
			causes: []string{"error InsufficientCPU", "warning UntoleratedTaint"}, says: "node gpu: taint nvidia.com/gpu=present:NoSchedule",
		},
		"a taint that the pod tolerates": {
			nodes: []corev1.Node{placeNode("gpu", "cpu=8 nvidia.com/gpu=2", tainted)}, asks: "nvidia.com/gpu=2", change: tolerating, want: []string{"gpu"},
		},
		"nodes that are closed": {
			nodes: []corev1.Node{placeNode("a", "cpu=8", cordoned)}, asks: "cpu=2", causes: []string{"error UntoleratedTaint"}, says: "node a: cordoned",
		},
		"labels that no node has": {
			nodes: []corev1.Node{placeNode("a", "cpu=8")}, asks: "cpu=2", change: onFast, causes: []string{"error NodeSelectorMismatch"}, says: "disk:fast",
		},
		"a cluster without nodes":                {asks: "cpu=2", causes: []string{"error NoNodes"}},
		"nothing is said where nodes are hidden": {unread: true, asks: "cpu=2"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &Snapshot{Nodes: tc.nodes, Requested: tc.used, Read: []string{"nodes", requestedPods}}
			if tc.unread {
				s.Read = nil
			}
			p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "lab-0"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: amounts(tc.asks)}}}}}
			if tc.change != nil {
				tc.change(p)
			}
			nodes, causes := Place(s, Subject{Ref: report.Ref{Kind: "Notebook", Name: "lab"}}, p)
			var names []string
			text := ""
			for _, c := range causes {
				names = append(names, c.Severity.String()+" "+c.Name)
				text += c.Summary + "\n" + strings.Join(c.Evidence, "\n") + "\n"
			}
			if strings.Join(nodes, " ") != strings.Join(tc.want, " ") || strings.Join(names, ", ") != strings.Join(tc.causes, ", ") || !strings.Contains(text, tc.says) {
				t.Errorf("nodes %v, causes %v, want %v, %v and %q:\n%s", nodes, names, tc.want, tc.causes, tc.says, text)
			}
		})
	}
}
