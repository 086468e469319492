//go:build e2e

package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// TestStatusOfAStackOfSomebodyElse installs with other tools: no inventory, no labels
// of ours, ConfigMaps with the suffixes of kustomize's generators, another version of
// one component. These are the marks of upstream's own sequence.
func TestStatusOfAStackOfSomebodyElse(t *testing.T) {
	b := newBed(t)
	manifests := b.must("render").Stdout
	manifests = strings.NewReplacer(
		"cert-manager-controller:v1.20.3", "cert-manager-controller:v1.20.1",
		"cert-manager-webhook:v1.20.3", "cert-manager-webhook:v1.20.1",
		"cert-manager-cainjector:v1.20.3", "cert-manager-cainjector:v1.20.1",
		"jupyter-web-app-config\n", "jupyter-web-app-config-t6fdc2gbb5\n",
		"kubectl-jupyter/component", "example.com/component",
	).Replace(manifests)
	eventually(t, "everything is accepted", func() bool {
		_, err := b.tryKubectl(manifests, "apply", "--server-side", "--force-conflicts", "-f", "-")
		return err == nil
	})
	var r report.Report
	eventually(t, "Ready", func() bool { r, _ = b.status(); return r.State == report.Ready }, func() {
		t.Log(b.jupyter("status"))
	})
	if !r.Foreign {
		t.Error("it is taken for an installation of this plugin")
	}
	for _, c := range r.Components {
		if c.Name == "cert-manager" && (c.Version != "v1.20.1" || c.Offered != "v1.20.3") {
			t.Errorf("cert-manager: version %q, offered %q", c.Version, c.Offered)
		}
	}
	for _, c := range r.Causes {
		if c.Name == diagnose.Drift || c.Name == diagnose.ObjectMissing {
			t.Errorf("%s: %s %q", c.Name, c.Object, c.Evidence)
		}
	}
	b.kubectl("-n", "auth", "delete", "deployment", "dex")
	r, code := b.status()
	if !slices.ContainsFunc(r.Causes, func(c report.Cause) bool { return c.Name == diagnose.ObjectMissing && c.Component == "dex" }) || code != 1 {
		t.Errorf("dex is deleted: exit code %d, causes %+v", code, r.Causes)
	}
}
