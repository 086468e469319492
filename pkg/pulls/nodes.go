package pulls

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
)

var nodesResource = schema.GroupVersionResource{Version: "v1", Resource: "nodes"}

// page bounds one answer of the server, in nodes.
const page = 250

// Node takes pods.
type Node struct {
	Name string
	// images are the names under which it has images. A kubelet tells of the 50 largest.
	images map[string]bool
}

// Has tells that the node says that it has the image.
func (n Node) Has(ref string) bool { return n.images[full(ref)] }

// Nodes lists the nodes that the selector chooses and that take pods: those without
// tolerations, as the stack's are, or any. Most bounds how many are read, since to know that
// there are several takes no more than two; 0 reads all.
func Nodes(ctx context.Context, c *cluster.Cluster, selector labels.Selector, tolerate bool, most int) ([]Node, error) {
	var out []Node
	for next := ""; ; {
		list, err := c.Dynamic.Resource(nodesResource).List(ctx, metav1.ListOptions{LabelSelector: selector.String(), Limit: page, Continue: next})
		if err != nil {
			return nil, fmt.Errorf("nodes: %w", err)
		}
		for i := range list.Items {
			var n corev1.Node
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(list.Items[i].Object, &n); err != nil {
				return nil, fmt.Errorf("Node %s: %w", list.Items[i].GetName(), err)
			}
			if !open(&n, tolerate) {
				continue
			}
			out = append(out, nodeOf(&n))
			if len(out) == most {
				return out, nil
			}
		}
		if next = list.GetContinue(); next == "" {
			return out, nil
		}
	}
}

func nodeOf(n *corev1.Node) Node {
	out := Node{Name: n.Name, images: map[string]bool{}}
	for _, image := range n.Status.Images {
		for _, name := range image.Names {
			out.images[full(name)] = true
		}
	}
	return out
}

// open tells that a pod can run on the node, without tolerations or with all of them.
func open(n *corev1.Node, tolerate bool) bool {
	if n.DeletionTimestamp != nil || n.Spec.Unschedulable {
		return false
	}
	if os := n.Labels[corev1.LabelOSStable]; os != "" && os != string(corev1.Linux) {
		return false
	}
	if !tolerate && slices.ContainsFunc(n.Spec.Taints, func(t corev1.Taint) bool { return t.Effect != corev1.TaintEffectPreferNoSchedule }) {
		return false
	}
	return slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

// full is a reference as nodes tell it: with its registry.
func full(ref string) string {
	host, rest, ok := strings.Cut(ref, "/")
	switch {
	case !ok:
		return "docker.io/library/" + ref
	case host == "docker.io" && !strings.Contains(rest, "/"):
		return "docker.io/library/" + rest
	case strings.ContainsAny(host, ".:") || host == "localhost":
		return ref
	}
	return "docker.io/" + ref
}
