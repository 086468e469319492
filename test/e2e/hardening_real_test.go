//go:build e2e_real

package e2e

import (
	"context"
	"os"
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// TestHardening tries to get in where nobody may: one installation on a real node, whose
// network policies are enforced. Envoy, istiod, Dex and oauth2-proxy are themselves.
func TestHardening(t *testing.T) { hardening(t, components.DefaultRelease) }

// TestRelease110LetsNobodyIn is the same for the release whose versions the advisories name.
func TestRelease110LetsNobodyIn(t *testing.T) {
	if !*otherReleases {
		t.Skip("make e2e-releases runs it")
	}
	hardening(t, "1.10")
}

func hardening(t *testing.T, release string) {
	if os.Geteuid() != 0 {
		t.Fatal("a real node needs root: run it with sudo")
	}
	images := realImages(t, "--release", release)
	b := newBed(t, "--nodes", "real", "--release", release, "--network-policies")
	if r := b.run(context.Background(), loginPassword, nil, "install", "--release", release, "--password-stdin", "--timeout", "5m"); r.Code != 0 {
		t.Fatalf("install: %s", r)
	}
	t.Run("requests of published advisories are refused", func(t *testing.T) { advisories(t, b.in(t)) })
	t.Run("isolated namespaces", func(t *testing.T) { isolation(t, b.in(t), echoImage(t, images)) })
	if release == "1.10" {
		return // its Envoy ends where docs/security.md says so
	}
	t.Run("a CONNECT does not end the gateway", func(t *testing.T) { connects(t, b.in(t)) })
}
