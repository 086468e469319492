//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// TestNamespacesAreIsolated is about the policies; what they let through is seen on a real
// node.
func TestNamespacesAreIsolated(t *testing.T) {
	b := newBed(t)
	const ada, eve, first, home, hers, policy = "ada@example.com", "eve@example.com", "kubeflow-user-example-com", "kubeflow-ada-example-com", "kubeflow-eve-example-com", "kubectl-jupyter-isolation"
	closed := func(want ...string) {
		t.Helper()
		got := b.kubectl("get", "networkpolicies", "-A", "--field-selector=metadata.name="+policy, "--sort-by=.metadata.namespace", "-o", "jsonpath={.items[*].metadata.namespace}")
		if got != strings.Join(want, " ") {
			t.Errorf("isolated are %q, want %q", got, want)
		}
	}
	wantSays(t, b.must("preflight", "--isolate-namespaces").Stdout, "isolation", "PoliciesNotEnforced", "not known", "Next: kubectl jupyter install --isolate-namespaces")
	if r := b.must("preflight"); strings.Contains(r.Stdout, "isolation") {
		t.Errorf("what was not chosen is checked: %s", r)
	}
	b.must("install", "--timeout", "3m")
	closed()

	r := b.must("user", "add", ada, "--isolate")
	wantSays(t, r.Stderr, "warning: whether the cluster's network enforces network policies is not known")
	closed(home)
	if got := b.kubectl("-n", home, "get", "networkpolicy", policy, "-o", "jsonpath={.metadata.ownerReferences[*].kind} {.metadata.ownerReferences[*].name} {.metadata.labels}"); got != `Profile `+home+` {"app.kubernetes.io/managed-by":"kubectl-jupyter"}` {
		t.Errorf("the policy's owner and labels: %s", got)
	}
	wantSays(t, b.must("user", "list", "-o", "wide").Stdout, "ISOLATED")
	if got := b.must("user", "list", "-o", `jsonpath={range .items[?(@.isolated==true)]}{.email}{" "}{end}`).Stdout; strings.TrimSpace(got) != ada {
		t.Errorf("isolated are %q, want %s", got, ada)
	}
	b.must("user", "add", eve)
	closed(home)

	// Somebody's change of the policy is put right, and another policy is theirs.
	b.kubectl("-n", home, "patch", "networkpolicy", policy, "--type=merge", "-p", `{"spec": {"egress": [{}]}}`)
	b.apply(`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: theirs, namespace: ` + home + `}, spec: {podSelector: {}, egress: [{}]}}`)
	wantSays(t, b.must("user", "isolate", ada).Stdout, "namespace "+home+" isolated")
	if got := b.kubectl("-n", home, "get", "networkpolicy", policy, "-o", "jsonpath={.spec.egress}"); !strings.Contains(got, "169.254.0.0/16") {
		t.Errorf("the policy lets out %s", got)
	}

	pod := b.forgotten(home)
	r = b.must("install", "--isolate-namespaces", "--cull-idle", "8h", "--timeout", "3m")
	wantSays(t, r.Stderr, "Isolated: 3 namespaces")
	b.stopsIdleAfter(r, home, pod)
	closed(home, hers, first)
	b.must("user", "remove", eve, "--delete-namespace", "--yes")
	b.must("user", "add", eve)
	closed(home, hers, first)
	b.kubectl("-n", hers, "delete", "networkpolicy", policy)
	wantSays(t, b.must("install", "--timeout", "3m").Stderr, "Isolated: 3 namespaces") // remembered
	closed(home, hers, first)
	wantSays(t, b.must("status").Stdout, "Culling:  notebooks are stopped 8h after") // remembered too
	wantSays(t, b.must("user", "isolate", eve, "--undo").Stdout, "no longer isolated")
	wantSays(t, b.must("user", "isolate", eve, "--undo").Stdout, "is not isolated")
	closed(home, first)
	wantSays(t, b.must("install", "--isolate-namespaces=false", "--cull-idle=off", "--timeout", "3m").Stderr, "No longer isolated: 2 namespaces")
	wantSays(t, b.must("status").Stdout, "Culling:  off")
	closed()
	b.kubectl("-n", home, "get", "networkpolicy", "theirs")
	if r := b.jupyter("user", "isolate", "nobody@example.com"); r.Code != 1 || !strings.Contains(r.Stderr, "is not a user") {
		t.Errorf("somebody unknown: %s", r)
	}

	// What preflight knows of a network it knows by its DaemonSets.
	b.apply(`{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: kube-flannel-ds, namespace: kube-system}, spec: {selector: {matchLabels: {app: flannel}},
		template: {metadata: {labels: {app: flannel}}, spec: {containers: [{name: kube-flannel, image: "docker.io/flannel/flannel:v0.25.1"}]}}}}`)
	wantSays(t, b.must("preflight", "--isolate-namespaces").Stdout, "PoliciesNotEnforced", "does not enforce network policies", "kube-flannel-ds")
	wantSays(t, b.must("user", "isolate", ada).Stderr, "warning: the cluster's network does not enforce network policies")
	b.kubectl("-n", "kube-system", "set", "image", "daemonset/kube-flannel-ds", "kube-flannel=quay.io/cilium/cilium:v1.17.0")
	wantSays(t, b.must("preflight", "--isolate-namespaces").Stdout, "enforced by DaemonSet kube-system/kube-flannel-ds")
	if r := b.must("user", "isolate", ada); strings.Contains(r.Stderr, "warning") {
		t.Errorf("a warning where policies are enforced: %s", r)
	}
}
