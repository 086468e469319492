package diagnose

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// Place says which nodes of a snapshot would take a pod that is not there yet, and where
// none would, why. It goes by what the scheduler goes by first: taints, labels, and what
// is left of each resource. It knows nothing of affinities between pods, spread and
// volumes; an empty answer promises no node.
func Place(s *Snapshot, sub Subject, p *corev1.Pod) (nodes []string, causes []report.Cause) {
	if !s.read("nodes") {
		return nil, nil
	}
	if len(s.Nodes) == 0 {
		c := s.podCause(sub, p, NoNodes, report.Error, "the cluster has no node that pods can run on")
		c.Evidence, c.Remedy = []string{"nodes: none"}, "kubectl get nodes"
		return nil, []report.Cause{c}
	}
	affinity := nodeaffinity.GetRequiredNodeAffinity(p)
	want := requests(p)
	var open, suitable int
	short := map[corev1.ResourceName]bool{}
	for i := range s.Nodes {
		n := &s.Nodes[i]
		if n.Spec.Unschedulable || untolerated(n, p) != nil {
			continue
		}
		open++
		if ok, err := affinity.Match(n); err != nil || !ok {
			continue
		}
		suitable++
		lacks := s.lacks(n, want)
		if len(lacks) == 0 {
			nodes = append(nodes, n.Name)
			continue
		}
		for _, name := range lacks {
			short[name] = true
		}
	}
	if len(nodes) > 0 {
		return nodes, nil
	}
	for _, name := range slices.Sorted(maps.Keys(short)) {
		causes = append(causes, s.insufficient(sub, p, name))
	}
	if open < len(s.Nodes) && s.closedAlone(p, want) {
		if c, ok := s.tainted(sub, p); ok {
			if len(causes) > 0 {
				c.Severity = report.Warning
			}
			causes = append(causes, c)
		}
	}
	if suitable == 0 && open > 0 {
		c := s.podCause(sub, p, NodeSelectorMismatch, report.Error, "no node has the labels that the pod asks for")
		c.Evidence = []string{fmt.Sprintf("%d nodes are open to the pod, none of them has the labels; nodeSelector %v", open, p.Spec.NodeSelector)}
		c.Remedy = "kubectl get nodes --show-labels; label a node, or change the pod's nodeSelector or affinity"
		causes = append(causes, c)
	}
	return nil, causes
}

// lacks are the resources of which a node has too little left. A resource whose use is not
// known is taken as free.
func (s *Snapshot) lacks(n *corev1.Node, want corev1.ResourceList) []corev1.ResourceName {
	var out []corev1.ResourceName
	for name, q := range want {
		if q.IsZero() {
			continue
		}
		free := n.Status.Allocatable[name].DeepCopy()
		if used, ok := s.Requested[n.Name][name]; ok {
			free.Sub(used)
		}
		if q.Cmp(free) > 0 {
			out = append(out, name)
		}
	}
	return out
}

// closedAlone tells whether a node that is closed to a pod would have room for it.
func (s *Snapshot) closedAlone(p *corev1.Pod, want corev1.ResourceList) bool {
	return slices.ContainsFunc(s.Nodes, func(n corev1.Node) bool {
		return (n.Spec.Unschedulable || untolerated(&n, p) != nil) && len(s.lacks(&n, want)) == 0
	})
}

// Free is the most that one node which a pod may run on has left of a resource; zero where
// none has any.
func (s *Snapshot) Free(p *corev1.Pod, name corev1.ResourceName) resource.Quantity {
	affinity := nodeaffinity.GetRequiredNodeAffinity(p)
	for _, r := range s.rooms(p, name) {
		i := slices.IndexFunc(s.Nodes, func(n corev1.Node) bool { return n.Name == r.node })
		if ok, err := affinity.Match(&s.Nodes[i]); err == nil && ok && r.free.Sign() > 0 {
			return r.free
		}
	}
	return resource.Quantity{}
}

// IsDevice tells a resource of devices, such as nvidia.com/gpu, from the node's own.
func IsDevice(name corev1.ResourceName) bool { return strings.Contains(string(name), "/") }
