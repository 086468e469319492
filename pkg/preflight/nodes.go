package preflight

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// excludedShown bounds the nodes that are named as left out.
const excludedShown = 6

// closed is why a node takes no pod whatever it tolerates; empty where it is open.
func closed(n *corev1.Node) string {
	if n.DeletionTimestamp != nil {
		return "being deleted"
	}
	if n.Spec.Unschedulable {
		return "cordoned"
	}
	if !slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	}) {
		return "not ready"
	}
	if os := n.Labels[corev1.LabelOSStable]; os != "" && os != string(corev1.Linux) {
		return "runs " + os
	}
	return ""
}

// repels is the taint that keeps a pod off a node; nil where it tolerates all of them.
func repels(n *corev1.Node, spec *corev1.PodSpec) *corev1.Taint {
	for i := range n.Spec.Taints {
		t := &n.Spec.Taints[i]
		if t.Effect == corev1.TaintEffectPreferNoSchedule {
			continue
		}
		tolerates := func(tol corev1.Toleration) bool {
			if tol.Effect != "" && tol.Effect != t.Effect || tol.Key != "" && tol.Key != t.Key {
				return false
			}
			return tol.Operator == corev1.TolerationOpExists || tol.Key != "" && tol.Value == t.Value
		}
		if !slices.ContainsFunc(spec.Tolerations, tolerates) {
			return t
		}
	}
	return nil
}

// allows tells whether a pod may run on an open node: taints, selectors and required affinity.
func allows(n *corev1.Node, spec *corev1.PodSpec) bool {
	if repels(n, spec) != nil {
		return false
	}
	ok, err := nodeaffinity.GetRequiredNodeAffinity(&corev1.Pod{Spec: *spec}).Match(n)
	return err == nil && ok
}

// split parts the nodes into those that take any of the pods, and the reasons of the others.
// A pod that runs on every node and tolerates everything opens none for the other pods.
func split(nodes []corev1.Node, pods []Pod) (open []*corev1.Node, excluded map[string]string) {
	excluded = map[string]string{}
	for i := range nodes {
		n := &nodes[i]
		if why := closed(n); why != "" {
			excluded[n.Name] = why
			continue
		}
		plain := &corev1.PodSpec{}
		if t := repels(n, plain); t != nil && !slices.ContainsFunc(pods, func(p Pod) bool { return !p.PerNode && repels(n, p.Spec) == nil }) {
			excluded[n.Name] = "taint " + t.ToString()
			continue
		}
		open = append(open, n)
	}
	return open, excluded
}

func (f *Facts) excludedLines() []string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(f.Excluded)) {
		lines = append(lines, fmt.Sprintf("node %s is excluded: %s", name, f.Excluded[name]))
	}
	return bounded(lines, excludedShown, "node")
}

// findNodes says which nodes take pods, and what is odd about them.
func findNodes(f *Facts) (string, []report.Cause) {
	if len(f.Open) == 0 {
		return "no node accepts pods", []report.Cause{f.noNodes()}
	}
	var causes []report.Cause
	arches := map[string]int{}
	for _, n := range f.Open {
		arches[n.Labels[corev1.LabelArchStable]]++
	}
	found := fmt.Sprintf("%d of %s accept pods (%s)", len(f.Open), report.Count(len(f.Open)+len(f.Excluded), "node"), strings.Join(slices.Sorted(maps.Keys(arches)), ", "))
	if len(f.Excluded) > 0 {
		names := slices.Sorted(maps.Keys(f.Excluded))
		object := report.Ref{Kind: "Node", Name: names[0]}
		var also []report.Ref
		for _, n := range names[1:] {
			also = append(also, report.Ref{Kind: "Node", Name: n})
		}
		causes = append(causes, report.Cause{
			Name: diagnose.NodesExcluded, Severity: report.Info, Object: object, Also: also,
			Summary:  fmt.Sprintf("%s excluded from the capacity calculation", report.Count(len(names), "node")),
			Evidence: f.excludedLines(),
			Remedy:   "none, if that is intended; otherwise kubectl uncordon NODE, or kubectl taint nodes NODE KEY-",
		})
	}
	causes = append(causes, f.findArchitectures(arches)...)
	return found, append(causes, f.findOverstated()...)
}

