package diagnose

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// findRefusedPods: a controller wants pods and may not create them. Its events say why,
// and nothing else does: the Deployment shows a pod too few.
func findRefusedPods(s *Snapshot, sub Subject) []report.Cause {
	ns := sub.Ref.Namespace
	var causes []report.Cause
	refused := func(kind, name string, object report.Ref) {
		events := s.events(kind, ns, name, "FailedCreate", "FailedDaemonPod")
		if len(events) == 0 {
			return
		}
		e := events[0] // the newest tells how it is now
		found := s.refusal(sub, e.Message, object)
		if found == nil {
			found = []report.Cause{{
				Name: FailedCreate, Severity: report.Error, Component: sub.Component, Object: object,
				Summary: fmt.Sprintf("the pods of %s cannot be created", object), Remedy: describe(object),
				Evidence: []string{event(e.Reason, e.Message)},
			}}
		}
		causes = append(causes, found...)
	}
	switch sub.Ref.Kind {
	case "Deployment":
		for i := range s.ReplicaSets {
			r := &s.ReplicaSets[i]
			owner := metav1.GetControllerOf(r)
			if r.Namespace != ns || owner == nil || owner.Kind != "Deployment" || owner.Name != sub.Ref.Name {
				continue
			}
			if want := r.Spec.Replicas; want == nil || r.Status.Replicas < *want {
				refused("ReplicaSet", r.Name, sub.Ref)
			}
		}
	case "StatefulSet", "DaemonSet", "Job", "ReplicaSet":
		if s.lacksPods(sub.Ref) {
			refused(sub.Ref.Kind, sub.Ref.Name, sub.Ref)
		}
	case "Notebook":
		// The notebook controller's StatefulSet has the notebook's name.
		if len(s.pods(sub.Ref)) == 0 {
			refused("StatefulSet", sub.Ref.Name, sub.Ref)
		}
	case "Namespace":
		ns = sub.Ref.Name
		for i := range s.ReplicaSets {
			r := &s.ReplicaSets[i]
			if r.Namespace == ns && r.Spec.Replicas != nil && r.Status.Replicas < *r.Spec.Replicas {
				object := report.Ref{Group: "apps", Kind: "ReplicaSet", Namespace: ns, Name: r.Name}
				if d := metav1.GetControllerOf(r); d != nil {
					object = refOf(d, ns)
				}
				refused("ReplicaSet", r.Name, object)
			}
		}
	}
	return causes
}

// lacksPods tells that a controller has made fewer pods than it wants. An old event
// of one that has caught up tells nothing.
func (s *Snapshot) lacksPods(r report.Ref) bool {
	u := s.object(r)
	if u == nil {
		return len(s.pods(r)) == 0
	}
	number := func(fallback int64, fields ...string) int64 {
		n, ok, err := unstructured.NestedInt64(u.Object, fields...)
		if !ok || err != nil {
			return fallback
		}
		return n
	}
	switch r.Kind {
	case "DaemonSet":
		return number(0, "status", "currentNumberScheduled") < number(1, "status", "desiredNumberScheduled")
	case "Job":
		return number(0, "status", "active")+number(0, "status", "succeeded") < 1
	}
	return number(0, "status", "replicas") < number(1, "spec", "replicas")
}

// findDeadline: Kubernetes has given up waiting, and no pod tells why.
func findDeadline(s *Snapshot, sub Subject) []report.Cause {
	u := s.object(sub.Ref)
	if sub.Ref.Kind != "Deployment" || u == nil {
		return nil
	}
	c := condition(u, "Progressing")
	if c == nil || c.reason != "ProgressDeadlineExceeded" {
		return nil
	}
	return []report.Cause{{
		Name: ProgressDeadlineExceeded, Severity: report.Error, Component: sub.Component, Object: sub.Ref,
		Summary:  fmt.Sprintf("the rollout of %s/%s makes no progress, and its pods do not show why", sub.Ref.Namespace, sub.Ref.Name),
		Evidence: []string{event(c.reason, c.message)},
		Remedy:   describe(sub.Ref),
	}}
}
