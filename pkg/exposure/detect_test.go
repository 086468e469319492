package exposure

import (
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// with changes a snapshot into one of a certain cluster.
type with func(*Snapshot)

func snapshot(all ...with) *Snapshot {
	s := &Snapshot{}
	for _, w := range all {
		w(s)
	}
	return s
}

func node(name string, change ...func(*corev1.Node)) with {
	return func(s *Snapshot) {
		n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{}, Annotations: map[string]string{}}}
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
		for _, c := range change {
			c(&n)
		}
		s.Nodes = append(s.Nodes, n)
	}
}

func at(addresses ...string) func(*corev1.Node) {
	return func(n *corev1.Node) {
		for _, a := range addresses {
			n.Status.Addresses = append(n.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: a})
		}
	}
}

func providerID(id string) func(*corev1.Node) {
	return func(n *corev1.Node) { n.Spec.ProviderID = id }
}

func minikube(n *corev1.Node) { n.Labels["minikube.k8s.io/name"] = "minikube" }

func podSpec(image string, args ...string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "speaker", Image: image, Args: args}}}}
}

func deployment(namespace, name, image string, args ...string) with {
	return func(s *Snapshot) {
		d := appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: appsv1.DeploymentSpec{Template: podSpec(image, args...)}}
		d.Status.AvailableReplicas = 1
		s.Deployments = append(s.Deployments, d)
	}
}

func daemonSet(namespace, name, image string, args ...string) with {
	return func(s *Snapshot) {
		d := appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: appsv1.DaemonSetSpec{Template: podSpec(image, args...)}}
		d.Status.NumberReady, d.Status.DesiredNumberScheduled = 1, 1
		s.DaemonSets = append(s.DaemonSets, d)
	}
}

func definitions(s *Snapshot) { s.PoolKind = true }

func pool(name string, addresses ...string) with {
	return func(s *Snapshot) {
		s.PoolKind = true
		list := make([]any, len(addresses))
		for i, a := range addresses {
			list[i] = a
		}
		s.Pools = append(s.Pools, unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "metallb.io/v1beta1", "kind": "IPAddressPool",
			"metadata": map[string]any{"namespace": metalLBNamespace, "name": name},
			"spec":     map[string]any{"addresses": list},
		}})
	}
}

func config(text string) with {
	return func(s *Snapshot) {
		s.LegacyConfig = &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: metalLBNamespace, Name: "config"}, Data: map[string]string{"config": text}}
	}
}

func service(namespace, name string, change ...func(*corev1.Service)) with {
	return func(s *Snapshot) {
		svc := corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
		svc.Spec.Type = corev1.ServiceTypeLoadBalancer
		svc.Spec.ClusterIP = "10.96.0.10"
		svc.Spec.Ports = []corev1.ServicePort{{Name: "http2", Port: 80}}
		for _, c := range change {
			c(&svc)
		}
		s.Services = append(s.Services, svc)
	}
}

func has(address string) func(*corev1.Service) {
	return func(s *corev1.Service) {
		s.Status.LoadBalancer.Ingress = append(s.Status.LoadBalancer.Ingress, corev1.LoadBalancerIngress{IP: address})
	}
}

const (
	oldController = "quay.io/metallb/controller:v0.9.6@sha256:aa"
	newController = "quay.io/metallb/controller:v0.14.9"
	minikubeEmpty = "address-pools:\n- name: default\n  protocol: layer2\n  addresses:\n  - -\n"
)

