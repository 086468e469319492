//go:build e2e_real

package e2e

import (
	"context"
	"flag"
	"os"
	"strings"
	"testing"
)

// otherReleases asks for the releases that are not the default: their programs are built
// first, which takes about six minutes the first time.
var otherReleases = flag.Bool("other-releases", false, "test the releases that are not the default, too")

// TestRelease2603OnARealNode: with network policies that are enforced, Istio's CNI plugin on
// the node and Pod Security as the release has it. Kubeflow's own programs are stand-ins.
func TestRelease2603OnARealNode(t *testing.T) {
	if !*otherReleases {
		t.Skip("make e2e-releases runs it")
	}
	if os.Geteuid() != 0 {
		t.Fatal("a real node needs root: run it with sudo")
	}
	images := realImages(t, "--release", "26.03")
	b := newBed(t, "--nodes", "real", "--release", "26.03", "--network-policies")
	const password = "correct horse battery staple"
	if r := b.run(context.Background(), password+"\n", nil, "install", "--release", "26.03", "--password-stdin", "--timeout", "5m"); r.Code != 0 {
		t.Fatalf("install: %s", r)
	}
	t.Run("status finds nothing wrong", func(t *testing.T) {
		wantSays(t, b.must("status").Stdout, "release 26.03", "Ready: 14 components")
	})
	t.Run("no pod has a container with rights, but for the CNI plugin's on the node", func(t *testing.T) {
		for line := range strings.Lines(b.kubectl("get", "pods", "-A", "-o",
			`jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name} {.spec.initContainers[*].securityContext.capabilities.add}{.spec.containers[*].securityContext.capabilities.add}{"\n"}{end}`)) {
			name, added, _ := strings.Cut(strings.TrimSpace(line), " ")
			if added != "" && !strings.HasPrefix(name, "kube-system/") {
				t.Errorf("pod %s adds capabilities: %s", name, added)
			}
		}
	})
	t.Run("a person logs in through the gateway, creates a notebook and opens it, and nobody else does", func(t *testing.T) {
		b.login(t, password, notebookImage(t, images))
	})
	t.Run("a second install changes nothing", func(t *testing.T) {
		was := b.versions(memberSelector)
		wantSays(t, b.must("install", "--timeout", "5m").Stderr, "nothing to change")
		compareVersions(t, was, b.versions(memberSelector))
	})
	t.Run("uninstall with all data leaves no object of the installation", func(t *testing.T) {
		b.must("uninstall", "--yes", "--delete-crds", "--delete-data")
		if left := b.versions(memberSelector); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	})
}

// TestReleaseRolloutsLeaveNobodyWithoutAnAnswer is the same as for 1.10 behind network
// policies.
func TestReleaseRolloutsLeaveNobodyWithoutAnAnswer(t *testing.T) {
	if !*otherReleases {
		t.Skip("make e2e-releases runs it")
	}
	rolloutsLeaveNobodyWithoutAnAnswer(t, "26.03", "--network-policies")
}
