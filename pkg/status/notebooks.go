package status

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

const (
	// maxNotebooks that do not run are asked why; more of them mostly have the same reason.
	maxNotebooks = 8
	// stopped marks a Notebook that nobody wants to run now.
	stopped = "kubeflow-resource-stopped"
)

// waitingNotebooks are those that should run by now and do not.
func (s *Snapshot) waitingNotebooks() []diagnose.Subject {
	var out []diagnose.Subject
	for _, u := range s.All("kubeflow.org", "Notebook") {
		ready, _, _ := unstructured.NestedInt64(u.Object, "status", "readyReplicas")
		_, stopped := u.GetAnnotations()[stopped]
		if ready == 0 && !stopped && u.GetDeletionTimestamp() == nil && len(out) < maxNotebooks {
			out = append(out, diagnose.Subject{Ref: cluster.RefOf(u), Message: "has no ready pod"})
		}
	}
	return out
}

// notebooks says why people's notebooks do not start. One that is only slow is not
// told; one that cannot start is a warning: the stack may be in order.
func notebooks(ctx context.Context, c *cluster.Cluster, s *Snapshot) []report.Cause {
	var causes []report.Cause
	for _, cause := range diagnose.Explain(ctx, c, s.waitingNotebooks()) {
		if cause.Severity < report.Error {
			continue
		}
		cause.Severity = report.Warning
		causes = append(causes, cause)
	}
	return causes
}
