package platform

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func named(name string) func(*corev1.Node) { return func(n *corev1.Node) { n.Name = name } }

func labeled(label, value string) func(*corev1.Node) {
	return func(n *corev1.Node) { n.Labels[label] = value }
}

func annotated(name, value string) func(*corev1.Node) {
	return func(n *corev1.Node) { n.Annotations[name] = value }
}

func kubelet(version string) func(*corev1.Node) {
	return func(n *corev1.Node) { n.Status.NodeInfo.KubeletVersion = version }
}

func node(changes ...func(*corev1.Node)) []*corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1", Labels: map[string]string{}, Annotations: map[string]string{}}}
	for _, change := range changes {
		change(n)
	}
	return []*corev1.Node{n}
}

func TestAPlatformIsReadFromNodesAndVersion(t *testing.T) {
	for _, tt := range []struct {
		name, version string
		nodes         []*corev1.Node
		want, says    string
	}{
		{"anything else is not guessed", "v1.33.1", node(), "not recognized", ""},
		{"GKE by its version", "v1.33.1-gke.1234000", node(), "GKE (", "server version v1.33.1-gke.1234000"},
		{"GKE by its version, where the nodes are not known", "v1.33.1-gke.1234000", nil, "GKE (", "server version v1.33.1-gke.1234000"},
		{"Autopilot by the names of its nodes", "v1.33.1-gke.1234000", node(named("gk3-pool-1"), labeled("cloud.google.com/gke-nodepool", "pool")), "GKE Autopilot (", "gk3-pool-1"},
		{"EKS by its version", "v1.33.1-eks-1552ad0", node(), "EKS (", ""},
		{"EKS by a node group", "v1.33.1", node(labeled("eks.amazonaws.com/nodegroup", "a")), "EKS (", "label eks.amazonaws.com/nodegroup of node n1"},
		{"AKS", "v1.33.1", node(labeled("kubernetes.azure.com/cluster", "MC_a")), "AKS (", ""},
		{"OpenShift", "v1.33.1", node(labeled("node.openshift.io/os_id", "rhel")), "OpenShift (", ""},
		{"kind", "v1.33.1", node(func(n *corev1.Node) { n.Spec.ProviderID = "kind://docker/kind/kind-control-plane" }), "kind (", "providerID"},
		{"minikube", "v1.33.1", node(labeled("minikube.k8s.io/name", "minikube")), "minikube (", ""},
		{"k3d is told from k3s", "v1.33.1+k3s1", node(named("k3d-k3s-default-server-0")), "k3d (", ""},
		{"k3s", "v1.33.1+k3s1", node(), "k3s (", ""},
		{"RKE2", "v1.33.1+rke2r1", node(), "RKE2 (", ""},
		{"Docker Desktop", "v1.33.1", node(named("docker-desktop")), "Docker Desktop (", ""},
		{"MicroK8s", "v1.33.1", node(labeled("microk8s.io/cluster", "true")), "MicroK8s (", ""},
		{"Talos", "v1.33.1", node(func(n *corev1.Node) { n.Status.NodeInfo.OSImage = "Talos (v1.11.0)" }), "Talos (", "operating system"},
		{"kubeadm", "v1.33.1", node(annotated("kubeadm.alpha.kubernetes.io/cri-socket", "unix:///run/containerd/containerd.sock")), "kubeadm (", ""},
		{
			"minikube is built with kubeadm, and is minikube", "v1.33.1",
			node(labeled("minikube.k8s.io/name", "minikube"), annotated("kubeadm.alpha.kubernetes.io/cri-socket", "unix:///run/cri-dockerd.sock")), "minikube (", "",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if said := Of(tt.nodes, tt.version).String(); !strings.HasPrefix(said, tt.want) || !strings.Contains(said, tt.says) {
				t.Errorf("Of() = %q, want %q with %q", said, tt.want, tt.says)
			}
		})
	}
}

func TestAPlatformTellsWhereItsNodesKeepCNIPlugins(t *testing.T) {
	k3sDirectories := Directories{"/var/lib/rancher/k3s/data/cni", "/var/lib/rancher/k3s/agent/etc/cni/net.d"}
	for _, tt := range []struct {
		name, version string
		nodes         []*corev1.Node
		want          Directories
	}{
		{"not recognized", "v1.33.1", node(), Usual},
		{"GKE", "v1.33.1-gke.1234000", node(), Directories{"/home/kubernetes/bin", "/etc/cni/net.d"}},
		{"EKS, Bottlerocket too", "v1.33.1-eks-1552ad0", node(func(n *corev1.Node) { n.Status.NodeInfo.OSImage = "Bottlerocket OS 1.40.0" }), Usual},
		{"kind", "v1.33.1", node(func(n *corev1.Node) { n.Spec.ProviderID = "kind://docker/kind/kind-control-plane" }), Usual},
		{"minikube", "v1.33.1", node(labeled("minikube.k8s.io/name", "minikube")), Usual},
		{"RKE2", "v1.33.1+rke2r1", node(), Usual},
		{"Talos", "v1.33.1", node(func(n *corev1.Node) { n.Status.NodeInfo.OSImage = "Talos (v1.11.0)" }), Usual},
		{"OpenShift", "v1.33.1", node(labeled("node.openshift.io/os_id", "rhel")), Directories{"/var/lib/cni/bin", "/etc/cni/multus/net.d"}},
		{"MicroK8s", "v1.33.1", node(labeled("microk8s.io/cluster", "true")), Directories{"/var/snap/microk8s/current/opt/cni/bin", "/var/snap/microk8s/current/args/cni-network"}},
		{"k3s", "v1.33.1+k3s1", node(), k3sDirectories},
		{
			"k3s with another data directory", "v1.33.1+k3s1", node(annotated("k3s.io/node-args", `["server","--disable","traefik","--data-dir","/mnt/k3s/"]`)),
			Directories{"/mnt/k3s/data/cni", "/mnt/k3s/agent/etc/cni/net.d"},
		},
		{"k3s without its own network", "v1.33.1+k3s1", node(annotated("k3s.io/node-args", `["server","--flannel-backend=none","--disable-network-policy"]`)), Usual},
		{"k3s whose arguments cannot be read", "v1.33.1+k3s1", node(annotated("k3s.io/node-args", `server`)), k3sDirectories},
		{"k3d", "v1.33.1+k3s1", node(named("k3d-a-server-0"), kubelet("v1.33.1+k3s1")), k3sDirectories},
		{"k3d with an image from before 1.32.3", "v1.32.2+k3s1", node(named("k3d-a-server-0"), kubelet("v1.32.2+k3s1")), Directories{"/bin", k3sDirectories.Conf}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := Of(tt.nodes, tt.version)
			if p.Directories != tt.want {
				t.Errorf("directories = %+v, want %+v", p.Directories, tt.want)
			}
			if p.Multus != (tt.name == OpenShift) {
				t.Errorf("Multus = %t", p.Multus)
			}
		})
	}
}
