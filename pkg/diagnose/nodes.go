package diagnose

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// findNode: the node that a pod is on has a problem of its own.
func findNode(s *Snapshot, sub Subject, p *corev1.Pod) []report.Cause {
	if healthy(p) || p.Spec.NodeName == "" {
		return nil
	}
	for i := range s.Nodes {
		n := &s.Nodes[i]
		if n.Name != p.Spec.NodeName {
			continue
		}
		object := report.Ref{Kind: "Node", Name: n.Name}
		var causes []report.Cause
		for _, cond := range n.Status.Conditions {
			c := report.Cause{
				Object: object, Severity: report.Error, Remedy: describe(object), Also: []report.Ref{s.owner(p)},
				Evidence: []string{event(fmt.Sprintf("%s=%s %s", cond.Type, cond.Status, cond.Reason), cond.Message)},
			}
			switch {
			case cond.Type == corev1.NodeReady && cond.Status != corev1.ConditionTrue:
				c.Name = NodeNotReady
				c.Summary = fmt.Sprintf("node %s is not ready", n.Name)
				// A node that has just come up is not ready for some seconds.
				if s.Time.Sub(cond.LastTransitionTime.Time) < patience {
					c.Severity = report.Delay
				}
			case cond.Status == corev1.ConditionTrue && (cond.Type == corev1.NodeDiskPressure || cond.Type == corev1.NodeMemoryPressure || cond.Type == corev1.NodePIDPressure):
				c.Name = NodePressure
				c.Summary = fmt.Sprintf("node %s reports %s", n.Name, cond.Type)
			default:
				continue
			}
			causes = append(causes, c)
		}
		return causes
	}
	return nil
}
