package exposure

import (
	"fmt"
	"net/netip"
	"slices"
)

// Proposal is a range that nobody named.
type Proposal struct {
	Range Range
	// Why these addresses, one sentence for the person who confirms them.
	Why string
}

// fewest is the least number of addresses that is worth a pool.
const fewest = 5

// Propose finds a range on clusters whose network is known: minikube and kind make it
// themselves, and give their nodes addresses from its beginning. Anywhere else a guess
// could be the address of somebody's printer.
func (s *Snapshot) Propose(pools []Pool) (*Proposal, error) {
	platform := s.platform()
	if platform == PlatformOther {
		return nil, fmt.Errorf("no address range can be proposed for this cluster: choose an unused one in the nodes' network%s, outside the DHCP range", s.nearNodes())
	}
	for _, n := range s.Nodes {
		for _, a := range addressesOf(n) {
			if !a.Is4() {
				continue
			}
			// Docker's networks may be as small as this, and a larger one contains it as well.
			subnet, err := a.Prefix(24)
			if err != nil {
				return nil, err
			}
			for _, window := range windows(platform, subnet) {
				if r, ok := s.free(window, pools); ok {
					return &Proposal{Range: r, Why: because(platform, n.Name, a, subnet)}, nil
				}
			}
		}
	}
	return nil, fmt.Errorf("no %d consecutive free addresses were found in the nodes' network: set a range", fewest)
}

// nearNodes is an example of what a range could look like here.
func (s *Snapshot) nearNodes() string {
	for _, n := range s.Nodes {
		for _, a := range addressesOf(n) {
			return fmt.Sprintf(" (node %s has %s)", n.Name, a)
		}
	}
	return ""
}

func because(p Platform, node string, a netip.Addr, subnet netip.Prefix) string {
	text := fmt.Sprintf("the end of %s in the network that %s created; node %s has %s", subnet, p, node, a)
	if p == PlatformMinikube && kvm.Contains(a) {
		text += "; its DHCP server may assign the same addresses to another machine"
	}
	return text
}

// kvm is minikube's network with the driver kvm2, whose DHCP covers most of it.
var kvm = netip.MustParsePrefix("192.168.39.0/24")

// windows are where addresses are looked for: those that documentation of minikube and
// kind uses first.
func windows(p Platform, subnet netip.Prefix) []Range {
	base := last(subnet).As4()
	ends := [][2]byte{{240, 250}, {225, 239}, {200, 224}}
	if p == PlatformKind {
		ends = [][2]byte{{200, 250}}
	}
	var out []Range
	for _, e := range ends {
		from, to := base, base
		from[3], to[3] = e[0], e[1]
		out = append(out, Range{From: netip.AddrFrom4(from), To: netip.AddrFrom4(to)})
	}
	return out
}

// free is the longest run of addresses in a window that nobody has.
func (s *Snapshot) free(window Range, pools []Pool) (Range, bool) {
	busy := func(a netip.Addr) bool {
		one := Range{From: a, To: a}
		for _, n := range s.Nodes {
			if slices.Contains(addressesOf(n), a) {
				return true
			}
		}
		return slices.ContainsFunc(s.takenAddresses(pools), func(t taken) bool { return t.address == a }) ||
			slices.ContainsFunc(s.blocks(), func(b block) bool { return b.overlaps(one) }) ||
			slices.ContainsFunc(pools, func(p Pool) bool {
				return slices.ContainsFunc(p.Ranges, func(r Range) bool { return r.contains(a) })
			})
	}
	var best, run Range
	length, longest := 0, 0
	for a := window.From; !window.To.Less(a); a = a.Next() {
		if busy(a) {
			length = 0
			continue
		}
		if length == 0 {
			run.From = a
		}
		run.To = a
		if length++; length > longest {
			best, longest = run, length
		}
	}
	return best, longest >= fewest
}
