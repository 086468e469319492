//go:build e2e

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// notebookWork changes a notebook, runs programs like it, and tells of its volume. The nodes
// are simulated: pods start without a container, those of Jobs end by themselves, and nothing
// is said by them.
func notebookWork(t *testing.T, b *bed) {
	const ns = firstProfile
	admin := b.in(t) // for what goes on beside a command
	work, w := b.notebookWorker(t, ns, "wanda")
	asWorker := func(do func() result) result {
		t.Helper()
		b.Kubeconfig = w.kubeconfig
		defer func() { b.Kubeconfig = admin.Kubeconfig }()
		return do()
	}
	call := func(args ...string) result {
		t.Helper()
		return asWorker(func() result { return b.jupyter(append([]string{"notebook", args[0], "-n", ns}, args[1:]...)...) })
	}
	must := func(args ...string) result {
		t.Helper()
		r := call(args...)
		if r.Code != 0 {
			t.Fatalf("notebook %s: %s", strings.Join(args, " "), r)
		}
		return r
	}
	refused := func(says []string, args ...string) {
		t.Helper()
		r := call(args...)
		if r.Code != 1 || r.Stdout != "" {
			t.Errorf("notebook %s: %s", strings.Join(args, " "), r)
		}
		wantSays(t, r.Stderr, says...)
	}
	value := func(path string) string {
		t.Helper()
		return b.kubectl("-n", ns, "get", "notebook", "work", "-o", "jsonpath={"+path+"}")
	}
	const cpu = ".spec.template.spec.containers[0].resources.requests.cpu"
	must("create", "work", "--cpu", "200m", "--memory", "256Mi", "--wait=false")
	b.kubectl("-n", ns, "wait", "notebook/work", "--for=jsonpath={.status.readyReplicas}=1", "--timeout=60s")

	t.Run("edit stops, changes and starts a notebook", func(t *testing.T) {
		refused([]string{"cpu     ", "200m", "300m", "confirmation is required", "nothing was changed"}, "edit", "work", "--cpu", "300m")
		refused([]string{"would not run with the new values: nothing was changed", "InsufficientCPU"}, "edit", "work", "--cpu", "900")
		refused([]string{"ResourceMissing"}, "edit", "work", "--gpu", "1:nvidia.com/mig-1g.10gb")
		wantSays(t, must("edit", "work", "--cpu", "300m", "--dry-run=server").Stdout, "work edited (server dry run)")
		if got := value(cpu); got != "0.2" {
			t.Errorf("cpu is %s after what was refused and tried, want 0.2", got)
		}
		r := must("edit", "work", "--cpu", "300m", "--env", "A=secret", "--yes", "--timeout", "1m")
		wantSays(t, r.Stdout, "notebook.kubeflow.org/work edited")
		wantSays(t, r.Stderr, "env A", "stopping it", "starting it")
		if got := value(cpu); got != "300m" || strings.Contains(r.Stderr, "secret") {
			t.Errorf("cpu is %s, want 300m, and values of variables kept to themselves:\n%s", got, r.Stderr)
		}
		wantSays(t, must("edit", "work", "--cpu", "300m").Stdout, "work unchanged")
	})
	t.Run("an edit that was killed is taken back by the next", func(t *testing.T) {
		// A pod that does not go holds the edit where it can be killed.
		b.kubectl("-n", ns, "patch", "pod", "work-0", "--type=merge", "-p", `{"metadata":{"finalizers":["test.example.com/hold"]}}`)
		r := asWorker(func() result {
			return b.in(t).run(context.Background(), "", func(p *os.Process) {
				go func() {
					eventually(t, "the edit is written down", func() bool {
						return strings.Contains(b.kubectl("-n", ns, "get", "notebook", "work", "-o", "yaml"), "kubectl-jupyter/edit")
					})
					_ = p.Kill()
				}()
			}, "notebook", "edit", "work", "-n", ns, "--cpu", "400m", "--yes")
		})
		if r.Code == 0 {
			t.Fatalf("it was over before it was killed, which proves nothing: %s", r)
		}
		b.kubectl("-n", ns, "patch", "pod", "work-0", "--type=merge", "-p", `{"metadata":{"finalizers":null}}`)
		refused([]string{"was interrupted: finish it with --continue, or take it back with --undo, first"}, "edit", "work", "--cpu", "500m")
		wantSays(t, must("edit", "work", "--undo", "--yes", "--timeout", "1m").Stdout, "work restored")
		if got := value(cpu); got != "300m" || strings.Contains(b.kubectl("-n", ns, "get", "notebook", "work", "-o", "yaml"), "kubectl-jupyter/edit") {
			t.Errorf("cpu is %s, want 300m and no record of the edit", got)
		}
		refused([]string{"no edit was interrupted"}, "edit", "work", "--continue", "--yes")
	})
	t.Run("run makes a Job with what the notebook has, where its volume is", func(t *testing.T) {
		r := must("run", "--like", "work", "--dry-run=server", "--", "true")
		wantSays(t, r.Stderr, "volume work-workspace can be mounted by one node at a time and is mounted on", "by notebook work")
		wantSays(t, r.Stdout, "kind: Job", "claimName: work-workspace", `sidecar.istio.io/inject: "false"`, "serviceAccountName: default-editor", "key: metadata.name", "cpu: 300m")
		refused([]string{"the run has to be on node", "where notebook work has volume work-workspace", "nothing was created", "InsufficientCPU"}, "run", "--like", "work", "--cpu", "900", "--", "true")
		refused([]string{"Notebook " + ns + "/nobody does not exist"}, "run", "--like", "nobody", "--", "true")
		refused([]string{"does not exist: `kubectl jupyter notebook run list"}, "run", "logs", "work-run-none1")
		name, created := strings.CutSuffix(strings.TrimSpace(must("run", "--like", "work", "--detach", "--", "echo", "hello").Stdout), " created")
		if !created {
			t.Fatalf("created %q", name)
		}
		eventually(t, "the run has ended", func() bool { return strings.Contains(must("run", "list").Stdout, "Succeeded") })
		wantSays(t, must("run", "list", "-o", "wide").Stdout, "work", "echo hello", "Succeeded")
		wantSays(t, must("run", "list", "-o", "name").Stdout, name)
		// A file is delivered, and what there is of a log is shown: of a simulated pod nothing.
		script := filepath.Join(t.TempDir(), "script.py")
		if err := os.WriteFile(script, []byte("print(1)"), 0o644); err != nil {
			t.Fatal(err)
		}
		delivered, _ := strings.CutSuffix(strings.TrimPrefix(strings.TrimSpace(must("run", script, "--like", "work", "--detach").Stdout), "job.batch/"), " created")
		wantSays(t, b.kubectl("-n", ns, "get", "configmap", delivered, "-o", "yaml"), "script.py:", "kind: Job")
		eventually(t, "the script has ended", func() bool { return strings.Count(must("run", "list").Stdout, "Succeeded") == 2 })
		call("run", "logs", delivered, "--timeout", "30s")
		must("run", "delete", delivered)
		wantSays(t, must("run", "delete", name).Stdout, name+" deleted")
		wantSays(t, must("run", "list").Stderr, "no runs found in namespace "+ns)
	})
	t.Run("a volume is told with what uses it, and deleted when nothing does", func(t *testing.T) {
		wantSays(t, must("volume", "list", "-o", "wide").Stdout, "work-workspace", "notebook/work", "user@example.com", "RWO")
		refused([]string{"is used by notebook/work", "nothing was deleted"}, "volume", "delete", "work-workspace", "--yes")
		must("stop", "work", "--yes", "--wait", "--timeout", "1m")
		wantSays(t, must("volume", "list", "--unused", "0s", "-o", "csv").Stdout, "work-workspace,user@example.com,notebook/work (stopped),false,")
		wantSays(t, must("volume", "list", "--unused", "90d").Stderr, "no volumes found that are known to be unused for that time")
		refused([]string{"belongs to notebook work, which is stopped"}, "volume", "delete", "work-workspace", "--yes")
		wantSays(t, must("edit", "work", "--cpu", "200m").Stderr, "The notebook is stopped, and has not been started with the new values")
		must("delete", "work", "--yes", "--wait", "--timeout", "1m")
		refused([]string{"confirmation is required"}, "volume", "delete", "work-workspace")
		wantSays(t, must("volume", "list", "--unused", "90d").Stderr, "not used by anything, for an unknown time, and not listed")
		wantSays(t, must("volume", "delete", "work-workspace", "--yes").Stdout, "persistentvolumeclaim/work-workspace deleted")
	})
	t.Run("the roles are enough, and what is added for this is used", func(t *testing.T) {
		proxy := right{"get", "", "nodes/proxy"}
		if w.refused[proxy] == 0 {
			t.Error("the nodes were not asked how full volumes are")
		}
		delete(w.refused, proxy)
		for r, times := range w.refused {
			t.Errorf("refused %d times, so the roles are not enough: %s", times, r)
		}
		added := rights(work)
		// It takes a watch only where a Job has no pod yet when it is looked at.
		delete(added, right{"watch", "batch", "jobs"})
		if _, idle := differ(w.needed(), added); len(idle) > 0 {
			t.Errorf("in notebook-work.yaml, and not used: %v", idle)
		}
	})
}

// notebookWorker is a user with the roles for notebooks in one namespace, and a witness of
// what they do. It returns the role that is there for running programs.
func (b *bed) notebookWorker(t *testing.T, namespace, user string) (rbacv1.ClusterRole, *witness) {
	t.Helper()
	var role rbacv1.ClusterRole
	for _, file := range []string{"notebook-user.yaml", "notebook-work.yaml"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "docs", "rbac", file))
		if err != nil {
			t.Fatal(err)
		}
		b.apply(string(text))
		if file == "notebook-work.yaml" {
			if err := yaml.UnmarshalStrict(text, &role); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
		}
	}
	for _, name := range []string{"kubectl-jupyter-notebook-user", role.Name} {
		b.kubectl("-n", namespace, "create", "rolebinding", "test-"+user+"-"+name, "--clusterrole="+name, "--user="+user)
	}
	b.kubectl("create", "clusterrolebinding", "test-"+user, "--clusterrole=kubectl-jupyter-notebook-reader", "--user="+user)
	return role, newWitness(t, b, user, "people")
}
