package diagnose

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	resourcehelper "k8s.io/component-helpers/resource"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// maxNodeLines bounds the nodes that evidence names.
const maxNodeLines = 4

// unscheduled is the scheduler's answer for a pod that it has no node for.
func unscheduled(p *corev1.Pod) *corev1.PodCondition {
	c := podCondition(p, corev1.PodScheduled)
	if p.Spec.NodeName != "" || c == nil || c.Status != corev1.ConditionFalse {
		return nil
	}
	return c
}

func addRequests(sums map[string]corev1.ResourceList, p *corev1.Pod) {
	if p.Spec.NodeName == "" {
		return
	}
	sum := sums[p.Spec.NodeName]
	if sum == nil {
		sum = corev1.ResourceList{}
		sums[p.Spec.NodeName] = sum
	}
	for name, q := range requests(p) {
		so := sum[name]
		so.Add(q)
		sum[name] = so
	}
}

// requests of a pod as the scheduler counts them: sidecars, init containers and
// overhead included, and the pod itself.
func requests(p *corev1.Pod) corev1.ResourceList {
	r := resourcehelper.PodRequests(p, resourcehelper.PodResourcesOptions{})
	r[corev1.ResourcePods] = resource.MustParse("1")
	return r
}

var insufficient = regexp.MustCompile(`Insufficient ([\w./-]+)`)

// findUnschedulable: there is no node for the pod. The scheduler's own words are the
// evidence; the numbers behind them are worked out.
func findUnschedulable(s *Snapshot, sub Subject, p *corev1.Pod) []report.Cause {
	cond := unscheduled(p)
	if cond == nil || leaving(p) {
		return nil
	}
	said := event(cond.Reason, cond.Message)
	if cond.Reason == "SchedulingGated" || len(p.Spec.SchedulingGates) > 0 {
		return []report.Cause{s.gated(sub, p, said)}
	}
	if strings.Contains(cond.Message, "no nodes available") || s.read("nodes") && len(s.Nodes) == 0 {
		c := s.podCause(sub, p, NoNodes, report.Error, "the cluster has no node that can run pods")
		c.Evidence, c.Remedy = []string{said}, "kubectl get nodes"
		if grows, why := s.growing(p); why != "" {
			if grows {
				c.Severity = report.Delay
			}
			c.Evidence = append(c.Evidence, why)
		}
		return []report.Cause{c}
	}
	var causes []report.Cause
	add := func(c report.Cause) {
		if grows, said := s.growing(p); said != "" {
			if grows {
				c.Severity = report.Delay
			}
			c.Evidence = append(c.Evidence, said)
		}
		causes = append(causes, c)
	}
	for _, m := range insufficient.FindAllStringSubmatch(cond.Message, -1) {
		c := s.insufficient(sub, p, corev1.ResourceName(strings.TrimRight(m[1], ".,")))
		c.Evidence = append([]string{said}, c.Evidence...)
		add(c)
	}
	if strings.Contains(cond.Message, "Too many pods") {
		c := s.insufficient(sub, p, corev1.ResourcePods)
		c.Evidence = append([]string{said}, c.Evidence...)
		add(c)
	}
	if c, ok := s.unboundClaims(sub, p, cond.Message); ok {
		c.Evidence = append([]string{said}, c.Evidence...)
		add(c)
	}
	// With Insufficient on some nodes and a taint on others both are true, and either
	// may be what a person can change: a control plane's taint on a small cluster.
	if strings.Contains(cond.Message, "untolerated taint") || strings.Contains(cond.Message, "were unschedulable") {
		if c, ok := s.tainted(sub, p); ok {
			c.Evidence = append([]string{said}, c.Evidence...)
			if len(causes) > 0 {
				c.Severity = report.Warning
			}
			add(c)
		}
	}
	if strings.Contains(cond.Message, "node affinity/selector") && len(causes) == 0 {
		c := s.podCause(sub, p, NodeSelectorMismatch, report.Error, "no node has the labels that the pod requires")
		c.Evidence = []string{said, fmt.Sprintf("pod %s: nodeSelector %v", p.Name, p.Spec.NodeSelector)}
		c.Remedy = "kubectl get nodes --show-labels; label a node, or change the pod's nodeSelector or affinity"
		add(c)
	}
	if len(causes) == 0 && strings.Contains(cond.Message, "volume node affinity conflict") {
		c := s.podCause(sub, p, Unschedulable, report.Error, fmt.Sprintf("no node that fits the pod of %s reaches its volume", s.owner(p)))
		c.Evidence = []string{said}
		c.Remedy = fmt.Sprintf("a volume belongs to a zone or a node: kubectl -n %s describe pvc; kubectl get pv -o yaml (nodeAffinity); add a node there, or move the data to a new volume", p.Namespace)
		add(c)
	}
	if len(causes) == 0 {
		c := s.podCause(sub, p, Unschedulable, report.Error, fmt.Sprintf("no node fits the pod of %s", s.owner(p)))
		c.Evidence, c.Remedy = []string{said}, describe(podRef(p))
		add(c)
	}
	return causes
}

