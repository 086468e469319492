package usage

import (
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
)

var update = flag.Bool("update", false, "write the expected outputs anew")

func amount(used, allocatable, capacity string) Amount {
	a := Amount{Allocatable: resource.MustParse(allocatable), Capacity: resource.MustParse(capacity)}
	if used == "" {
		a.Used = Missing[resource.Quantity](Absence{Reason: "not measured"})
	} else {
		a.Used = Known(resource.MustParse(used))
	}
	return a
}

func TestPercentages(t *testing.T) {
	for _, tt := range []struct {
		name     string
		amount   Amount
		capacity bool
		want     float64
	}{
		{"of what is allocatable", amount("3", "4", "8"), false, 75},
		{"of the capacity, where that is asked for", amount("3", "4", "8"), true, 37.5},
		{"above a hundred are not clamped", amount("5", "4", "8"), false, 125},
		{"of nothing are 0", amount("5", "0", "8"), false, 0},
		{"of memory", amount("1536Mi", "2Gi", "4Gi"), false, 75},
		// Both sides are rounded up to the milli-unit first: 1n is 1m of 4 cores.
		{"are of milli-units, as kubectl has them", amount("1n", "4", "8"), false, 0.025},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := tt.amount.Percent(tt.capacity).Get()
			if !ok || math.Abs(got-tt.want) > 1e-9 {
				t.Errorf("%v, %t; want %v", got, ok, tt.want)
			}
		})
	}
	if _, ok := amount("", "4", "8").Percent(false).Get(); ok {
		t.Error("a percentage of what is not known is known")
	}
}

func device(uuid, instance, profile string, util float64, used, total int64) Device {
	return Device{UUID: uuid, Instance: instance, Profile: profile, Live: Live{Utilization: Known(util), MemoryUsed: Known(used), MemoryTotal: Known(total)}}
}

func TestWhichDevicesAResourceHas(t *testing.T) {
	whole := []Device{device("A", "", "", 80, 1, 10), device("B", "", "", 20, 3, 10)}
	// GPU A is whole, GPU B is cut into two slices; the exporter shows B itself as well.
	mixed := []Device{whole[0], device("B", "", "", 50, 9, 10), device("B", "1", "1g.5gb", 30, 2, 5), device("B", "2", "1g.5gb+me", 10, 1, 5)}
	resource := func(names ...string) *Node {
		n := &Node{Name: "n"}
		for _, name := range names {
			n.GPUs = append(n.GPUs, GPU{Resource: name, Origin: DevicePlugin})
		}
		return n
	}
	for _, tt := range []struct {
		name    string
		node    *Node
		at      int
		devices []Device
		util    float64
		memory  [2]int64
		missing string
	}{
		{"whole GPUs: the mean of their use, the sum of their memory", resource("nvidia.com/gpu"), 0, whole, 50, [2]int64{4, 20}, ""},
		{"slots of shared GPUs are those GPUs", resource("nvidia.com/gpu.shared"), 0, whole, 50, [2]int64{4, 20}, ""},
		{"a GPU that is cut into slices is no whole one", resource("nvidia.com/gpu", "nvidia.com/mig-1g.5gb", "nvidia.com/mig-1g.5gb.me"), 0, mixed, 80, [2]int64{1, 10}, ""},
		{"slices belong to the resource of their profile", resource("nvidia.com/gpu", "nvidia.com/mig-1g.5gb", "nvidia.com/mig-1g.5gb.me"), 1, mixed, 30, [2]int64{2, 5}, ""},
		{"the name of a resource has no plus", resource("nvidia.com/gpu", "nvidia.com/mig-1g.5gb", "nvidia.com/mig-1g.5gb.me"), 2, mixed, 10, [2]int64{1, 5}, ""},
		{"where every GPU is cut in the same way, slices are called GPUs", resource("nvidia.com/gpu"), 0, mixed[1:], 20, [2]int64{3, 10}, ""},
		{"no exporter of other vendors is read", resource("amd.com/gpu"), 0, whole, 0, [2]int64{}, "the exporter on this node has no metrics for this resource"},
		{"nothing where no exporter runs", resource("nvidia.com/gpu"), 0, nil, 0, [2]int64{}, "no GPU metrics exporter runs on this node"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			alive{devices: Devices{"n": tt.devices}}.enter(tt.node, true)
			l := tt.node.GPUs[tt.at].Live
			util, ok := l.Utilization.Get()
			used, _ := l.MemoryUsed.Get()
			total, _ := l.MemoryTotal.Get()
			if ok != (tt.missing == "") || util != tt.util || used != tt.memory[0] || total != tt.memory[1] {
				t.Errorf("%v %% (%t), %d of %d; want %v %%, %d of %d", util, ok, used, total, tt.util, tt.memory[0], tt.memory[1])
			}
			if got := l.Utilization.Why().Reason; got != tt.missing {
				t.Errorf("missing for %q, want %q", got, tt.missing)
			}
		})
	}
}

