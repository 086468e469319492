//go:build e2e_real

package e2e

import (
	"context"
	"flag"
	"os"
	"testing"
)

// otherReleases asks for the releases that are not the default: their programs are built
// first, which takes about ten minutes the first time.
var otherReleases = flag.Bool("other-releases", false, "test the releases that are not the default, too")

// TestRelease110OnARealNode: what somebody has who has not upgraded yet still installs, works
// and goes. Kubeflow's own programs are stand-ins.
func TestRelease110OnARealNode(t *testing.T) {
	if !*otherReleases {
		t.Skip("make e2e-releases runs it")
	}
	if os.Geteuid() != 0 {
		t.Fatal("a real node needs root: run it with sudo")
	}
	images := realImages(t, "--release", "1.10")
	b := newBed(t, "--nodes", "real", "--release", "1.10")
	const password = "correct horse battery staple"
	if r := b.run(context.Background(), password+"\n", nil, "install", "--release", "1.10", "--password-stdin", "--timeout", "5m"); r.Code != 0 {
		t.Fatalf("install: %s", r)
	}
	t.Run("status finds nothing wrong", func(t *testing.T) {
		wantSays(t, b.must("status").Stdout, "release 1.10", "Ready: 14 components")
	})
	t.Run("istiod injects the sidecar of the release's templates", func(t *testing.T) {
		b.sidecar(t, "docker.io/istio/proxyv2:1.24.3", "istio-init")
	})
	t.Run("a person logs in through the gateway, creates a notebook and opens it, and nobody else does", func(t *testing.T) {
		if !realProxy(images) {
			t.Skip("the proxy is a stand-in, which knows no login: see the list above for why")
		}
		b.login(t, password, notebookImage(t, images))
	})
	t.Run("a second install keeps the release and changes nothing", func(t *testing.T) {
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

// TestReleaseRolloutsLeaveNobodyWithoutAnAnswer is the same as for the default release.
func TestReleaseRolloutsLeaveNobodyWithoutAnAnswer(t *testing.T) {
	if !*upgrades {
		t.Skip("make e2e-upgrade runs it")
	}
	rolloutsLeaveNobodyWithoutAnAnswer(t, "1.10")
}
