//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUninstallLeavesOnlyWhatIsAPersons(t *testing.T) {
	b := newBed(t)
	b.kubectl("create", "clusterrolebinding", "viewer", "--clusterrole=view", "--user=viewer")
	before := b.versions("")
	b.must("install", "--timeout", "5m")
	b.apply(`{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: home, namespace: kubeflow-user-example-com}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}`)

	refused := b.jupyter("uninstall")
	if refused.Code == 0 {
		t.Fatalf("uninstall went ahead without asking: %s", refused)
	}
	wantSays(t, refused.Stderr, "--yes")

	powerless := b.jupyter("uninstall", "--as", "viewer", "--yes")
	if powerless.Code == 0 {
		t.Fatalf("uninstall went ahead without the rights: %s", powerless)
	}
	wantSays(t, powerless.Stderr, "nothing was changed", "customresourcedefinitions.apiextensions.k8s.io", "clusterroles.rbac.authorization.k8s.io", "deployments.apps")

	r := b.must("uninstall", "--yes", "--timeout", "5m")
	wantSays(t, r.Stderr, "devcluster")
	left := b.versions("")
	for k := range left {
		if _, was := before[k]; was || livesOnItsOwn(k) {
			continue
		}
		if !strings.HasPrefix(k, "CustomResourceDefinition.") && !strings.HasPrefix(k, "PersistentVolume.") && !strings.Contains(k, "kubeflow-user-example-com") {
			t.Errorf("uninstall left %s", k)
		}
	}
	wantSays(t, b.kubectl("get", "profiles", "-o", "name"), "kubeflow-user-example-com")
	wantSays(t, b.kubectl("-n", "kubeflow-user-example-com", "get", "pvc", "-o", "name"), "home")

	// Installed again, the person's namespace is as it was.
	b.must("install", "--timeout", "5m")
	wantSays(t, b.kubectl("-n", "kubeflow-user-example-com", "get", "pvc", "-o", "name"), "home")

	definitionsOnly := b.jupyter("uninstall", "--yes", "--delete-crds", "--timeout", "5m")
	if definitionsOnly.Code == 0 {
		t.Errorf("--delete-crds took a Profile along unasked: %s", definitionsOnly)
	}
	wantSays(t, definitionsOnly.Stderr, "--delete-data", "Profile")

	b.must("uninstall", "--yes", "--delete-crds", "--delete-data", "--timeout", "5m")
	after := b.versions("")
	for _, m := range []map[string]string{before, after} {
		for k := range m {
			if livesOnItsOwn(k) {
				delete(m, k)
				continue
			}
			m[k] = ""
		}
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("the cluster is not as it was before install:\n%s", diff)
	}
	again := b.jupyter("uninstall", "--yes")
	wantSays(t, again.Stderr, "nothing is installed")
}

func TestANamespaceWithSomebodysObjectsIsKept(t *testing.T) {
	b := newBed(t)
	b.must("install", "--timeout", "5m")
	b.apply(`{apiVersion: v1, kind: ConfigMap, metadata: {name: precious, namespace: auth}}`)
	r := b.must("uninstall", "--yes", "--timeout", "5m")
	wantSays(t, r.Stdout+r.Stderr, "precious")
	wantSays(t, b.kubectl("-n", "auth", "get", "configmap", "-o", "name"), "precious")
	if out := b.kubectl("-n", "auth", "get", "deployments", "-o", "name"); strings.TrimSpace(out) != "" {
		t.Errorf("uninstall left %s", out)
	}
}
