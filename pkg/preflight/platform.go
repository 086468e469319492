package preflight

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/exposure"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// platform is a kind of cluster that is recognized by what its nodes or its server say of
// themselves. docs/clusters.md has what is known to matter on each.
type platform struct {
	name string
	// tells returns the evidence, empty where it is another platform.
	tells func(n *corev1.Node, version string) string
}

// The more special come first: k3d is k3s, and Autopilot is GKE.
var platforms = []platform{
	{"GKE Autopilot", func(n *corev1.Node, _ string) string {
		return when(strings.HasPrefix(n.Name, "gk3-") && n.Labels["cloud.google.com/gke-nodepool"] != "", "name of node %s, a node of GKE", n.Name)
	}},
	{"GKE", byVersionOrLabel("-gke.", "cloud.google.com/gke-nodepool")},
	{"EKS", byVersionOrLabel("-eks-", "eks.amazonaws.com/nodegroup")},
	{"AKS", byVersionOrLabel("", "kubernetes.azure.com/cluster")},
	{"OpenShift", byVersionOrLabel("", "node.openshift.io/os_id")},
	{"kind", func(n *corev1.Node, _ string) string {
		return when(exposure.PlatformOf(n) == exposure.PlatformKind, "providerID %s of node %s", n.Spec.ProviderID, n.Name)
	}},
	{"minikube", func(n *corev1.Node, _ string) string {
		return when(exposure.PlatformOf(n) == exposure.PlatformMinikube, "labels of node %s", n.Name)
	}},
	{"k3d", func(n *corev1.Node, version string) string {
		return when(strings.HasPrefix(n.Name, "k3d-") && strings.Contains(version, "+k3s"), "server version %s, node %s", version, n.Name)
	}},
	{"k3s", byVersionOrLabel("+k3s", "")},
	{"RKE2", byVersionOrLabel("+rke2", "")},
	{"Docker Desktop", func(n *corev1.Node, _ string) string {
		return when(n.Name == "docker-desktop", "node %s", n.Name)
	}},
	{"MicroK8s", byVersionOrLabel("", "microk8s.io/cluster")},
	{"Talos", func(n *corev1.Node, _ string) string {
		return when(strings.HasPrefix(n.Status.NodeInfo.OSImage, "Talos "), "operating system %s of node %s", n.Status.NodeInfo.OSImage, n.Name)
	}},
	// Last: others are built with kubeadm as well.
	{"kubeadm", func(n *corev1.Node, _ string) string {
		return when(n.Annotations["kubeadm.alpha.kubernetes.io/cri-socket"] != "", "annotation kubeadm.alpha.kubernetes.io/cri-socket of node %s", n.Name)
	}},
}

// byVersionOrLabel recognizes a part of the server's version, or a label of a node; an
// empty one is not looked for.
func byVersionOrLabel(part, label string) func(*corev1.Node, string) string {
	return func(n *corev1.Node, version string) string {
		_, labeled := n.Labels[label]
		switch {
		case part != "" && strings.Contains(version, part):
			return "server version " + version
		case label != "" && labeled:
			return fmt.Sprintf("label %s of node %s", label, n.Name)
		}
		return ""
	}
}

func when(is bool, format string, args ...any) string {
	if !is {
		return ""
	}
	return fmt.Sprintf(format, args...)
}

// findPlatform says which kind of cluster it is, where that can be read and not guessed.
func findPlatform(f *Facts) (string, []report.Cause) {
	nodes := f.Open
	if len(nodes) == 0 {
		nodes = []*corev1.Node{{}} // the version may tell it
	}
	for _, p := range platforms {
		for _, n := range nodes {
			if evidence := p.tells(n, f.Target.Version); evidence != "" {
				return fmt.Sprintf("%s (%s)", p.name, evidence), nil
			}
		}
	}
	if f.failed[readNodes] != nil {
		return "not recognized: the nodes could not be read", nil
	}
	return "not recognized", nil
}
