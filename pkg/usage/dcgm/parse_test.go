package dcgm

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
)

// gpu is what is expected of a device. Memory is in MiB; nothing is -1.
type gpu struct {
	uuid, index, instance, profile, model string
	percent                               float64
	used, total                           int64
	pods                                  []usage.Holder
	claimed                               usage.DRADevice
}

const nothing = -1

func gpus(devices []usage.Device) []gpu {
	var out []gpu
	for _, d := range devices {
		g := gpu{d.UUID, d.Index, d.Instance, d.Profile, d.Product, nothing, nothing, nothing, d.Pods, d.Claimed}
		if v, ok := d.Live.Utilization.Get(); ok {
			g.percent = v
		}
		for to, m := range map[*int64]usage.Maybe[int64]{&g.used: d.Live.MemoryUsed, &g.total: d.Live.MemoryTotal} {
			if v, ok := m.Get(); ok {
				*to = v / (1024 * 1024)
			}
		}
		out = append(out, g)
	}
	return out
}

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
		want       []gpu
	}{{
		name: "two whole GPUs: one is held, one is free, and total memory includes what is reserved", file: "whole.prom",
		want: []gpu{
			// 30000 used + 10000 free + 960 reserved
			{uuid: "GPU-aaaa", index: "0", model: a100, percent: 87, used: 30000, total: 40960, pods: []usage.Holder{{Namespace: "kubeflow-ada", Pod: "vision-0", Container: "train"}}},
			{uuid: "GPU-bbbb", index: "1", model: a100, percent: 0, used: 0, total: 40960},
		},
	}, {
		name: "MIG instances are devices, the GPU that is split is not, and the engine tells how busy they are", file: "mig.prom",
		want: []gpu{
			{uuid: "GPU-cccc", index: "0", instance: "2", profile: "3g.20gb", model: a100, percent: 75, used: 8000, total: 20000, pods: []usage.Holder{{Namespace: "kubeflow-ada", Pod: "nlp-0", Container: "main"}}},
			{uuid: "GPU-cccc", index: "0", instance: "7", profile: "1g.5gb", model: a100, percent: 12.5, used: 1864, total: 4864, pods: []usage.Holder{{Namespace: "kubeflow-bob", Pod: "draft-0", Container: "main"}}},
			{uuid: "GPU-cccc", index: "0", instance: "11", profile: "1g.5gb", model: a100, percent: 0, used: 4, total: 4864},
		},
	}, {
		name: "of a shared GPU the sample without a pod counts, and every pod is a holder", file: "shared.prom",
		want: []gpu{
			{uuid: "GPU-dddd", index: "0", model: t4, percent: 62, used: 8000, total: 15100, pods: []usage.Holder{{Namespace: "kubeflow-ada", Pod: "draft-0", Container: "main"}, {Namespace: "kubeflow-bob", Pod: "lab-0", Container: "main"}}},
		},
	}, {
		name: "values that stand for no value are not there, and 2 comes before 10", file: "sentinels.prom",
		want: []gpu{
			{uuid: "GPU-0000", percent: nothing, used: nothing, total: nothing, index: "0", model: t4},
			{uuid: "GPU-1111", percent: nothing, index: "1", model: t4, used: 100, total: 15100},
			{uuid: "GPU-2222", percent: nothing, used: nothing, total: nothing, index: "2", model: t4},
			{uuid: "GPU-3333", used: nothing, total: nothing, index: "10", model: t4, percent: 5},
		},
	}, {
		name: "an empty answer has no GPUs", file: "empty.prom",
	}} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(bytes.NewReader(recorded(t, tt.file)))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, gpus(got), cmp.AllowUnexported(gpu{})); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

