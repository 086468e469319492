package exposure

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/platform"
)

// Detection is what assigns LoadBalancer addresses in a cluster, and how that is known.
type Detection struct {
	Provider Provider `json:"provider"`
	// Product is how people name it, with its version where that is known: "MetalLB v0.14.9".
	Product string `json:"product,omitempty"`
	Version string `json:"version,omitempty"`
	// Namespace of its controller, where that runs in the cluster.
	Namespace string `json:"namespace,omitempty"`
	// Ours tells that this program installed it.
	Ours     bool     `json:"ours,omitempty"`
	Platform Platform `json:"platform,omitempty"`
	// Evidence is what the cluster said, one finding a line.
	Evidence []string `json:"evidence,omitempty"`
	// PortsTaken says which ports of the nodes that the gateway needs another Service has, where
	// addresses are those of nodes.
	PortsTaken []string `json:"portsTaken,omitempty"`
	// Also are further providers that were found; the first one in rank counts.
	Also []string `json:"also,omitempty"`
}

// String is one phrase for a person.
func (d Detection) String() string {
	if d.Provider == None {
		return "nothing"
	}
	if d.Namespace != "" {
		return d.Product + " in namespace " + d.Namespace
	}
	return d.Product
}

// Detect finds out what assigns LoadBalancer addresses in the cluster.
func Detect(ctx context.Context, c *cluster.Cluster) (*Detection, error) {
	s, err := Read(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("cannot detect the LoadBalancer controller: %w", err)
	}
	d := s.Detect()
	return &d, nil
}

// serviceControllerFinalizer is set by controllers that are made with Kubernetes' own
// library for clouds.
const serviceControllerFinalizer = "service.kubernetes.io/load-balancer-cleanup"

// Detect names the provider that a snapshot proves. A controller in the cluster counts
// more than what the nodes are said to be of, since somebody put it there.
func (s *Snapshot) Detect() Detection {
	platform := s.platform()
	var found []Detection
	for _, look := range []func() (Detection, bool){s.metalLB, s.cilium, s.other, s.serviceLB, s.outside, s.cloud} {
		if d, ok := look(); ok {
			found = append(found, d)
		}
	}
	if d, ok := s.unknown(); ok && len(found) == 0 {
		found = append(found, d)
	}
	if len(found) == 0 {
		d := Detection{Provider: None, Platform: platform, Evidence: []string{"the cluster has no LoadBalancer controller, and the nodes do not belong to a cloud provider"}}
		if s.PoolKind {
			d.Evidence = append(d.Evidence, "MetalLB's CRDs exist, but no controller that uses them")
		}
		if s.LegacyConfig != nil {
			d.Evidence = append(d.Evidence, fmt.Sprintf("ConfigMap %s/%s of MetalLB exists, but no controller that uses it", s.LegacyConfig.Namespace, s.LegacyConfig.Name))
		}
		return d
	}
	d := found[0]
	d.Platform = platform
	for _, other := range found[1:] {
		if other.Product != d.Product {
			d.Also = append(d.Also, other.Product)
		}
	}
	return d
}

// configMapUntil is the first version of MetalLB that heeds its ConfigMap no more.
const configMapUntil = "0.13.0"

