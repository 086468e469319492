package exposure

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// CheckRanges refuses ranges whose addresses somebody else has: nodes, Services, pods,
// other pools, the network itself. The error has one line for each. Warnings are what
// cannot be known from here.
func (s *Snapshot) CheckRanges(ranges []Range, pools []Pool) (warnings []string, err error) {
	var bad []error
	refuse := func(format string, args ...any) { bad = append(bad, fmt.Errorf(format, args...)) }
	for i, r := range ranges {
		for _, other := range ranges[:i] {
			if r.overlaps(other) {
				refuse("%s and %s overlap: omit one, or join them", other, r)
			}
		}
		for _, n := range s.Nodes {
			for _, a := range addressesOf(n) {
				if r.contains(a) {
					refuse("%s contains %s, the address of node %s: exclude it from the range", r, a, n.Name)
				}
				subnet := s.subnetOf(a)
				network, broadcast := subnet.Masked().Addr(), last(subnet)
				if gateway := network.Next(); a.Is4() && s.platform() != PlatformOther && r.contains(gateway) {
					refuse("%s contains %s, the gateway of the network that %s created: start with %s", r, gateway, s.platform(), gateway.Next())
				}
				switch larger := s.larger(subnet, r); {
				case r.contains(network) && !larger:
					refuse("%s contains %s, the network address of %s, the network of node %s: start with %s", r, network, subnet, n.Name, network.Next())
				case a.Is4() && r.contains(broadcast) && !larger:
					refuse("%s contains %s, the broadcast address of %s, the network of node %s: end with %s", r, broadcast, subnet, n.Name, broadcast.Prev())
				case r.contains(network) || a.Is4() && r.contains(broadcast):
					warnings = append(warnings, fmt.Sprintf("%s is valid only if the network of node %s (%s) is larger than %s: nodes do not say how large it is", r, n.Name, a, subnet))
				}
			}
		}
		for _, taken := range s.blocks() {
			if r.overlaps(taken.Range) {
				refuse("%s overlaps with %s, %s: choose addresses in the nodes' network", r, taken.Range, taken.what)
			}
		}
		for _, t := range s.takenAddresses(pools) {
			if r.contains(t.address) {
				refuse("%s contains %s, %s: exclude it from the range", r, t.address, t.what)
			}
		}
		for _, p := range pools {
			if p.Ours {
				continue
			}
			for _, theirs := range p.Ranges {
				if r.overlaps(theirs) {
					refuse("%s overlaps with %s of pool %s: omit the range to use that pool, or choose other addresses", r, theirs, p.Name)
				}
			}
		}
		if w := s.far(r); w != "" {
			warnings = append(warnings, w)
		}
	}
	for _, lost := range s.wouldLose(ranges, pools) {
		refuse("%s has %s of pool %s and would lose it: keep that address in the range", lost.Service, lost.Address, PoolName)
	}
	if len(bad) > 0 {
		return nil, errors.Join(distinct(bad)...)
	}
	slices.Sort(warnings)
	return slices.Compact(warnings), nil
}

// larger tells that the nodes' network has to be larger than the one that an address is
// taken to be in: other nodes, or the range itself, are partly outside of it.
func (s *Snapshot) larger(subnet netip.Prefix, r Range) bool {
	if !subnet.Contains(r.From) || !subnet.Contains(r.To) {
		return true
	}
	for _, n := range s.Nodes {
		for _, a := range addressesOf(n) {
			// A network of a few /24 next to each other, and not another one of the same node.
			if !subnet.Contains(a) && near(a, subnet) {
				return true
			}
		}
	}
	return false
}

// near tells that an address could be of the same network as a subnet of /24: they share
// their first 20 bits, the largest network that is common beyond those of Docker.
func near(a netip.Addr, subnet netip.Prefix) bool {
	wide, err := subnet.Addr().Prefix(20)
	return err == nil && a.Is4() && wide.Contains(a)
}

func distinct(all []error) []error {
	said := map[string]bool{}
	return slices.DeleteFunc(all, func(e error) bool {
		twice := said[e.Error()]
		said[e.Error()] = true
		return twice
	})
}

func addressesOf(n corev1.Node) []netip.Addr {
	var out []netip.Addr
	for _, a := range n.Status.Addresses {
		if a.Type != corev1.NodeInternalIP && a.Type != corev1.NodeExternalIP {
			continue
		}
		if ip, err := netip.ParseAddr(a.Address); err == nil {
			out = append(out, ip.Unmap())
		}
	}
	return out
}

