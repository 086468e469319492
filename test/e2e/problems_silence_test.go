//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"
)

const silentAddress = "E2E_SILENT_ADDRESS"

// TestNobodyAnswers is no test but a server for one: it takes connections and says
// nothing, as a firewall does that drops packets.
func TestNobodyAnswers(t *testing.T) {
	address := os.Getenv(silentAddress)
	if address == "" {
		t.Skip("a server for another test")
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("listening")
	for {
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
	}
}

// silence lets a webhook's calls end at somebody who never answers.
func (b *bed) silence(configuration string) func() {
	b.t.Helper()
	self, err := os.Executable()
	if err != nil {
		b.t.Fatal(err)
	}
	const port = "19443"
	ip := b.kubectl("get", "endpointslice", "kubernetes", "-o", "jsonpath={.endpoints[0].addresses[0]}")
	server := exec.Command(programs(b.t).Devcluster, "exec", "--dir", b.Dir, "--", self, "-test.run=^TestNobodyAnswers$", "-test.timeout=10m")
	server.Env = append(os.Environ(), silentAddress+"="+net.JoinHostPort(ip, port))
	out, err := server.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		b.t.Fatal(err)
	}
	stop := func() { _ = server.Process.Kill(); _ = server.Wait() }
	b.t.Cleanup(stop)
	if _, err := out.Read(make([]byte, 16)); err != nil {
		b.t.Fatalf("the silent server does not run: %v", err)
	}
	b.apply(fmt.Sprintf(`
apiVersion: v1
kind: Service
metadata: {name: silent, namespace: default}
spec: {ports: [{port: 443, targetPort: %[1]s}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: silent, namespace: default, labels: {kubernetes.io/service-name: silent}}
addressType: IPv4
ports: [{port: %[1]s}]
endpoints: [{addresses: [%[2]s], conditions: {ready: true}}]
`, port, ip))
	back := b.keep("mutatingwebhookconfiguration", "", configuration)
	b.kubectl("patch", "mutatingwebhookconfiguration", configuration, "--type=json", "-p",
		`[{"op": "replace", "path": "/webhooks/0/clientConfig/service/namespace", "value": "default"},
		  {"op": "replace", "path": "/webhooks/0/clientConfig/service/name", "value": "silent"},
		  {"op": "add", "path": "/webhooks/0/timeoutSeconds", "value": 1}]`)
	return func() {
		back()
		b.kubectl("-n", "default", "delete", "service", "silent")
		stop()
	}
}
