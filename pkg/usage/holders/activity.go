package holders

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/activity"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
)

// records are the annotations of Notebooks, in which the controller writes.
type records struct {
	annotations map[string]map[string]string
	failed      error
}

func readRecords(ctx context.Context, c *cluster.Cluster, namespace string) records {
	out := records{annotations: map[string]map[string]string{}}
	// Metadata is enough, and a tenth of it.
	body, err := usage.Body(ctx, c.REST().Get().AbsPath("/apis/kubeflow.org/v1"+usage.Below(namespace)+"/notebooks").Param("resourceVersion", "0").
		SetHeader("Accept", "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"))
	var list metav1.PartialObjectMetadataList
	if err == nil {
		err = json.Unmarshal(body, &list)
	}
	if err != nil {
		out.failed = err
		return out
	}
	for _, n := range list.Items {
		out.annotations[n.Namespace+"/"+n.Name] = n.Annotations
	}
	return out
}

func (r records) typeOf(namespace, name string) notebooks.Type {
	return notebooks.TypeOf(r.annotations[namespace+"/"+name][notebooks.TypeAnnotation])
}

// problems leaves out a cluster without Notebooks: it has no activity either.
func (r records) problems() []string {
	if r.failed == nil || apierrors.IsNotFound(r.failed) {
		return nil
	}
	return []string{"last activity of notebooks is unknown: " + usage.AbsenceOf("notebooks.kubeflow.org", r.failed).Reason}
}

// key tells notebooks of the two versions apart.
func (n *Notebook) key() string { return fmt.Sprint(n.Namespace, "/", n.Name, "/", n.Workspace) }

// serves takes from a pod where the notebook's server is.
func (n *Notebook) serves(p *corev1.Pod) {
	if p.DeletionTimestamp != nil {
		return
	}
	for _, c := range p.Status.ContainerStatuses {
		if c.Name != n.Name || c.State.Running == nil {
			continue
		}
		n.Server.Pod, n.Server.Started = p.Name, c.State.Running.StartedAt.Time
		for _, container := range p.Spec.Containers {
			if container.Name == n.Name && len(container.Ports) > 0 {
				n.Server.Port = container.Ports[0].ContainerPort
			}
		}
	}
}

// uses says when notebooks were last used, by key.
func (r *notebooksReader) uses(ctx context.Context, all []Notebook, now time.Time) map[string]activity.Use {
	out := map[string]activity.Use{}
	var subjects []activity.Subject
	for i := range all {
		n := &all[i]
		switch {
		case n.Workspace:
			out[n.key()] = activity.Use{Last: usage.Missing[time.Time](usage.Absence{Reason: "the activity of version 2 workspaces is not read"})}
		case r.records.failed != nil:
			out[n.key()] = activity.Use{Last: usage.Missing[time.Time](usage.AbsenceOf("notebooks.kubeflow.org", r.records.failed))}
		default:
			s := activity.Subject{Target: n.Server}
			if !r.Unrecorded {
				s.Annotations = r.records.annotations[n.Namespace+"/"+n.Name]
			}
			subjects = append(subjects, s)
		}
	}
	used := activity.Uses(ctx, r.Ask, subjects, now)
	for i := range all {
		n := &all[i]
		if u, ok := used[n.Server.Key()]; ok && !n.Workspace {
			out[n.key()] = u
		}
	}
	return out
}

// silent says once why notebooks that were asked did not answer. One of a kind that never
// does is no news.
func silent(all []Notebook) []string {
	var names []string
	var why error
	forbidden := true
	for i := range all {
		err := all[i].Use.Err
		if err == nil || errors.Is(err, activity.ErrSilent) {
			continue
		}
		names = append(names, all[i].Namespace+"/"+all[i].Name)
		if why == nil {
			why = err
		}
		forbidden = forbidden && activity.IsForbidden(err)
	}
	switch {
	case len(names) == 0:
		return nil
	case forbidden:
		return []string{fmt.Sprintf("last activity of %d of %d notebooks is unknown: you are not allowed to connect to them (create pods/portforward); --no-activity does not try to", len(names), len(all))}
	}
	slices.Sort(names)
	return []string{fmt.Sprintf("last activity of %d of %d notebooks is unknown: they did not say what runs in them; %s: %s", len(names), len(all), strings.SplitN(names[0], "\n", 2)[0], why)}
}
