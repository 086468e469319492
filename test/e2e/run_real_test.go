//go:build e2e_real

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/runs"
)

// cells is a notebook file of code cells.
func cells(t *testing.T, sources ...string) string {
	t.Helper()
	var all []any
	for _, source := range sources {
		all = append(all, map[string]any{"cell_type": "code", "source": source, "metadata": map[string]any{}, "outputs": []any{}, "execution_count": nil})
	}
	text, err := json.Marshal(map[string]any{"nbformat": 4, "nbformat_minor": 4, "metadata": map[string]any{}, "cells": all})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// runs runs programs with what a notebook has that is running and mounts a claim: kernels,
// volume and log are real, and so is the mesh that the namespace's pods are in.
func (b *bed) runs(t *testing.T, notebook, claim string) {
	b = b.in(t)
	dir := t.TempDir()
	file := func(name, content string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	run := func(args ...string) result {
		t.Helper()
		return b.jupyter(append([]string{"notebook", "run", "-n", profileNamespace}, args...)...)
	}
	outputs := func(path string) string {
		t.Helper()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var executed struct {
			Cells []struct {
				Outputs json.RawMessage `json:"outputs"`
			} `json:"cells"`
		}
		if err := json.Unmarshal(text, &executed); err != nil {
			t.Fatalf("%v:\n%s", err, text)
		}
		var all strings.Builder
		for _, c := range executed.Cells {
			all.Write(c.Outputs)
		}
		return all.String()
	}
	like := []string{"--like", notebook, "--cpu", "100m", "--memory", "256Mi", "--timeout", "3m"}

	t.Run("a notebook file that works comes back executed", func(t *testing.T) {
		out := filepath.Join(dir, "good.executed.ipynb")
		r := run(append(like, file("good.ipynb", cells(t, "print('hello from', 6 * 7)", "open('/home/jovyan/from-run.txt', 'w').write('left by a run')", "1 + 1")), "--output", out)...)
		if r.Code != 0 {
			t.Fatalf("run: %s", r)
		}
		wantSays(t, r.Stdout, "hello from 42\n", "2\n")
		wantSays(t, r.Stderr, "can be mounted by one node at a time and is mounted on", "by notebook "+notebook, "Executed notebook: "+out)
		if strings.Contains(r.Stdout, "kubectl-jupyter") {
			t.Errorf("what carries the notebook is shown:\n%s", r.Stdout)
		}
		wantSays(t, outputs(out), "hello from 42", `"text/plain"`)
		if got := b.kubectl("-n", profileNamespace, "exec", notebook+"-0", "-c", notebook, "--", "cat", "/home/jovyan/from-run.txt"); got != "left by a run" {
			t.Errorf("the notebook finds %q on its volume, want what the run left", got)
		}
	})
	t.Run("of one that fails the exit code, the error and the cells before it come back", func(t *testing.T) {
		out := filepath.Join(dir, "bad.executed.ipynb")
		r := run(append(like, file("bad.ipynb", cells(t, "print('before')", "1 / 0", "print('after')")), "--output", out)...)
		if r.Code != 1 {
			t.Fatalf("run: %s", r)
		}
		wantSays(t, r.Stdout, "before\n", "ZeroDivisionError", "the notebook has failed in cell 2")
		wantSays(t, r.Stderr, "the program ended with exit code 1")
		wantSays(t, outputs(out), "before", "ZeroDivisionError")
		if strings.Contains(r.Stdout+outputs(out), "after") {
			t.Errorf("cells after the one that failed were executed:\n%s", r.Stdout)
		}
	})
	t.Run("the exit code of a script is that of the command", func(t *testing.T) {
		r := run(append(like, file("code.py", "import sys; print(sys.argv[1:], flush=True); sys.exit(7)"), "--", "--epochs", "3")...)
		if r.Code != 7 {
			t.Errorf("run: %s", r)
		}
		wantSays(t, r.Stdout, "['--epochs', '3']")
	})
	t.Run("a command is deleted at its end where that was asked for", func(t *testing.T) {
		r := run(append(like, "--rm", "--no-volumes", "--", "python3", "-c", "print('done')")...)
		if r.Code != 0 || r.Stdout != "done\n" {
			t.Errorf("run: %s", r)
		}
		wantSays(t, r.Stderr, "deleted.")
	})
	t.Run("one in the mesh ends as well, since its sidecar is a native one", func(t *testing.T) {
		r := run(append(like, "--sidecar", "--no-volumes", "--", "python3", "-c", "print('in the mesh')")...)
		if r.Code != 0 || r.Stdout != "in the mesh\n" {
			t.Errorf("run: %s", r)
		}
		sidecars := b.in(t).kubectl("-n", profileNamespace, "get", "pods", "-l", runs.LikeLabel+"="+notebook+",batch.kubernetes.io/job-name",
			"-o", `jsonpath={range .items[*]}{.spec.initContainers[?(@.name=="istio-proxy")].restartPolicy}{end}`)
		if sidecars != "Always" {
			t.Errorf("the sidecars of runs restart %q, want one that restarts Always", sidecars)
		}
	})
	t.Run("one that was detached is fetched later", func(t *testing.T) {
		r := run(append(like, "--detach", file("later.ipynb", cells(t, "print('later')")))...)
		name, created := strings.CutSuffix(strings.TrimPrefix(strings.TrimSpace(r.Stdout), "job.batch/"), " created")
		if r.Code != 0 || !created {
			t.Fatalf("run: %s", r)
		}
		out := filepath.Join(dir, "later.executed.ipynb")
		b := b.in(t)
		wantSays(t, b.must("notebook", "run", "logs", name, "-n", profileNamespace, "--output", out).Stdout, "later\n")
		wantSays(t, outputs(out), "later")
		list := b.must("notebook", "run", "list", "-n", profileNamespace, "-o", "wide").Stdout
		wantSays(t, list, name, "later.ipynb", "Succeeded", "bad.ipynb", "Failed", "code.py --epochs 3")
		b.must("notebook", "run", "delete", name, "-n", profileNamespace)
		if list := b.must("notebook", "run", "list", "-n", profileNamespace).Stdout; strings.Contains(list, name) {
			t.Errorf("it is still there after it was deleted:\n%s", list)
		}
	})
	t.Run("volumes are told with what uses them", func(t *testing.T) {
		var list struct {
			Volumes []struct {
				Name, Owner string
				InUse       bool
				UsedBytes   *int64
			}
		}
		text := b.in(t).must("notebook", "volume", "list", "-n", profileNamespace, "-o", "json").Stdout
		if err := json.Unmarshal([]byte(text), &list); err != nil {
			t.Fatal(err)
		}
		for _, v := range list.Volumes {
			if v.Name == claim {
				if !v.InUse || v.Owner == "" {
					t.Errorf("%+v: want it in use, with an owner:\n%s", v, text)
				}
				// A kubelet on the disk of a virtual machine may have no figures.
				if v.UsedBytes == nil {
					wantSays(t, text, "how full volumes are is not known of 1 node")
				}
				return
			}
		}
		t.Errorf("there is no %s:\n%s", claim, text)
	})
}
