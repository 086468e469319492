package dra

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	resourcev1 "k8s.io/api/resource/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
)

// objects reads a stream of documents.
func objects[T any](t *testing.T, stream string) []T {
	t.Helper()
	var out []T
	for _, doc := range strings.Split(stream, "\n---\n") {
		if strings.TrimSpace(doc) == "" {
			continue
		}
		var o T
		if err := yaml.UnmarshalStrict([]byte(doc), &o); err != nil {
			t.Fatalf("%v in\n%s", err, doc)
		}
		out = append(out, o)
	}
	return out
}

// lines shows a device as: NODE DEVICE PRODUCT MEMORY claims=... unusable=...
func lines(devices []Device) []string {
	var out []string
	for _, d := range devices {
		line := fmt.Sprintf("%s %s/%s/%s %s %dMi", d.Node, d.Driver, d.Pool, d.Device, strings.ReplaceAll(d.Product, " ", "_"), d.Memory>>20)
		for _, c := range d.Claims {
			line += fmt.Sprintf(" %s/%s%v", c.Namespace, c.Name, c.Pods)
		}
		if d.Unusable != "" {
			line += " (" + d.Unusable + ")"
		}
		out = append(out, line)
	}
	return out
}

// slice publishes devices of a pool on a node of the same name.
func slice(node string, generation, count int, devices string) string {
	return fmt.Sprintf(`
metadata: {name: %[1]s-%[2]d}
spec:
  driver: gpu.nvidia.com
  nodeName: %[1]s
  pool: {name: %[1]s, generation: %[2]d, resourceSliceCount: %[3]d}
  devices:
%[4]s
---
`, node, generation, count, devices)
}

func device(name string) string {
	return fmt.Sprintf(`
  - name: %s
    attributes: {productName: {string: NVIDIA L4}, uuid: {string: GPU-%[1]s}, type: {string: gpu}}
    capacity: {memory: {value: 23034Mi}}`, name)
}

func claim(namespace, name string, results ...string) string {
	return fmt.Sprintf(`
metadata: {namespace: %s, name: %s}
spec: {devices: {requests: [{name: gpu, exactly: {deviceClassName: gpu.nvidia.com}}]}}
status:
  reservedFor: [{resource: pods, name: %[2]s-pod, uid: u}]
  allocation: {devices: {results: [%s]}}
---
`, namespace, name, strings.Join(results, ", "))
}

func result(pool, device string) string {
	return fmt.Sprintf("{request: gpu, driver: gpu.nvidia.com, pool: %s, device: %s}", pool, device)
}

