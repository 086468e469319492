package status

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

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
	var evidence []string
	var owners []report.Ref
	for _, p := range s.Pods() {
		tag := tagOf(&p, "istio-proxy")
		if owner := s.ownerOf(&p); tag != "" && tag != control && !slices.Contains(owners, owner) {
			owners = append(owners, owner)
			evidence = append(evidence, fmt.Sprintf("%s: istio-proxy %s", owner, tag))
		}
	}
	if len(owners) == 0 {
		return nil
	}
	return []report.Cause{{
		Name: diagnose.VersionSkew, Severity: report.Warning, Component: "istio", Object: owners[0], Also: owners[1:],
		Summary:  "proxies have a different version than istiod: they were created before it changed",
		Evidence: append([]string{"istiod: " + control}, evidence...),
		Remedy:   fmt.Sprintf("recreate the pods: kubectl -n %s rollout restart deployment", owners[0].Namespace),
	}}
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
		if tag := parseImage(c.Image).tag; c.Name == container && tag != "" && tag[0] >= '0' && tag[0] <= '9' {
			return tag
		}
	}
	return ""
}
