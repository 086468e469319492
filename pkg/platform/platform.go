// Package platform recognizes kinds of clusters by what their nodes or their server say
// of themselves, and knows what is different on them. docs/clusters.md says the rest.
package platform

import (
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/version"
)

// Platform is a kind of cluster.
type Platform struct {
	Name string
	// Evidence is how it is known.
	Evidence string
	// Directories are where its nodes keep CNI plugins and their configuration.
	Directories
	// Multus: its nodes do not chain plugins, but run those that a pod's annotations name.
	Multus bool
}

// Directories of a node.
type Directories struct {
	// Bin has the programs of CNI plugins, Conf their configuration.
	Bin, Conf string
}

// Usual are the directories of container runtimes that nobody configured otherwise, and of
// kubeadm, kind, minikube, EKS (also on Bottlerocket), AKS, RKE2, Talos and Docker Desktop.
var Usual = Directories{Bin: "/opt/cni/bin", Conf: "/etc/cni/net.d"}

// kind is an entry of the table.
type kind struct {
	name string
	// tells returns the evidence, empty where it is another platform.
	tells func(n *corev1.Node, version string) string
	// directories that are not the usual ones; nil where they are.
	directories func(nodes []*corev1.Node) Directories
}

func fixed(bin, conf string) func([]*corev1.Node) Directories {
	return func([]*corev1.Node) Directories { return Directories{bin, conf} }
}

// The more special come first: k3d is k3s, and Autopilot is GKE.
//
// The directories are those of Istio's own settings for platforms (platform-gke,
// platform-microk8s, platform-openshift); of k3s and k3d they have changed since.
var kinds = []kind{
	{"GKE Autopilot", func(n *corev1.Node, _ string) string {
		return when(strings.HasPrefix(n.Name, "gk3-") && n.Labels["cloud.google.com/gke-nodepool"] != "", "name of node %s, a node of GKE", n.Name)
	}, fixed("/home/kubernetes/bin", Usual.Conf)},
	{"GKE", byVersionOrLabel("-gke.", "cloud.google.com/gke-nodepool"), fixed("/home/kubernetes/bin", Usual.Conf)},
	{"EKS", byVersionOrLabel("-eks-", "eks.amazonaws.com/nodegroup"), nil},
	{"AKS", byVersionOrLabel("", "kubernetes.azure.com/cluster"), nil},
	{OpenShift, byVersionOrLabel("", "node.openshift.io/os_id"), fixed("/var/lib/cni/bin", "/etc/cni/multus/net.d")},
	{"kind", func(n *corev1.Node, _ string) string {
		return when(IsKind(n), "providerID %s of node %s", n.Spec.ProviderID, n.Name)
	}, nil},
	{"minikube", func(n *corev1.Node, _ string) string { return when(IsMinikube(n), "labels of node %s", n.Name) }, nil},
	{"k3d", func(n *corev1.Node, version string) string {
		return when(strings.HasPrefix(n.Name, "k3d-") && strings.Contains(version, "+k3s"), "server version %s, node %s", version, n.Name)
	}, k3d},
	{"k3s", byVersionOrLabel("+k3s", ""), k3s},
	{"RKE2", byVersionOrLabel("+rke2", ""), nil},
	{"Docker Desktop", func(n *corev1.Node, _ string) string {
		return when(n.Name == "docker-desktop", "node %s", n.Name)
	}, nil},
	{"MicroK8s", byVersionOrLabel("", "microk8s.io/cluster"), fixed("/var/snap/microk8s/current/opt/cni/bin", "/var/snap/microk8s/current/args/cni-network")},
	{"Talos", func(n *corev1.Node, _ string) string {
		return when(strings.HasPrefix(n.Status.NodeInfo.OSImage, "Talos "), "operating system %s of node %s", n.Status.NodeInfo.OSImage, n.Name)
	}, nil},
	// Last: others are built with kubeadm as well.
	{"kubeadm", func(n *corev1.Node, _ string) string {
		return when(n.Annotations["kubeadm.alpha.kubernetes.io/cri-socket"] != "", "annotation kubeadm.alpha.kubernetes.io/cri-socket of node %s", n.Name)
	}, nil},
}

// OpenShift is the name of Red Hat's platform.
const OpenShift = "OpenShift"

// Of says which kind of cluster it is, where that can be read and not guessed: by some of
// its nodes, and by the version of its server, which may tell it without them. Nothing that
// is not recognized has a name; its directories are the usual ones.
func Of(nodes []*corev1.Node, version string) Platform {
	if len(nodes) == 0 {
		nodes = []*corev1.Node{{}}
	}
	for _, k := range kinds {
		for _, n := range nodes {
			evidence := k.tells(n, version)
			if evidence == "" {
				continue
			}
			p := Platform{Name: k.name, Evidence: evidence, Directories: Usual, Multus: k.name == OpenShift}
			if k.directories != nil {
				p.Directories = k.directories(nodes)
			}
			return p
		}
	}
	return Platform{Directories: Usual}
}

// String is the name with the evidence.
func (p Platform) String() string {
	if p.Name == "" {
		return "not recognized"
	}
	return fmt.Sprintf("%s (%s)", p.Name, p.Evidence)
}

// IsMinikube tells a node that minikube made, IsKind one that kind made.
func IsMinikube(n *corev1.Node) bool {
	return n.Labels["minikube.k8s.io/name"] != "" || n.Labels["minikube.k8s.io/version"] != ""
}

// IsKind tells a node that kind made.
func IsKind(n *corev1.Node) bool { return strings.HasPrefix(n.Spec.ProviderID, "kind://") }

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

// k3s keeps both below its data directory (data/cni since October 2024, k3s-io/k3s#10869:
// all versions that release 26.03 works on), unless it runs without its own network.
func k3s(nodes []*corev1.Node) Directories {
	data := "/var/lib/rancher/k3s"
	for _, n := range nodes {
		args := k3sArgs(n)
		if args["flannel-backend"] == "none" {
			return Usual
		}
		if d := args["data-dir"]; d != "" {
			data = strings.TrimSuffix(d, "/")
		}
	}
	return Directories{data + "/data/cni", data + "/agent/etc/cni/net.d"}
}

// k3d runs k3s from an image that had the programs in /bin until 1.32.3 (k3s-io/k3s#11497).
func k3d(nodes []*corev1.Node) Directories {
	d := k3s(nodes)
	for _, n := range nodes {
		v, err := version.ParseGeneric(n.Status.NodeInfo.KubeletVersion)
		if err == nil && d != Usual && v.LessThan(version.MustParseGeneric("1.32.3")) {
			d.Bin = "/bin"
		}
	}
	return d
}

// k3sArgs are the flags that k3s was started with on a node, without their dashes. It
// writes them down itself.
func k3sArgs(n *corev1.Node) map[string]string {
	var words []string
	if json.Unmarshal([]byte(n.Annotations["k3s.io/node-args"]), &words) != nil {
		return nil
	}
	out := map[string]string{}
	for i, w := range words {
		name, isFlag := strings.CutPrefix(w, "--")
		if !isFlag {
			continue
		}
		if key, value, ok := strings.Cut(name, "="); ok {
			out[key] = value
		} else if i+1 < len(words) && !strings.HasPrefix(words[i+1], "--") {
			out[name] = words[i+1]
		}
	}
	return out
}