func TestADeviceWithoutAFigureLeavesTheSumUnknown(t *testing.T) {
	none := Missing[float64](Absence{Reason: "the exporter does not count it"})
	l := LiveOf([]Device{device("A", "", "", 80, 1, 10), {UUID: "B", Live: Live{Utilization: none, MemoryUsed: Known[int64](1), MemoryTotal: Known[int64](10)}}}, Absence{})
	if _, ok := l.Utilization.Get(); ok || l.Utilization.Why().Reason != "the exporter does not count it" {
		t.Errorf("got %v", l.Utilization)
	}
	if used, ok := l.MemoryUsed.Get(); !ok || used != 2 {
		t.Errorf("got %v", l.MemoryUsed)
	}
}

// three are nodes in no order: a is cordoned and busy, b idle and stale, c not measured.
func three() *Snapshot {
	gpus := func(resource string, allocatable int64, requested Maybe[int64], util Maybe[float64]) GPU {
		return GPU{
			Resource: resource, Origin: DevicePlugin, Product: "Tesla-T4", Replicas: 1, Capacity: allocatable, Allocatable: allocatable, Requested: requested,
			Live: Live{Utilization: util, MemoryUsed: Missing[int64](Absence{Reason: "not told"}), MemoryTotal: Missing[int64](Absence{Reason: "not told"})},
		}
	}
	return &Snapshot{Time: noon, Problems: []string{"one thing is missing"}, Nodes: []Node{
		{
			Name: "c", Ready: true, Created: noon.Add(-time.Hour), CPU: amount("", "4", "4"), Memory: amount("", "8Gi", "8Gi"),
			GPUs: []GPU{gpus("nvidia.com/gpu", 4, Missing[int64](Absence{Forbidden: true, Reason: "the user is not allowed to list pods"}), Known(10.0))},
		},
		{
			Name: "b", Ready: true, Created: noon.Add(-3 * time.Hour), CPU: amount("200m", "2", "4"), Memory: amount("1Gi", "8Gi", "8Gi"),
			Sample: &Sample{Time: noon.Add(-3 * time.Minute), Window: 15 * time.Second, Age: 3 * time.Minute},
			GPUs:   []GPU{gpus("nvidia.com/gpu", 2, Known[int64](0), Known(40.0)), gpus("nvidia.com/mig-1g.5gb", 7, Known[int64](2), Known(0.0))},
		},
		{
			Name: "a", Ready: true, Cordoned: true, Created: noon.Add(-2 * time.Hour), CPU: amount("1", "4", "4"), Memory: amount("2Gi", "8Gi", "16Gi"),
			Sample: &Sample{Time: noon.Add(-10 * time.Second), Window: 15 * time.Second, Age: 10 * time.Second},
			GPUs:   []GPU{gpus("nvidia.com/gpu", 4, Known[int64](1), Missing[float64](Absence{Reason: "no exporter"}))},
		},
		{
			Name: "d", Created: noon.Add(-2 * time.Hour), CPU: amount("1", "4", "4"), Memory: amount("2Gi", "8Gi", "16Gi"),
			Sample: &Sample{Time: noon.Add(-10 * time.Second), Window: 15 * time.Second, Age: 10 * time.Second},
		},
	}}
}

