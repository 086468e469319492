package status

import (
	"regexp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// Subjects are the objects that are there and not as they should be, for package
// diagnose to say why.
func (s *Snapshot) Subjects() []diagnose.Subject {
	if !s.Installed() {
		return nil
	}
	var out []diagnose.Subject
	add := func(sub diagnose.Subject) {
		if !slices.ContainsFunc(out, func(o diagnose.Subject) bool { return o.Ref == sub.Ref }) {
			out = append(out, sub)
		}
	}
	for _, r := range s.Expected {
		for _, u := range r.Objects {
			if why, bad := s.unready(u); bad {
				add(diagnose.Subject{Component: r.Component.Name, Ref: cluster.RefOf(u), Message: why})
			}
		}
	}
	proofs := s.Proofs
	if s.incomplete() {
		proofs = nil // what they ask for may not have been applied
	}
	for _, p := range proofs {
		if p.OK || p.Impossible || p.Forbidden || p.Accepted || s.Component(p.Component) == nil || s.peoples(p) {
			continue
		}
		add(diagnose.Subject{Component: s.blamed(p), Ref: p.Object, Message: p.Why})
	}
	for _, ref := range s.withoutSidecar() {
		add(diagnose.Subject{Component: s.Owner(ref), Ref: ref, Message: "a pod of it has no sidecar"})
	}
	return out
}

// peoples tells of a proof that it was sent to a person's namespace, and that something of
// that namespace refused it: no webhook of the stack has failed.
func (s *Snapshot) peoples(p Proof) bool {
	return p.Object.Namespace != "" && !failedCall.MatchString(p.Why) && s.Presence(report.Ref{Group: "kubeflow.org", Kind: "Profile", Name: p.Object.Namespace}) == Present
}

// unready tells what an object that is there still lacks.
func (s *Snapshot) unready(u *unstructured.Unstructured) (string, bool) {
	ref := cluster.RefOf(u)
	if ref.Kind == definition {
		// Its conditions are read by whoever explains it: a definition is large.
		return "", slices.Contains(s.Unserved, ref.Name) && s.Object(ref) != nil
	}
	live := s.live(u)
	if live == nil {
		return "", false
	}
	if live.GetDeletionTimestamp() != nil {
		return "is being deleted", true
	}
	switch {
	case isWorkload(ref.Kind), ref.Kind == "Namespace", ref.Group == "cert-manager.io":
		ok, why := rollout.Readiness(live)
		return why, !ok
	case ref.Kind == "Service" && pending(live):
		return "has no address", true
	}
	return "", false
}

// pending tells that a Service wants an address from outside and has none.
func pending(u *unstructured.Unstructured) bool {
	var svc corev1.Service
	return into(u, &svc) && svc.Spec.Type == corev1.ServiceTypeLoadBalancer && len(svc.Status.LoadBalancer.Ingress) == 0
}

var failedCall = regexp.MustCompile(`failed calling webhook "([^"]+)"`)

// blamed is the component whose webhook did not answer, which may be another one than
// the proof was for: every pod passes the sidecar injector.
func (s *Snapshot) blamed(p Proof) string {
	m := failedCall.FindStringSubmatch(p.Why)
	if m == nil {
		return p.Component
	}
	for _, r := range s.Expected {
		for _, u := range r.Objects {
			hooks, _, _ := unstructured.NestedSlice(u.Object, "webhooks")
			if slices.ContainsFunc(hooks, func(h any) bool { w, _ := h.(map[string]any); return w["name"] == m[1] }) {
				return r.Component.Name
			}
		}
	}
	return p.Component
}

// withoutSidecar are the owners of pods that run without the sidecar that their
// namespace asks for.
func (s *Snapshot) withoutSidecar() []report.Ref {
	var out []report.Ref
	for _, p := range s.Pods() {
		var ns corev1.Namespace
		if !into(s.Object(report.Ref{Kind: "Namespace", Name: p.Namespace}), &ns) || !lacksSidecar(&p, &ns) {
			continue
		}
		if owner := cluster.WorkloadOf(&p); !slices.Contains(out, owner) {
			out = append(out, owner)
		}
	}
	return out
}

// lacksSidecar follows the injector's rule for the namespaces of the stack: their label,
// unless the pod says otherwise.
func lacksSidecar(p *corev1.Pod, ns *corev1.Namespace) bool {
	const inject = "sidecar.istio.io/inject"
	if ns.Labels["istio-injection"] != "enabled" || p.Spec.HostNetwork || p.Labels[inject] == "false" || p.Annotations[inject] == "false" ||
		p.DeletionTimestamp != nil || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
		return false
	}
	is := func(c corev1.Container) bool { return c.Name == "istio-proxy" }
	return !slices.ContainsFunc(p.Spec.InitContainers, is) && !slices.ContainsFunc(p.Spec.Containers, is)
}
