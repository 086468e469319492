//go:build e2e

package e2e

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// gpuRow is what is compared of a row of `top gpus -o json`.
type gpuRow struct {
	Node, Resource, State, Product string
	Schedulable                    bool
	Device                         *struct{ Index, MigInstance, Name string }
	Holder                         *struct{ Namespace, Pod, Notebook string }
	UtilizationPercent             *float64
	MemoryUsedBytes                *int64
	MemoryTotalBytes               *int64
}

// line shows a row as NODE RESOURCE DEVICE STATE HOLDER[NOTEBOOK] UTIL USED/TOTAL in MiB.
// Which DRA device is whose the scheduler decides, so those have no name here.
func (r gpuRow) line() string {
	device, holder, util, used, total := "?", "-", "?", "?", "?"
	if d := r.Device; d != nil {
		device = d.Index
		switch {
		case d.Name != "":
			device = "dra"
		case d.MigInstance != "":
			device += "/" + d.MigInstance
		}
	}
	if h := r.Holder; h != nil {
		holder = fmt.Sprintf("%s/%s[%s]", h.Namespace, h.Pod, h.Notebook)
	}
	if v := r.UtilizationPercent; v != nil {
		util = fmt.Sprint(*v)
	}
	if v := r.MemoryUsedBytes; v != nil {
		used = fmt.Sprint(*v >> 20)
	}
	if v := r.MemoryTotalBytes; v != nil {
		total = fmt.Sprint(*v >> 20)
	}
	state := r.State
	if r.State == "free" && !r.Schedulable {
		state += "(not schedulable)"
	}
	return fmt.Sprintf("%s %s %s %s %s %s%% %s/%s", r.Node, r.Resource, device, state, holder, util, used, total)
}

