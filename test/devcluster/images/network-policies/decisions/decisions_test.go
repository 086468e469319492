package decisions

import (
	"encoding/binary"
	"encoding/json"
	"net/netip"
	"os"
	"testing"

	v1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"sigs.k8s.io/kube-network-policies/pkg/networkpolicy"
)

// isolated is the plugin's policy for namespace ada, of a cluster with the public addresses
// 203.0.113.7 and 2001:db8:1::/64; its unit tests keep the file as it is.
const isolated = "../../../../../pkg/users/testdata/isolation.json"

func pod(namespace, name string, labels map[string]string, addresses ...string) *v1.Pod {
	p := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels}, Spec: v1.PodSpec{NodeName: "node"}, Status: v1.PodStatus{Phase: v1.PodRunning}}
	for _, a := range addresses {
		p.Status.PodIPs = append(p.Status.PodIPs, v1.PodIP{IP: a})
	}
	return p
}

func namespace(name string) *v1.Namespace {
	return &v1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{v1.LabelMetadataName: name}}}
}

// Protocols by their numbers.
const (
	tcp = 6
	udp = 17
)

// datagram is what the kernel would hand the enforcer: the headers of the first packet of a
// connection.
func datagram(t *testing.T, from, to string, protocol byte, port uint16) []byte {
	t.Helper()
	source, target := netip.MustParseAddr(from), netip.MustParseAddr(to)
	var b []byte
	if source.Is4() {
		b = make([]byte, 20)
		b[0], b[8], b[9] = 4<<4|5, 64, protocol
		binary.BigEndian.PutUint16(b[2:], 40)
		copy(b[12:], source.AsSlice())
		copy(b[16:], target.AsSlice())
	} else {
		b = make([]byte, 40)
		b[0], b[6], b[7] = 6<<4, protocol, 64
		binary.BigEndian.PutUint16(b[4:], 20)
		copy(b[8:], source.AsSlice())
		copy(b[24:], target.AsSlice())
	}
	rest := make([]byte, 20)
	binary.BigEndian.PutUint16(rest, 40000)
	binary.BigEndian.PutUint16(rest[2:], port)
	rest[12] = 5 << 4 // TCP's header is twenty bytes
	return append(b, rest...)
}

func TestAnIsolatedNamespaceReachesTheInternetAndNoMetadataOverIPv6(t *testing.T) {
	text, err := os.ReadFile(isolated)
	if err != nil {
		t.Fatal(err)
	}
	var policy networkingv1.NetworkPolicy
	if err := json.Unmarshal(text, &policy); err != nil {
		t.Fatal(err)
	}
	const mine, mine4 = "fd00:10:244::5", "10.244.0.5"
	client := fake.NewClientset(
		namespace("ada"), namespace("eve"), namespace("kube-system"), namespace("istio-system"), namespace("kubeflow"), &policy,
		pod("ada", "first-0", nil, mine4, mine), pod("ada", "second-0", nil, "10.244.0.6", "fd00:10:244::6"), pod("eve", "hers-0", nil, "10.244.0.7", "fd00:10:244::7"),
		pod("kube-system", "coredns", map[string]string{"k8s-app": "kube-dns"}, "10.244.0.8", "fd00:10:244::8"),
		pod("istio-system", "istiod", map[string]string{"app": "istiod"}, "10.244.0.9", "fd00:10:244::9"),
		pod("istio-system", "gateway", map[string]string{"app": "istio-ingressgateway"}, "10.244.0.10", "fd00:10:244::a"),
		pod("kubeflow", "jupyter-web-app", map[string]string{"app": "jupyter-web-app"}, "10.244.0.11", "fd00:10:244::b"),
	)
	factory := informers.NewSharedInformerFactory(client, 0)
	c, err := networkpolicy.NewController(client, factory.Networking().V1().NetworkPolicies(), factory.Core().V1().Namespaces(),
		factory.Core().V1().Pods(), nil, nil, nil, nil, networkpolicy.Config{NodeName: "node", QueueID: 100})
	if err != nil {
		t.Fatal(err)
	}
	factory.Start(t.Context().Done())
	factory.WaitForCacheSync(t.Context().Done())
	for name, c2 := range map[string]struct {
		from, to string
		protocol byte
		port     uint16
		passes   bool
	}{
		"the metadata of a cloud":                       {mine, "fd00:ec2::254", tcp, 80, false},
		"the same over IPv4":                            {mine4, "169.254.169.254", tcp, 80, false},
		"the metadata's address in IPv6's way":          {mine, "::ffff:169.254.169.254", tcp, 80, false},
		"the metadata of a cloud on this link":          {mine, "fe80::a9fe:a9fe", tcp, 80, false},
		"the metadata of a cloud by a translated name":  {mine, "64:ff9b::a9fe:a9fe", tcp, 80, false},
		"the internet":                                  {mine, "2606:2800:220:1::1", tcp, 443, true},
		"the internet over IPv4":                        {mine4, "93.184.216.34", tcp, 443, true},
		"a notebook of the namespace":                   {mine, "fd00:10:244::6", tcp, 8888, true},
		"somebody else's notebook":                      {mine, "fd00:10:244::7", tcp, 8888, false},
		"a notebook of the namespace, from another one": {"fd00:10:244::7", mine, tcp, 8888, false},
		"a notebook of the namespace, from the gateway": {"fd00:10:244::a", mine, tcp, 8888, true},
		"DNS":                                        {mine, "fd00:10:244::8", udp, 53, true},
		"another port of DNS":                        {mine, "fd00:10:244::8", tcp, 9153, false},
		"istiod, where sidecars are told":            {mine, "fd00:10:244::9", tcp, 15012, true},
		"istiod, where anybody is told":              {mine, "fd00:10:244::9", tcp, 15010, false},
		"the gateway":                                {mine, "fd00:10:244::a", tcp, 8080, false},
		"the web app":                                {mine, "fd00:10:244::b", tcp, 5000, false},
		"a node with a public address":               {mine, "2001:db8:1::10", tcp, 10250, false},
		"a node with a private address":              {mine, "fd00:20::10", tcp, 10250, false},
		"the metadata from a namespace that is open": {"fd00:10:244::7", "fd00:ec2::254", tcp, 80, true},
	} {
		t.Run(name, func(t *testing.T) {
			passes, err := Passes(t.Context(), c, datagram(t, c2.from, c2.to, c2.protocol, c2.port))
			if err != nil {
				t.Fatal(err)
			}
			if passes != c2.passes {
				t.Errorf("passes: %t, want %t", passes, c2.passes)
			}
		})
	}
}