// arrival is how long a node that was asked for may take to come.
const arrival = 15 * time.Minute

// growing tells whether a node is being added for a pod, by the newest word of the cluster
// autoscaler, or of Karpenter, which names the node before it is there.
func (s *Snapshot) growing(p *corev1.Pod) (bool, string) {
	for _, e := range s.events("Pod", p.Namespace, p.Name, "TriggeredScaleUp", "NotTriggerScaleUp", "Nominated") {
		since := s.Time.Sub(seen(e).Time)
		switch {
		case e.Reason == "NotTriggerScaleUp":
			return false, "the cluster autoscaler adds no node: " + event("", e.Message)
		case e.Reason == "Nominated" && !strings.Contains(e.Message, "nodeclaim/"):
			continue // a node that is there, or somebody else's event
		case since > arrival:
			return false, fmt.Sprintf("a node was asked for %s ago and has not come: %s", age(since), event("", e.Message))
		case e.Reason == "Nominated":
			return true, "Karpenter is adding a node: " + event("", e.Message)
		}
		return true, "the cluster autoscaler is adding a node"
	}
	return false, ""
}

func (s *Snapshot) insufficient(sub Subject, p *corev1.Pod, name corev1.ResourceName) report.Cause {
	cause := InsufficientResource
	remedy := fmt.Sprintf("add a node that has %s, or free some: kubectl describe nodes", name)
	switch name {
	case corev1.ResourceCPU:
		cause = InsufficientCPU
		remedy = "add a node or a larger one, free some cpu (kubectl top pods -A), or install with smaller requests: kubectl jupyter install --profile slim"
	case corev1.ResourceMemory:
		cause = InsufficientMemory
		remedy = "add a node or a larger one, free some memory (kubectl top pods -A), or install with smaller requests: kubectl jupyter install --profile slim"
	case corev1.ResourcePods:
		remedy = "add a node, delete pods, or raise the kubelet's maxPods"
	}
	if p.Labels[notebookLabel] != "" && name != corev1.ResourcePods {
		less := "less"
		if IsDevice(name) {
			less = "fewer"
		}
		remedy = fmt.Sprintf("request %s %s for the notebook, free some (kubectl jupyter top), or add a node that has more", less, name)
	}
	c := s.podCause(sub, p, cause, report.Error, fmt.Sprintf("no node has enough %s left", name))
	c.Remedy = remedy
	want := requests(p)[name]
	c.Evidence = append(c.Evidence, fmt.Sprintf("pod %s requests %s %s", p.Name, amount(name, want), name))

	all := s.rooms(p, name)
	if len(all) > 0 && noneHas(all) && IsDevice(name) {
		c.Name, c.Summary = ResourceMissing, fmt.Sprintf("no eligible node has %s", name)
		c.Evidence = append(c.Evidence, "nodes have: "+s.devices())
		c.Remedy = "request a resource that nodes have, or add a node with it; a node offers devices only while their device plugin runs there"
		return c
	}
	largest, together := resource.Quantity{}, resource.Quantity{}
	for _, r := range all {
		if r.total.Cmp(largest) > 0 {
			largest = r.total
		}
		if r.free.Sign() > 0 {
			together.Add(r.free)
		}
	}
	known := s.read(requestedPods)
	switch {
	case len(all) > 0 && want.Cmp(largest) > 0:
		c.Summary = fmt.Sprintf("the pod requests more %s than any eligible node has", name)
	case known && IsDevice(name) && together.Cmp(want) >= 0:
		c.Name = ResourceFragmented
		c.Summary = fmt.Sprintf("%s %s are free, but not on one node", together.String(), name)
		c.Remedy = fmt.Sprintf("request %s, or wait until one node has %s free", all[0].free.String(), want.String())
	}
	for i, r := range all {
		if i == maxNodeLines {
			c.Evidence = append(c.Evidence, fmt.Sprintf("%d more nodes have less", len(all)-i))
			break
		}
		if !known {
			c.Evidence = append(c.Evidence, fmt.Sprintf("node %s: %s %s in all", r.node, amount(name, r.total), name))
			continue
		}
		c.Evidence = append(c.Evidence, fmt.Sprintf("node %s: %s of %s %s free", r.node, amount(name, r.free), amount(name, r.total), name))
	}
	return c
}

