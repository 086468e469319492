//go:build e2e

package e2e

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
)

// busyPods are pods on simulated nodes that say what they use: kwok reports that to
// metrics-server as a kubelet would. cpu-2 has none, and so no figures; b and c use the
// same. gpu-0 has 4 GPUs: one pod has 1, one asks for 2 and has failed, one runs without.
const busyPods = `
apiVersion: v1
kind: Pod
metadata: {name: a, annotations: {kwok.x-k8s.io/usage-cpu: 1234567890n, kwok.x-k8s.io/usage-memory: 3000Mi}}
spec: {nodeName: cpu-0, containers: [{name: c, image: example.com/c}]}
---
apiVersion: v1
kind: Pod
metadata: {name: b, annotations: {kwok.x-k8s.io/usage-cpu: 500m, kwok.x-k8s.io/usage-memory: "7777777777"}}
spec: {nodeName: cpu-1, containers: [{name: c, image: example.com/c}]}
---
apiVersion: v1
kind: Pod
metadata: {name: c, annotations: {kwok.x-k8s.io/usage-cpu: 500m, kwok.x-k8s.io/usage-memory: 100Gi}}
spec: {nodeName: gpu-0, containers: [{name: c, image: example.com/c, resources: {limits: {nvidia.com/gpu: 1}}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: d, annotations: {kwok.x-k8s.io/usage-cpu: "20", kwok.x-k8s.io/usage-memory: 1Mi}}
spec: {nodeName: gpu-1, containers: [{name: c, image: example.com/c}]}
---
apiVersion: v1
kind: Pod
metadata: {name: e}
spec: {nodeName: gpu-0, containers: [{name: c, image: example.com/c, resources: {limits: {nvidia.com/gpu: 2}}}]}
`

// tableOf maps the first column of a table to the others.
func tableOf(text string, from, to int) (names []string, cells map[string][]string) {
	cells = map[string][]string{}
	for _, l := range strings.Split(strings.TrimSpace(text), "\n") {
		f := strings.Fields(l)
		names = append(names, f[0])
		cells[f[0]] = f[from:to]
	}
	return names, cells
}

