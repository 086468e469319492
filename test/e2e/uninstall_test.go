//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
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
	wantSays(t, r.Stderr, "Namespace 1, Profile 1 (user data is deleted only with --delete-data): kubeflow-user-example-com")
	second := b.must("uninstall", "--yes")
	wantSays(t, second.Stderr, "Namespace 1, Profile 1 (user data is deleted only with --delete-data): kubeflow-user-example-com")

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
	// What a platform puts into every namespace is nobody's.
	for _, ns := range []string{"oauth2-proxy", "default", "kube-public"} {
		b.apply(`{apiVersion: v1, kind: ResourceQuota, metadata: {name: gke-resource-quotas, namespace: ` + ns + `}, spec: {hard: {pods: "1500"}}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: builder, namespace: ` + ns + `}}`)
	}
	r := b.must("uninstall", "--yes", "--timeout", "5m")
	wantSays(t, r.Stdout+r.Stderr, "precious", "kubectl delete namespace auth")
	if out := b.kubectl("get", "namespace", "oauth2-proxy", "--ignore-not-found", "-o", "name"); strings.TrimSpace(out) != "" {
		t.Errorf("a namespace is kept for what the platform puts into every namespace: %s", r)
	}
	wantSays(t, b.kubectl("-n", "auth", "get", "configmap", "-o", "name"), "precious")
	wantSays(t, b.must("uninstall", "--dry-run=server").Stdout, "namespace/auth kept (dry run): it still contains", "precious")
	wantSays(t, b.must("uninstall", "--yes").Stderr, "precious", "kubectl delete namespace auth")
	if out := b.kubectl("-n", "auth", "get", "deployments", "-o", "name"); strings.TrimSpace(out) != "" {
		t.Errorf("uninstall left %s", out)
	}
}

// The stand-in for istiod injects sidecars and has an authority of its own, as istiod does;
// that requests fail where the key is another one is for the test on a real node.
func TestTheMeshsKeyIsKeptWhileANotebookNeedsIt(t *testing.T) {
	b := newBed(t)
	b.must("install", "--timeout", "5m")
	const team = "kubeflow-user-example-com"
	b.apply(`{apiVersion: kubeflow.org/v1, kind: Notebook, metadata: {name: ada, namespace: ` + team + `}, spec: {template: {spec: {containers: [{name: ada, image: "example.com/notebook:1"}]}}}}`)
	b.kubectl("-n", team, "wait", "--for=create", "pod/ada-0", "--timeout=60s")
	b.kubectl("-n", team, "wait", "--for=condition=Ready", "pod/ada-0", "--timeout=60s")
	key := func() string {
		return b.kubectl("-n", "istio-system", "get", "secret", "istio-ca-secret", "-o", `jsonpath={.data.ca-cert\.pem}`)
	}
	was, pod := key(), b.kubectl("-n", team, "get", "pod", "ada-0", "-o", "jsonpath={.metadata.uid}")

	r := b.must("uninstall", "--yes", "--timeout", "5m")
	wantSays(t, r.Stderr, "needed by 1 running pod of others; deleted only with --delete-data", "it contains Secret istio-system/istio-ca-secret")
	wantSays(t, b.kubectl("-n", team, "get", "configmap", "istio-ca-root-cert", "-o", "name"), "istio-ca-root-cert")
	if left := strings.TrimSpace(b.kubectl("-n", "istio-system", "get", "deployments,services", "-o", "name")); left != "" {
		t.Errorf("uninstall left in istio-system: %s", left)
	}
	b.must("install", "--timeout", "5m")
	if key() != was {
		t.Error("the mesh has another key than before, while a notebook relies on the old one")
	}
	if now := b.kubectl("-n", team, "get", "pod", "ada-0", "-o", "jsonpath={.metadata.uid}"); now != pod {
		t.Error("the notebook has been restarted")
	}
	eventually(t, "the stack is Ready", func() bool { return b.report().State == report.Ready })

	// With the key deleted by hand, the notebook's certificate is worth nothing.
	b.kubectl("-n", "istio-system", "delete", "secret", "istio-ca-secret")
	b.kubectl("-n", "istio-system", "rollout", "restart", "deployment", "istiod")
	b.kubectl("-n", "istio-system", "rollout", "status", "deployment", "istiod", "--timeout=60s")
	named := func() string {
		for _, c := range b.report().Causes {
			if c.Name == diagnose.MeshRootChanged {
				return strings.Join(append(c.Evidence, c.Remedy), "\n")
			}
		}
		return ""
	}
	eventually(t, "status names the notebook", func() bool { return strings.Contains(named(), "Notebook "+team+"/ada: istio-proxy of pod ada-0") })
	wantSays(t, named(), "kubectl -n "+team+" delete pod ada-0")

	b.must("uninstall", "--yes", "--timeout", "5m")
	b.kubectl("-n", team, "delete", "notebook", "ada")
	b.kubectl("-n", team, "delete", "pod,statefulset", "--all")
	// Nobody needs the key any more.
	b.must("uninstall", "--yes", "--timeout", "5m")
	if left := b.kubectl("get", "namespaces", "-o", "name"); strings.Contains(left, "istio-system") {
		t.Errorf("a second uninstall left the mesh's key and its namespace: %s", left)
	}
}
