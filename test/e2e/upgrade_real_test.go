//go:build e2e_real

package e2e

import (
	"context"
	"flag"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
)

var (
	upgrades = flag.Bool("upgrades", false, "test upgrades on a real node, which needs the programs of both releases")
	kills    = flag.Int("kills", 0, "how many upgrades to kill at a random moment, each of an installation of its own; with -upgrades")
)

const (
	oldRelease = "1.10"
	newRelease = "26.03"
)

// upgradeBed is a node with the programs of both releases, and network policies in force.
func upgradeBed(t *testing.T) (*bed, map[string]string) {
	t.Helper()
	if !*upgrades {
		t.Skip("make e2e-upgrade runs it")
	}
	if os.Geteuid() != 0 {
		t.Fatal("a real node needs root: run it with sudo")
	}
	both := oldRelease + "," + newRelease
	images := realImages(t, "--release", both)
	return newBed(t, "--nodes", "real", "--release", both, "--network-policies"), images
}

// oldStack installs the release that is upgraded.
func (b *bed) oldStack(t *testing.T) {
	t.Helper()
	if r := b.run(context.Background(), loginPassword, nil, "install", "--release", oldRelease, "--password-stdin", "--timeout", "5m"); r.Code != 0 {
		t.Fatalf("install: %s", r)
	}
}

// TestUpgradeOnARealNode upgrades while somebody has the web app and a notebook open. Envoy,
// istiod, its CNI plugin, cert-manager, Dex and oauth2-proxy of both releases are themselves;
// Kubeflow's own programs and the notebook are stand-ins.
func TestUpgradeOnARealNode(t *testing.T) {
	b, images := upgradeBed(t)
	b.oldStack(t)
	wantSays(t, b.must("status").Stdout, "release "+oldRelease, "Ready: ")
	open := b.opens(t, echoImage(t, images))
	sidecar := func() string {
		return b.kubectl("-n", profileNamespace, "get", "pod", openNotebook+"-0", "-o", `jsonpath={.spec.initContainers[?(@.name=="istio-proxy")].image}`)
	}
	before := sidecar()

	t.Run("nobody is without an answer for long, and the session and the notebook's memory survive", func(t *testing.T) {
		b := b.in(t)
		open.during(t, func() {
			started := time.Now()
			r := b.jupyter("upgrade", "--yes", "--timeout", "10m")
			t.Logf("the upgrade took %.0f s: %s", time.Since(started).Seconds(), r)
			if r.Code != 0 {
				t.Errorf("upgrade: exit code %d", r.Code)
			}
		})
		if now := sidecar(); now != before {
			t.Errorf("the notebook's sidecar was %s and is %s", before, now)
		}
	})
	t.Run("status is Ready", func(t *testing.T) {
		b := b.in(t)
		wantSays(t, b.must("status").Stdout, "release "+newRelease, "Ready: ")
	})
	t.Run("nobody is without an answer for long while pods of the new release are replaced", open.rollouts)
	t.Run("a person logs in and creates a notebook", func(t *testing.T) {
		b.in(t).login(t, loginPassword, imageOf(t, images, "/notebook-servers/jupyter-scipy:v1.11.0"))
	})
	t.Run("notebooks get the new sidecar when that is asked", func(t *testing.T) {
		b := b.in(t)
		b.must("upgrade", "--yes", "--restart-notebooks=all", "--timeout", "5m")
		eventually(t, "the notebook runs with the sidecar of release "+newRelease, func() bool {
			out, err := b.tryKubectl("", "-n", profileNamespace, "get", "pod", openNotebook+"-0", "-o",
				`jsonpath={.spec.initContainers[?(@.name=="istio-proxy")].image} {.status.conditions[?(@.type=="Ready")].status}`)
			return err == nil && strings.HasSuffix(out, " True") && !strings.Contains(out, before)
		})
	})
	t.Run("a second install changes nothing", func(t *testing.T) {
		b := b.in(t)
		wantSays(t, b.must("install", "--timeout", "5m").Stderr, "nothing to change")
	})
	t.Run("uninstall with all data leaves no object of the installation", func(t *testing.T) {
		b := b.in(t)
		b.must("uninstall", "--yes", "--delete-crds", "--delete-data")
		if left := b.versions(memberSelector); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	})
}

// TestUpgradesThatAreKilledConverge kills upgrades at random moments; the next run completes
// each of them, and people can work all the time.
func TestUpgradesThatAreKilledConverge(t *testing.T) {
	if *kills == 0 {
		t.Skip("-kills says how many")
	}
	b, images := upgradeBed(t)
	// About what an upgrade takes; the first one that is killed too late says better.
	const first = time.Minute
	longest := first
	for n := range *kills {
		b := b.in(t)
		b.oldStack(t)
		open := b.opens(t, echoImage(t, images))
		after := rand.N(longest) //nolint:gosec // any moment will do
		var killed bool
		started := time.Now()
		asking := open.asks(t)
		r := b.run(t.Context(), "", func(p *os.Process) {
			go func() {
				<-time.After(after)
				killed = p.Kill() == nil
			}()
		}, "upgrade", "--yes", "--timeout", "10m")
		took := time.Since(started)
		if r.Code == 0 {
			longest = took
		}
		t.Logf("upgrade %d of %d: killed after %.1f s: %t", n+1, *kills, after.Seconds(), killed && r.Code != 0)
		if r.Code != 0 {
			if r := b.jupyter("upgrade", "--yes", "--timeout", "10m"); r.Code != 0 {
				t.Fatalf("the run after the one that was killed after %s: %s", after, r)
			}
		}
		b.nobodyLeaves()
		open.heard(t, asking)
		wantSays(t, b.must("status").Stdout, "release "+newRelease, "Ready: ")
		b.must("uninstall", "--yes", "--delete-crds", "--delete-data")
		if left := b.versions(memberSelector); len(left) > 0 {
			t.Fatalf("left: %v", left)
		}
	}
}
