package users

import (
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
)

// somewhere is a pod, or an address that no pod has.
type somewhere struct {
	namespace string
	labels    map[string]string
	address   string
}

func policyOf(t *testing.T, own ...string) *networkingv1.NetworkPolicy {
	t.Helper()
	var prefixes []netip.Prefix
	for _, p := range own {
		prefixes = append(prefixes, netip.MustParsePrefix(p))
	}
	u, err := isolation("ada", prefixes)
	if err != nil {
		t.Fatal(err)
	}
	policy := &networkingv1.NetworkPolicy{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, policy); err != nil {
		t.Fatal(err)
	}
	return policy
}

var update = flag.Bool("update", false, "rewrite the expected policy")

// The file is what a real enforcer's decisions are tried with, in test/devcluster.
func TestTheIsolationPolicyIsTheOneThatAnEnforcerIsTriedWith(t *testing.T) {
	got, err := json.MarshalIndent(policyOf(t, "203.0.113.7/32", "2001:db8:1::/64"), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	const file = "testdata/isolation.json"
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("the policy has changed (-update rewrites it):\n%s", diff)
	}
}

// is tells whether a peer of a policy of namespace ada means the place.
func is(t *testing.T, p networkingv1.NetworkPolicyPeer, s somewhere) bool {
	t.Helper()
	if p.IPBlock != nil {
		a, err := netip.ParseAddr(s.address)
		within := func(cidr string) bool { return netip.MustParsePrefix(cidr).Contains(a) }
		return err == nil && within(p.IPBlock.CIDR) && !slices.ContainsFunc(p.IPBlock.Except, within)
	}
	match := func(selector *metav1.LabelSelector, set map[string]string) bool {
		l, err := metav1.LabelSelectorAsSelector(selector)
		if err != nil {
			t.Fatal(err)
		}
		return l.Matches(labels.Set(set))
	}
	namespace := s.namespace == "ada"
	if p.NamespaceSelector != nil {
		namespace = s.namespace != "" && match(p.NamespaceSelector, map[string]string{corev1.LabelMetadataName: s.namespace})
	}
	return namespace && match(p.PodSelector, s.labels)
}

func TestAnIsolatedNamespaceReachesWhatItMayAndNothingElse(t *testing.T) {
	policy := policyOf(t, "203.0.113.7/32", "2001:db8:1::/64")
	for name, c := range map[string]struct {
		to       somewhere
		protocol corev1.Protocol
		port     int32
		reaches  bool
	}{
		"its own pods":                            {somewhere{"ada", map[string]string{"notebook-name": "x"}, "10.1.1.1"}, corev1.ProtocolTCP, 8888, true},
		"the cluster's DNS":                       {somewhere{"kube-system", map[string]string{"k8s-app": "kube-dns"}, "10.1.1.2"}, corev1.ProtocolUDP, 53, true},
		"DNS on the node":                         {somewhere{address: "169.254.20.10"}, corev1.ProtocolUDP, 53, true},
		"another port of DNS":                     {somewhere{"kube-system", map[string]string{"k8s-app": "kube-dns"}, "10.1.1.2"}, corev1.ProtocolTCP, 9153, false},
		"istiod, where sidecars are told":         {somewhere{"istio-system", map[string]string{"app": "istiod"}, "10.1.1.3"}, corev1.ProtocolTCP, 15012, true},
		"istiod, where anybody is told":           {somewhere{"istio-system", map[string]string{"app": "istiod"}, "10.1.1.3"}, corev1.ProtocolTCP, 15010, false},
		"the gateway":                             {somewhere{"istio-system", map[string]string{"app": "istio-ingressgateway"}, "10.1.1.4"}, corev1.ProtocolTCP, 8080, false},
		"somebody else's notebook":                {somewhere{"eve", map[string]string{"notebook-name": "x"}, "10.1.1.5"}, corev1.ProtocolTCP, 8888, false},
		"the web app":                             {somewhere{"kubeflow", map[string]string{"app": "jupyter-web-app"}, "10.1.1.6"}, corev1.ProtocolTCP, 5000, false},
		"Dex":                                     {somewhere{"auth", map[string]string{"app": "dex"}, "10.1.1.7"}, corev1.ProtocolTCP, 5556, false},
		"a pod that says it is DNS":               {somewhere{"eve", map[string]string{"k8s-app": "kube-dns"}, "10.1.1.8"}, corev1.ProtocolUDP, 53, false},
		"a node":                                  {somewhere{address: "192.168.1.10"}, corev1.ProtocolTCP, 10250, false},
		"a node with a public address":            {somewhere{address: "203.0.113.7"}, corev1.ProtocolTCP, 6443, false},
		"a pod with a public address":             {somewhere{address: "2001:db8:1::5"}, corev1.ProtocolTCP, 8888, false},
		"a cloud's metadata":                      {somewhere{address: "169.254.169.254"}, corev1.ProtocolTCP, 80, false},
		"a cloud's metadata over IPv6":            {somewhere{address: "fd00:ec2::254"}, corev1.ProtocolTCP, 80, false},
		"Azure's":                                 {somewhere{address: "168.63.129.16"}, corev1.ProtocolTCP, 80, false},
		"a network behind a carrier's":            {somewhere{address: "100.100.100.200"}, corev1.ProtocolTCP, 80, false},
		"this link":                               {somewhere{address: "fe80::1"}, corev1.ProtocolTCP, 80, false},
		"the metadata as an IPv4 address in IPv6": {somewhere{address: "::ffff:169.254.169.254"}, corev1.ProtocolTCP, 80, false},
		"the internet":                            {somewhere{address: "203.0.113.8"}, corev1.ProtocolTCP, 443, true},
		"the internet over IPv6":                  {somewhere{address: "2001:db8:2::1"}, corev1.ProtocolTCP, 443, true},
	} {
		t.Run(name, func(t *testing.T) {
			reaches := false
			for _, rule := range policy.Spec.Egress {
				port := len(rule.Ports) == 0 || slices.ContainsFunc(rule.Ports, func(p networkingv1.NetworkPolicyPort) bool {
					return *p.Protocol == c.protocol && p.Port.IntVal == c.port
				})
				reaches = reaches || port && slices.ContainsFunc(rule.To, func(p networkingv1.NetworkPolicyPeer) bool { return is(t, p, c.to) })
			}
			if reaches != c.reaches {
				t.Errorf("reached: %t, want %t", reaches, c.reaches)
			}
		})
	}
	for name, c := range map[string]struct {
		from    somewhere
		reaches bool
	}{
		"the gateway":                 {somewhere{"istio-system", map[string]string{"app": "istio-ingressgateway"}, ""}, true},
		"the notebook controller":     {somewhere{"kubeflow", map[string]string{"app": "notebook-controller"}, ""}, true},
		"its own pods":                {somewhere{"ada", nil, ""}, true},
		"somebody else's notebook":    {somewhere{"eve", map[string]string{"notebook-name": "x"}, ""}, false},
		"a pod that calls itself one": {somewhere{"eve", map[string]string{"app": "istio-ingressgateway"}, ""}, false},
		"the web app":                 {somewhere{"kubeflow", map[string]string{"app": "jupyter-web-app"}, ""}, false},
	} {
		if got := slices.ContainsFunc(policy.Spec.Ingress[0].From, func(p networkingv1.NetworkPolicyPeer) bool { return is(t, p, c.from) }); got != c.reaches {
			t.Errorf("%s reaches it: %t, want %t", name, got, c.reaches)
		}
	}
	if len(policy.Spec.PolicyTypes) != 2 || len(policy.Spec.PodSelector.MatchLabels) > 0 {
		t.Errorf("the policy is %v of pods %v, want both directions of all", policy.Spec.PolicyTypes, policy.Spec.PodSelector)
	}
}

