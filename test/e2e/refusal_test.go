//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// wantUntouched fails the test when the cluster is not as it was.
func (b *bed) wantUntouched(before map[string]string) {
	b.t.Helper()
	after := b.versions("")
	for k := range after {
		if _, was := before[k]; !was && !livesOnItsOwn(k) {
			b.t.Errorf("%s was made", k)
		}
	}
	for k := range before {
		if _, is := after[k]; !is && !livesOnItsOwn(k) {
			b.t.Errorf("%s is gone", k)
		}
	}
}

// livesOnItsOwn are objects that a control plane makes and drops at any time: its own
// accounts shortly after its start, an APIService for every group that is defined.
func livesOnItsOwn(k string) bool {
	for _, prefix := range []string{"Lease.", "EndpointSlice.", "Endpoints.", "ControllerRevision.", "APIService.", "ServiceAccount.v1 kube-system/"} {
		if strings.HasPrefix(k, prefix) {
			return true
		}
	}
	namespace, isDefault := strings.CutSuffix(strings.TrimPrefix(k, "ServiceAccount.v1 "), "/default")
	if !isDefault {
		namespace, isDefault = strings.CutSuffix(strings.TrimPrefix(k, "ConfigMap.v1 "), "/kube-root-ca.crt")
	}
	return isDefault && (namespace == "default" || strings.HasPrefix(namespace, "kube-"))
}

func TestObjectsOfOthersAreNamedBeforeAnythingIsWritten(t *testing.T) {
	b := newBed(t)
	b.apply(`{apiVersion: v1, kind: Namespace, metadata: {name: cert-manager}}`)
	b.apply(`{apiVersion: v1, kind: ServiceAccount, metadata: {name: cert-manager, namespace: cert-manager}}`)
	before := b.versions("")
	r := b.jupyter("install", "--timeout", "1m")
	if r.Code == 0 {
		t.Fatalf("install went ahead: %s", r)
	}
	wantSays(t, r.Stderr, "Namespace cert-manager", "ServiceAccount cert-manager/cert-manager", "kubectl-client-side-apply", "--use-existing cert-manager", "--adopt")
	b.wantUntouched(before)

	out := reportOf(t, b.must("install", "--adopt", "-o", "json", "--timeout", "5m"))
	if out.Password == "" {
		t.Error("the adopting run made no password")
	}
}

func TestWithoutRightsEveryMissingOneIsListedBeforeTheFirstWrite(t *testing.T) {
	b := newBed(t)
	b.kubectl("create", "clusterrolebinding", "viewer", "--clusterrole=view", "--user=viewer")
	before := b.versions("")
	r := b.jupyter("install", "--as", "viewer", "--timeout", "1m")
	if r.Code == 0 {
		t.Fatalf("install went ahead: %s", r)
	}
	wantSays(t, r.Stderr, "namespaces: create, ", "deployments.apps: create, ", "customresourcedefinitions.apiextensions.k8s.io: ", "clusterroles.rbac.authorization.k8s.io: ")
	b.wantUntouched(before)
}

func TestADryRunAndARefusalWriteNothing(t *testing.T) {
	b := newBed(t)
	before := b.versions("")
	r := b.must("install", "--dry-run=server")
	wantSays(t, r.Stdout, "deployment", "created")
	if diff := b.must("install", "--diff"); !strings.Contains(diff.Stdout, "kind: Deployment") {
		t.Errorf("--diff shows no object: %s", diff)
	}
	missing := b.jupyter("install", "--use-existing", "dex", "--timeout", "1m")
	if missing.Code == 0 {
		t.Errorf("install took a Dex for granted that is not there: %s", missing)
	}
	wantSays(t, missing.Stderr, "component dex", "the cluster lacks", "install it as well")
	b.wantUntouched(before)
}

func TestATimeoutNamesTheCause(t *testing.T) {
	b := newBed(t)
	for _, node := range strings.Fields(b.kubectl("get", "nodes", "-o", "name")) {
		b.kubectl("cordon", node)
	}
	// The nodes are looked at first; here they are to be found closed later.
	r := b.jupyter("install", "--skip-preflight", "--timeout", "20s")
	if r.Code == 0 {
		t.Fatalf("install claims to be done: %s", r)
	}
	wantSays(t, r.Stderr, "timed out", "cert-manager", "unschedulable")
	wantSays(t, strings.ToLower(r.Stderr), "uncordon")
}

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
