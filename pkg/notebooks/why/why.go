// Package why says why a notebook does not start, or does not answer.
package why

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/login"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/activity"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

var configMaps = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}

// Answer is what is known of one notebook.
type Answer struct {
	Notebook *notebooks.Notebook
	// Serves: its server answered, through the API server. Nil where it was not asked, or
	// could not be.
	Serves *bool
	// Causes are why it does not start or answer, worst first.
	Causes []report.Cause
	// Problems are what could not be found out, one sentence each.
	Problems []string
}

// Works tells that it does what it should: it runs and nothing is wrong, or somebody has
// stopped it.
func (a *Answer) Works() bool {
	for _, c := range a.Causes {
		if c.Severity >= report.Error {
			return false
		}
	}
	switch a.Notebook.State {
	case notebooks.Running, notebooks.Stopped, notebooks.Stopping:
		return true
	}
	return false
}

// Unclear tells that whether it works could not be found out.
func (a *Answer) Unclear() bool {
	return a.Notebook.State == notebooks.Unknown || a.Notebook.State == notebooks.Running && a.Serves == nil && a.Works()
}

// Ask looks at a notebook.
func Ask(ctx context.Context, c *cluster.Cluster, namespace, name string) (*Answer, error) {
	n, err := notebooks.Get(ctx, c, namespace, name)
	if err != nil {
		return nil, err
	}
	a := &Answer{Notebook: n}
	switch n.State {
	case notebooks.Stopped, notebooks.Stopping:
		return a, nil
	case notebooks.Deleting:
		a.add(diagnose.Explain(ctx, c, []diagnose.Subject{{Ref: n.Ref(), Message: "is being deleted"}}), report.Info)
	case notebooks.Running:
		// Nothing is wrong with its pod as far as Kubernetes knows; a sidecar that is missing
		// is told all the same.
		a.add(diagnose.Explain(ctx, c, []diagnose.Subject{{Ref: n.Ref()}}), report.Error)
		a.meshRoot(ctx, c)
		a.serves(ctx, c)
	default:
		a.add(diagnose.Explain(ctx, c, []diagnose.Subject{{Ref: n.Ref(), Message: "has no ready pod"}}), report.Info)
	}
	a.Causes = diagnose.Documented(diagnose.Rank(a.Causes))
	return a, nil
}

// add keeps the causes that weigh enough. What could not be read is no cause of its own.
func (a *Answer) add(causes []report.Cause, least report.Severity) {
	for _, c := range causes {
		switch {
		case c.Severity == report.Warning && (c.Name == diagnose.Forbidden || c.Name == diagnose.Unreadable):
			for _, e := range c.Evidence {
				a.Problems = append(a.Problems, "not everything could be read, so there may be more causes: "+e)
			}
		case c.Severity >= least:
			a.Causes = append(a.Causes, c)
		}
	}
}

// serves asks the notebook's server itself.
func (a *Answer) serves(ctx context.Context, c *cluster.Cluster) {
	n := a.Notebook
	err := activity.Answers(ctx, c, activity.TargetOf(n))
	if activity.IsUnasked(err) {
		a.Problems = append(a.Problems, "whether its server answers is not known: "+err.Error())
		return
	}
	does := err == nil
	a.Serves = &does
	if does {
		return
	}
	a.Causes = append(a.Causes, report.Cause{
		Name: diagnose.NotebookUnreachable, Severity: report.Error, Object: n.Ref(),
		Summary:  "its pod is ready, but its server does not answer",
		Evidence: []string{fmt.Sprintf("asked through the API server, pod %s, port %d: %v", n.Pod, n.Port(), err)},
		Remedy:   fmt.Sprintf("see what it says, and restart it: kubectl -n %s logs %s -c %s; kubectl jupyter notebook restart %s -n %s", n.Namespace, n.Pod, n.Container().Name, n.Name, n.Namespace),
	})
}

// meshRoot compares the notebook's sidecar with the mesh's root certificate, of which each
// namespace has a copy.
func (a *Answer) meshRoot(ctx context.Context, c *cluster.Cluster) {
	if a.Notebook.Sidecar() == "" {
		return
	}
	ref := login.MeshRootRef
	u, err := c.Dynamic.Resource(configMaps).Namespace(a.Notebook.Namespace).Get(ctx, ref.Name, metav1.GetOptions{})
	if err != nil {
		a.Problems = append(a.Problems, fmt.Sprintf("whether its sidecar trusts the gateway is not known: ConfigMap %s/%s: %v", a.Notebook.Namespace, ref.Name, err))
		return
	}
	root, _, _ := unstructured.NestedString(u.Object, "data", login.MeshRootKey)
	a.Causes = append(a.Causes, login.MeshRootCauses(root, a.Notebook.Pods(), time.Now())...)
}

// Document is the machine-readable form.
type Document struct {
	APIVersion string             `json:"apiVersion"`
	Kind       string             `json:"kind"`
	Notebook   notebooks.Document `json:"notebook"`
	// Serves is null where the server was not asked, or could not be.
	Serves   *bool          `json:"serves"`
	Causes   []report.Cause `json:"causes"`
	Problems []string       `json:"problems"`
}

// Document is the machine-readable form.
func (a *Answer) Document(apiVersion string, now time.Time) Document {
	return Document{
		APIVersion: apiVersion, Kind: "NotebookDiagnosis", Notebook: a.Notebook.Document(now), Serves: a.Serves,
		Causes: append([]report.Cause{}, a.Causes...), Problems: append([]string{}, a.Problems...),
	}
}
