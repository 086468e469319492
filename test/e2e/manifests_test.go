//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// The real API server looks at every embedded manifest as it would at an installation,
// with the real cert-manager's webhook behind it; istiod's and PodDefaults' are
// stand-ins here.
func theServerAcceptsEveryEmbeddedManifest(t *testing.T, b *bed) {
	// MetalLB comes on demand: without its namespace and definitions a dry run of the
	// rest has nowhere to go.
	metallb := b.must("render", "metallb").Stdout
	var first []string
	for _, object := range strings.Split(metallb, "\n---\n") {
		if strings.Contains(object, "kind: CustomResourceDefinition\n") || strings.Contains(object, "kind: Namespace\n") {
			first = append(first, object)
		}
	}
	if len(first) < 5 {
		t.Fatalf("MetalLB has %d definitions and namespaces", len(first))
	}
	if _, err := b.tryKubectl(strings.Join(first, "\n---\n"), "apply", "--server-side", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	b.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", "ipaddresspools.metallb.io", "l2advertisements.metallb.io")

	for _, tt := range []struct {
		name string
		args []string
	}{
		{"the default profile", nil},
		{"the small profile", []string{"--profile", "slim"}},
		{"from a mirror, for another person", []string{"--registry", "registry.example.com/mirror", "--user-email", "ada@example.com"}},
		{"MetalLB", []string{"metallb"}},
		{"MetalLB of the small profile", []string{"metallb", "--profile", "slim"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rendered := b.must(append([]string{"render"}, tt.args...)...).Stdout
			want := strings.Count(rendered, "\nkind: ") // apiVersion is the first line of each
			out, err := b.tryKubectl(rendered, "apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-")
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Count(out, "serverside-applied (server dry run)"); got == 0 || got != want {
				t.Errorf("the server took %d of %d objects:\n%s", got, want, out)
			}
		})
	}
}
