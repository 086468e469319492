package exposure

import (
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"strings"
)

// Range is a run of addresses of one family, both ends included.
type Range struct {
	From, To netip.Addr
	// cidr is the range as it was written, where it was written with a prefix.
	cidr string
}

// maxIPv4 is the largest range of IPv4 addresses that is taken for meant: a /16.
const maxIPv4 = 1 << 16

// ParseRange reads START-END or a CIDR such as 192.168.49.240/28.
func ParseRange(s string) (Range, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return Range{}, errors.New("the range is empty: write START-END or a CIDR")
	}
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return Range{}, fmt.Errorf("%q is not a CIDR such as 192.168.49.240/28", s)
		}
		if p.Masked() != p {
			return Range{}, fmt.Errorf("%q has host bits set: write %s for the whole block, or START-END", s, p.Masked())
		}
		r := Range{From: p.Addr(), To: last(p), cidr: p.String()}
		return r, r.check(s)
	}
	from, to, ok := strings.Cut(s, "-")
	if !ok {
		if a, err := netip.ParseAddr(s); err == nil {
			return Range{}, fmt.Errorf("%q is one address: write %s-%s for a range of one", s, a, a)
		}
		return Range{}, fmt.Errorf("%q is neither START-END nor a CIDR", s)
	}
	var r Range
	var err error
	for _, end := range []struct {
		text string
		into *netip.Addr
	}{{from, &r.From}, {to, &r.To}} {
		if *end.into, err = netip.ParseAddr(strings.TrimSpace(end.text)); err != nil {
			return Range{}, fmt.Errorf("%q: %q is not an IP address", s, strings.TrimSpace(end.text))
		}
	}
	return r, r.check(s)
}

// check refuses what no network can use as a pool.
func (r Range) check(s string) error {
	for _, a := range []netip.Addr{r.From, r.To} {
		switch {
		case a.Zone() != "":
			return fmt.Errorf("%q: %s has a zone, which a pool cannot have", s, a)
		case a.Is4In6():
			return fmt.Errorf("%q: write %s as the IPv4 address %s", s, a, a.Unmap())
		}
	}
	switch {
	case r.From.Is4() != r.To.Is4():
		return fmt.Errorf("%q mixes IPv4 and IPv6: use one range for each", s)
	case r.To.Less(r.From):
		return fmt.Errorf("%q ends before it starts: write %s-%s", s, r.To, r.From)
	case r.From.Is4() && r.size().Cmp(big.NewInt(maxIPv4)) > 0:
		return fmt.Errorf("%q has %s addresses, more than the limit of %d: choose a smaller range", s, r.size(), maxIPv4)
	}
	for _, bad := range notForPools {
		if block := netip.MustParsePrefix(bad.block); r.overlaps(Range{From: block.Addr(), To: last(block)}) {
			return fmt.Errorf("%q is in %s (%s)", s, bad.block, bad.why)
		}
	}
	return nil
}

// notForPools are blocks with a meaning of their own (RFC 6890).
var notForPools = []struct{ block, why string }{
	{"0.0.0.0/8", "this network"},
	{"127.0.0.0/8", "loopback"},
	{"169.254.0.0/16", "link-local"},
	{"224.0.0.0/4", "multicast"},
	{"240.0.0.0/4", "reserved"},
	{"::/127", "loopback"},
	{"fe80::/10", "link-local"},
	{"ff00::/8", "multicast"},
}

// last is the last address of a block.
func last(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for bit := p.Bits(); bit < len(b)*8; bit++ {
		b[bit/8] |= 1 << (7 - bit%8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

func prefixRange(p netip.Prefix) Range {
	p = p.Masked()
	return Range{From: p.Addr(), To: last(p), cidr: p.String()}
}

// String is START-END, or the CIDR that was written.
func (r Range) String() string {
	if r.cidr != "" {
		return r.cidr
	}
	return r.From.String() + "-" + r.To.String()
}

// MarshalText shows a range as a person writes it.
func (r Range) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (r *Range) UnmarshalText(b []byte) (err error) {
	*r, err = ParseRange(string(b))
	return err
}

func (r Range) contains(a netip.Addr) bool {
	return r.From.Is4() == a.Is4() && !a.Less(r.From) && !r.To.Less(a)
}

func (r Range) overlaps(o Range) bool {
	return r.From.Is4() == o.From.Is4() && !r.To.Less(o.From) && !o.To.Less(r.From)
}

// same tells whether two ranges hold the same addresses, however they are written.
func (r Range) same(o Range) bool { return r.From == o.From && r.To == o.To }

// size is the number of addresses.
func (r Range) size() *big.Int {
	from, to := new(big.Int).SetBytes(r.From.AsSlice()), new(big.Int).SetBytes(r.To.AsSlice())
	return to.Add(to.Sub(to, from), big.NewInt(1))
}

// hasBuggy tells whether an IPv4 address that ends in 0 or 255 is in it: some devices
// take them for network and broadcast addresses wherever they are.
func (r Range) hasBuggy() bool {
	if !r.From.Is4() {
		return false
	}
	if r.size().Cmp(big.NewInt(256)) >= 0 {
		return true
	}
	for a := r.From; a.IsValid() && !r.To.Less(a); a = a.Next() {
		if end := a.As4()[3]; end == 0 || end == 255 {
			return true
		}
	}
	return false
}

func texts(ranges []Range) []string {
	out := make([]string, len(ranges))
	for i, r := range ranges {
		out[i] = r.String()
	}
	return out
}

func sameRanges(a, b []Range) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !a[i].same(b[i]) {
			return false
		}
	}
	return true
}
