// Command launcher starts Dex beside it as dex.real. Dex v2.41.1 writes the API server's address in brackets
// whatever it is, which Go refuses for an IPv4 address since 1.25.2; the same address written as an IPv4-mapped
// IPv6 address is accepted.
package main

import (
	"fmt"
	"net/netip"
	"os"
	"syscall"
)

const (
	dex     = "/usr/local/bin/dex.real"
	hostVar = "KUBERNETES_SERVICE_HOST"
)

func main() {
	if host, changed := bracketable(os.Getenv(hostVar)); changed {
		if err := os.Setenv(hostVar, host); err != nil {
			fail(err)
		}
	}
	fail(syscall.Exec(dex, os.Args, os.Environ()))
}

// bracketable returns host as it may stand in brackets in a URL, and whether that differs from host.
func bracketable(host string) (string, bool) {
	a, err := netip.ParseAddr(host)
	if err != nil || !a.Is4() {
		return host, false
	}
	return "::ffff:" + a.String(), true
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "dex launcher:", err)
	os.Exit(1)
}