func TestWhatGivesAddressesIsFoundOut(t *testing.T) {
	for name, c := range map[string]struct {
		cluster *Snapshot
		want    Provider
		product string
		says    string
		also    string
	}{
		"an empty cluster has nothing":                         {snapshot(node("a", at("10.0.0.5"))), None, "", "no LoadBalancer controller", ""},
		"definitions that an uninstallation left give nothing": {snapshot(definitions), None, "", "no controller that uses them", ""},
		"a ConfigMap without a controller gives nothing":       {snapshot(config(minikubeEmpty)), None, "", "no controller that uses it", ""},
		"MetalLB by custom resources": {
			snapshot(definitions, deployment("metallb-system", "controller", newController)), MetalLB, "MetalLB v0.14.9", "pools: 0", "",
		},
		"MetalLB by Helm, in a namespace of its own": {
			snapshot(pool("a", "10.1.0.0/24"), deployment("lb", "metallb-controller", "quay.io/metallb/controller:v0.15.2")), MetalLB, "MetalLB v0.15.2", "lb/metallb-controller", "",
		},
		"minikube's addon is MetalLB by ConfigMap": {
			snapshot(node("m", minikube), config(minikubeEmpty), deployment("metallb-system", "controller", oldController, "--port=7472", "--config=config")),
			MetalLBConfigMap, "MetalLB v0.9.6", "ranges: 0", "",
		},
		"an old controller beside the definitions of a new one is mixed": {
			snapshot(definitions, deployment("metallb-system", "controller", oldController)), MetalLBMixed, "MetalLB v0.9.6", "kind IPAddressPool is served", "",
		},
		"an old and a new controller are mixed": {
			snapshot(definitions, deployment("a", "controller", oldController), deployment("b", "controller", newController)), MetalLBMixed, "MetalLB v0.14.9", "a/controller", "",
		},
		"ranges in the ConfigMap that the new controller ignores are mixed": {
			snapshot(definitions, config("address-pools:\n- {name: x, addresses: [10.0.0.1-10.0.0.2]}"), deployment("metallb-system", "controller", newController)),
			MetalLBMixed, "MetalLB v0.14.9", "ranges: 1", "",
		},
		"a ConfigMap that a new controller with pools has outlived is no harm": {
			snapshot(pool("a", "10.1.0.0/24"), config("address-pools:\n- {name: x, addresses: [10.0.0.1-10.0.0.2]}"), deployment("metallb-system", "controller", newController)),
			MetalLB, "MetalLB v0.14.9", "pools: 1", "",
		},
		"an image without a version is what its definitions say": {
			snapshot(definitions, deployment("metallb-system", "controller", "registry.example.com/mirror/metallb/controller@sha256:bb")), MetalLB, "MetalLB", "mirror", "",
		},
		"k3s brings ServiceLB": {
			snapshot(node("k", func(n *corev1.Node) { n.Status.NodeInfo.KubeletVersion = "v1.31.4+k3s1" })), ServiceLB, "ServiceLB (k3s)", "v1.31.4+k3s1", "",
		},
		"k3s without ServiceLB has nothing": {
			snapshot(node("k", func(n *corev1.Node) {
				n.Status.NodeInfo.KubeletVersion = "v1.31.4+k3s1"
				n.Annotations["k3s.io/node-args"] = `["server","--disable","traefik","--disable","servicelb"]`
			})), None, "", "no LoadBalancer controller", "",
		},
		"MetalLB on k3s counts more than ServiceLB, which is named": {
			snapshot(node("k", func(n *corev1.Node) { n.Status.NodeInfo.KubeletVersion = "v1.31.4+k3s1" }), definitions, deployment("metallb-system", "controller", newController)),
			MetalLB, "MetalLB v0.14.9", "pools: 0", "ServiceLB (k3s)",
		},
		"Cilium with a pool": {
			snapshot(daemonSet("kube-system", "cilium", "quay.io/cilium/cilium:v1.17.0"), func(s *Snapshot) { s.CiliumPools = make([]unstructured.Unstructured, 2) }),
			Cilium, "Cilium", "CiliumLoadBalancerIPPools: 2", "",
		},
		"Cilium without a pool gives nothing": {snapshot(daemonSet("kube-system", "cilium", "quay.io/cilium/cilium:v1.17.0")), None, "", "no LoadBalancer controller", ""},
		"kube-vip":                            {snapshot(deployment("kube-system", "kvcp", "ghcr.io/kube-vip/kube-vip-cloud-provider:v0.0.11")), Other, "kube-vip", "kvcp", ""},
		"cloud-provider-kind shows in a Service that it served": {
			snapshot(node("k", providerID("kind://docker/kind/k")), service("default", "web", has("172.18.0.5"), func(s *corev1.Service) { s.Finalizers = []string{serviceControllerFinalizer} })),
			CloudProviderKind, "cloud-provider-kind", "172.18.0.5", "",
		},
		"minikube tunnel gives the cluster IP": {
			snapshot(node("m", minikube), service("default", "web", has("10.96.0.10"))), MinikubeTunnel, "minikube tunnel", "its own cluster IP", "",
		},
		"a cloud is known by its nodes":           {snapshot(node("e", providerID("aws:///eu-west-1a/i-0123"))), Cloud, "AWS", "aws:///eu-west-1a/i-0123", ""},
		"vSphere names machines and no addresses": {snapshot(node("v", providerID("vsphere://4214"))), None, "", "no LoadBalancer controller", ""},
		"an address of unknown origin proves that somebody gives them": {
			snapshot(service("default", "web", has("10.9.9.9"))), Other, "an unknown controller", "10.9.9.9", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := c.cluster.Detect()
			if d.Provider != c.want || d.Product != c.product {
				t.Errorf("Detect() = %s (%q), want %s (%q)", d.Provider, d.Product, c.want, c.product)
			}
			if !strings.Contains(strings.Join(d.Evidence, "\n"), c.says) {
				t.Errorf("evidence %q does not say %q", d.Evidence, c.says)
			}
			if c.also != "" && !slices.Contains(d.Also, c.also) || c.also == "" && len(d.Also) > 0 {
				t.Errorf("also = %q, want %q", d.Also, c.also)
			}
		})
	}
}
