// Command coredns is the CoreDNS server with the few plugins that the test node's cluster DNS needs: the real
// server and the real plugins, in the order in which CoreDNS would chain them.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"

	// Each plugin registers itself when it is imported.
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/log"
	_ "github.com/coredns/coredns/plugin/ready"
)

func main() {
	// CoreDNS chains plugins in this order, whatever the Corefile says; a name that is missing here is refused.
	dnsserver.Directives = []string{"health", "ready", "log", "errors", "cache", "kubernetes"}
	coremain.Run()
}
