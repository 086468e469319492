//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// formOfTheCluster changes the form for new notebooks, and sees that an install keeps it. Who
// reads it is a stand-in for the web app.
func formOfTheCluster(t *testing.T, b *bed) {
	read := func() string {
		t.Helper()
		return b.kubectl("-n", "kubeflow", "get", "configmap", "jupyter-web-app-config", "-o", `jsonpath={.data.spawner_ui_config\.yaml}`)
	}
	release := read()
	node := strings.Fields(b.kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.name}"))[0]
	b.kubectl("label", "node", node, "nvidia.com/gpu.product=NVIDIA-A100-SXM4-40GB")
	b.kubectl("taint", "node", node, "nvidia.com/gpu=present:NoSchedule")
	b.kubectl("patch", "node", node, "--subresource=status", "--type=merge", "-p", `{"status":{"capacity":{"nvidia.com/mig-1g.5gb":"7"},"allocatable":{"nvidia.com/mig-1g.5gb":"7"}}}`)
	defer func() {
		b.kubectl("label", "node", node, "nvidia.com/gpu.product-")
		b.kubectl("taint", "node", node, "nvidia.com/gpu-")
		b.kubectl("patch", "node", node, "--subresource=status", "--type=merge", "-p", `{"status":{"capacity":{"nvidia.com/mig-1g.5gb":null},"allocatable":{"nvidia.com/mig-1g.5gb":null}}}`)
	}()
	offers := []string{"limitsKey: nvidia.com/mig-1g.5gb", "uiName: NVIDIA MIG 1g.5gb", "configKey: nvidia-a100-sxm4-40gb", "groupKey: nvidia-com-gpu-present-noschedule"}

	wantSays(t, b.must("notebook", "form", "set", "--from-cluster", "--diff").Stdout, offers...)
	if r := b.jupyter("notebook", "form", "set", "--from-cluster"); r.Code != 1 || !strings.Contains(r.Stderr, "use --yes; nothing was changed") {
		t.Errorf("where nobody can be asked: %s", r)
	}
	if now := read(); now != release {
		t.Fatalf("the form was changed by who only looked:\n%s", now)
	}
	b.must("notebook", "form", "set", "--from-cluster", "--yes", "--timeout", "2m")
	set := read()
	wantSays(t, set, append(offers, "# limitsKey is the resource")...)
	wantSays(t, b.must("notebook", "form", "set", "--from-cluster", "--yes").Stderr, "Nothing to change")
	wantSays(t, b.must("install", "--timeout", "3m").Stderr, "nothing to change")
	if now := read(); now != set {
		t.Errorf("an install has changed the form:\n%s", now)
	}
	var shown struct {
		GPUs []struct{ LimitsKey string }
	}
	r := b.must("notebook", "form", "-o", "json")
	if err := json.Unmarshal([]byte(r.Stdout), &shown); err != nil || !slices.ContainsFunc(shown.GPUs, func(g struct{ LimitsKey string }) bool { return g.LimitsKey == "nvidia.com/mig-1g.5gb" }) {
		t.Errorf("form show: %v: %s", err, r)
	}
	b.must("notebook", "form", "reset", "--yes", "--timeout", "2m")
	if now := read(); now != release {
		t.Errorf("after reset the form is\n%s\nwant\n%s", now, release)
	}
}

// sixtyNotebooks lists them: what is asked does not grow with them. Every tenth one runs, on
// simulated nodes.
func sixtyNotebooks(t *testing.T, b *bed) {
	const many, namespace = 60, "class"
	b.kubectl("create", "namespace", namespace)
	defer b.kubectl("delete", "namespace", namespace, "--wait=false")
	add := func(from, to int) {
		var all strings.Builder
		for i := from; i < to; i++ {
			stopped := `, annotations: {kubeflow-resource-stopped: "2026-01-01T00:00:00Z"}`
			if i%10 == 0 {
				stopped = ""
			}
			fmt.Fprintf(&all, `---
{apiVersion: kubeflow.org/v1, kind: Notebook, metadata: {name: n%[1]d, namespace: %[2]s%[3]s}, spec: {template: {spec: {
  containers: [{name: n%[1]d, image: x, volumeMounts: [], resources: {requests: {cpu: 1m, memory: 1Mi}}}]}}}}
`, i, namespace, stopped)
		}
		if _, err := b.tryKubectl(all.String(), "create", "-f", "-"); err != nil {
			t.Fatal(err)
		}
	}
	// list returns the number of requests, and how many notebooks are listed and run.
	list := func() (requests, listed, running int) {
		r := b.must("notebook", "list", "-A", "-v", "6")
		for line := range strings.Lines(r.Stdout) {
			if strings.HasPrefix(line, namespace+" ") {
				listed++
				if strings.Contains(line, "Running") {
					running++
				}
			}
		}
		return strings.Count(r.Stderr, " verb="), listed, running
	}
	add(0, 2)
	few, listed, _ := list()
	if listed != 2 || few == 0 {
		t.Fatalf("%d of 2 notebooks listed with %d requests", listed, few)
	}
	add(2, many)
	var lots, running int
	eventually(t, "every tenth notebook runs", func() bool {
		lots, listed, running = list()
		return running == many/10
	}, func() { t.Logf("%d run, %d are listed", running, listed) })
	if listed != many || lots != few {
		t.Errorf("%d notebooks with %d requests, want %d with %d as for two", listed, lots, many, few)
	}
	began := time.Now()
	b.must("notebook", "list", "-A")
	t.Logf("%d notebooks are listed in %d ms with %d requests", many, time.Since(began).Milliseconds(), lots)
}
