package network

import (
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	for name, tc := range map[string]struct {
		options Options
		// nodes are simulated ones; addresses are those of the first, second and last.
		nodes            int
		api, nodesAt     string
		services, domain string
		fails            string
	}{
		"what a bed has by itself": {
			Options{}, 3, "10.0.0.1", "10.0.1.1 10.0.1.2 10.0.1.3", "10.96.0.0/16", "cluster.local", "",
		},
		"IPv6 alone": {
			Options{IPFamily: IPv6}, 3, "fd00:10::1", "fd00:10:0:1::1 fd00:10:0:1::2 fd00:10:0:1::3", "fd00:10:96::/112", "cluster.local", "",
		},
		"both, IPv4 first": {
			Options{IPFamily: Dual}, 1, "10.0.0.1,fd00:10::1", "10.0.1.1,fd00:10:0:1::1", "10.96.0.0/16,fd00:10:96::/112", "cluster.local", "",
		},
		"another domain": {
			Options{Domain: "corp.example"}, 1, "10.0.0.1", "10.0.1.1", "10.96.0.0/16", "corp.example", "",
		},
		"nodes one after the other in the /24s of a larger network": {
			Options{Network: "192.168.108.0/22"},
			5, "192.168.108.1",
			"192.168.108.10 192.168.109.10 192.168.110.10 192.168.111.10 192.168.108.11", "10.96.0.0/16", "cluster.local", "",
		},
		"nodes side by side in a smaller network": {
			Options{Network: "192.168.49.0/24"}, 2, "192.168.49.1", "192.168.49.10 192.168.49.11", "10.96.0.0/16", "cluster.local", "",
		},
		"a network without room for the nodes": {Options{Network: "192.168.49.0/28"}, 6, "", "", "", "", "no room for 6 nodes"},
		"a network that the bed uses":          {Options{Network: "10.0.0.0/8"}, 1, "", "", "", "", "overlaps 10.96.0.0/16"},
		"an address that is no network":        {Options{Network: "192.168.49.2/24"}, 1, "", "", "", "", "--network 192.168.49.2/24"},
		"something else than a network":        {Options{Network: "x"}, 1, "", "", "", "", "--network"},
		"a network of IPv4 for IPv6 alone":     {Options{Network: "192.168.49.0/24", IPFamily: IPv6}, 1, "", "", "", "", "no address of IPv4"},
		"an unknown family":                    {Options{IPFamily: "ipv5"}, 1, "", "", "", "", `--ip-family "ipv5"`},
		"no domain":                            {Options{Domain: "-"}, 1, "", "", "", "", "--cluster-domain"},
	} {
		t.Run(name, func(t *testing.T) {
			n, err := Choose(tc.options)
			if err == nil {
				err = n.CheckRoom(tc.nodes)
			}
			if tc.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tc.fails) {
					t.Errorf("got %v, want %q", err, tc.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var at []string
			for i := range tc.nodes {
				at = append(at, Join(n.NodeAddresses(i)))
			}
			for what, is := range map[string][2]string{
				"API server": {Join(n.Addresses), tc.api}, "nodes": {strings.Join(at, " "), tc.nodesAt},
				"Services": {Join(n.Services), tc.services}, "domain": {n.Domain, tc.domain},
			} {
				if is[0] != is[1] {
					t.Errorf("%s: %s, want %s", what, is[0], is[1])
				}
			}
			if !n.Services[0].Contains(n.DNS) {
				t.Errorf("the DNS %s is none of the Services' addresses %s", n.DNS, n.Services[0])
			}
		})
	}
}