// TestTopIsWhatKubectlPrints holds every cell of CPU and memory against the real kubectl
// top nodes and the real metrics-server, and shows what the rest of the table has.
func TestTopIsWhatKubectlPrints(t *testing.T) {
	b := newBed(t, "--metrics-server=true", "--stand-ins=false", "--pod-delay=0s")
	b.apply(busyPods)
	b.kubectl("wait", "--for=condition=Ready", "pods", "--all", "--timeout=30s")
	b.kubectl("patch", "pod", "e", "--subresource=status", "--type=merge", "-p", `{"status":{"phase":"Failed"}}`)
	eventually(t, "metrics-server has four nodes", func() bool {
		out, err := b.tryKubectl("", "top", "nodes", "--no-headers")
		return err == nil && strings.Count(out, "%") == 8
	})

	for _, flags := range [][]string{
		nil,
		{"--sort-by=cpu"},
		{"--sort-by=memory"},
		{"--show-capacity"},
		{"--show-capacity", "--sort-by=memory"},
		{"-l", "kubernetes.io/os=linux"},
		{"-l", "nvidia.com/gpu.present=true"},
		{"gpu-0"},
		{"--use-protocol-buffers=false"},
		{"--no-headers"},
	} {
		t.Run(strings.Join(append([]string{"cell for cell"}, flags...), " "), func(t *testing.T) {
			// metrics-server may measure between the two: then both are asked again.
			var ours, theirs string
			eventually(t, "the two see the same figures", func() bool {
				before := b.kubectl(append([]string{"top", "nodes"}, flags...)...)
				ours = b.must(append([]string{"top"}, flags...)...).Stdout
				theirs = b.kubectl(append([]string{"top", "nodes"}, flags...)...)
				return sorted(before) == sorted(theirs)
			})
			if !slices.Contains(flags, "--no-headers") {
				_, ours, _ = strings.Cut(ours, "\n")
				_, theirs, _ = strings.Cut(theirs, "\n")
			}
			names, cells := tableOf(ours, 2, 6)
			order, want := tableOf(theirs, 1, 5)
			for name, w := range want {
				if !slices.Equal(cells[name], w) {
					t.Errorf("%s: %v, kubectl has %v", name, cells[name], w)
				}
			}
			if len(names) != len(order) {
				t.Errorf("%d nodes, kubectl has %d:\n%s\n%s", len(names), len(order), ours, theirs)
			}
			// kubectl puts nodes without figures last, and leaves equal ones in any order.
			if slices.Contains(flags, "--sort-by=memory") && !slices.Equal(names, order) {
				t.Errorf("order %v, kubectl has %v", names, order)
			}
			if slices.Contains(flags, "--sort-by=cpu") {
				for i, name := range names[1:] {
					before, after := cells[names[i]][0], cells[name][0]
					if d := milli(t, before) - milli(t, after); d < 0 || d == 0 && names[i] > name {
						t.Errorf("%s (%s) stands before %s (%s)", names[i], before, name, after)
					}
				}
			}
		})
	}

	t.Run("GPUs are counted, and pods that have failed are not", func(t *testing.T) {
		r := b.must("top", "--gpu-only", "--total")
		for name, want := range map[string]string{
			"gpu-0": "nvidia.com/gpu NVIDIA-A100-SXM4-80GB 4 1 3", "gpu-1": "nvidia.com/gpu Tesla-T4 1 0 1", "TOTAL": "nvidia.com/gpu various 5 1 4",
		} {
			if _, cells := tableOf(r.Stdout, 6, 11); strings.Join(cells[name], " ") != want {
				t.Errorf("%s: %v, want %s", name, cells[name], want)
			}
		}
		if strings.Contains(r.Stdout, "cpu-0") {
			t.Errorf("--gpu-only shows other nodes:\n%s", r.Stdout)
		}
	})

	t.Run("one line says which node has no figures", func(t *testing.T) {
		r := b.must("top")
		if want := "warning: CPU and memory of 1 of 5 nodes are unknown: metrics-server has no metrics for cpu-2 yet\n"; r.Stderr != want {
			t.Errorf("stderr %q, want %q", r.Stderr, want)
		}
	})

	t.Run("JSON has base units, samples, and a reason for every null", func(t *testing.T) {
		var d usage.Document
		if err := json.Unmarshal([]byte(b.must("top", "-o", "json", "--total").Stdout), &d); err != nil {
			t.Fatal(err)
		}
		byName := map[string]usage.NodeDocument{}
		for _, n := range d.Nodes {
			byName[n.Name] = n
		}
		if n := byName["cpu-1"]; n.CPU.Used == nil || *n.CPU.Used < 0.4 || *n.CPU.Used > 0.6 || *n.Memory.Used != 7777777777 || n.Memory.Allocatable != 32<<30 ||
			n.Sample == nil || n.Sample.AgeSeconds < 0 || n.Sample.Stale || time.Since(n.Sample.Time) > time.Minute {
			t.Errorf("cpu-1: %+v", n)
		}
		if n := byName["cpu-2"]; n.CPU.Used != nil || n.CPU.Missing == nil || n.CPU.Missing.Reason == "" || n.Sample != nil {
			t.Errorf("cpu-2: %+v", n)
		}
		if g := byName["gpu-0"].GPUs; len(g) != 1 || *g[0].Requested != 1 || *g[0].Free != 3 || g[0].Utilization != nil || g[0].Missing["utilizationPercent"].Reason == "" {
			t.Errorf("gpu-0: %+v", g)
		}
		if d.Total == nil || d.Total.Unknown != 1 || d.Total.Nodes != 5 {
			t.Errorf("total %+v", d.Total)
		}
	})

	t.Run("other formats", func(t *testing.T) {
		if got := b.must("top", "-o", "name", "-l", "nvidia.com/gpu.present=true").Stdout; got != "node/gpu-0\nnode/gpu-1\n" {
			t.Errorf("names %q", got)
		}
		if got := b.must("top", "-o", `jsonpath={range .nodes[*]}{.name}={.gpus[*].free} {end}`).Stdout; got != "cpu-0= cpu-1= cpu-2= gpu-0=3 gpu-1=1 \n" {
			t.Errorf("jsonpath %q", got)
		}
		rows, err := csv.NewReader(strings.NewReader(b.must("top", "-o", "csv").Stdout)).ReadAll()
		if err != nil || len(rows) != 6 || rows[4][0] != "gpu-0" || rows[4][12] != "1" {
			t.Errorf("csv %v, %v", rows, err)
		}
		wantSays(t, b.must("top", "-o", "wide").Stdout, "ALLOCATABLE", "SCHEDULABLE", "SAMPLE", "AGE")
		wantSays(t, b.must("top", "-o", "yaml").Stdout, "kind: NodeUsage", "percentOf: allocatable")
	})

	t.Run("a cordoned node keeps its row, and nobody can get its GPUs", func(t *testing.T) {
		b.kubectl("cordon", "gpu-0")
		eventually(t, "the node is cordoned", func() bool {
			_, cells := tableOf(b.must("top", "gpu-0", "-o", "wide", "--no-headers").Stdout, 1, 13)
			return cells["gpu-0"][0] == "Ready,cordoned" && cells["gpu-0"][9] == "3" && cells["gpu-0"][11] == "0"
		})
		if names, _ := tableOf(b.must("top", "--gpu-only", "--sort-by=gpu-free", "--no-headers").Stdout, 0, 1); !slices.Equal(names, []string{"gpu-1", "gpu-0"}) {
			t.Errorf("order by what can be had: %v", names)
		}
		b.kubectl("uncordon", "gpu-0")
	})

	t.Run("a node that is not there", func(t *testing.T) {
		r := b.jupyter("top", "cpu-0", "cpu-9")
		if r.Code != 1 || r.Stdout != "" {
			t.Errorf("%s", r)
		}
		wantSays(t, r.Stderr, "error: node cpu-9 does not exist in", "kubectl get nodes")
	})

	t.Run("what a user may not see is forbidden, not zero", func(t *testing.T) {
		b.apply(`
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: nodes-alone}
rules: [{apiGroups: [""], resources: [nodes], verbs: [get, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: nodes-alone}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: nodes-alone}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: somebody}]
`)
		var r result
		eventually(t, "the right is in force", func() bool { r = b.jupyter("top", "--as=somebody", "--no-dcgm"); return r.Code == 0 })
		_, cells := tableOf(r.Stdout, 2, 11)
		if got := strings.Join(cells["gpu-0"], " "); got != "<forbidden> <forbidden> <forbidden> <forbidden> nvidia.com/gpu NVIDIA-A100-SXM4-80GB 4 <forbidden> <forbidden>" {
			t.Errorf("gpu-0: %s", got)
		}
		wantSays(t, r.Stderr, "CPU and memory are unknown: the user is not allowed to list nodes of metrics.k8s.io", "GPU requests on gpu-0, gpu-1 are unknown: the user is not allowed to list pods")
		if r := b.jupyter("top", "--as=nobody"); r.Code != 1 || r.Stdout != "" || !strings.Contains(r.Stderr, "nodes cannot be listed") {
			t.Errorf("%s", r)
		}
	})

	t.Run("without metrics-server the table still comes", func(t *testing.T) {
		b.kubectl("delete", "apiservice", "v1beta1.metrics.k8s.io")
		r := b.must("top")
		_, cells := tableOf(r.Stdout, 2, 11)
		if got := strings.Join(cells["gpu-0"], " "); got != "<unknown> <unknown> <unknown> <unknown> nvidia.com/gpu NVIDIA-A100-SXM4-80GB 4 1 3" {
			t.Errorf("gpu-0: %s", got)
		}
		if want := "warning: CPU and memory are unknown: the cluster has no metrics API: metrics-server is not installed\n"; r.Stderr != want {
			t.Errorf("stderr %q, want %q", r.Stderr, want)
		}
	})
}

// milli reads a cell such as 1235m; what is not known is below everything.
func milli(t *testing.T, cell string) int {
	t.Helper()
	if cell == "<unknown>" {
		return -1
	}
	n, err := strconv.Atoi(strings.TrimSuffix(cell, "m"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// sorted are the lines of a table without their order and their figures' widths.
func sorted(table string) string {
	lines := strings.Split(strings.TrimSpace(table), "\n")
	for i, l := range lines {
		lines[i] = strings.Join(strings.Fields(l), " ")
	}
	slices.Sort(lines)
	return fmt.Sprint(lines)
}
