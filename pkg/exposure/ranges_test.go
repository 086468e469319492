package exposure

import (
	"net/netip"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestRangesAreReadAsPeopleWriteThem(t *testing.T) {
	for text, want := range map[string]struct{ from, to, shown, size string }{
		"192.168.49.240-192.168.49.250":     {"192.168.49.240", "192.168.49.250", "192.168.49.240-192.168.49.250", "11"},
		" 192.168.49.240 - 192.168.49.250 ": {"192.168.49.240", "192.168.49.250", "192.168.49.240-192.168.49.250", "11"},
		"192.168.49.240/28":                 {"192.168.49.240", "192.168.49.255", "192.168.49.240/28", "16"},
		"10.1.0.5/32":                       {"10.1.0.5", "10.1.0.5", "10.1.0.5/32", "1"},
		"10.1.0.5-10.1.0.5":                 {"10.1.0.5", "10.1.0.5", "10.1.0.5-10.1.0.5", "1"},
		"10.1.0.250-10.1.1.5":               {"10.1.0.250", "10.1.1.5", "10.1.0.250-10.1.1.5", "12"},
		"fd00:1::10-fd00:1::1f":             {"fd00:1::10", "fd00:1::1f", "fd00:1::10-fd00:1::1f", "16"},
		"fd00:1::/64":                       {"fd00:1::", "fd00:1::ffff:ffff:ffff:ffff", "fd00:1::/64", "18446744073709551616"},
	} {
		r, err := ParseRange(text)
		if err != nil {
			t.Errorf("ParseRange(%q): %v", text, err)
			continue
		}
		if r.From != netip.MustParseAddr(want.from) || r.To != netip.MustParseAddr(want.to) || r.String() != want.shown || r.size().String() != want.size {
			t.Errorf("ParseRange(%q) = %s to %s, %q, %s addresses, want %v", text, r.From, r.To, r, r.size(), want)
		}
	}
}

func TestWhatIsNoRangeIsRefusedWithWhatToWrite(t *testing.T) {
	for text, says := range map[string]string{
		"":                                "is empty",
		"10.1.0.250-10.1.0.240":           "write 10.1.0.240-10.1.0.250",
		"10.1.0.5":                        "write 10.1.0.5-10.1.0.5",
		"10.1.0.5/24":                     "write 10.1.0.0/24",
		"10.1.0.5-250":                    `"250" is not an IP address`,
		"10.1.0.5-fd00::1":                "mixes IPv4 and IPv6",
		"10.1.0.5-10.1.0.300":             `"10.1.0.300" is not an IP address`,
		"printers":                        "neither START-END nor a CIDR",
		"10.1.0.0/240":                    "is not a CIDR",
		"10.0.0.0/8":                      "more than the limit of 65536",
		"127.0.0.1-127.0.0.9":             "127.0.0.0/8",
		"224.0.0.1-224.0.0.9":             "multicast",
		"169.254.1.1-169.254.1.9":         "link-local",
		"255.255.255.250-255.255.255.254": "reserved",
		"fe80::1-fe80::9":                 "link-local",
		"::ffff:10.1.0.1-::ffff:10.1.0.9": "write ::ffff:10.1.0.1 as the IPv4 address 10.1.0.1",
		"fe80::1%eth0-fe80::9%eth0":       "has a zone",
	} {
		if r, err := ParseRange(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("ParseRange(%q) = %s, %v, want an error that says %q", text, r, err, says)
		}
	}
}

func podRange(block string) func(*corev1.Node) {
	return func(n *corev1.Node) { n.Spec.PodCIDRs = append(n.Spec.PodCIDRs, block) }
}

func serviceRange(block string) with {
	return func(s *Snapshot) { s.ServiceRanges = append(s.ServiceRanges, block) }
}

func TestRangesThatSomebodyElseHasAreRefused(t *testing.T) {
	lan := []with{node("a", at("192.168.10.5"), podRange("10.244.0.0/24")), node("b", at("192.168.10.245")), serviceRange("10.96.0.0/12")}
	for name, c := range map[string]struct {
		more   []with
		ranges []string
		says   []string // nothing: it is fine
		warns  string
	}{
		"free addresses of the nodes' network are fine": {nil, []string{"192.168.10.200-192.168.10.210"}, nil, ""},
		"a node's address":      {nil, []string{"192.168.10.240-192.168.10.250"}, []string{"192.168.10.245, the address of node b"}, ""},
		"the network address":   {nil, []string{"192.168.10.0-192.168.10.4"}, []string{"192.168.10.0, the network address of 192.168.10.0/24", "start with 192.168.10.1"}, ""},
		"the broadcast address": {nil, []string{"192.168.10.250-192.168.10.255"}, []string{"the broadcast address", "end with 192.168.10.254"}, ""},
		"the Services' range":   {nil, []string{"10.100.0.1-10.100.0.9"}, []string{"10.96.0.0/12", "cluster IPs"}, ""},
		"a node's pods":         {nil, []string{"10.244.0.0/28"}, []string{"10.244.0.0/24", "pod range of node a"}, ""},
		"Calico's pods": {[]with{func(s *Snapshot) {
			u := unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"name": "all"}, "spec": map[string]any{"cidr": "172.31.0.0/16"}}}
			s.CalicoPools = append(s.CalicoPools, u)
		}}, []string{"172.31.9.0/28"}, []string{"172.31.0.0/16", "IPPool all"}, ""},
		"two ranges that overlap": {nil, []string{"192.168.10.200-192.168.10.210", "192.168.10.210-192.168.10.220"}, []string{"overlap"}, ""},
		"several mistakes are told at once": {
			nil,
			[]string{"192.168.10.0-192.168.10.9", "10.100.0.1-10.100.0.9"},
			[]string{"network address", "address of node a", "cluster IPs"},
			"",
		},
		"somebody else's pool": {
			[]with{pool("theirs", "192.168.10.208/28"), deployment("metallb-system", "controller", newController)},
			[]string{"192.168.10.200-192.168.10.210"},
			[]string{"pool theirs", "omit the range to use that pool"},
			"",
		},
		"our own pool may change": {
			[]with{pool(PoolName, "192.168.10.200-192.168.10.205"), deployment("metallb-system", "controller", newController)},
			[]string{"192.168.10.200-192.168.10.210"},
			nil, "",
		},
		"but takes no address away from a Service": {
			[]with{
				pool(PoolName, "192.168.10.200-192.168.10.205"), deployment("metallb-system", "controller", newController),
				service("shop", "web", has("192.168.10.201")),
			},
			[]string{"192.168.10.203-192.168.10.210"},
			[]string{"Service shop/web has 192.168.10.201", "would lose it"},
			"",
		},
		"a load balancer's address of another origin": {
			[]with{service("shop", "web", has("192.168.10.201"))},
			[]string{"192.168.10.200-192.168.10.210"},
			[]string{"the load balancer address of Service shop/web"},
			"",
		},
		"the gateway's own address is no obstacle": {[]with{service(Namespace, ServiceName, has("192.168.10.201"))}, []string{"192.168.10.200-192.168.10.210"}, nil, ""},
		"an external IP": {
			[]with{service("shop", "web", func(s *corev1.Service) { s.Spec.ExternalIPs = []string{"192.168.10.202"} })},
			[]string{"192.168.10.200-192.168.10.210"},
			[]string{"external IP of Service shop/web"},
			"",
		},
		"a cluster IP, where the range is not known": {
			[]with{service("shop", "web", func(s *corev1.Service) { s.Spec.ClusterIP = "172.30.0.7" })},
			[]string{"172.30.0.0/28"},
			[]string{"172.30.0.7, the cluster IP of Service shop/web"},
			"",
		},
		"far from the nodes is a warning":                      {nil, []string{"203.0.113.8-203.0.113.15"}, nil, "outside the nodes' networks if these are 192.168.10.0/24"},
		"a LAN of /23: the range crosses the /24 of the nodes": {nil, []string{"192.168.10.250-192.168.11.9"}, nil, "only if the network of node a (192.168.10.5) is larger than 192.168.10.0/24"},
		"a LAN of /22: the nodes are in two /24 of it":         {[]with{node("c", at("192.168.9.180"))}, []string{"192.168.10.250-192.168.10.255"}, nil, "is larger than 192.168.10.0/24"},
		"nodes in another network do not make this one larger": {[]with{node("c", at("10.8.0.180"))}, []string{"192.168.10.250-192.168.10.255"}, []string{"the broadcast address"}, ""},
		"a family that no node has":                            {nil, []string{"fd00:1::10-fd00:1::1f"}, nil, "no node has an address of the same family"},
		"an IPv6 network address":                              {[]with{node("c", at("fd00:1::5"))}, []string{"fd00:1::-fd00:1::3"}, []string{"network address of fd00:1::/64"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := snapshot(append(append([]with{}, lan...), c.more...)...)
			warnings, err := s.CheckRanges(ranges(t, c.ranges...), s.AllPools(s.Detect().Provider))
			if (err != nil) != (len(c.says) > 0) {
				t.Fatalf("CheckRanges = %v, want an error that says %q", err, c.says)
			}
			for _, w := range c.says {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("the error does not say %q:\n%v", w, err)
				}
			}
			if got := strings.Join(warnings, "\n"); !strings.Contains(got, c.warns) || c.warns == "" && got != "" {
				t.Errorf("warnings = %q, want %q", got, c.warns)
			}
		})
	}
}