func (s *Snapshot) metalLB() (Detection, bool) {
	controllers := s.controllers(metalLBController)
	if len(controllers) == 0 {
		return Detection{}, false
	}
	var old, current []*appsv1.Deployment
	d := Detection{}
	for _, c := range controllers {
		image := c.Spec.Template.Spec.Containers[0].Image
		v := imageVersion(image)
		d.Evidence = append(d.Evidence, fmt.Sprintf("Deployment %s/%s: image %s", c.Namespace, c.Name, image))
		// Without a version to read, what it could heed decides.
		if v != "" && !atLeast(v, configMapUntil) || v == "" && !s.PoolKind {
			old = append(old, c)
		} else {
			current = append(current, c)
		}
	}
	first := slices.Concat(current, old)[0]
	d.Version, d.Namespace = imageVersion(first.Spec.Template.Spec.Containers[0].Image), first.Namespace
	d.Product = strings.TrimSpace("MetalLB " + d.Version)
	d.Ours = first.Labels[components.ComponentLabel] == "metallb"
	if s.PoolKind {
		d.Evidence = append(d.Evidence, fmt.Sprintf("kind IPAddressPool is served, pools: %d", len(s.Pools)))
	}
	ranges := 0
	if c := s.LegacyConfig; c != nil {
		for _, p := range s.legacyPools() {
			ranges += len(p.Ranges)
		}
		d.Evidence = append(d.Evidence, fmt.Sprintf("ConfigMap %s/%s: ranges: %d", c.Namespace, c.Name, ranges))
	}
	switch {
	case len(old) > 0 && len(current) > 0,
		len(old) > 0 && s.PoolKind,
		// The ranges that somebody wrote down would be passed over in silence.
		len(current) > 0 && ranges > 0 && len(s.Pools) == 0:
		d.Provider = MetalLBMixed
	case len(old) > 0:
		d.Provider = MetalLBConfigMap
	default:
		d.Provider = MetalLB
	}
	return d, true
}

func (s *Snapshot) cilium() (Detection, bool) {
	agents := s.daemons(ciliumAgent)
	if len(agents) == 0 || len(s.CiliumPools) == 0 {
		return Detection{}, false // without a pool its IPAM gives nothing
	}
	return Detection{Provider: Cilium, Product: "Cilium", Namespace: agents[0].Namespace, Evidence: []string{
		fmt.Sprintf("DaemonSet %s/%s, CiliumLoadBalancerIPPools: %d", agents[0].Namespace, agents[0].Name, len(s.CiliumPools)),
	}}, true
}

func (s *Snapshot) other() (Detection, bool) {
	found := func(product, kind, namespace, name string) (Detection, bool) {
		return Detection{Provider: Other, Product: product, Namespace: namespace, Evidence: []string{fmt.Sprintf("%s %s/%s", kind, namespace, name)}}, true
	}
	for _, product := range []string{"kube-vip", "PureLB", "LoxiLB", "OpenELB"} {
		for _, c := range s.controllers(product) {
			return found(product, "Deployment", c.Namespace, c.Name)
		}
		for _, c := range s.daemons(product) {
			return found(product, "DaemonSet", c.Namespace, c.Name)
		}
	}
	return Detection{}, false
}

// serviceLB is part of every k3s that was not started without it.
func (s *Snapshot) serviceLB() (Detection, bool) {
	d := Detection{Provider: ServiceLB, Product: "ServiceLB (k3s)"}
	for _, pod := range s.daemons(serviceLBPod) {
		d.Evidence = append(d.Evidence, fmt.Sprintf("DaemonSet %s/%s", pod.Namespace, pod.Name))
		if ref := servedBy(pod); ref.Name != ServiceName {
			for _, port := range hostPorts(&pod.Spec.Template.Spec) {
				if port == 80 || port == 443 {
					d.PortsTaken = append(d.PortsTaken, fmt.Sprintf("port %d of the nodes: Service %s", port, strings.TrimPrefix(ref.Namespace+"/"+ref.Name, "/")))
				}
			}
		}
	}
	if len(d.Evidence) > 0 {
		return d, true
	}
	for _, n := range s.Nodes {
		if !strings.Contains(n.Status.NodeInfo.KubeletVersion, "+k3s") {
			continue
		}
		if disabledServiceLB.MatchString(n.Annotations["k3s.io/node-args"]) {
			return Detection{}, false
		}
		d.Evidence = []string{fmt.Sprintf("Node %s: kubelet %s", n.Name, n.Status.NodeInfo.KubeletVersion)}
	}
	return d, len(d.Evidence) > 0
}

// disabledServiceLB reads the annotation with a node's arguments, a JSON list:
// --disable servicelb, --disable=servicelb, also among several, or --disable-cloud-controller.
var disabledServiceLB = regexp.MustCompile(`"--disable[",= ]+[^-\]]*servicelb|"--disable-cloud-controller"`)

