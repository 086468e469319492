package dcgm

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// mib is a number of MiB in bytes.
func mib(n int64) *int64 { n *= 1024 * 1024; return &n }

func percent(v float64) *float64 { return &v }

func recorded(t testing.TB, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestParse(t *testing.T) {
	const a100, t4 = "NVIDIA A100-SXM4-40GB", "Tesla T4"
	for _, tt := range []struct {
		name, file string
		want       []Device
	}{{
		name: "two whole GPUs: one is held, one is free, and total memory includes what is reserved", file: "whole.prom",
		want: []Device{
			// 30000 used + 10000 free + 960 reserved
			{UUID: "GPU-aaaa", Index: "0", Model: a100, Utilization: percent(87), MemoryUsed: mib(30000), MemoryTotal: mib(40960), Pods: []Pod{{"kubeflow-ada", "vision-0", "train"}}},
			{UUID: "GPU-bbbb", Index: "1", Model: a100, Utilization: percent(0), MemoryUsed: mib(0), MemoryTotal: mib(40960)},
		},
	}, {
		name: "MIG instances are devices, the GPU that is split is not, and the engine tells how busy they are", file: "mig.prom",
		want: []Device{
			{UUID: "GPU-cccc", Index: "0", Instance: "2", Profile: "3g.20gb", Model: a100, Utilization: percent(75), MemoryUsed: mib(8000), MemoryTotal: mib(20000), Pods: []Pod{{"kubeflow-ada", "nlp-0", "main"}}},
			{UUID: "GPU-cccc", Index: "0", Instance: "7", Profile: "1g.5gb", Model: a100, Utilization: percent(12.5), MemoryUsed: mib(1864), MemoryTotal: mib(4864), Pods: []Pod{{"kubeflow-bob", "draft-0", "main"}}},
			{UUID: "GPU-cccc", Index: "0", Instance: "11", Profile: "1g.5gb", Model: a100, Utilization: percent(0), MemoryUsed: mib(4), MemoryTotal: mib(4864)},
		},
	}, {
		name: "of a shared GPU the sample without a pod counts, and every pod is a holder", file: "shared.prom",
		want: []Device{
			{UUID: "GPU-dddd", Index: "0", Model: t4, Utilization: percent(62), MemoryUsed: mib(8000), MemoryTotal: mib(15100), Pods: []Pod{{"kubeflow-ada", "draft-0", "main"}, {"kubeflow-bob", "lab-0", "main"}}},
		},
	}, {
		name: "values that stand for no value are not there, and 2 comes before 10", file: "sentinels.prom",
		want: []Device{
			{UUID: "GPU-0000", Index: "0", Model: t4},
			{UUID: "GPU-1111", Index: "1", Model: t4, MemoryUsed: mib(100), MemoryTotal: mib(15100)},
			{UUID: "GPU-2222", Index: "2", Model: t4},
			{UUID: "GPU-3333", Index: "10", Model: t4, Utilization: percent(5)},
		},
	}, {
		name: "an empty answer has no GPUs", file: "empty.prom",
	}} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(bytes.NewReader(recorded(t, tt.file)))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

func TestParseDetails(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       []Device
		fails      string
	}{
		{name: "labels of --use-old-namespace name the holder too",
			text: `DCGM_FI_DEV_GPU_UTIL{gpu="0",UUID="G",pod_name="p",pod_namespace="n",container_name="c"} 3` + "\n",
			want: []Device{{UUID: "G", Index: "0", Utilization: percent(3), Pods: []Pod{{"n", "p", "c"}}}}},
		{name: "a DRA device is told by its driver's names",
			text: `DCGM_FI_DEV_GPU_UTIL{gpu="0",UUID="G",dra_driver_name="gpu.nvidia.com",dra_pool_name="n1",dra_device_name="gpu-0"} 3` + "\n",
			want: []Device{{UUID: "G", Index: "0", Utilization: percent(3), Allocated: &Allocation{"gpu.nvidia.com", "n1", "gpu-0"}}}},
		{name: "a metric that is described twice is read all the same",
			text: strings.Repeat("# HELP DCGM_FI_DEV_GPU_UTIL x\n# TYPE DCGM_FI_DEV_GPU_UTIL gauge\nDCGM_FI_DEV_GPU_UTIL{UUID=\"G\"} 3\n", 2),
			want: []Device{{UUID: "G", Utilization: percent(3)}}},
		{name: "where the utilization is switched off, the engine's activity tells it",
			text: `DCGM_FI_PROF_GR_ENGINE_ACTIVE{UUID="G"} 0.5` + "\n",
			want: []Device{{UUID: "G", Utilization: percent(50)}}},
		{name: "the utilization of the whole GPU is none of an instance",
			text: `DCGM_FI_DEV_GPU_UTIL{UUID="G",GPU_I_ID="1"} 31` + "\n",
			want: []Device{{UUID: "G", Instance: "1"}}},
		{name: "more than 100 percent is no value, nor is less than none",
			text: "DCGM_FI_DEV_GPU_UTIL{UUID=\"G\"} 101\nDCGM_FI_DEV_FB_USED{UUID=\"G\"} -1\n",
			want: []Device{{UUID: "G"}}},
		{name: "used memory without free memory gives no total",
			text: `DCGM_FI_DEV_FB_USED{UUID="G"} 7` + "\n",
			want: []Device{{UUID: "G", MemoryUsed: mib(7)}}},
		{name: "an answer that was cut is refused", text: "DCGM_FI_DEV_GPU_UTIL{UUID=\"G\"} 3\nDCGM_FI_DEV_GPU_UTIL{UUID=\"H\"} 9", fails: "in the middle of a line"},
		{name: "a wanted line that is garbled is refused", text: "DCGM_FI_DEV_GPU_UTIL{UUID=\"G} 3\n", fails: "not in the text format"},
		{name: "a page in the place of metrics has no GPUs", text: "<html>\n<p>it works</p>\n</html>\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(strings.NewReader(tt.text))
			switch {
			case tt.fails == "" && err != nil:
				t.Fatal(err)
			case tt.fails != "":
				if err == nil || !strings.Contains(err.Error(), tt.fails) {
					t.Fatalf("error %v, want one that says %q", err, tt.fails)
				}
				return
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

// FuzzParse checks what holds for every text: no figure is impossible, no device comes
// twice, and the order of the lines does not matter.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.prom")
	if err != nil || len(files) == 0 {
		f.Fatal("no recorded texts", err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Add([]byte("DCGM_FI_DEV_GPU_UTIL 1\nDCGM_FI_DEV_FB_USED{UUID=\"G\"} 1e300 1\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		devices, err := Parse(bytes.NewReader(text))
		if err != nil {
			return
		}
		seen := map[key]bool{}
		split := map[string]int{}
		for _, d := range devices {
			k := key{d.UUID, d.Instance}
			if d.UUID == "" || seen[k] {
				t.Errorf("device %+v comes twice or has no UUID", d)
			}
			seen[k] = true
			if d.Instance != "" {
				split[d.UUID]++
			}
			if u := d.Utilization; u != nil && (math.IsNaN(*u) || *u < 0 || *u > 100) {
				t.Errorf("utilization %v of %+v", *u, d)
			}
			if d.MemoryUsed != nil && *d.MemoryUsed < 0 || d.MemoryTotal != nil && (d.MemoryUsed == nil || *d.MemoryTotal < *d.MemoryUsed) {
				t.Errorf("memory of %+v", d)
			}
		}
		for k := range seen {
			if k.instance == "" && split[k.uuid] > 0 {
				t.Errorf("GPU %s is a device although it is split", k.uuid)
			}
		}
		lines := bytes.SplitAfter(text, []byte("\n"))
		slices.Reverse(lines)
		again, err := Parse(bytes.NewReader(bytes.Join(lines, nil)))
		if err != nil {
			t.Fatalf("the same lines backwards: %v", err)
		}
		for i := range again {
			// The names may come from any of the samples, the figures may not.
			if i >= len(devices) || again[i].UUID == "" {
				t.Fatalf("backwards there are %d devices, want %d", len(again), len(devices))
			}
		}
		for _, d := range devices {
			i := slices.IndexFunc(again, func(o Device) bool { return o.UUID == d.UUID && o.Instance == d.Instance })
			if i < 0 {
				t.Fatalf("backwards %s/%s is missing", d.UUID, d.Instance)
			}
			o := again[i]
			if diff := cmp.Diff([]any{d.Utilization, d.MemoryUsed, d.MemoryTotal, d.Pods}, []any{o.Utilization, o.MemoryUsed, o.MemoryTotal, o.Pods}); diff != "" {
				t.Errorf("backwards %s/%s has other figures:\n%s", d.UUID, d.Instance, diff)
			}
		}
	})
}