func TestTopGPUsAndNotebooks(t *testing.T) {
	b := gpuBed(t)
	b.kubectl("create", "clusterrolebinding", "bob-sees-nodes", "--clusterrole=view", "--user=bob")
	b.kubectl("create", "rolebinding", "ada-edits", "-n", "kubeflow-ada", "--clusterrole=edit", "--user=ada")
	b.kubectl("create", "clusterrole", "nodes", "--verb=get,list", "--resource=nodes,resourceslices.resource.k8s.io")
	b.kubectl("create", "clusterrolebinding", "nodes", "--clusterrole=nodes", "--user=bob", "--user=cyd")

	t.Run("every GPU, slice and slot has a row that says who holds it and what it does", func(t *testing.T) {
		r := b.must("top", "gpus", "-o", "json")
		var doc struct {
			APIVersion, Kind string
			GPUs             []gpuRow
			Waiting          []struct {
				Namespace, Pod, Notebook, Reason, Message string
				Wants                                     map[string]int64
			}
			Problems []string
		}
		if err := json.Unmarshal([]byte(r.Stdout), &doc); err != nil {
			t.Fatalf("%v: %s", err, r)
		}
		var got []string
		for _, g := range doc.GPUs {
			got = append(got, g.line())
		}
		// The scheduler chooses among the DRA devices of cpu-1.
		slices.SortStableFunc(got, func(a, b string) int {
			if strings.HasPrefix(a, "cpu-1") && strings.HasPrefix(b, "cpu-1") {
				return strings.Compare(a, b)
			}
			return 0
		})
		want := []string{
			"cpu-0 nvidia.com/mig-1g.5gb 0/7 held kubeflow-bob/draft-0[draft] 12.5% 1864/4864",
			"cpu-0 nvidia.com/mig-1g.5gb 0/11 free - 0% 4/4864",
			"cpu-0 nvidia.com/mig-3g.20gb 0/2 held kubeflow-ada/nlp-0[nlp] 75% 8000/20000",
			"cpu-1 gpu.nvidia.com dra free - ?% ?/23034",
			"cpu-1 gpu.nvidia.com dra held kubeflow-ada/claimed-0[claimed] ?% ?/23034",
			"cpu-1 gpu.nvidia.com dra held kubeflow-ada/ext-0[] ?% ?/23034",
			"cpu-1 gpu.nvidia.com dra unusable - ?% ?/23034",
			"cpu-2 amd.com/gpu ? free(not schedulable) - ?% ?/?",
			"cpu-2 amd.com/gpu ? free(not schedulable) - ?% ?/?",
			"cpu-2 gpu.intel.com/i915 ? free(not schedulable) - ?% ?/?",
			"gpu-0 nvidia.com/gpu 0 held kubeflow-ada/vision-0[vision] 87% 30000/40960",
			"gpu-0 nvidia.com/gpu 1 free - 0% 0/40960",
			"gpu-1 nvidia.com/gpu 0 held kubeflow-ada/draft-0[draft] 62% 8000/15100",
			"gpu-1 nvidia.com/gpu 0 held kubeflow-bob/lab-0[lab] 62% 8000/15100",
			"gpu-1 nvidia.com/gpu 0 free - 62% 8000/15100",
			"gpu-1 nvidia.com/gpu 0 free - 62% 8000/15100",
		}
		if !slices.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if len(doc.Waiting) != 2 {
			t.Fatalf("%d pods wait, want 2: %+v", len(doc.Waiting), doc.Waiting)
		}
		for _, w := range doc.Waiting {
			if w.Reason != "Unschedulable" || !strings.Contains(w.Message, "0/5 nodes are available") {
				t.Errorf("%s waits because of %s: %q, want the scheduler's words", w.Pod, w.Reason, w.Message)
			}
			if n := w.Wants["big-gpu"]; w.Pod == "greedy" && n != 9 {
				t.Errorf("greedy wants %v, want big-gpu:9", w.Wants)
			}
			if n := w.Wants["nvidia.com/gpu"]; w.Pod == "many-0" && (n != 8 || w.Notebook != "many") {
				t.Errorf("many-0 of notebook %q wants %v, want nvidia.com/gpu:8", w.Notebook, w.Wants)
			}
		}
		wantSays(t, r.Stderr, "live GPU use is unknown on 1 of 4 nodes with a DCGM exporter: cpu-1: HTTP 500")
		if n := strings.Count(r.Stderr, "\n"); n != 1 || len(doc.Problems) != 1 {
			t.Errorf("%d lines on stderr and %d problems, want 1 each: %s", n, len(doc.Problems), r.Stderr)
		}
	})

	t.Run("the overview of nodes has the same figures, by resource", func(t *testing.T) {
		var doc struct {
			Nodes []struct {
				Name string
				GPUs []struct {
					Resource, Product                                string
					Capacity, Allocatable, Requested, Free, Replicas int64
					Schedulable                                      int64
					UtilizationPercent                               *float64
					MemoryUsedBytes, MemoryTotalBytes                *int64
				}
			}
		}
		if err := json.Unmarshal([]byte(b.must("top", "--gpu-only", "-o", "json").Stdout), &doc); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, n := range doc.Nodes {
			for _, g := range n.GPUs {
				live := "?"
				if g.UtilizationPercent != nil && g.MemoryUsedBytes != nil && g.MemoryTotalBytes != nil {
					live = fmt.Sprintf("%v%% %d/%d", *g.UtilizationPercent, *g.MemoryUsedBytes>>20, *g.MemoryTotalBytes>>20)
				}
				got = append(got, fmt.Sprintf("%s %s %s: %d, %d can be had, %d taken, %d free, %d for a new pod, %s", n.Name, g.Resource, g.Product, g.Capacity, g.Allocatable, g.Requested, g.Free, g.Schedulable, live))
			}
		}
		want := []string{
			// (12.5+0)/2 percent, (1864+4)/(4864+4864) MiB
			"cpu-0 nvidia.com/mig-1g.5gb NVIDIA-A100-SXM4-40GB-MIG-1g.5gb: 2, 2 can be had, 1 taken, 1 free, 1 for a new pod, 6.25% 1868/9728",
			"cpu-0 nvidia.com/mig-3g.20gb : 1, 1 can be had, 1 taken, 0 free, 0 for a new pod, 75% 8000/20000",
			// Of the newest generation's four one is tainted; access for administrators takes none.
			"cpu-1 gpu.nvidia.com NVIDIA L4: 4, 3 can be had, 2 taken, 1 free, 1 for a new pod, ?",
			"cpu-2 amd.com/gpu AMD_Instinct_MI300X: 2, 2 can be had, 0 taken, 2 free, 0 for a new pod, ?",
			"cpu-2 gpu.intel.com/i915 Flex_170: 1, 1 can be had, 0 taken, 1 free, 0 for a new pod, ?",
			// (87+0)/2 percent
			"gpu-0 nvidia.com/gpu NVIDIA-A100-SXM4-80GB: 2, 2 can be had, 1 taken, 1 free, 1 for a new pod, 43.5% 30000/81920",
			"gpu-1 nvidia.com/gpu Tesla-T4: 4, 4 can be had, 2 taken, 2 free, 2 for a new pod, 62% 8000/15100",
		}
		if !slices.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})

	t.Run("tables, csv and names tell the same", func(t *testing.T) {
		table := b.must("top", "gpus", "gpu-1", "--sort-by=state").Stdout
		rows := strings.Split(strings.TrimSpace(table), "\n")
		if f := strings.Fields(rows[1]); len(rows) < 5 || f[4] != "free" {
			t.Errorf("the free slots do not come first:\n%s", table)
		}
		wantSays(t, table, "WAITING POD", "nvidia.com/gpu:8", "Insufficient nvidia.com/gpu")
		records, err := csv.NewReader(strings.NewReader(b.must("top", "gpus", "-o", "csv").Stdout)).ReadAll()
		if err != nil || len(records) != 1+16+2 {
			t.Errorf("csv has %d records (%v), want a header, 16 GPUs and 2 pods that wait", len(records), err)
		}
		names := strings.Fields(b.must("top", "gpus", "gpu-0", "cpu-1", "-o", "name").Stdout)
		if want := []string{"cpu-1/gpu.nvidia.com/gpu-0", "cpu-1/gpu.nvidia.com/gpu-1", "cpu-1/gpu.nvidia.com/gpu-2", "cpu-1/gpu.nvidia.com/gpu-3", "gpu-0/nvidia.com/gpu/0", "gpu-0/nvidia.com/gpu/1"}; !slices.Equal(names, want) {
			t.Errorf("names %q, want %q", names, want)
		}
		if quiet := b.must("top", "gpus", "--no-dcgm"); strings.Contains(quiet.Stdout, "UTIL%") || quiet.Stderr != "" {
			t.Errorf("--no-dcgm still asks exporters: %s", quiet)
		}
	})

	t.Run("what counts shares of something has no row for each", func(t *testing.T) {
		r := b.must("top", "gpus", "cpu-2", "--gpu-resource=example.com/megabytes", "--no-headers")
		if n := strings.Count(r.Stdout, "cpu-2"); n != 3 {
			t.Errorf("%d rows, want those of the three GPUs:\n%s", n, r.Stdout)
		}
		wantSays(t, r.Stderr, "example.com/megabytes is not listed per device")
		wantSays(t, b.must("top", "cpu-2", "--gpu-resource=example.com/megabytes").Stdout, "example.com/megabytes", "80000")
	})

	t.Run("what a user may not see is forbidden, and the rest is there", func(t *testing.T) {
		r := b.must("top", "gpus", "-o", "csv", "--as", "bob")
		wantSays(t, r.Stdout, "gpu-0,nvidia.com/gpu,DevicePlugin,NVIDIA-A100-SXM4-80GB,,held")
		wantSays(t, r.Stderr, "forbidden (get pods/proxy in namespace monitoring)")
		wantSays(t, b.must("top", "gpus", "gpu-0", "--as", "bob").Stdout, "vision     <forbidden>   <forbidden>")
		r = b.must("top", "gpus", "--as", "cyd")
		wantSays(t, r.Stdout, "gpu-0   nvidia.com/gpu", "<forbidden>")
		wantSays(t, r.Stderr, "not allowed to list pods", "allocations of DRA GPUs are unknown")
		if r := b.jupyter("top", "gpus", "--as", "nobody"); r.Code == 0 || !strings.Contains(r.Stderr, "nodes cannot be listed") {
			t.Errorf("without the right to list nodes: %s", r)
		}
	})

	t.Run("a notebook has an owner, GPUs and what they do, requests and an idle time", func(t *testing.T) {
		type notebook struct {
			Namespace, Name                         string
			Owner                                   *string
			Nodes                                   []string
			CPUCores                                *float64
			MemoryBytes                             *int64
			CPURequestedCores                       float64
			MemoryRequestedBytes                    int64
			GPUs                                    map[string]int64
			GPUUtilizationPercent                   *float64
			GPUMemoryUsedBytes, GPUMemoryTotalBytes *int64
			GPUShared                               bool
			IdleSeconds                             *float64
		}
		read := func() map[string]notebook {
			var doc struct{ Notebooks []notebook }
			if err := json.Unmarshal([]byte(b.must("top", "notebooks", "-A", "-o", "json").Stdout), &doc); err != nil {
				t.Fatal(err)
			}
			out := map[string]notebook{}
			for _, n := range doc.Notebooks {
				out[n.Namespace+"/"+n.Name] = n
			}
			return out
		}
		var all map[string]notebook
		eventually(t, "metrics-server has figures of the notebooks", func() bool {
			all = read()
			return all["kubeflow-ada/vision"].CPUCores != nil && all["kubeflow-bob/lab"].CPUCores != nil
		})
		if len(all) != 7 {
			t.Errorf("%d notebooks, want 7: %v", len(all), all)
		}
		v := all["kubeflow-ada/vision"]
		if v.Owner == nil || *v.Owner != "ada@example.com" || !slices.Equal(v.Nodes, []string{"gpu-0"}) {
			t.Errorf("vision is of %v on %v", v.Owner, v.Nodes)
		}
		if *v.CPUCores < 0.24 || *v.CPUCores > 0.26 || *v.MemoryBytes != 512<<20 || v.CPURequestedCores != 0.5 || v.MemoryRequestedBytes != 1<<30 {
			t.Errorf("vision uses %v cores and %d bytes, asks for %v and %d", *v.CPUCores, *v.MemoryBytes, v.CPURequestedCores, v.MemoryRequestedBytes)
		}
		if v.GPUs["nvidia.com/gpu"] != 1 || v.GPUUtilizationPercent == nil || *v.GPUUtilizationPercent != 87 || *v.GPUMemoryUsedBytes>>20 != 30000 || v.GPUShared {
			t.Errorf("vision's GPUs: %+v", v)
		}
		if v.IdleSeconds == nil || *v.IdleSeconds < 7200 || *v.IdleSeconds > 7500 {
			t.Errorf("vision is idle for %v seconds, want two hours", v.IdleSeconds)
		}
		if l := all["kubeflow-bob/lab"]; !l.GPUShared || l.GPUUtilizationPercent == nil || *l.GPUUtilizationPercent != 62 || l.IdleSeconds != nil || l.Owner == nil || *l.Owner != "" {
			t.Errorf("lab, of a namespace without a Profile, on a shared GPU: %+v", l)
		}
		if c := all["kubeflow-ada/claimed"]; c.GPUs["gpu.nvidia.com"] != 1 || c.GPUUtilizationPercent != nil {
			t.Errorf("claimed has a DRA device that no exporter knows: %+v", c)
		}
		if m := all["kubeflow-bob/many"]; len(m.Nodes) != 0 || m.GPUs["nvidia.com/gpu"] != 8 || m.CPUCores != nil {
			t.Errorf("many waits for 8 GPUs: %+v", m)
		}
		top := strings.Fields(strings.Split(b.must("top", "notebooks", "-A", "--sort-by=gpu-util", "--no-headers").Stdout, "\n")[0])
		if top[1] != "vision" {
			t.Errorf("sorted by gpu-util, %s comes first", top)
		}
	})

	t.Run("GPUs that are held and little used are found by their samples, with their owner and price", func(t *testing.T) {
		r := b.must("top", "gpus", "--waste", "--for=2s", "--below=20%", "--hourly-rate=NVIDIA-A100-SXM4-40GB-MIG-1g.5gb=1", "-o", "csv")
		if rows := strings.Split(strings.TrimSpace(r.Stdout), "\n"); len(rows) != 2 || !strings.HasPrefix(rows[1], ",kubeflow-bob,draft-0,draft,cpu-0,nvidia.com/mig-1g.5gb,0/7,") || !strings.Contains(rows[1], ",12.5,12.5,3,") {
			t.Errorf("only the slice of draft is held and below 20 percent:\n%s", r.Stdout)
		}
		wantSays(t, r.Stderr, "Watching GPUs for 2s: 3 samples.", "held GPUs are used is unknown", "costs of these GPUs are unknown")
		wantSays(t, b.must("top", "gpus", "--waste", "--for=0", "--below=1%").Stderr, "no GPU that is held was below 1% all the time")
	})

	t.Run("what people have is added up", func(t *testing.T) {
		wantSays(t, b.must("top", "gpus", "--by=owner", "--hourly-rate=NVIDIA-A100-SXM4-80GB=2.50").Stdout, "OWNER", "COST", "ada@example.com")
		wantSays(t, b.must("top", "gpus", "--by=product", "-o", "csv").Stdout, "NVIDIA-A100-SXM4-80GB,nvidia.com/gpu,2,1,1,43.5,")
		wantSays(t, b.must("top", "notebooks", "-A", "--by=namespace", "--no-activity", "-o", "csv").Stdout, "kubeflow-ada,", "kubeflow-bob,")
		wantSays(t, b.must("top", "--by=namespace").Stdout, "NAMESPACE", "kubeflow-ada", "nvidia.com/gpu:")
		if names := strings.Fields(b.must("top", "--by=owner", "-o", "name").Stdout); !slices.Contains(names, "ada@example.com") {
			t.Errorf("owners %q", names)
		}
	})

	// No notebook of this bed has a server: whether its kernels are busy is not known of any.
	t.Run("a notebook of which it is not known what runs in it is not stopped", func(t *testing.T) {
		r := b.must("notebook", "stop", "--idle=1h", "-A", "--yes", "-o", "json")
		var doc struct {
			Notebooks []struct {
				Name, Left, Why string
				Stop, Stopped   bool
			}
		}
		if err := json.Unmarshal([]byte(r.Stdout), &doc); err != nil || len(doc.Notebooks) != 7 {
			t.Fatalf("%v: %s", err, r)
		}
		for _, n := range doc.Notebooks {
			if n.Stop || n.Stopped || n.Why == "" || n.Left != "Unknown" && n.Left != "NotRunning" {
				t.Errorf("%s is left because of %q: %s; stopped: %v", n.Name, n.Left, n.Why, n.Stopped)
			}
		}
		wantSays(t, r.Stderr, "0 notebooks of 7 meet all conditions")
		if got := b.kubectl("get", "notebooks", "-A", "-o", "jsonpath={.items[*].metadata.annotations.kubeflow-resource-stopped}"); got != "" {
			t.Errorf("something was stopped: %s", got)
		}
		wantSays(t, b.must("notebook", "stop", "--idle=1h", "--gpu-below=5%", "--for=0", "-A", "-o", "wide").Stdout, "GPU-PEAK", "vision", "WHY NOT")
	})

	t.Run("a user sees the own notebooks with the own rights", func(t *testing.T) {
		r := b.must("top", "notebooks", "-n", "kubeflow-ada", "--as", "ada")
		wantSays(t, r.Stdout, "vision", "ada@example.com", "nvidia.com/gpu:1")
		wantSays(t, r.Stderr, "GPUs of notebooks are unknown")
		if r := b.jupyter("top", "notebooks", "-A", "--as", "ada"); r.Code == 0 || !strings.Contains(r.Stderr, "notebook pods cannot be listed in all namespaces") {
			t.Errorf("all namespaces without the right to: %s", r)
		}
	})
}
