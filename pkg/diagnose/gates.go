package diagnose

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// What Kueue puts on the pods that it holds back, and the kind that says why it does.
const (
	kueueGatePrefix = "kueue.x-k8s.io/"
	kueueQueueLabel = "kueue.x-k8s.io/queue-name"
)

// notebookLabel is on a notebook's pod, and has the notebook's name.
const notebookLabel = "notebook-name"

var kueueWorkload = schema.GroupKind{Group: "kueue.x-k8s.io", Kind: "Workload"}

func gates(p *corev1.Pod) []string {
	var out []string
	for _, g := range p.Spec.SchedulingGates {
		out = append(out, g.Name)
	}
	return out
}

// kueued tells that one of the pod's gates is Kueue's.
func kueued(p *corev1.Pod) bool {
	return slices.ContainsFunc(gates(p), func(g string) bool { return strings.HasPrefix(g, kueueGatePrefix) })
}

// behindGate reads what Kueue says of the pods that it holds back.
func (c *collector) behindGate(p *corev1.Pod) {
	if !kueued(p) {
		return
	}
	if gvr, _, err := c.reader.resource(kueueWorkload); err == nil {
		list(c, gvr, p.Namespace, metav1.ListOptions{Limit: maxItems}, sliceOfObjects)
	}
}

// gated: the scheduler does not look at the pod until somebody takes its gates away. For
// how long that is in order only they know.
func (s *Snapshot) gated(sub Subject, p *corev1.Pod, said string) report.Cause {
	names := gates(p)
	c := s.podCause(sub, p, SchedulingGated, report.Delay, "scheduling gates block the pod: "+strings.Join(names, ", "))
	c.Evidence = []string{said, fmt.Sprintf("pod %s: blocked for %s", p.Name, age(s.Time.Sub(p.CreationTimestamp.Time)))}
	c.Remedy = "find out which controller sets the gates, and what it waits for: " + describe(podRef(p))
	if !kueued(p) {
		return c
	}
	queue := p.Labels[kueueQueueLabel]
	c.Summary = fmt.Sprintf("Kueue has not admitted the pod yet: it waits in LocalQueue %s", queue)
	c.Remedy = fmt.Sprintf("kubectl -n %s describe localqueue %s; free some of its quota, or raise it", p.Namespace, queue)
	for _, u := range s.Objects {
		if u.GetKind() != kueueWorkload.Kind || u.GetNamespace() != p.Namespace ||
			!slices.ContainsFunc(u.GetOwnerReferences(), func(o metav1.OwnerReference) bool {
				return o.UID == p.UID || o.Kind == "StatefulSet" && o.Name == s.owner(p).Name
			}) {
			continue
		}
		for _, cond := range conditions(u) {
			if cond.status == "False" {
				c.Evidence = append(c.Evidence, event(cond.typ+"="+cond.status+" "+cond.reason, cond.message))
			}
		}
	}
	return c
}
