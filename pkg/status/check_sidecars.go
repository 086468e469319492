package status

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/login"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// checkSidecars: sidecars and gateways of another version than istiod, which happens
// when istiod is updated and the pods are not made anew. One minor version apart is
// what Istio supports, and only for a while.
func checkSidecars(s *Snapshot) []report.Cause {
	istiod := s.newestPods("istio-system", "istiod")
	if len(istiod) == 0 {
		return nil
	}
	control := tagOf(&istiod[0], "discovery")
	if control == "" {
		return nil
	}
	var causes []report.Cause
	add := func(pods []corev1.Pod, owner func(metav1.Object) report.Ref, c report.Cause) {
		var owners []report.Ref
		for i := range pods {
			p := &pods[i]
			ref, tag := owner(p), tagOf(p, "istio-proxy")
			if ref.Kind == "" || tag == "" || tag == control || p.DeletionTimestamp != nil || slices.Contains(owners, ref) {
				continue
			}
			owners = append(owners, ref)
			c.Evidence = append(c.Evidence, fmt.Sprintf("%s: istio-proxy %s", ref, tag))
		}
		if len(owners) > 0 {
			c.Name, c.Severity, c.Component, c.Object, c.Also = diagnose.VersionSkew, report.Warning, "istio", owners[0], owners[1:]
			c.Evidence = append([]string{"istiod: " + control}, c.Evidence...)
			if c.Remedy == "" {
				c.Remedy = fmt.Sprintf("recreate the pods: kubectl -n %s rollout restart deployment", owners[0].Namespace)
			}
			causes = append(causes, c)
		}
	}
	add(s.Pods(), cluster.WorkloadOf, report.Cause{Summary: "proxies have a different version than istiod: they were created before it changed"})
	add(s.MeshPods, notebookOf, report.Cause{
		Summary: "notebooks have sidecars of a different version than istiod: they were started before it changed, and get new ones when they start again",
		Remedy:  "restart those that are not in use: kubectl jupyter upgrade --restart-notebooks=idle",
	})
	return causes
}

// notebookOf is the Notebook that a pod is of, empty for any other pod.
func notebookOf(p metav1.Object) report.Ref {
	name := p.GetLabels()["notebook-name"]
	if name == "" {
		return report.Ref{}
	}
	return report.Ref{Group: "kubeflow.org", Kind: "Notebook", Namespace: p.GetNamespace(), Name: name}
}

// checkMeshRoot: sidecars that have their certificates of an earlier installation's key.
func checkMeshRoot(s *Snapshot) []report.Cause {
	root := s.Object(login.MeshRootRef)
	if root == nil || s.Component("istio") == nil {
		return nil
	}
	text, _, _ := unstructured.NestedString(root.Object, "data", login.MeshRootKey)
	return login.MeshRootCauses(text, slices.Concat(s.MeshPods, s.Pods()), s.Time.Time)
}

// tagOf is the version in the tag of a container's image, empty for a tag that is none.
func tagOf(p *corev1.Pod, container string) string {
	for _, c := range slices.Concat(p.Spec.InitContainers, p.Spec.Containers) {
		if tag := components.Tag(c.Image); c.Name == container && tag != "" && tag[0] >= '0' && tag[0] <= '9' {
			return tag
		}
	}
	return ""
}
