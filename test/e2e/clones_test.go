//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// Real clones of kubeflow/manifests, on a real control plane whose nodes and programs are
// simulated: Pod Security, schemas and the rights to write are real.
func TestClones(t *testing.T) {
	if *clonesDir == "" {
		t.Skip("it needs clones of kubeflow/manifests: make e2e-clones CLONES=DIR")
	}
	for name, dir := range clonesIn(t, *clonesDir) {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			rendered := b.must("render", "--manifests", dir, "-o", "name").Stdout
			out := reportOf(t, b.must("install", "--manifests", dir, "-o", "json", "--timeout", "8m"))
			if !strings.HasPrefix(out.Release, "clone-") {
				t.Errorf("release %s is installed, want a clone", out.Release)
			}
			objects := 0
			for _, c := range out.Components {
				objects += c.Objects
				if c.State != report.Ready || c.Ready != c.Objects || c.Objects == 0 {
					t.Errorf("component %s is %s with %d of %d objects ready", c.Name, c.State, c.Ready, c.Objects)
				}
			}
			// Two more are made by the profile controller.
			if want := strings.Count(rendered, "\n") + 2; objects != want {
				t.Errorf("%d objects are ready, want %d", objects, want)
			}
			before := b.versions(memberSelector)
			wantSays(t, b.must("install", "--manifests", dir, "--timeout", "5m").Stderr, "nothing to change")
			if diff := cmp.Diff(before, b.versions(memberSelector)); diff != "" {
				t.Errorf("the second run changed resource versions:\n%s", diff)
			}
			refused := b.jupyter("install")
			if refused.Code == 0 {
				t.Errorf("it was installed without the clone: %s", refused)
			}
			wantSays(t, refused.Stderr, "installed from a clone", dir, "--manifests DIR")
			wantSays(t, b.must("status").Stdout, "release "+out.Release, "Ready: ")
			wantSays(t, b.must("version").Stdout, "from the clone "+dir)
			b.must("uninstall", "--yes", "--delete-crds", "--delete-data")
			if left := b.versions(memberSelector); len(left) > 0 {
				t.Errorf("after uninstall these are left: %v", left)
			}
		})
	}
}
