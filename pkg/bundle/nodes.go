package bundle

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// nodeSummary is what matters of a node.
type nodeSummary struct {
	Name    string      `json:"name"`
	Created metav1.Time `json:"created"`
	// System is kernel, operating system, container runtime.
	System        string              `json:"system"`
	Architecture  string              `json:"architecture"`
	Kubelet       string              `json:"kubelet"`
	Allocatable   corev1.ResourceList `json:"allocatable"`
	Taints        []string            `json:"taints,omitempty"`
	Unschedulable bool                `json:"unschedulable,omitempty"`
	// Conditions that are not as they should be.
	Conditions []string          `json:"conditions,omitempty"`
	Labels     map[string]string `json:"labels,omitempty"`
}

func (w *writer) nodes(ctx context.Context) []nodeSummary {
	r, err := w.reader.byName("", "nodes")
	if err != nil {
		w.unread("nodes", err)
		return nil
	}
	var all []nodeSummary
	page := metav1.ListOptions{Limit: nodePage}
	for {
		ctx, cancel := context.WithTimeout(ctx, requestTime)
		list, err := w.reader.list(ctx, r.GroupVersionResource, "", page)
		cancel()
		if err != nil {
			w.unread("nodes", err)
			return all
		}
		for i := range list.Items {
			var n corev1.Node
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(list.Items[i].Object, &n); err == nil {
				all = append(all, summaryOf(&n))
			}
		}
		if page.Continue = list.GetContinue(); page.Continue == "" {
			return all
		}
		if len(all) >= maxNodes {
			w.unread("more nodes", bound(maxNodes))
			return all
		}
	}
}

func summaryOf(n *corev1.Node) nodeSummary {
	s := nodeSummary{
		Name: n.Name, Created: n.CreationTimestamp,
		System:       strings.Join([]string{n.Status.NodeInfo.KernelVersion, n.Status.NodeInfo.OSImage, n.Status.NodeInfo.ContainerRuntimeVersion}, ", "),
		Architecture: n.Status.NodeInfo.Architecture, Kubelet: n.Status.NodeInfo.KubeletVersion,
		Allocatable: n.Status.Allocatable, Unschedulable: n.Spec.Unschedulable,
	}
	for _, t := range n.Spec.Taints {
		s.Taints = append(s.Taints, t.ToString())
	}
	for _, c := range n.Status.Conditions {
		if good := c.Type == corev1.NodeReady; (c.Status == corev1.ConditionTrue) != good {
			s.Conditions = append(s.Conditions, fmt.Sprintf("%s=%s %s: %s", c.Type, c.Status, c.Reason, c.Message))
		}
	}
	for _, k := range slices.Sorted(maps.Keys(n.Labels)) {
		// Labels of one's own say where a machine stands; those of Kubernetes what it is.
		if strings.Contains(k, "kubernetes.io/") {
			if s.Labels == nil {
				s.Labels = map[string]string{}
			}
			s.Labels[k] = n.Labels[k]
		}
	}
	return s
}

// definitions are the names of all CustomResourceDefinitions.
func (w *writer) definitions(ctx context.Context) []string {
	r, err := w.reader.byName("apiextensions.k8s.io", "customresourcedefinitions")
	if err != nil {
		w.unread("customresourcedefinitions", err)
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	names, err := w.reader.names(ctx, r.GroupVersionResource, metav1.ListOptions{Limit: 4 * maxItems})
	if err != nil {
		w.unread("customresourcedefinitions", err)
		return nil
	}
	slices.Sort(names)
	return names
}