// subnetOf is the network that a node's address is taken to be in: nodes do not say it.
// Docker gives its networks a /16 of 172.16.0.0/12 or a /20 of 192.168.0.0/16 unless its
// settings say otherwise; everything else is taken for the /24 or /64 that small networks are.
func (s *Snapshot) subnetOf(a netip.Addr) netip.Prefix {
	bits := 24
	switch {
	case !a.Is4():
		bits = 64
	case s.inDocker() && dockerLarge.Contains(a):
		bits = 16
	case s.inDocker() && dockerSmall.Contains(a):
		bits = 20
	}
	p, _ := a.Prefix(bits)
	return p
}

// inDocker tells that the nodes are containers: those of kind, and those of k3d.
func (s *Snapshot) inDocker() bool {
	return s.platform() == PlatformKind || slices.ContainsFunc(s.Nodes, func(n corev1.Node) bool {
		return strings.HasPrefix(n.Name, "k3d-") && strings.Contains(n.Status.NodeInfo.KubeletVersion, "+k3s")
	})
}

var (
	dockerLarge = netip.MustParsePrefix("172.16.0.0/12")
	dockerSmall = netip.MustParsePrefix("192.168.0.0/16")
)

type block struct {
	Range
	what string
}

// blocks are the ranges that the cluster itself gives addresses of.
func (s *Snapshot) blocks() []block {
	var out []block
	add := func(text, what string) {
		if p, err := netip.ParsePrefix(text); err == nil {
			out = append(out, block{prefixRange(p), what})
		}
	}
	for _, r := range s.ServiceRanges {
		add(r, "the range of the Services' cluster IPs")
	}
	for _, n := range s.Nodes {
		for _, r := range n.Spec.PodCIDRs {
			add(r, "the pod range of node "+n.Name)
		}
	}
	for _, u := range s.CalicoPools {
		r, _, _ := unstructured.NestedString(u.Object, "spec", "cidr")
		add(r, "Calico's pod range (IPPool "+u.GetName()+")")
	}
	return out
}

type taken struct {
	address netip.Addr
	what    string
}

// takenAddresses are single addresses that somebody has. An address of our own pool, and
// the one that the gateway has, are not somebody else's.
func (s *Snapshot) takenAddresses(pools []Pool) []taken {
	var out []taken
	for _, g := range s.given() {
		if g.Service != ServiceRef && !heldBy(pools, g.Address) {
			out = append(out, taken{g.Address, "the load balancer address of " + g.Service.String()})
		}
	}
	for i := range s.Services {
		svc := &s.Services[i]
		for _, text := range slices.Concat(svc.Spec.ClusterIPs, []string{svc.Spec.ClusterIP}) {
			if a, err := netip.ParseAddr(text); err == nil {
				out = append(out, taken{a, fmt.Sprintf("the cluster IP of Service %s/%s", svc.Namespace, svc.Name)})
			}
		}
		for _, text := range svc.Spec.ExternalIPs {
			if a, err := netip.ParseAddr(text); err == nil {
				out = append(out, taken{a, fmt.Sprintf("an external IP of Service %s/%s", svc.Namespace, svc.Name)})
			}
		}
	}
	return out
}

// heldBy tells whether our own pool holds an address.
func heldBy(pools []Pool, a netip.Addr) bool {
	return slices.ContainsFunc(pools, func(p Pool) bool {
		return p.Ours && slices.ContainsFunc(p.Ranges, func(r Range) bool { return r.contains(a) })
	})
}

// wouldLose are Services of others that have an address of our pool which new ranges lack.
func (s *Snapshot) wouldLose(ranges []Range, pools []Pool) []Given {
	return slices.DeleteFunc(s.given(), func(g Given) bool {
		return g.Service == ServiceRef || !heldBy(pools, g.Address) ||
			slices.ContainsFunc(ranges, func(r Range) bool { return r.contains(g.Address) })
	})
}

// far tells of a range that no node's network seems to hold.
func (s *Snapshot) far(r Range) string {
	var networks []string
	for _, n := range s.Nodes {
		for _, a := range addressesOf(n) {
			if a.Is4() != r.From.Is4() {
				continue
			}
			subnet := s.subnetOf(a)
			if prefixRange(subnet).overlaps(r) {
				return ""
			}
			if text := subnet.String(); !slices.Contains(networks, text) {
				networks = append(networks, text)
			}
		}
	}
	if len(networks) == 0 {
		return fmt.Sprintf("no node has an address of the same family as %s", r)
	}
	return fmt.Sprintf("%s is outside the nodes' networks if these are %s: MetalLB announces it there, so clients would need a route to it", r, strings.Join(networks, ", "))
}
