package rollout

import (
	"errors"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// An upgrade is a run whose plan names the release before it (Plan.From). The programs of
// that release go on serving until those of the new one are ready, so it differs from an
// installation in what waits for what:
//
//   - An object with a field that cannot be changed is replaced; the pods of a replaced
//     Deployment go last (takeDown).
//   - A Service moves to other pods once those are ready; a policy that moves guards both
//     (follows, guard).
//   - A webhook configuration with another name takes over from the one before (handOver).
//   - What prepares the nodes for a webhook's changes is ready before the webhook makes them,
//     and a component's webhook before its other programs (follows).
//   - What restricts comes last: network policies, Pod Security levels (lateWaves).
//
// Nothing of it names a component or a release.

// unchangeable tells of a server's answer that an update would change nothing but fields
// that cannot be changed.
func unchangeable(err error) bool {
	var status apierrors.APIStatus
	if !apierrors.IsInvalid(err) || !errors.As(err, &status) || status.Status().Details == nil {
		return false
	}
	causes := status.Status().Details.Causes
	for _, c := range causes {
		if !slices.ContainsFunc([]string{"immutable", "cannot change roleRef", "may not change once set"}, func(s string) bool { return strings.Contains(c.Message, s) }) {
			return false
		}
	}
	return len(causes) > 0
}

// replaces tells that an object of an upgrade has to be made anew, and may be.
func (c *Change) replaces(plan *Plan, err error) bool {
	if plan.From == nil || c.Live == nil || keptKind(c.Ref.Kind) || !unchangeable(err) {
		return false
	}
	c.Action = report.Replaced
	return true
}

// lateWaves are what an upgrade sends when everything else is ready and what is pruned has
// gone, in this order: policies for single pods, those for all pods of a namespace, Pod
// Security levels. Each of them can refuse what the release before still does.
const lateWaves = 3

// course is what the graph of an upgrade does otherwise than that of an installation.
type course struct {
	// late are the objects that wait for everything else, with their wave from 1.
	late map[key]int
	// moved are the Services that choose other pods than before.
	moved map[key]bool
}

func (s *Survey) course(plan *Plan) course {
	c := course{map[key]int{}, map[key]bool{}}
	if plan.From == nil {
		return c
	}
	for _, u := range components.ObjectsOf(plan.Rendered) {
		k, change := keyOf(u), s.changes[keyOf(u)]
		switch gk := u.GroupVersionKind().GroupKind(); {
		case gk.Kind == "NetworkPolicy" && change.Action == report.Created:
			c.late[k] = 2
			if selector, _, _ := unstructured.NestedMap(u.Object, "spec", "podSelector"); len(selector) > 0 {
				c.late[k] = 1
			}
		case gk == namespaceKind && change.Live != nil && tightens(change.Live, u):
			c.late[k] = lateWaves
		case gk.Group == "" && gk.Kind == "Service" && change.Live != nil && !equal(podSelector(u), podSelector(change.Live)):
			c.moved[k] = true
		}
	}
	return c
}

const (
	podSecurityPrefix = "pod-security.kubernetes.io/"
	enforceLabel      = podSecurityPrefix + "enforce"
)

// podSecurityLevels as the Pod Security Standards name them, the loosest first. A namespace
// without a level has the server's default, which is the loosest where nobody changed it.
var podSecurityLevels = []string{"privileged", "baseline", "restricted"}

// tightens tells that pods which run in a namespace now may be refused with its new level.
func tightens(live, desired *unstructured.Unstructured) bool {
	level := func(u *unstructured.Unstructured) int {
		return max(0, slices.Index(podSecurityLevels, u.GetLabels()[enforceLabel]))
	}
	return level(desired) > level(live)
}

// stillLoose is a namespace as an upgrade sends it first: with the levels that it has.
func stillLoose(desired, live *unstructured.Unstructured) *unstructured.Unstructured {
	out := desired.DeepCopy()
	labels := out.GetLabels()
	for k := range labels {
		if strings.HasPrefix(k, podSecurityPrefix) {
			delete(labels, k)
		}
	}
	for k, v := range live.GetLabels() {
		if strings.HasPrefix(k, podSecurityPrefix) {
			labels[k] = v
		}
	}
	out.SetLabels(labels)
	return out
}

// outgoing are the webhook configurations of a component that go with the upgrade.
func (s *Survey) outgoing(component, kind string) []member {
	var out []member
	for _, m := range s.pruned {
		if m.component == component && m.key.kind == kind && isWebhookConfiguration(kind) {
			out = append(out, m)
		}
	}
	return out
}

// follows is what an object waits for in an upgrade beside what it needs in an installation.
func (r *run) follows(n *node, u *unstructured.Unstructured) []prerequisite {
	if r.plan.From == nil {
		return nil
	}
	var out []prerequisite
	after := func(k key) {
		if f := r.readyFacts[k]; f != nil && k != keyOf(u) {
			out = append(out, prerequisite{f, k.ref().String()})
		}
	}
	k, change := keyOf(u), r.survey.changes[keyOf(u)]
	switch {
	case n.moved[k]:
		selector := podSelector(u)
		for _, m := range r.graph.nodes {
			for _, w := range m.Objects {
				if isWorkload(w.GetKind()) && w.GetNamespace() == k.namespace && selects(selector, templateLabels(w)) {
					after(keyOf(w))
				}
			}
		}
	case isWebhookConfiguration(k.kind) && (change.Live == nil || len(r.survey.outgoing(n.Component.Name, k.kind)) > 0):
		for _, o := range n.Objects {
			if o.GetKind() == "Service" {
				after(keyOf(o))
			}
		}
		for i := range n.Component.Gates {
			after(named("Deployment", n.Component.Gates[i].Workload))
		}
	}
	for i := range n.Component.Gates {
		gate := &n.Component.Gates[i]
		agent, workload := named("DaemonSet", gate.Agent), named("Deployment", gate.Workload)
		switch {
		case gate.Agent != "" && n.held(gate, u):
			after(agent)
		case gate.Agent != "" && k == agent:
			for _, o := range n.Objects {
				if n.foundation(o) && !n.held(gate, o) {
					after(keyOf(o))
				}
			}
		case isWorkload(k.kind) && k != workload:
			after(workload)
		}
	}
	return out
}

// withoutHeld drops the wait for all of a component's configuration where part of it waits
// in turn: follows has named the rest.
func (r *run) withoutHeld(n *node, u *unstructured.Unstructured, all []prerequisite) []prerequisite {
	if r.plan.From == nil || !slices.ContainsFunc(n.Component.Gates, func(g components.Gate) bool {
		return g.Agent != "" && keyOf(u) == named("DaemonSet", g.Agent)
	}) {
		return all
	}
	return slices.DeleteFunc(all, func(p prerequisite) bool { return p.fact == n.foundations.fact })
}

// held tells what has to wait until a gate's agent runs on the nodes: the webhook's program,
// and its configuration, which the program of the release before reads too.
func (n *node) held(gate *components.Gate, u *unstructured.Unstructured) bool {
	workload := named("Deployment", gate.Workload)
	if keyOf(u) == workload {
		return true
	}
	if u.GetKind() != "ConfigMap" || u.GetNamespace() != workload.namespace {
		return false
	}
	for _, o := range n.Objects {
		if keyOf(o) == workload {
			template, _, _ := unstructured.NestedMap(o.Object, "spec", "template", "spec")
			return components.ConfigMapNames(template)[u.GetName()]
		}
	}
	return false
}

// named is the key of a workload that a gate names as NAMESPACE/NAME.
func named(kind, name string) key {
	namespace, name, _ := strings.Cut(name, "/")
	return key{"apps", kind, namespace, name}
}

func podSelector(service *unstructured.Unstructured) map[string]string {
	selector, _, _ := unstructured.NestedStringMap(service.Object, "spec", "selector")
	return selector
}

func templateLabels(workload *unstructured.Unstructured) map[string]string {
	labels, _, _ := unstructured.NestedStringMap(workload.Object, "spec", "template", "metadata", "labels")
	return labels
}

func selects(selector, labels map[string]string) bool {
	for k, v := range selector {
		if labels[k] != v {
			return false
		}
	}
	return len(selector) > 0
}

// movedPolicy tells that an object of a custom kind chooses other pods than before.
func movedPolicy(live, desired *unstructured.Unstructured) bool {
	if live == nil || stepOf(keyOf(desired)) != stepCustom {
		return false
	}
	before, has, _ := unstructured.NestedStringMap(live.Object, "spec", "selector", "matchLabels")
	now, _, _ := unstructured.NestedStringMap(desired.Object, "spec", "selector", "matchLabels")
	return has && !equal(before, now)
}
