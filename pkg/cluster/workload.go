package cluster

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// WorkloadOf is the workload that a pod belongs to; the pod itself where it belongs to none.
// The name of a ReplicaSet is its Deployment's with the hash of the pods behind it, so that
// it does not have to be read.
func WorkloadOf(pod metav1.Object) report.Ref {
	c := metav1.GetControllerOf(pod)
	if c == nil {
		return report.Ref{Kind: "Pod", Namespace: pod.GetNamespace(), Name: pod.GetName()}
	}
	ref := report.Ref{Group: "apps", Kind: c.Kind, Namespace: pod.GetNamespace(), Name: c.Name}
	if hash := pod.GetLabels()["pod-template-hash"]; c.Kind == "ReplicaSet" && hash != "" {
		ref.Kind, ref.Name = "Deployment", strings.TrimSuffix(c.Name, "-"+hash)
	}
	return ref
}
