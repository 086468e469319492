//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

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
	wantSays(t, missing.Stderr, "component dex", "does not exist", "install the component instead")
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