func TestInventory(t *testing.T) {
	for _, tt := range []struct {
		name, slices, claims string
		want                 []string
	}{{
		name:   "devices of the newest generation count, each once, and who has one is told",
		slices: slice("n1", 3, 1, device("gpu-0")+device("gpu-1")+device("gpu-10")+device("gpu-2")) + slice("n1", 2, 1, device("gpu-0")+device("gpu-9")),
		claims: claim("ada", "train", result("n1", "gpu-1")),
		want: []string{
			"n1 gpu.nvidia.com/n1/gpu-0 NVIDIA_L4 23034Mi",
			"n1 gpu.nvidia.com/n1/gpu-1 NVIDIA_L4 23034Mi ada/train[train-pod]",
			"n1 gpu.nvidia.com/n1/gpu-2 NVIDIA_L4 23034Mi",
			"n1 gpu.nvidia.com/n1/gpu-10 NVIDIA_L4 23034Mi",
		},
	}, {
		name:   "a device that two claims share is one device",
		slices: slice("n1", 1, 1, device("gpu-0")),
		claims: claim("bob", "draft", result("n1", "gpu-0"), result("n1", "gpu-0")) + claim("ada", "train", result("n1", "gpu-0")),
		want:   []string{"n1 gpu.nvidia.com/n1/gpu-0 NVIDIA_L4 23034Mi ada/train[train-pod] bob/draft[draft-pod]"},
	}, {
		name:   "access for administrators takes nothing",
		slices: slice("n1", 1, 1, device("gpu-0")),
		claims: claim("monitoring", "probe", "{request: gpu, driver: gpu.nvidia.com, pool: n1, device: gpu-0, adminAccess: true}"),
		want:   []string{"n1 gpu.nvidia.com/n1/gpu-0 NVIDIA_L4 23034Mi"},
	}, {
		name:   "a claim that waits has nothing",
		slices: slice("n1", 1, 1, device("gpu-0")),
		claims: "metadata: {namespace: ada, name: waiting}\nspec: {devices: {requests: [{name: gpu, exactly: {deviceClassName: gpu.nvidia.com}}]}}",
		want:   []string{"n1 gpu.nvidia.com/n1/gpu-0 NVIDIA_L4 23034Mi"},
	}, {
		name:   "nothing is given out of a pool of which a slice is missing",
		slices: slice("n1", 1, 2, device("gpu-0")+device("gpu-1")),
		claims: claim("ada", "train", result("n1", "gpu-1")),
		want: []string{
			"n1 gpu.nvidia.com/n1/gpu-0 NVIDIA_L4 23034Mi (its pool has 1 of 2 ResourceSlices)",
			"n1 gpu.nvidia.com/n1/gpu-1 NVIDIA_L4 23034Mi ada/train[train-pod]",
		},
	}, {
		name:   "a tainted device is there and nobody gets it",
		slices: slice("n1", 1, 1, device("gpu-0")+"\n    taints: [{key: gpu.nvidia.com/xid, effect: NoSchedule}]"),
		want:   []string{"n1 gpu.nvidia.com/n1/gpu-0 NVIDIA_L4 23034Mi (its driver has tainted it: gpu.nvidia.com/xid)"},
	}, {
		name:   "a device that a claim has and nobody publishes any more is named",
		slices: slice("n1", 2, 1, device("gpu-0")),
		claims: claim("ada", "train", result("n1", "gpu-1")),
		want: []string{
			"n1 gpu.nvidia.com/n1/gpu-0 NVIDIA_L4 23034Mi",
			"n1 gpu.nvidia.com/n1/gpu-1  0Mi ada/train[train-pod] (its driver no longer publishes it)",
		},
	}, {
		name: "drivers of other things are no GPUs",
		slices: `
metadata: {name: nic}
spec: {driver: net.example.com, nodeName: n1, pool: {name: n1, generation: 1, resourceSliceCount: 1}, devices: [{name: eth1}]}`,
	}, {
		name: "a device that is not tied to a node has none",
		slices: `
metadata: {name: fabric}
spec: {driver: gpu.example.com, allNodes: true, pool: {name: fabric, generation: 1, resourceSliceCount: 1}, devices: [{name: far-0, attributes: {gpu.example.com/model: {string: Far}}}]}`,
		want: []string{" gpu.example.com/fabric/far-0 Far 0Mi"},
	}, {
		// 40 units of memory: the whole GPU takes 40, a 3g device 20, a 1g device 5. One 1g
		// is given out, so 35 are left: one 3g fits, and of the 15 then left three 1g.
		name:   "of devices that are parts of one GPU, those are free that can still be had together",
		slices: partitions,
		claims: claim("ada", "train", result("n1", "gpu-0-mig-1g-0")),
		want: []string{
			"n1 gpu.nvidia.com/n1/gpu-0-mig-1g-0  4864Mi ada/train[train-pod]",
			"n1 gpu.nvidia.com/n1/gpu-0-mig-1g-1  4864Mi",
			"n1 gpu.nvidia.com/n1/gpu-0-mig-1g-2  4864Mi",
			"n1 gpu.nvidia.com/n1/gpu-0-mig-1g-3  4864Mi",
			"n1 gpu.nvidia.com/n1/gpu-0-mig-3g-0  20096Mi",
		},
	}, {
		name:   "while nothing of a GPU is given out, it is one whole device",
		slices: partitions,
		want:   []string{"n1 gpu.nvidia.com/n1/gpu-0  40960Mi"},
	}} {
		t.Run(tt.name, func(t *testing.T) {
			got := lines(Inventory(objects[resourcev1.ResourceSlice](t, tt.slices), objects[resourcev1.ResourceClaim](t, tt.claims), nil))
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

var partitions = func() string {
	part := func(name, memory string, takes int) string {
		return fmt.Sprintf("\n  - {name: %s, capacity: {memory: {value: %s}}, consumesCounters: [{counterSet: gpu-0, counters: {memory: {value: '%d'}}}]}", name, memory, takes)
	}
	s := part("gpu-0", "40960Mi", 40) + part("gpu-0-mig-3g-0", "20096Mi", 20) + part("gpu-0-mig-3g-1", "20096Mi", 20)
	for i := range 7 {
		s += part(fmt.Sprintf("gpu-0-mig-1g-%d", i), "4864Mi", 5)
	}
	return `
metadata: {name: counters}
spec:
  driver: gpu.nvidia.com
  nodeName: n1
  pool: {name: n1, generation: 1, resourceSliceCount: 2}
  sharedCounters: [{name: gpu-0, counters: {memory: {value: "40"}}}]
---
` + slice("n1", 1, 2, s)
}()

func TestGPUsOfANode(t *testing.T) {
	// Five are published: two are held (one of them tainted), one is free, one is tainted
	// and free, one is of another product. A sixth is held and gone.
	devices := []Device{
		{Claims: []Claim{{}}},
		{Claims: []Claim{{}}, Unusable: "tainted"},
		{},
		{Unusable: "tainted"},
		{Product: "Other"},
		{Claims: []Claim{{}}, Gone: true, Unusable: "gone"},
	}
	g := usage.GPU{Requested: usage.Known[int64](0)}
	for _, d := range devices {
		g = with(g, d)
	}
	requested, _ := g.Requested.Get()
	free, _ := g.Free().Get()
	if g.Capacity != 5 || g.Allocatable != 4 || requested != 3 || free != 1 {
		t.Errorf("capacity %d, allocatable %d, requested %d, free %d: want 5, 4, 3, 1", g.Capacity, g.Allocatable, requested, free)
	}
}
