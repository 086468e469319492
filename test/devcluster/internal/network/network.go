// Package network chooses the addresses and names of a bed. Each bed has a
// network of its own, so those of two beds never meet.
package network

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// DefaultDomain ends the names of Services.
const DefaultDomain = "cluster.local"

// The families of addresses that pods and Services of a bed have.
const (
	IPv4 = "ipv4"
	IPv6 = "ipv6"
	Dual = "dual"
)

// Options are what a person can choose.
type Options struct {
	// IPFamily is one of the constants; IPv4 when empty.
	IPFamily string `json:"ipFamily,omitempty"`
	// Domain is the cluster's; DefaultDomain when empty.
	Domain string `json:"clusterDomain,omitempty"`
	// Network is that of the nodes, of IPv4; when empty, one of the bed's choice.
	Network string `json:"network,omitempty"`
}

// family is the addresses of one family, in the order of Network's fields.
type family struct {
	address                           netip.Addr
	nodes, services, pods, podsOfReal netip.Prefix
	dns                               netip.Addr
}

var (
	four = family{
		netip.MustParseAddr("10.0.0.1"), netip.MustParsePrefix("10.0.1.0/24"), netip.MustParsePrefix("10.96.0.0/16"),
		netip.MustParsePrefix("10.244.0.0/16"), netip.MustParsePrefix("10.245.0.0/24"), netip.MustParseAddr("10.96.0.10"),
	}
	six = family{
		netip.MustParseAddr("fd00:10::1"), netip.MustParsePrefix("fd00:10:0:1::/64"), netip.MustParsePrefix("fd00:10:96::/112"),
		netip.MustParsePrefix("fd00:10:244::/48"), netip.MustParsePrefix("fd00:10:245::/64"), netip.MustParseAddr("fd00:10:96::a"),
	}
)

// Network is the addresses and the domain of a bed; of each list, the one of the first family
// comes first.
type Network struct {
	Domain string
	// Addresses are those of the API server and of a real node.
	Addresses []netip.Addr
	// Nodes are where the addresses of simulated nodes are, Services those of cluster IPs, Pods
	// those of pods on simulated nodes, PodsOfReal those of pods on a real node.
	Nodes, Services, Pods, PodsOfReal []netip.Prefix
	// DNS is the cluster IP of the cluster's DNS.
	DNS netip.Addr
	// chosen tells that the network of the nodes is a person's choice.
	chosen bool
}

// Choose makes a network of what a person has chosen.
func Choose(o Options) (*Network, error) {
	n := &Network{Domain: o.Domain}
	if n.Domain == "" {
		n.Domain = DefaultDomain
	}
	if errs := validation.IsDNS1123Subdomain(n.Domain); len(errs) > 0 {
		return nil, fmt.Errorf("--cluster-domain %q: %s", n.Domain, errs[0])
	}
	var families []family
	switch o.IPFamily {
	case IPv4, "":
		families = []family{four}
	case IPv6:
		families = []family{six}
	case Dual:
		families = []family{four, six}
	default:
		return nil, fmt.Errorf("--ip-family %q: must be %s, %s or %s", o.IPFamily, IPv4, IPv6, Dual)
	}
	if o.Network != "" {
		chosen, err := nodesOf(o.Network)
		if err != nil {
			return nil, err
		}
		if o.IPFamily == IPv6 {
			return nil, fmt.Errorf("--network %s: with --ip-family %s nodes have no address of IPv4", o.Network, IPv6)
		}
		families[0].address, families[0].nodes, n.chosen = add(chosen.Addr(), 1), chosen, true
	}
	for _, f := range families {
		n.Addresses = append(n.Addresses, f.address)
		n.Nodes, n.Services = append(n.Nodes, f.nodes), append(n.Services, f.services)
		n.Pods, n.PodsOfReal = append(n.Pods, f.pods), append(n.PodsOfReal, f.podsOfReal)
	}
	n.DNS = families[0].dns
	return n, nil
}

// nodesOf reads the network of the nodes that a person has chosen.
func nodesOf(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return p, fmt.Errorf("--network: %w", err)
	case !p.Addr().Is4() || p != p.Masked() || p.Bits() < 8:
		return p, fmt.Errorf("--network %s: must be a network of IPv4, such as 192.168.108.0/22", text)
	}
	for _, taken := range []netip.Prefix{four.services, four.pods, four.podsOfReal, netip.MustParsePrefix("127.0.0.0/8")} {
		if p.Overlaps(taken) {
			return p, fmt.Errorf("--network %s: overlaps %s, which the bed uses", text, taken)
		}
	}
	return p, nil
}

// first of the hosts that simulated nodes are, where a person has chosen the network: the
// bed's own address, and those of a gateway, come before.
const first = 10

// NodeAddresses are those of a simulated node, by its number. In a chosen network that is
// larger than /24, one node after the other is in the next /24.
func (n *Network) NodeAddresses(index int) []netip.Addr {
	out := make([]netip.Addr, len(n.Nodes))
	for i, p := range n.Nodes {
		offset := index + 1
		if n.chosen && p.Addr().Is4() {
			blocks := 1 << max(0, 24-p.Bits())
			offset = 256*(index%blocks) + first + index/blocks
		}
		out[i] = add(p.Addr(), offset)
	}
	return out
}

// CheckRoom tells whether there is an address for each of so many simulated nodes.
func (n *Network) CheckRoom(nodes int) error {
	for i := range nodes {
		for j, a := range n.NodeAddresses(i) {
			if p := n.Nodes[j]; !p.Contains(a) || p.Addr().Is4() && !p.Contains(a.Next()) {
				return fmt.Errorf("--network %s: has no room for %d nodes", p, nodes)
			}
		}
	}
	return nil
}

// Local are the ranges whose addresses are those of the bed's network namespace itself. What
// runs on a real node has addresses of its own.
func (n *Network) Local() []netip.Prefix { return slices.Concat(n.Services, n.Pods, n.Nodes) }

// HasIPv6 tells whether pods have addresses of it.
func (n *Network) HasIPv6() bool {
	return slices.ContainsFunc(n.Addresses, netip.Addr.Is6)
}

// Join writes addresses or prefixes with commas between them, as flags of Kubernetes take them.
func Join[T fmt.Stringer](all []T) string {
	texts := make([]string, len(all))
	for i, a := range all {
		texts[i] = a.String()
	}
	return strings.Join(texts, ",")
}

// First of the addresses of a range, which the API server's Service gets.
func First(p netip.Prefix) netip.Addr { return p.Addr().Next() }

// add counts on from an address, in its last four bytes.
func add(a netip.Addr, offset int) netip.Addr {
	b := a.As16()
	binary.BigEndian.PutUint32(b[12:], binary.BigEndian.Uint32(b[12:])+uint32(offset))
	out := netip.AddrFrom16(b)
	if a.Is4() {
		return out.Unmap()
	}
	return out
}
