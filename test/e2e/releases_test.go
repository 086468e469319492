//go:build e2e

package e2e

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// Every release that is not the default: Pod Security and the schemas are the real API
// server's; Istio, its CNI plugin and Kubeflow's programs are stand-ins here.
func TestAnotherReleaseIsInstalledAndKept(t *testing.T) {
	for _, release := range components.Releases() {
		if release.Name == components.DefaultRelease {
			continue
		}
		t.Run(release.Name, func(t *testing.T) {
			b := newBed(t)
			out := reportOf(t, b.must("install", "--release", release.Name, "-o", "json", "--timeout", "5m"))
			if out.Release != release.Name {
				t.Errorf("release %s is installed, want %s", out.Release, release.Name)
			}
			for _, c := range out.Components {
				if c.State != report.Ready || c.Ready != c.Objects || c.Objects == 0 {
					t.Errorf("component %s is %s with %d of %d objects ready", c.Name, c.State, c.Ready, c.Objects)
				}
			}
			before := b.versions(memberSelector)
			wantSays(t, b.must("install", "--timeout", "5m").Stderr, "nothing to change") // a run without --release keeps it
			if diff := cmp.Diff(before, b.versions(memberSelector)); diff != "" {
				t.Errorf("the second run changed resource versions:\n%s", diff)
			}
			status := b.must("status")
			wantSays(t, status.Stdout, "release "+release.Name, "Ready: ")

			oldest := b.must("render", "--release", release.Name, "--kube-version", fmt.Sprintf("1.%d", release.ServedMin)).Stdout
			if _, err := b.tryKubectl(oldest, "apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-"); err != nil {
				t.Errorf("the manifests for the oldest server: %v", err)
			}

			refused := b.jupyter("install", "--release", components.DefaultRelease)
			if refused.Code == 0 {
				t.Errorf("another release was installed over it: %s", refused)
			}
			wantSays(t, refused.Stderr, "--release", "release "+release.Name+" is installed", "nothing was changed")
			if diff := cmp.Diff(before, b.versions(memberSelector)); diff != "" {
				t.Errorf("the refused run changed resource versions:\n%s", diff)
			}
			// Also where nothing is recorded any more.
			b.kubectl("-n", "kube-system", "delete", "configmap", "kubectl-jupyter")
			wantSays(t, b.jupyter("status").Stdout, "release "+release.Name)
			refused = b.jupyter("install", "--release", components.DefaultRelease)
			wantSays(t, refused.Stderr, "release "+release.Name+" is installed, although the cluster has no record of it")
			b.must("install", "--timeout", "5m")
			wantSays(t, b.must("version").Stdout, "Installed: release "+release.Name)

			b.must("uninstall", "--yes", "--delete-crds", "--delete-data")
			if left := b.versions(memberSelector); len(left) > 0 {
				t.Errorf("after uninstall these are left: %v", left)
			}
		})
	}
}

// The nodes are simulated, so that nothing runs that could look into the directories.
func TestTheCNIPluginGoesWhereThePlatformKeepsItsPlugins(t *testing.T) {
	b := newBed(t)
	b.kubectl("label", "nodes", "--all", "microk8s.io/cluster=true")
	volumes := func() string {
		return b.kubectl("-n", "kube-system", "get", "daemonset", "istio-cni-node", "-o", `jsonpath={.spec.template.spec.volumes[*].hostPath.path}`)
	}
	const bin, conf = "/var/snap/microk8s/current/opt/cni/bin", "/var/snap/microk8s/current/args/cni-network"
	wantSays(t, b.must("preflight").Stdout, "plugins in "+bin+", configuration in "+conf+": MicroK8s (label microk8s.io/cluster of node")
	b.must("install", "--timeout", "5m")
	wantSays(t, volumes(), bin, conf)
	wantSays(t, b.must("install").Stderr, "nothing to change")
	eventually(t, "the stack is Ready", func() bool { return b.report().State == report.Ready })

	// What somebody has chosen stays; what the platform says is found again.
	b.must("install", "--cni-bin-dir", "/srv/cni/bin", "--timeout", "5m")
	wantSays(t, volumes(), "/srv/cni/bin", conf)
	b.kubectl("label", "nodes", "--all", "microk8s.io/cluster-")
	b.must("install", "--timeout", "5m")
	wantSays(t, volumes(), "/srv/cni/bin", "/etc/cni/net.d")
	wantSays(t, b.must("preflight").Stdout, "the platform is not recognized", "--cni-bin-dir chose the first")
	if r := b.jupyter("install", "--cni-conf-dir", "cni/net.d"); r.Code == 0 {
		t.Errorf("a path that is not absolute was taken: %s", r)
	}
}
