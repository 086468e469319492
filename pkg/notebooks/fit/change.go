package fit

import (
	"context"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// TryChange asks whether a notebook that is there would run with other values. What it has
// now counts as free, for it is stopped before it gets the new ones.
func (f *Facts) TryChange(ctx context.Context, changed *unstructured.Unstructured) (*Verdict, error) {
	pod, err := podOf(changed)
	if err != nil {
		return nil, err
	}
	v := &Verdict{Problems: append([]string{}, f.problems...)}
	now := f.podsOf(changed.GetName())
	// The name of its pod is taken as long as that is there.
	pod.Name += "-edited"
	if err := f.tryPod(ctx, v, notebooks.RefOf(f.namespace, changed.GetName()), pod, without(f.room, now)); err != nil {
		return nil, err
	}
	if len(now) > 0 && f.within(pod, now) {
		v.Causes = slices.DeleteFunc(v.Causes, func(c report.Cause) bool { return c.Name == diagnose.QuotaExceeded })
	}
	return v, nil
}

// podsOf are the pods that a notebook has now.
func (f *Facts) podsOf(notebook string) []corev1.Pod {
	var out []corev1.Pod
	for _, p := range f.room.Pods {
		if p.Labels[notebooks.Label] == notebook {
			out = append(out, p)
		}
	}
	return out
}

// without is a room in which pods are not.
func without(room *diagnose.Snapshot, pods []corev1.Pod) *diagnose.Snapshot {
	out := *room
	out.Requested = maps.Clone(room.Requested)
	out.Pods = slices.DeleteFunc(slices.Clone(room.Pods), func(p corev1.Pod) bool {
		return slices.ContainsFunc(pods, func(o corev1.Pod) bool { return o.UID == p.UID })
	})
	for i := range pods {
		node := pods[i].Spec.NodeName
		if node == "" || out.Requested[node] == nil {
			continue
		}
		left := out.Requested[node].DeepCopy()
		for name, q := range diagnose.Requests(&pods[i]) {
			less := left[name]
			less.Sub(q)
			left[name] = less
		}
		out.Requested[node] = left
	}
	return &out
}

// within tells whether quotas leave enough for a pod when those that are there now have
// gone. The API server counts both, and refuses.
func (f *Facts) within(pod *corev1.Pod, now []corev1.Pod) bool {
	for i := range f.quotas {
		for name := range f.quotas[i].Status.Hard {
			has, counted := left(&f.quotas[i], name)
			if !counted {
				continue
			}
			for j := range now {
				has.Add(counts(&now[j], name))
			}
			if want := counts(pod, name); want.Cmp(has) > 0 {
				return false
			}
		}
	}
	return true
}

// counts is how much of a quota's resource a pod takes.
func counts(p *corev1.Pod, name corev1.ResourceName) resource.Quantity {
	requests, limits := diagnose.Requests(p), corev1.ResourceList{}
	for _, c := range p.Spec.Containers {
		for of, q := range c.Resources.Limits {
			sum := limits[of]
			sum.Add(q)
			limits[of] = sum
		}
	}
	for prefix, list := range map[string]corev1.ResourceList{"requests.": requests, "limits.": limits} {
		if of, cut := strings.CutPrefix(string(name), prefix); cut {
			return list[corev1.ResourceName(of)]
		}
	}
	if name == "count/pods" {
		return requests[corev1.ResourcePods]
	}
	return requests[name]
}