func TestParseDetails(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       []gpu
		fails      string
	}{
		{
			name: "labels of --use-old-namespace name the holder too",
			text: `DCGM_FI_DEV_GPU_UTIL{gpu="0",UUID="G",pod_name="p",pod_namespace="n",container_name="c"} 3` + "\n",
			want: []gpu{{uuid: "G", used: nothing, total: nothing, index: "0", percent: 3, pods: []usage.Holder{{Namespace: "n", Pod: "p", Container: "c"}}}},
		},
		{
			name: "a DRA device is told by its driver's names",
			text: `DCGM_FI_DEV_GPU_UTIL{gpu="0",UUID="G",dra_driver_name="gpu.nvidia.com",dra_pool_name="n1",dra_device_name="gpu-0"} 3` + "\n",
			want: []gpu{{uuid: "G", used: nothing, total: nothing, index: "0", percent: 3, claimed: usage.DRADevice{Driver: "gpu.nvidia.com", Pool: "n1", Device: "gpu-0"}}},
		},
		{
			name: "a metric that is described twice is read all the same",
			text: strings.Repeat("# HELP DCGM_FI_DEV_GPU_UTIL x\n# TYPE DCGM_FI_DEV_GPU_UTIL gauge\nDCGM_FI_DEV_GPU_UTIL{UUID=\"G\"} 3\n", 2),
			want: []gpu{{uuid: "G", used: nothing, total: nothing, percent: 3}},
		},
		{
			name: "where the utilization is switched off, the engine's activity tells it",
			text: `DCGM_FI_PROF_GR_ENGINE_ACTIVE{UUID="G"} 0.5` + "\n",
			want: []gpu{{uuid: "G", used: nothing, total: nothing, percent: 50}},
		},
		{
			name: "the utilization of the whole GPU is none of an instance",
			text: `DCGM_FI_DEV_GPU_UTIL{UUID="G",GPU_I_ID="1"} 31` + "\n",
			want: []gpu{{uuid: "G", percent: nothing, used: nothing, total: nothing, instance: "1"}},
		},
		{
			name: "more than 100 percent is no value, nor is less than none",
			text: "DCGM_FI_DEV_GPU_UTIL{UUID=\"G\"} 101\nDCGM_FI_DEV_FB_USED{UUID=\"G\"} -1\n",
			want: []gpu{{uuid: "G", percent: nothing, used: nothing, total: nothing}},
		},
		{
			name: "used memory without free memory gives no total",
			text: `DCGM_FI_DEV_FB_USED{UUID="G"} 7` + "\n",
			want: []gpu{{uuid: "G", percent: nothing, total: nothing, used: 7}},
		},
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
			if d := cmp.Diff(tt.want, gpus(got), cmp.AllowUnexported(gpu{})); d != "" {
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
		for _, d := range gpus(devices) {
			k := key{d.uuid, d.instance}
			if d.uuid == "" || seen[k] {
				t.Errorf("device %+v comes twice or has no UUID", d)
			}
			seen[k] = true
			if d.instance != "" {
				split[d.uuid]++
			}
			if d.percent != nothing && !(d.percent >= 0 && d.percent <= 100) {
				t.Errorf("utilization of %+v", d)
			}
			if d.used < nothing || d.total < nothing || d.total != nothing && d.total < d.used {
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
		if len(again) != len(devices) {
			t.Fatalf("backwards there are %d devices, want %d", len(again), len(devices))
		}
		for _, d := range gpus(devices) {
			// The index may come from any of the samples, and with it the order.
			i := slices.IndexFunc(again, func(o usage.Device) bool { return o.UUID == d.uuid && o.Instance == d.instance })
			if i < 0 {
				t.Fatalf("backwards %s/%s is missing", d.uuid, d.instance)
			}
			o := gpus(again)[i]
			if diff := cmp.Diff([]any{d.percent, d.used, d.total, d.pods}, []any{o.percent, o.used, o.total, o.pods}); diff != "" {
				t.Errorf("backwards %s/%s has other figures:\n%s", d.uuid, d.instance, diff)
			}
		}
	})
}