func TestMoreSlotsThanTheExporterHasDevicesAreSlots(t *testing.T) {
	for _, tt := range []struct {
		name     string
		capacity int64
		devices  []Device
		sharing  Sharing
		replicas int64
	}{
		{"one card that HAMi counts ten times", 10, []Device{{UUID: "GPU-1"}}, Slots, 10},
		{"as many as there are", 2, []Device{{UUID: "GPU-1"}, {UUID: "GPU-2"}}, NotShared, 1},
		{"a device that has failed makes no slots of the others", 3, []Device{{UUID: "GPU-1"}, {UUID: "GPU-2"}}, NotShared, 1},
		{"slices are counted as such", 4, []Device{{UUID: "GPU-1", Instance: "1", Profile: "1g.10gb"}, {UUID: "GPU-1", Instance: "2", Profile: "1g.10gb"}}, NotShared, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := Node{Name: "gpu-1", GPUs: []GPU{{Resource: "nvidia.com/gpu", Origin: DevicePlugin, Replicas: 1, Capacity: tt.capacity, Allocatable: tt.capacity}}}
			alive{devices: Devices{"gpu-1": tt.devices}}.enter(&n, true)
			if g := n.GPUs[0]; g.Sharing != tt.sharing || g.Replicas != tt.replicas {
				t.Errorf("sharing %q of %d, want %q of %d", g.Sharing, g.Replicas, tt.sharing, tt.replicas)
			}
		})
	}
}

func TestADeviceWithoutAFigureThatOthersHaveIsNamed(t *testing.T) {
	known := Live{Utilization: Known(0.25)}
	nodes := []Node{{Name: "gpu-1", GPUs: []GPU{{Resource: "nvidia.com/gpu", Origin: DevicePlugin, Capacity: 3}}}}
	got := partly(nodes, Devices{"gpu-1": {{UUID: "GPU-1", Live: known}, {UUID: "GPU-2", Live: Live{Utilization: Missing[float64](Absence{Reason: "no metric"})}}, {UUID: "GPU-3", Live: known}}})
	if len(got) != 1 || !strings.Contains(got[0], "node gpu-1 is unknown: 1 of 3 devices of nvidia.com/gpu have none (GPU-2)") {
		t.Errorf("partly() = %q", got)
	}
	none := Live{Utilization: Missing[float64](Absence{Reason: "no metric"})}
	if got := partly(nodes, Devices{"gpu-1": {{UUID: "GPU-1", Live: none}}}); len(got) != 0 {
		t.Errorf("what none has is told with its reason: %q", got)
	}
}

func TestTheOrderOfNodes(t *testing.T) {
	for key, want := range map[string]string{
		"name":    "a b c d",
		"cpu":     "a d b c", // a and d are equal, so the name decides; c is not known
		"memory":  "a d b c",
		"cpu%":    "a d b c", // 25, 25, 10
		"memory%": "a d b c", // 25, 25, 12
		"gpu":     "b a c d", // 2 slices, 1 GPU, not known, none
		// b: 5 slices and 2 GPUs; a is cordoned, so nobody can get its 3; c is not known.
		"gpu-free": "b a c d",
		"gpu-util": "b c a d", // 40, 10, not known, none
		"age":      "b a d c",
	} {
		t.Run(key, func(t *testing.T) {
			s := three()
			s.Sort(key, false)
			var got []string
			for _, n := range s.Nodes {
				got = append(got, n.Name)
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%v, want %s", got, want)
			}
		})
	}
	s := three()
	s.Sort("memory%", true) // 2 of 16 are equal to 1 of 8
	if s.Nodes[0].Name != "a" || s.Nodes[1].Name != "b" || s.Nodes[2].Name != "d" {
		t.Errorf("by capacity: %v", rows(s))
	}
	if !slices.Contains(SortKeys(), "gpu-free") || len(SortKeys()) != 9 {
		t.Errorf("keys %v", SortKeys())
	}
}