// room is what a node has of a resource.
type room struct {
	node        string
	free, total resource.Quantity
}

// rooms of the nodes that a pod may run on, those with the most first.
func (s *Snapshot) rooms(p *corev1.Pod, name corev1.ResourceName) []room {
	var out []room
	for i := range s.Nodes {
		n := &s.Nodes[i]
		if n.Spec.Unschedulable || untolerated(n, p) != nil {
			continue
		}
		r := room{node: n.Name, total: n.Status.Allocatable[name]}
		r.free = r.total.DeepCopy()
		if used, ok := s.Requested[n.Name][name]; ok {
			r.free.Sub(used)
		}
		out = append(out, r)
	}
	slices.SortStableFunc(out, func(a, b room) int {
		return cmp.Or(b.free.Cmp(a.free), b.total.Cmp(a.total), cmp.Compare(a.node, b.node))
	})
	return out
}

// noneHas tells that no room has any of its resource.
func noneHas(rooms []room) bool {
	return !slices.ContainsFunc(rooms, func(r room) bool { return !r.total.IsZero() })
}

// devices names the devices that nodes offer.
func (s *Snapshot) devices() string {
	names := s.deviceNames()
	if len(names) == 0 {
		return "no devices"
	}
	return strings.Join(names, ", ")
}

func (s *Snapshot) deviceNames() []string {
	found := map[string]bool{}
	for i := range s.Nodes {
		for name, q := range s.Nodes[i].Status.Allocatable {
			if IsDevice(name) && q.Sign() > 0 {
				found[string(name)] = true
			}
		}
	}
	return slices.AppendSeq([]string{}, slices.Values(slices.Sorted(maps.Keys(found))))
}

// amount writes memory in binary units, whatever unit the node reports it in.
func amount(name corev1.ResourceName, q resource.Quantity) string {
	if name == corev1.ResourceMemory || name == corev1.ResourceEphemeralStorage {
		return fmt.Sprintf("%dMi", q.Value()>>20)
	}
	return q.String()
}

// tainted: nodes are closed to the pod.
func (s *Snapshot) tainted(sub Subject, p *corev1.Pod) (report.Cause, bool) {
	c := s.podCause(sub, p, UntoleratedTaint, report.Error, "nodes have taints that the pod does not tolerate")
	c.Remedy = "kubectl get nodes -o custom-columns=NAME:.metadata.name,TAINTS:.spec.taints"
	lines := 0
	var cordoned []string
	for i := range s.Nodes {
		n := &s.Nodes[i]
		var why string
		switch t := untolerated(n, p); {
		case n.Spec.Unschedulable:
			why = "cordoned"
			cordoned = append(cordoned, n.Name)
		case t != nil:
			why = "taint " + t.ToString()
			if strings.HasPrefix(t.Key, "node-role.kubernetes.io/") {
				c.Remedy = fmt.Sprintf("add a worker node, or allow pods on the control plane node: kubectl taint nodes %s %s:%s-", n.Name, t.Key, t.Effect)
			}
			if strings.HasPrefix(t.Key, "node.kubernetes.io/") {
				c.Remedy = "kubectl describe node " + n.Name
			}
		default:
			continue
		}
		if lines++; lines <= maxNodeLines {
			c.Evidence = append(c.Evidence, fmt.Sprintf("node %s: %s", n.Name, why))
		}
	}
	if lines > maxNodeLines {
		c.Evidence = append(c.Evidence, fmt.Sprintf("and %d more nodes", lines-maxNodeLines))
	}
	if len(cordoned) > 0 {
		c.Remedy = "kubectl uncordon " + strings.Join(cordoned[:min(len(cordoned), 2*maxNodeLines)], " ")
		if lines == len(cordoned) {
			c.Summary = "nodes are cordoned and accept no new pods"
		}
	}
	return c, lines > 0 || !s.read("nodes")
}

func untolerated(n *corev1.Node, p *corev1.Pod) *corev1.Taint {
	for i := range n.Spec.Taints {
		t := &n.Spec.Taints[i]
		if t.Effect == corev1.TaintEffectPreferNoSchedule {
			continue
		}
		if !slices.ContainsFunc(p.Spec.Tolerations, func(tol corev1.Toleration) bool { return tolerates(tol, t) }) {
			return t
		}
	}
	return nil
}

func tolerates(tol corev1.Toleration, t *corev1.Taint) bool {
	if tol.Effect != "" && tol.Effect != t.Effect || tol.Key != "" && tol.Key != t.Key {
		return false
	}
	return tol.Operator == corev1.TolerationOpExists || tol.Key != "" && tol.Value == t.Value
}