// outside are the controllers that run beside the cluster. They show in what they did.
func (s *Snapshot) outside() (Detection, bool) {
	platform := s.platform()
	for i := range s.Services {
		svc := &s.Services[i]
		if svc.Spec.Type != corev1.ServiceTypeLoadBalancer || len(svc.Status.LoadBalancer.Ingress) == 0 {
			continue
		}
		ingress := svc.Status.LoadBalancer.Ingress[0]
		says := fmt.Sprintf("Service %s/%s has the address %s", svc.Namespace, svc.Name, ingress.IP+ingress.Hostname)
		switch {
		case platform == PlatformMinikube && ingress.IP != "" && ingress.IP == svc.Spec.ClusterIP:
			return Detection{Provider: MinikubeTunnel, Product: "minikube tunnel", Evidence: []string{says + ", its own cluster IP"}}, true
		case platform == PlatformKind && slices.Contains(svc.Finalizers, serviceControllerFinalizer):
			return Detection{Provider: CloudProviderKind, Product: "cloud-provider-kind", Evidence: []string{says + " and the finalizer " + serviceControllerFinalizer}}, true
		case ingress.Hostname == "localhost":
			return Detection{Provider: Other, Product: "Docker Desktop", Evidence: []string{says}}, true
		}
	}
	return Detection{}, false
}

// clouds with a controller for load balancers, by the scheme of spec.providerID. What is
// not here, such as vsphere, names machines without bringing addresses.
var clouds = map[string]string{
	"aws": "AWS", "gce": "Google Cloud", "azure": "Azure", "digitalocean": "DigitalOcean", "openstack": "OpenStack",
	"hcloud": "Hetzner Cloud", "ibm": "IBM Cloud", "linode": "Linode", "vultr": "Vultr", "scaleway": "Scaleway",
	"exoscale": "Exoscale", "oci": "Oracle Cloud", "qcloud": "Tencent Cloud", "alicloud": "Alibaba Cloud", "civo": "Civo",
	"upcloud": "UpCloud", "ionos": "IONOS", "stackit": "STACKIT", "cloudstack": "CloudStack", "yandex": "Yandex Cloud",
	"kubevirt": "KubeVirt", "harvester": "Harvester",
}

func (s *Snapshot) cloud() (Detection, bool) {
	for _, n := range s.Nodes {
		scheme, _, ok := strings.Cut(n.Spec.ProviderID, "://")
		if strings.HasPrefix(n.Spec.ProviderID, "ocid1.") {
			scheme, ok = "oci", true // Oracle's has no scheme
		}
		if name := clouds[scheme]; ok && name != "" {
			return Detection{Provider: Cloud, Product: name, Evidence: []string{fmt.Sprintf("Node %s: providerID %s", n.Name, n.Spec.ProviderID)}}, true
		}
	}
	return Detection{}, false
}

// unknown is whoever gave another Service its address.
func (s *Snapshot) unknown() (Detection, bool) {
	for i := range s.Services {
		svc := &s.Services[i]
		if svc.Spec.Type == corev1.ServiceTypeLoadBalancer && len(svc.Status.LoadBalancer.Ingress) > 0 {
			given := svc.Status.LoadBalancer.Ingress[0]
			return Detection{Provider: Other, Product: "an unknown controller", Evidence: []string{
				fmt.Sprintf("Service %s/%s has the address %s", svc.Namespace, svc.Name, given.IP+given.Hostname),
			}}, true
		}
	}
	return Detection{}, false
}

func (s *Snapshot) platform() Platform {
	for i := range s.Nodes {
		if p := PlatformOf(&s.Nodes[i]); p != PlatformOther {
			return p
		}
	}
	return PlatformOther
}

// PlatformOf tells by one node whether the cluster's network is one that minikube or kind made.
func PlatformOf(n *corev1.Node) Platform {
	switch {
	case platform.IsMinikube(n):
		return PlatformMinikube
	case platform.IsKind(n):
		return PlatformKind
	}
	return PlatformOther
}