func TestTheTotal(t *testing.T) {
	total := three().Total()
	// CPU: 200m + 1 + 1 of 2 + 4 + 4 allocatable; c has no figures and is left out.
	if p, _ := total.CPU.Percent(false).Get(); total.CPU.Used.value.String() != "2200m" || math.Abs(p-22) > 1e-9 || total.Unknown != 1 || total.Nodes != 4 || total.Ready != 3 {
		t.Errorf("%+v, %v %%", total, p)
	}
	if len(total.GPUs) != 2 {
		t.Fatalf("%d resources, want GPUs and slices apart", len(total.GPUs))
	}
	whole, slices := total.GPUs[0], total.GPUs[1]
	// c's requests are not known, so nobody knows how many are free altogether.
	if _, ok := whole.Free().Get(); ok || whole.Allocatable != 10 || whole.Nodes != 3 || !whole.Requested.Why().Forbidden {
		t.Errorf("GPUs: %+v", whole)
	}
	if free, ok := slices.Free().Get(); !ok || free != 5 || slices.Nodes != 1 {
		t.Errorf("slices: %+v", slices)
	}
	s := three()
	s.Nodes[0].GPUs[0].Requested = Known[int64](3) // one of four left
	whole = s.Total().GPUs[0]
	// Free are 1 of c, 2 of b and 3 of a, which is cordoned.
	if free, _ := whole.Free().Get(); free != 6 {
		t.Errorf("%d free, want 6", free)
	}
	if can, _ := whole.Schedulable.Get(); can != 3 {
		t.Errorf("%d can be had, want 3", can)
	}
	s.Nodes[2].GPUs[0].Live.Utilization = Known(100.0)
	// 4 devices at 10, 2 at 40, 4 at 100: (40+80+400)/10 = 52.
	if util, _ := s.Total().GPUs[0].Live.Utilization.Get(); math.Abs(util-52) > 1e-9 {
		t.Errorf("%v %% in the mean, want 52", util)
	}
}

func TestTheTotalWeighsDevicesNotSlots(t *testing.T) {
	gpu := func(capacity, replicas int64, util Maybe[float64]) []GPU {
		return []GPU{{
			Resource: "nvidia.com/gpu", Product: "T4", Capacity: capacity, Allocatable: capacity, Replicas: replicas, Requested: Known[int64](0),
			Live: Live{Utilization: util, MemoryUsed: Known(capacity), MemoryTotal: Known(capacity)},
		}}
	}
	none := Missing[float64](Absence{Reason: "the exporter on this node has no metrics for this resource"})
	s := &Snapshot{Nodes: []Node{
		// All of its GPUs are cut into slices, so it has none as a whole and no figures of them.
		{Name: "sliced", GPUs: gpu(0, 1, none)},
		{Name: "whole", GPUs: gpu(4, 1, Known(0.0))},
		{Name: "sliced-too", GPUs: gpu(0, 1, none)},
		{Name: "shared", GPUs: gpu(4, 4, Known(100.0))},
	}}
	total := s.Total().GPUs[0]
	// Four idle GPUs and a busy one that counts for four slots: 100/5.
	if util, ok := total.Live.Utilization.Get(); !ok || util != 20 {
		t.Errorf("%v %% (%t), want 20", util, ok)
	}
	if total.Nodes != 4 || total.Capacity != 8 || total.Product != "T4" {
		t.Errorf("%+v", total)
	}
}

func TestTheTotalOfDifferentProducts(t *testing.T) {
	s := three()
	s.Nodes[1].GPUs[0].Product = "NVIDIA-A100-SXM4-80GB"
	if got := s.Total().GPUs[0].Product; got != Various {
		t.Errorf("product %q", got)
	}
}

func TestTheDocument(t *testing.T) {
	s := three()
	s.Sort("name", false)
	got, err := json.MarshalIndent(s.Document("test/v1", false, true), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", "document.json")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)+"\n"); diff != "" {
		t.Errorf("run with -update and look at the difference:\n%s", diff)
	}
	// A list is never null: programs range over it.
	empty, err := json.Marshal((&Snapshot{}).Document("test/v1", true, true))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(empty), `"nodes":null`) || strings.Contains(string(empty), `"problems":null`) || !strings.Contains(string(empty), `"percentOf":"capacity"`) {
		t.Errorf("%s", empty)
	}
}