func (f *Facts) noNodes() report.Cause {
	c := report.Cause{
		Name: diagnose.NoNodes, Severity: report.Fatal, Summary: "no node accepts pods",
		Evidence: f.excludedLines(), Remedy: "add a node: kubectl get nodes",
	}
	if len(f.Excluded) == 0 {
		c.Evidence = []string{"the list of nodes is empty"}
	}
	var cordoned []string
	for _, name := range slices.Sorted(maps.Keys(f.Excluded)) {
		switch why := f.Excluded[name]; {
		case why == "cordoned":
			cordoned = append(cordoned, name)
		case strings.HasPrefix(why, "taint node-role.kubernetes.io/"):
			c.Remedy = fmt.Sprintf("add a worker node, or allow pods on the control plane node: kubectl taint nodes %s %s-", name, strings.TrimPrefix(why, "taint "))
		}
	}
	if len(cordoned) > 0 {
		c.Remedy = "kubectl uncordon " + strings.Join(cordoned[:min(len(cordoned), excludedShown)], " ")
	}
	if f.Autoscaler != "" {
		c.Severity = report.Warning
		c.Evidence = append(c.Evidence, "an autoscaler can add nodes: "+f.Autoscaler)
	}
	return c
}

// findArchitectures: an image without a variant for the node's processor never starts there.
func (f *Facts) findArchitectures(arches map[string]int) []report.Cause {
	made := f.Release.Architectures()
	var foreign []string
	var object report.Ref
	var also []report.Ref
	for _, n := range f.Open {
		arch := n.Labels[corev1.LabelArchStable]
		if arch == "" || slices.Contains(made, arch) {
			continue
		}
		foreign = append(foreign, fmt.Sprintf("node %s: %s", n.Name, arch))
		if ref := (report.Ref{Kind: "Node", Name: n.Name}); object.Kind == "" {
			object = ref
		} else {
			also = append(also, ref)
		}
	}
	var causes []report.Cause
	if len(foreign) > 0 {
		c := report.Cause{
			Name: diagnose.WrongArchitecture, Severity: report.Warning, Object: object, Also: also,
			Summary:  fmt.Sprintf("%s with an architecture that the images are not built for (%s): pods that are scheduled there fail", report.Count(len(foreign), "node"), strings.Join(made, ", ")),
			Evidence: bounded(foreign, excludedShown, "node"),
			Remedy:   "keep the pods off these nodes: kubectl taint nodes NODE arch=other:NoSchedule; or use images that are built for them: kubectl jupyter install --image NAME=REF",
		}
		if len(foreign) == len(f.Open) {
			c.Severity = report.Fatal
			c.Summary = fmt.Sprintf("no node has an architecture that the images are built for (%s)", strings.Join(made, ", "))
			c.Remedy = "add nodes with such an architecture; with your own images for all components (--registry, --image): --skip-preflight"
		}
		causes = append(causes, c)
	}
	// amd64 is not there, or not everywhere: some notebooks are made for nothing else.
	var only []string
	for _, ref := range f.NotebookImages {
		if components.AMD64Only(ref) {
			only = append(only, ref)
		}
	}
	if arches["arm64"] > 0 && len(only) > 0 {
		c := report.Cause{
			Name: diagnose.WrongArchitecture, Severity: report.Info,
			Summary:  fmt.Sprintf("%d of the notebook images in the form are built for amd64 only, and some nodes are arm64", len(only)),
			Evidence: bounded(only, excludedShown, "image"),
			Remedy:   "choose another image in the form, or keep such notebooks on amd64 nodes (affinity in the form)",
		}
		if arches["amd64"] == 0 {
			c.Severity = report.Warning
			c.Summary = fmt.Sprintf("%d of the notebook images in the form are built for amd64 only: they cannot start here", len(only))
			c.Remedy = "choose another image in the form; the stack itself runs on arm64"
		}
		causes = append(causes, c)
	}
	return causes
}

// minikube marks its nodes; the virtual machines among them run a system of its own.
const (
	minikubeLabel  = "minikube.k8s.io/name"
	minikubeSystem = "Buildroot"
)

// findOverstated: a node in a container tells the scheduler how much the host has.
func (f *Facts) findOverstated() []report.Cause {
	for _, n := range f.Open {
		if n.Labels[minikubeLabel] == "" || strings.HasPrefix(n.Status.NodeInfo.OSImage, minikubeSystem) {
			continue
		}
		return []report.Cause{{
			Name: diagnose.MemoryOverstated, Severity: report.Warning, Object: report.Ref{Kind: "Node", Name: n.Name},
			Summary:  "minikube's container drivers report the host's memory: pods are scheduled, and killed when the container's limit is reached",
			Evidence: []string{fmt.Sprintf("node %s: label %s=%s, system %q, allocatable %s", n.Name, minikubeLabel, n.Labels[minikubeLabel], n.Status.NodeInfo.OSImage, allocatable(n))},
			Remedy:   "check the real limit: docker stats --no-stream " + n.Name + "\nand start with enough memory: minikube start --memory=8g --cpus=4, or install with --profile slim",
		}}
	}
	return nil
}
