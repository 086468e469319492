//go:build e2e_real

package e2e

import (
	"encoding/csv"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestTopReadsAnExporterOnARealNode runs a stand-in for NVIDIA's exporter as a pod of a real
// kubelet: the API server's proxy, the pod network and the container are real, what the
// exporter says is recorded. The node only says that it has GPUs.
func TestTopReadsAnExporterOnARealNode(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("a real node needs root: run it with sudo")
	}
	b := newBed(t, "--nodes", "real", "--gpus", "2")
	image := strings.TrimSpace(b.kubectl("-n", "kube-system", "get", "deployment", "coredns", "-o", "jsonpath={.spec.template.spec.containers[0].image}"))
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "stand-in-dcgm-exporter"), "../standin/dcgm-exporter")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", build, err, out)
	}
	// say makes the exporter tell another recorded text.
	say := func(name string) {
		t.Helper()
		text, err := os.ReadFile(filepath.Join("..", "..", "pkg", "usage", "dcgm", "testdata", name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "now.prom"), text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	say("whole.prom")
	pod := func(name, labels, container string) string {
		return `
---
apiVersion: v1
kind: Pod
metadata: {name: ` + name + `, namespace: kubeflow-ada, labels: {` + labels + `}}
spec:
  terminationGracePeriodSeconds: 0
  volumes: [{name: data, hostPath: {path: ` + dir + `}}]
  containers: [{name: main, ` + container + `}]
`
	}
	b.apply("apiVersion: v1\nkind: Namespace\nmetadata: {name: kubeflow-ada}\n" +
		pod("exporter", "app: nvidia-dcgm-exporter", `image: "`+image+`", command: [/data/stand-in-dcgm-exporter, -file, /data/now.prom], volumeMounts: [{name: data, mountPath: /data}], readinessProbe: {tcpSocket: {port: 9400}, periodSeconds: 1}`) +
		pod("vision-0", "notebook-name: vision", `image: "registry.k8s.io/pause:3.10", resources: {limits: {nvidia.com/gpu: 1}}`))
	b.kubectl("-n", "kubeflow-ada", "wait", "--for=condition=Ready", "--timeout=90s", "pod/exporter", "pod/vision-0")

	// rows are state, device, notebook, utilization, memory used and total in MiB.
	rows := func() (out []string, problem string) {
		t.Helper()
		r := b.must("top", "gpus", "-o", "csv")
		records, err := csv.NewReader(strings.NewReader(r.Stdout)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		column := func(name string) int { return slices.Index(records[0], name) }
		for _, rec := range records[1:] {
			var fields []string
			for _, name := range []string{"state", "device", "notebook", "util_percent", "memory_used_bytes", "memory_total_bytes"} {
				fields = append(fields, rec[column(name)])
			}
			out = append(out, strings.Join(fields, " "))
		}
		return out, r.Stderr
	}
	for _, tt := range []struct {
		name, text, says string
		want             []string
	}{{
		name: "who has which GPU, and what it does", text: "whole.prom",
		want: []string{"held 0 vision 87 31457280000 42949672960", "free 1  0 0 42949672960"},
	}, {
		name: "values that stand for no value are unknown", text: "sentinels.prom",
		// Four devices on a node that has two: which two those are nobody says.
		want: []string{"held  vision   ", "free     "},
	}, {
		name: "an empty answer is unknown, not 0", text: "empty.prom", says: "a response without GPUs",
		want: []string{"held  vision   ", "free     "},
	}} {
		t.Run(tt.name, func(t *testing.T) {
			say(tt.text)
			got, problem := rows()
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if tt.says == "" && problem != "" || !strings.Contains(problem, tt.says) {
				t.Errorf("the problem is %q, want %q", problem, tt.says)
			}
		})
	}
	t.Run("the overview and the notebook have the same figures", func(t *testing.T) {
		say("whole.prom")
		wantSays(t, b.must("top", "--gpu-only").Stdout, "43%", "30000Mi/81920Mi")
		wantSays(t, b.must("top", "notebooks", "-n", "kubeflow-ada").Stdout, "vision", "87%", "30000Mi/40960Mi")
	})
	t.Run("of a device that comes several times, the sample without a pod counts", func(t *testing.T) {
		say("shared.prom")
		b.kubectl("label", "nodes", "--all", "nvidia.com/gpu.replicas=2", "nvidia.com/gpu.sharing-strategy=time-slicing")
		got, problem := rows()
		if want := []string{"held 0 vision 62 8388608000 15833497600", "free 0  62 8388608000 15833497600"}; !slices.Equal(got, want) || problem != "" {
			t.Errorf("got %q (%s), want %q", got, problem, want)
		}
		b.kubectl("label", "nodes", "--all", "nvidia.com/gpu.replicas-", "nvidia.com/gpu.sharing-strategy-")
	})
	t.Run("an exporter that does not listen is unknown, and the rest is there", func(t *testing.T) {
		b.kubectl("-n", "kubeflow-ada", "delete", "pod", "exporter", "--wait")
		b.apply(pod("mute", "app: nvidia-dcgm-exporter", `image: "registry.k8s.io/pause:3.10"`))
		b.kubectl("-n", "kubeflow-ada", "wait", "--for=condition=Ready", "--timeout=60s", "pod/mute")
		got, problem := rows()
		if want := []string{"held  vision   ", "free     "}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		wantSays(t, problem, "live GPU use is unknown on 1 of 1 nodes with a DCGM exporter", "HTTP 50")
	})
}
