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

// Room is a node that a pod may run on, with what it has left.
type Room struct {
	Node string
	Free corev1.ResourceList
}

// Rooms are the nodes that a pod may run on by their taints and labels, whatever it
// requests; known is false where the nodes, or what runs on them, could not be read.
func Rooms(s *Snapshot, p *corev1.Pod) (rooms []Room, known bool) {
	affinity := nodeaffinity.GetRequiredNodeAffinity(p)
	for i := range s.Nodes {
		n := &s.Nodes[i]
		if ok, err := affinity.Match(n); err != nil || !ok || n.Spec.Unschedulable || untolerated(n, p) != nil {
			continue
		}
		free := n.Status.Allocatable.DeepCopy()
		for name, used := range s.Requested[n.Name] {
			left := free[name]
			left.Sub(used)
			free[name] = left
		}
		rooms = append(rooms, Room{n.Name, free})
	}
	return rooms, s.read("nodes") && s.read(requestedPods)
}

// Requests of a pod as the scheduler counts them.
func Requests(p *corev1.Pod) corev1.ResourceList { return requests(p) }

// Devices are the resources of devices that nodes offer, in order; nil where the nodes
// could not be read.
func Devices(s *Snapshot) []string {
	if !s.read("nodes") {
		return nil
	}
	return s.deviceNames()
}

// Held finds the claims of a pod that is not there yet which only one node, or one pod,
// can mount, and which another pod mounts. open are the nodes that the pod may run on.
func Held(s *Snapshot, sub Subject, p *corev1.Pod, open []string) []report.Cause {
	var causes []report.Cause
	for _, name := range ClaimsOf(p) {
		i := slices.IndexFunc(s.Claims, func(c corev1.PersistentVolumeClaim) bool { return c.Namespace == p.Namespace && c.Name == name })
		if i < 0 || slices.Contains(s.Claims[i].Spec.AccessModes, corev1.ReadWriteMany) || slices.Contains(s.Claims[i].Spec.AccessModes, corev1.ReadOnlyMany) {
			continue
		}
		alone := slices.Contains(s.Claims[i].Spec.AccessModes, corev1.ReadWriteOncePod)
		for j := range s.Pods {
			h := &s.Pods[j]
			if h.Namespace != p.Namespace || h.Spec.NodeName == "" || h.Status.Phase == corev1.PodSucceeded || h.Status.Phase == corev1.PodFailed ||
				!slices.Contains(ClaimsOf(h), name) || !alone && len(open) == 1 && open[0] == h.Spec.NodeName {
				continue
			}
			holder, remedy := podRef(h), "delete it first, or use another volume: kubectl -n "+p.Namespace+" delete pod "+h.Name
			if nb := h.Labels[notebookLabel]; nb != "" {
				holder = report.Ref{Group: "kubeflow.org", Kind: "Notebook", Namespace: h.Namespace, Name: nb}
				remedy = fmt.Sprintf("stop that notebook first, or use another volume: kubectl jupyter notebook stop %s -n %s", nb, p.Namespace)
			}
			c := s.podCause(sub, p, VolumeInUse, report.Error, fmt.Sprintf("claim %s can be mounted on one node at a time, and is mounted on node %s by %s", name, h.Spec.NodeName, holder))
			if alone {
				c.Summary = fmt.Sprintf("claim %s can be mounted by one pod at a time, and is mounted by %s", name, holder)
			}
			c.Object, c.Remedy = sub.Ref, remedy
			c.Evidence = []string{fmt.Sprintf("claim %s: accessModes %v; pod %s is on node %s", name, s.Claims[i].Spec.AccessModes, h.Name, h.Spec.NodeName)}
			causes = append(causes, c)
			break
		}
	}
	return causes
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