func TestOnlyAddressesOfTheInternetAreNamed(t *testing.T) {
	for prefix, want := range map[string]bool{
		"203.0.113.7/32": true, "10.0.0.1/32": false, "192.168.0.0/24": false, "8.0.0.0/8": true, "172.16.0.0/11": true, "0.0.0.0/0": false,
		"2001:db8::1/128": true, "fd00::1/128": false, "fe80::1/128": false, "2000::/3": false,
	} {
		if got := public(netip.MustParsePrefix(prefix)); got != want {
			t.Errorf("%s is named: %t, want %t", prefix, got, want)
		}
	}
}

func TestWhatIsKnownOfANetwork(t *testing.T) {
	set := func(images ...string) appsv1.DaemonSet {
		d := appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "net"}}
		for _, i := range images {
			d.Spec.Template.Spec.Containers = append(d.Spec.Template.Spec.Containers, corev1.Container{Image: i})
		}
		return d
	}
	for name, c := range map[string]struct {
		sets []appsv1.DaemonSet
		want Enforcement
	}{
		"nothing":                   {nil, NotKnown},
		"another program":           {[]appsv1.DaemonSet{set("registry.k8s.io/kube-proxy:v1.36.0")}, NotKnown},
		"flannel":                   {[]appsv1.DaemonSet{set("ghcr.io/flannel-io/flannel:v0.27.0"), set("docker.io/flannel/flannel:v0.25.1")}, NotEnforced},
		"flannel with Calico":       {[]appsv1.DaemonSet{set("docker.io/flannel/flannel:v0.25.1"), set("docker.io/calico/node:v3.29.0")}, Enforced},
		"Calico and flannel in one": {[]appsv1.DaemonSet{set("quay.io/calico/node:v3.29.0", "docker.io/flannel/flannel:v0.25.1")}, Enforced},
		"Cilium":                    {[]appsv1.DaemonSet{set("quay.io/cilium/cilium:v1.17.0@sha256:0")}, Enforced},
		"an old kind":               {[]appsv1.DaemonSet{set("docker.io/kindest/kindnetd:v20240202-8f1494ea")}, NotEnforced},
		"a new kind":                {[]appsv1.DaemonSet{set("docker.io/kindest/kindnetd:v20250214-acbabc1a")}, Enforced},
		"EKS":                       {[]appsv1.DaemonSet{set("602401143452.dkr.ecr.eu-west-1.amazonaws.com/amazon-k8s-cni:v1.19.0")}, NotEnforced},
		"EKS with its agent":        {[]appsv1.DaemonSet{set("x/amazon-k8s-cni:v1.19.0", "x/amazon/aws-network-policy-agent:v1.1.5")}, Enforced},
	} {
		if got, by := enforcement(c.sets); got != c.want || got != NotKnown && by == "" {
			t.Errorf("%s: %s by %q, want %s", name, got, by, c.want)
		}
	}
}
