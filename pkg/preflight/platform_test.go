package preflight

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestAPlatformIsReadFromNodesAndVersion(t *testing.T) {
	named := func(name string) func(*corev1.Node) { return func(n *corev1.Node) { n.Name = name } }
	labeled := func(label, value string) func(*corev1.Node) {
		return func(n *corev1.Node) { n.Labels[label] = value }
	}
	for _, tt := range []struct {
		name, version string
		changes       []func(*corev1.Node)
		want, says    string
	}{
		{"anything else is not guessed", "v1.33.1", nil, "not recognized", ""},
		{"GKE by its version", "v1.33.1-gke.1234000", nil, "GKE (", "server version v1.33.1-gke.1234000"},
		{"Autopilot by the names of its nodes", "v1.33.1-gke.1234000", []func(*corev1.Node){named("gk3-pool-1"), labeled("cloud.google.com/gke-nodepool", "pool")}, "GKE Autopilot (", "gk3-pool-1"},
		{"EKS by its version", "v1.33.1-eks-1552ad0", nil, "EKS (", ""},
		{"EKS by a node group", "v1.33.1", []func(*corev1.Node){labeled("eks.amazonaws.com/nodegroup", "a")}, "EKS (", "label eks.amazonaws.com/nodegroup of node n1"},
		{"AKS", "v1.33.1", []func(*corev1.Node){labeled("kubernetes.azure.com/cluster", "MC_a")}, "AKS (", ""},
		{"OpenShift", "v1.33.1", []func(*corev1.Node){labeled("node.openshift.io/os_id", "rhel")}, "OpenShift (", ""},
		{"kind", "v1.33.1", []func(*corev1.Node){func(n *corev1.Node) { n.Spec.ProviderID = "kind://docker/kind/kind-control-plane" }}, "kind (", "providerID"},
		{"minikube", "v1.33.1", []func(*corev1.Node){labeled("minikube.k8s.io/name", "minikube")}, "minikube (", ""},
		{"k3d is told from k3s", "v1.33.1+k3s1", []func(*corev1.Node){named("k3d-k3s-default-server-0")}, "k3d (", ""},
		{"k3s", "v1.33.1+k3s1", nil, "k3s (", ""},
		{"RKE2", "v1.33.1+rke2r1", nil, "RKE2 (", ""},
		{"Docker Desktop", "v1.33.1", []func(*corev1.Node){named("docker-desktop")}, "Docker Desktop (", ""},
		{"MicroK8s", "v1.33.1", []func(*corev1.Node){labeled("microk8s.io/cluster", "true")}, "MicroK8s (", ""},
		{"Talos", "v1.33.1", []func(*corev1.Node){func(n *corev1.Node) { n.Status.NodeInfo.OSImage = "Talos (v1.11.0)" }}, "Talos (", "operating system"},
		{"kubeadm", "v1.33.1", []func(*corev1.Node){func(n *corev1.Node) {
			n.Annotations = map[string]string{"kubeadm.alpha.kubernetes.io/cri-socket": "unix:///run/containerd/containerd.sock"}
		}}, "kubeadm (", ""},
		{"minikube is built with kubeadm, and is minikube", "v1.33.1", []func(*corev1.Node){labeled("minikube.k8s.io/name", "minikube"), func(n *corev1.Node) {
			n.Annotations = map[string]string{"kubeadm.alpha.kubernetes.io/cri-socket": "unix:///run/cri-dockerd.sock"}
		}}, "minikube (", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := good()
			f.Target.Version = tt.version
			for _, change := range tt.changes {
				change(f.Open[0])
			}
			said, causes := findPlatform(f)
			if !strings.HasPrefix(said, tt.want) || !strings.Contains(said, tt.says) || len(causes) > 0 {
				t.Errorf("findPlatform() = %q, %v, want %q with %q", said, causes, tt.want, tt.says)
			}
		})
	}
}
