// Package decisions asks the enforcer's own code about one packet, without a kernel that
// sends it: the bed's pods have IPv4 alone.
package decisions

import (
	"context"
	"net"
	_ "unsafe" // for go:linkname

	v1 "k8s.io/api/core/v1"
	"sigs.k8s.io/kube-network-policies/pkg/networkpolicy"
)

// packet is that of the enforcer, field by field.
type packet struct {
	id               uint32
	family           v1.IPFamily
	srcIP, dstIP     net.IP
	proto            v1.Protocol
	srcPort, dstPort int
	payload          []byte
}

//go:linkname parsePacket sigs.k8s.io/kube-network-policies/pkg/networkpolicy.parsePacket
func parsePacket(b []byte) (packet, error)

//go:linkname evaluatePacket sigs.k8s.io/kube-network-policies/pkg/networkpolicy.(*Controller).evaluatePacket
func evaluatePacket(c *networkpolicy.Controller, ctx context.Context, p packet) bool

// Passes tells whether the enforcer lets a packet pass that the kernel would hand it.
func Passes(ctx context.Context, c *networkpolicy.Controller, raw []byte) (bool, error) {
	p, err := parsePacket(raw)
	if err != nil {
		return false, err
	}
	return evaluatePacket(c, ctx, p), nil
}