func TestTheGatewayOfANetworkThatMinikubeOrKindCreatedIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		cluster *Snapshot
		pool    string
		refused bool
	}{
		"minikube":              {snapshot(node("m", minikube, at("192.168.49.2"))), "192.168.49.1-192.168.49.1", true},
		"kind":                  {snapshot(node("k", providerID("kind://docker/kind/k"), at("172.18.0.2"))), "172.18.0.1-172.18.0.1", true},
		"a LAN has it anywhere": {snapshot(node("n", at("192.168.49.2"))), "192.168.49.1-192.168.49.1", false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.cluster.CheckRanges(ranges(t, c.pool), nil)
			if (err != nil) != c.refused || err != nil && !strings.Contains(err.Error(), "the gateway of the network") {
				t.Errorf("CheckRanges = %v, want it refused: %v", err, c.refused)
			}
		})
	}
}

func TestARangeIsProposedWhereTheNetworkIsKnown(t *testing.T) {
	kind := func(id string, address string) with { return node("k", providerID(id), at(address)) }
	for name, c := range map[string]struct {
		cluster *Snapshot
		want    string
		says    string
	}{
		"minikube on Docker":          {snapshot(node("m", minikube, at("192.168.49.2"))), "192.168.49.240-192.168.49.250", "192.168.49.0/24"},
		"a second minikube":           {snapshot(node("m", minikube, at("192.168.58.2"))), "192.168.58.240-192.168.58.250", ""},
		"minikube on KVM, whose DHCP": {snapshot(node("m", minikube, at("192.168.39.7"))), "192.168.39.240-192.168.39.250", "DHCP server may assign the same"},
		"a minikube node in between":  {snapshot(node("m", minikube, at("192.168.39.244"))), "192.168.39.245-192.168.39.250", ""},
		"a pool that took the usual ones": {
			snapshot(node("m", minikube, at("192.168.49.2")), pool("theirs", "192.168.49.240-192.168.49.250"), deployment("metallb-system", "controller", newController)),
			"192.168.49.225-192.168.49.239", "",
		},
		"a load balancer in between":      {snapshot(node("m", minikube, at("192.168.49.2")), service("shop", "web", has("192.168.49.243"))), "192.168.49.244-192.168.49.250", ""},
		"kind on Docker":                  {snapshot(kind("kind://docker/kind/k", "172.18.0.2")), "172.18.0.200-172.18.0.250", "172.18.0.0/24"},
		"kind on a small Docker network":  {snapshot(kind("kind://docker/kind/k", "192.168.32.3")), "192.168.32.200-192.168.32.250", "192.168.32.0/24"},
		"kind on a Docker network of /24": {snapshot(kind("kind://docker/kind/k", "192.168.97.2")), "192.168.97.200-192.168.97.250", "192.168.97.0/24"},
		"kind on Podman":                  {snapshot(kind("kind://podman/kind/k", "10.89.0.3")), "10.89.0.200-10.89.0.250", "10.89.0.0/24"},
		"anything else has to say":        {snapshot(node("n", at("10.0.0.5"))), "", "node n has 10.0.0.5"},
		"kind with IPv6 alone":            {snapshot(kind("kind://docker/kind/k", "fc00:f853::2")), "", "set a range"},
	} {
		t.Run(name, func(t *testing.T) {
			pools := c.cluster.AllPools(c.cluster.Detect().Provider)
			p, err := c.cluster.Propose(pools)
			if c.want == "" {
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("Propose() = %v, %v, want an error that says %q", p, err, c.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if p.Range.String() != c.want || !strings.Contains(p.Why, c.says) {
				t.Errorf("Propose() = %s (%s), want %s (%s)", p.Range, p.Why, c.want, c.says)
			}
			if _, err := c.cluster.CheckRanges([]Range{p.Range}, pools); err != nil {
				t.Errorf("the proposal would be refused: %v", err)
			}
		})
	}
}

func TestTheServicesRangeIsReadFromTheRefusalOfAClusterIP(t *testing.T) {
	for message, want := range map[string]string{
		`Service "p" is invalid: spec.clusterIPs: Invalid value: ["192.0.2.1"]: failed to allocate IP 192.0.2.1: the provided IP (192.0.2.1) is not in the valid range. The range of valid IPs is 10.96.0.0/12`: "10.96.0.0/12",
		"the provided IP (192.0.2.1) is not in the valid range. The range of valid IPs is fd00:10:96::/112.":                                                                                                    "fd00:10:96::/112",
		`services is forbidden: User "ada" cannot create resource "services" in API group "" in the namespace "istio-system"`:                                                                                   "",
		"The range of valid IPs is not known": "",
	} {
		if got := strings.Join(rangesIn(message), ","); got != want {
			t.Errorf("rangesIn(%q) = %q, want %q", message, got, want)
		}
	}
}
