//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// notebookUser applies the roles of docs/rbac/notebook-user.yaml and gives them to a user who
// has no other: the first in a namespace, the second in the cluster. It returns both as one.
func (b *bed) notebookUser(namespace, user string) rbacv1.ClusterRole {
	b.t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "rbac", "notebook-user.yaml"))
	if err != nil {
		b.t.Fatal(err)
	}
	b.apply(string(text))
	var both rbacv1.ClusterRole
	for i, document := range strings.Split(string(text), "\n---\n") {
		var role rbacv1.ClusterRole
		if err := yaml.UnmarshalStrict([]byte(document), &role); err != nil {
			b.t.Fatalf("notebook-user.yaml: %v", err)
		}
		both.Rules = append(both.Rules, role.Rules...)
		if i == 0 {
			b.kubectl("-n", namespace, "create", "rolebinding", "test-"+user, "--clusterrole="+role.Name, "--user="+user)
		} else {
			b.kubectl("create", "clusterrolebinding", "test-"+user, "--clusterrole="+role.Name, "--user="+user)
		}
	}
	return both
}

// requests counts what was sent so far.
func (w *witness) requests() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, times := range w.used {
		n += times
	}
	return n
}

// notebookCommands makes notebooks as a person with the rights of docs/rbac/notebook-user.yaml,
// sees that they are enough and not more, and what is said where something does not go. The
// nodes are simulated: no server runs in the pods, and nothing can be asked of it.
func notebookCommands(t *testing.T, b *bed) {
	const ns = firstProfile
	role := b.notebookUser(ns, "nora")
	w := newWitness(t, b, "nora", "people")
	admin := b.Kubeconfig
	b.Kubeconfig = w.kubeconfig
	defer func() { b.Kubeconfig = admin }()
	asAdmin := func(do func()) {
		b.Kubeconfig = admin
		defer func() { b.Kubeconfig = w.kubeconfig }()
		do()
	}
	refused := func(says []string, args ...string) {
		t.Helper()
		r := b.jupyter(append([]string{"notebook"}, args...)...)
		if r.Code != 1 {
			t.Errorf("notebook %s: %s", strings.Join(args, " "), r)
		}
		wantSays(t, r.Stdout+r.Stderr, says...)
	}

	// Without -n the only namespace of a Profile is found.
	wantSays(t, b.must("notebook", "create", "lab", "--cpu", "200m").Stdout, "persistentvolumeclaim/lab-workspace created", "notebook.kubeflow.org/lab created", "/notebook/"+ns+"/lab/")
	wantSays(t, b.must("notebook", "list").Stdout, "lab", "jupyter-scipy", "Running")
	wantSays(t, b.must("notebook", "url", "lab").Stdout, "/notebook/"+ns+"/lab/")
	if r := b.jupyter("notebook", "why", "lab"); r.Code != 2 {
		t.Errorf("nothing answers for a simulated pod, and why is clear about it: %s", r)
	}

	// What would not run is said before there is any of it.
	refused([]string{"InsufficientCPU", "cpu free", "The largest that would run: --cpu", "nothing was created"}, "create", "big", "--cpu", "900")
	wantSays(t, b.must("notebook", "create", "big", "--cpu", "900", "--fit", "--dry-run=server").Stderr, "does not fit", "--cpu")
	refused([]string{"ResourceMissing", "nodes have: nvidia.com/gpu"}, "create", "big", "--gpu", "1:nvidia.com/mig-1g.10gb")
	refused([]string{"VolumeInUse", "notebook stop lab"}, "create", "big", "--volume", "lab-workspace")
	refused([]string{"already exists", "notebook start lab"}, "create", "lab", "--no-volume")
	refused([]string{"big-home does not exist"}, "create", "big", "--volume", "big-home")
	refused([]string{"at most 52 are allowed"}, "create", strings.Repeat("a", 53))
	asAdmin(func() { b.kubectl("-n", ns, "create", "quota", "few", "--hard=requests.cpu=1") })
	refused([]string{"QuotaExceeded", "quota few", "The largest that would run: --cpu 0."}, "create", "big", "--cpu", "4")
	asAdmin(func() { b.kubectl("-n", ns, "delete", "quota", "few") })
	asAdmin(func() {
		refused([]string{"not allowed"}, "create", "big", "-n", ns, "--as=nobody")
		if left := b.kubectl("-n", ns, "get", "pvc,notebooks", "-o", "name"); strings.Contains(left, "big") {
			t.Errorf("something was left of notebooks that were refused: %s", left)
		}
	})

	// One that somebody else has made, and that no node can take.
	asAdmin(func() {
		b.apply(`{apiVersion: kubeflow.org/v1, kind: Notebook, metadata: {name: huge, namespace: ` + ns + `}, spec: {template: {spec: {containers: [
			{name: huge, image: "example.com/notebook:1", volumeMounts: [], resources: {requests: {cpu: "900", memory: 1Gi}}}]}}}}`)
	})
	eventually(t, "the list says why a notebook does not start", func() bool {
		return strings.Contains(b.must("notebook", "list").Stdout, "InsufficientCPU")
	})
	refused([]string{"Failed", "InsufficientCPU", "insufficient-cpu.md", "900"}, "why", "huge")

	b.must("notebook", "restart", "lab", "--yes", "--wait", "--timeout", "1m")
	refused([]string{"confirmation is required", "lab: what runs in it is not known"}, "stop", "lab")
	b.must("notebook", "stop", "lab", "--yes", "--wait", "--timeout", "1m")
	wantSays(t, b.must("notebook", "why", "lab").Stdout, "Stopped since")
	refused([]string{"is Stopped"}, "open", "lab")
	refused([]string{"is stopped: `kubectl jupyter notebook start lab"}, "exec", "lab", "--", "true")
	b.must("notebook", "start", "lab", "--wait", "--timeout", "1m")
	// No kubelet answers for a simulated node, after the API server has let the request through.
	for _, verb := range [][]string{{"logs", "lab"}, {"exec", "lab", "--", "true"}, {"cp", "notebook_test.go", "lab:"}, {"connect", "lab", "--port", "0"}} {
		refused([]string{"Pod " + ns + "/lab-0"}, verb...)
	}
	refused([]string{`has no container "x": choose from lab`}, "logs", "lab", "-c", "x")

	listing := func() int {
		before := w.requests()
		b.must("notebook", "list", "-n", ns)
		return w.requests() - before
	}
	// Those of all namespaces take rights that the role does not have.
	everywhere := func() (requests int) {
		asAdmin(func() {
			started := time.Now()
			r := b.must("notebook", "list", "-A", "-v", "6")
			requests = strings.Count(r.Stderr, `"Response" verb=`)
			t.Logf("list -A: %d notebooks, %d requests, %d ms with the log of requests", strings.Count(r.Stdout, "\n")-1, requests, time.Since(started).Milliseconds())
		})
		return requests
	}
	two, few := listing(), everywhere()
	asAdmin(func() {
		var many strings.Builder
		for i := range 60 {
			fmt.Fprintf(&many, `---
{apiVersion: kubeflow.org/v1, kind: Notebook, metadata: {name: many-%d, namespace: %s, annotations: {kubeflow-resource-stopped: "2026-01-01T00:00:00Z"}},
 spec: {template: {spec: {containers: [{name: many-%[1]d, image: "example.com/notebook:1"}]}}}}
`, i, ns)
		}
		b.apply(many.String())
	})
	if all := listing(); all != two {
		t.Errorf("a list of 62 notebooks takes %d requests, one of two takes %d", all, two)
	}
	if all := everywhere(); few == 0 || all != few {
		t.Errorf("a list of all namespaces takes %d requests for 62 notebooks, %d for two", all, few)
	}
	var list struct {
		Notebooks []struct{ Name, State string }
	}
	if err := json.Unmarshal([]byte(b.must("notebook", "list", "-o", "json").Stdout), &list); err != nil || len(list.Notebooks) != 62 {
		t.Errorf("%d notebooks, %v", len(list.Notebooks), err)
	}

	refused([]string{"Kept: volumes lab-workspace", "confirmation is required"}, "delete", "lab")
	gone := b.must("notebook", "delete", "lab", "huge", "--delete-volume", "--yes", "--wait", "--timeout", "1m")
	wantSays(t, gone.Stdout, "notebook.kubeflow.org/lab deleted", "persistentvolumeclaim/lab-workspace deleted", "notebook.kubeflow.org/huge is gone")
	asAdmin(func() { b.kubectl("-n", ns, "delete", "notebooks", "--all", "--timeout=60s") })

	// The API server itself asks for the right to create where a WebSocket is opened, by a GET.
	w.used[right{"create", "", "pods/exec"}]++
	// Everybody may ask who they are.
	delete(w.used, right{"create", "authentication.k8s.io", "selfsubjectreviews"})
	w.check(t, role)
}
