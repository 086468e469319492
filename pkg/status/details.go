package status

import (
	"cmp"
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// maxEvents of a component are told, the newest.
const maxEvents = 20

// details adds pods and events to the rows that were asked for: one more request for
// each of their namespaces.
func details(ctx context.Context, c *cluster.Cluster, s *Snapshot, out *report.Report) {
	events := map[string][]corev1.Event{}
	for i := range out.Components {
		row := &out.Components[i]
		r := s.Component(row.Name)
		if r == nil {
			continue
		}
		row.Details = &report.Details{Pods: []report.Pod{}, Events: []report.Happening{}}
		pods := s.podsBy(r)
		for _, p := range pods {
			row.Details.Pods = append(row.Details.Pods, podRow(p))
		}
		for _, ns := range r.Component.Namespaces {
			if ns == "kube-system" {
				continue
			}
			if _, read := events[ns]; !read {
				events[ns] = eventsOf(ctx, c, ns)
			}
			for _, e := range events[ns] {
				if s.about(r, pods, e.InvolvedObject) {
					row.Details.Events = append(row.Details.Events, happening(e))
				}
			}
		}
		slices.SortStableFunc(row.Details.Events, func(a, b report.Happening) int { return a.Time.Compare(b.Time) })
		row.Details.Events = row.Details.Events[max(0, len(row.Details.Events)-maxEvents):]
	}
}

// eventsOf a namespace; none where they may not be read, since the report says so already.
func eventsOf(ctx context.Context, c *cluster.Cluster, namespace string) []corev1.Event {
	list, err := c.Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "events"}).Namespace(namespace).List(ctx, metav1.ListOptions{Limit: maxItems})
	if err != nil {
		return nil
	}
	var out []corev1.Event
	for i := range list.Items {
		var e corev1.Event
		if into(&list.Items[i], &e) {
			out = append(out, e)
		}
	}
	return out
}

// about tells whether an event is about an object of a component, one of its pods, or
// a ReplicaSet between the two.
func (s *Snapshot) about(r *components.Rendered, pods []*corev1.Pod, o corev1.ObjectReference) bool {
	if slices.ContainsFunc(pods, func(p *corev1.Pod) bool { return o.Kind == "Pod" && o.Name == p.Name && o.Namespace == p.Namespace }) {
		return true
	}
	return slices.ContainsFunc(r.Objects, func(u *unstructured.Unstructured) bool {
		if u.GetNamespace() != o.Namespace {
			return false
		}
		made := isWorkload(u.GetKind()) && (o.Kind == "ReplicaSet" || o.Kind == "Pod") && strings.HasPrefix(o.Name, u.GetName()+"-")
		return made || u.GetKind() == o.Kind && u.GetName() == o.Name
	})
}

func happening(e corev1.Event) report.Happening {
	last := cmp.Or(e.LastTimestamp.Time, e.EventTime.Time, e.CreationTimestamp.Time)
	if e.Series != nil {
		last = e.Series.LastObservedTime.Time
	}
	return report.Happening{
		Time: last.UTC(), Type: e.Type, Reason: e.Reason, Message: strings.TrimSpace(e.Message), Count: max(1, int(e.Count)),
		Object: report.Ref{Kind: e.InvolvedObject.Kind, Namespace: e.InvolvedObject.Namespace, Name: e.InvolvedObject.Name},
	}
}

// podRow says of a pod what kubectl's columns say. Native sidecars are init containers
// that stay.
func podRow(p *corev1.Pod) report.Pod {
	row := report.Pod{Namespace: p.Namespace, Name: p.Name, Status: string(p.Status.Phase), Node: p.Spec.NodeName, Created: p.CreationTimestamp.UTC()}
	sidecars := map[string]bool{}
	for _, c := range p.Spec.InitContainers {
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			sidecars[c.Name] = true
		}
	}
	row.Containers = len(p.Spec.Containers) + len(sidecars)
	note := func(c corev1.ContainerStatus) {
		row.Restarts += int(c.RestartCount)
		switch {
		case c.State.Waiting != nil && c.State.Waiting.Reason == "PodInitializing" && row.Status != string(p.Status.Phase):
			// It waits for an init container that has said more.
		case c.State.Waiting != nil && c.State.Waiting.Reason != "":
			row.Status = c.State.Waiting.Reason
		case c.State.Terminated != nil && c.State.Terminated.ExitCode != 0:
			row.Status = cmp.Or(c.State.Terminated.Reason, "Error")
		}
	}
	for _, c := range p.Status.InitContainerStatuses {
		note(c)
		if sidecars[c.Name] && c.Ready {
			row.Ready++
		}
	}
	for _, c := range p.Status.ContainerStatuses {
		note(c)
		if c.Ready {
			row.Ready++
		}
	}
	if p.Status.Reason != "" {
		row.Status = p.Status.Reason // Evicted, NodeLost
	}
	if p.DeletionTimestamp != nil {
		row.Status = "Terminating"
	}
	return row
}
