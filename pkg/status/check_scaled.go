package status

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// checkScaled: workloads that somebody has switched off. Kubernetes calls a Deployment
// that wants no pods available, and an autoscaler leaves it alone.
func checkScaled(s *Snapshot) []report.Cause {
	var causes []report.Cause
	for _, r := range s.Expected {
		for _, u := range r.Objects {
			live := s.Object(cluster.RefOf(u))
			if live == nil || !switchedOff(u, live) {
				continue
			}
			ref := cluster.RefOf(u)
			_, wanted := replicas(u)
			causes = append(causes, report.Cause{
				Name: diagnose.ScaledToZero, Severity: report.Error, Component: r.Component.Name, Object: ref,
				Summary:  fmt.Sprintf("%s is scaled to zero", ref),
				Evidence: []string{fmt.Sprintf("%s: replicas: 0, the installation wants %d", ref, wanted)},
				Remedy:   command("scale", ref, fmt.Sprintf("--replicas=%d", wanted)),
			})
		}
	}
	return causes
}

// replicasPath is where a Deployment says how many pods it wants.
var replicasPath = []step{{field: "spec"}, {field: "replicas"}}

// switchedOff tells that a workload wants no pods, although the manifests want some.
// What an installation has sent that way, from a user's kustomization, is meant so.
func switchedOff(sent, live *unstructured.Unstructured) bool {
	if !isWorkload(live.GetKind()) || live.GetKind() == "DaemonSet" {
		return false
	}
	_, want := replicas(sent)
	_, have := replicas(live)
	return want > 0 && have == 0 && !slices.ContainsFunc(writers(live), func(w writer) bool { return w.ours() && w.fields.owns(replicasPath) })
}
