package diagnose

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

const (
	injectionLabel = "istio-injection"
	revisionLabel  = "istio.io/rev"
	injectLabel    = "sidecar.istio.io/inject"
	sidecarName    = "istio-proxy"
)

// findSidecar: a pod that was created before the injector answered has no sidecar, for
// good. Mutual TLS to it fails, which the gateway shows as 503 WRONG_VERSION_NUMBER.
func findSidecar(s *Snapshot, sub Subject, p *corev1.Pod) []report.Cause {
	if leaving(p) || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed || !wantsSidecar(s.namespace(p.Namespace), p) {
		return nil
	}
	for _, ct := range containers(p) {
		if ct.spec.Name == sidecarName {
			return nil
		}
	}
	c := s.podCause(sub, p, SidecarMissing, report.Error, "a pod that needs an Istio sidecar has none")
	c.Evidence = []string{fmt.Sprintf("pod %s: no container %s, although namespace %s has injection enabled", p.Name, sidecarName, p.Namespace)}
	owner := s.owner(p)
	c.Remedy = fmt.Sprintf("recreate it once the injector runs: kubectl -n %s delete pod %s", p.Namespace, p.Name)
	switch owner.Kind {
	case "Deployment", "StatefulSet", "DaemonSet":
		c.Remedy = "recreate its pods once the injector runs: " + kubectl("rollout restart", owner)
	}
	return []report.Cause{c}
}

// wantsSidecar follows the injector's rules: the namespace's label, unless the pod says
// otherwise. Pods in the host's network get none.
func wantsSidecar(ns *corev1.Namespace, p *corev1.Pod) bool {
	if p.Spec.HostNetwork {
		return false
	}
	inject := p.Labels[injectLabel]
	if inject == "" {
		inject = p.Annotations[injectLabel]
	}
	if inject == "false" {
		return false
	}
	if ns == nil {
		return false
	}
	switch ns.Labels[injectionLabel] {
	case "enabled":
		return true
	case "disabled":
		return false
	}
	return ns.Labels[revisionLabel] != "" || inject == "true" && p.Labels[injectLabel] == "true"
}
