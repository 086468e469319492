package usage

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"
)

// Total is all nodes of a snapshot together.
type Total struct {
	Nodes, Ready int
	// CPU and Memory are of the nodes whose use is known; Unknown counts the others.
	CPU, Memory Amount
	Unknown     int
	// GPUs are by resource, with a number of nodes each.
	GPUs []GPUTotal
}

// GPUTotal is one resource on all of its nodes.
type GPUTotal struct {
	GPU
	Nodes int
	// Schedulable is what new pods can get: nothing of nodes that are not ready or cordoned.
	Schedulable Maybe[int64]
	// devices is how many GPUs or slices the live figures are of: of a shared GPU one,
	// however many slots it has.
	devices int64
}

// Total adds up. Use is set against the capacity of those nodes whose use is known; a
// GPU figure that one node lacks is not known for all.
func (s *Snapshot) Total() Total {
	t := Total{Nodes: len(s.Nodes)}
	var cpu, memory resource.Quantity
	byName := map[string]*GPUTotal{}
	var names []string
	for _, n := range s.Nodes {
		if n.Ready {
			t.Ready++
		}
		c, hasCPU := n.CPU.Used.Get()
		m, hasMemory := n.Memory.Used.Get()
		if hasCPU && hasMemory {
			cpu.Add(c)
			memory.Add(m)
			t.CPU.add(n.CPU)
			t.Memory.add(n.Memory)
		} else {
			t.Unknown++
		}
		for _, g := range n.GPUs {
			sum, ok := byName[g.Resource]
			if !ok {
				names = append(names, g.Resource)
				sum = &GPUTotal{GPU: g, Nodes: 1, Schedulable: n.Schedulable(g), devices: g.devices()}
				byName[g.Resource] = sum
				continue
			}
			sum.add(n, g)
		}
	}
	t.CPU.Used, t.Memory.Used = Known(cpu), Known(memory)
	if t.Unknown == t.Nodes && t.Nodes > 0 {
		t.CPU.Used, t.Memory.Used = s.Nodes[0].CPU.Used, s.Nodes[0].Memory.Used
	}
	slices.Sort(names)
	for _, name := range names {
		t.GPUs = append(t.GPUs, *byName[name])
	}
	return t
}

func (a *Amount) add(b Amount) {
	a.Capacity.Add(b.Capacity)
	a.Allocatable.Add(b.Allocatable)
}

// devices is how many GPUs or slices a resource counts, whatever number of slots they have.
func (g GPU) devices() int64 {
	if g.Capacity == 0 {
		return 0
	}
	return max(1, g.Capacity/max(1, g.Replicas))
}

// Various is the product of a total whose nodes have different ones.
const Various = "various"

func (t *GPUTotal) add(n Node, g GPU) {
	plus := func(x, y int64) int64 { return x + y }
	switch {
	case g.Capacity == 0:
		// Of no GPU there is nothing to say. Nodes keep such a resource when their GPUs
		// have been cut into slices.
	case t.Capacity == 0:
		t.Product, t.Sharing, t.Replicas, t.Live = g.Product, g.Sharing, g.Replicas, g.Live
	default:
		if t.Product != g.Product {
			t.Product = Various
		}
		if t.Sharing != g.Sharing || t.Replicas != g.Replicas {
			t.Sharing, t.Replicas = NotShared, 1
		}
		// The mean over nodes weighs each by its devices.
		x, y := float64(t.devices), float64(g.devices())
		t.Live.Utilization = join(t.Live.Utilization, g.Live.Utilization, func(a, b float64) float64 { return (a*x + b*y) / (x + y) })
		t.Live.MemoryUsed = join(t.Live.MemoryUsed, g.Live.MemoryUsed, plus)
		t.Live.MemoryTotal = join(t.Live.MemoryTotal, g.Live.MemoryTotal, plus)
	}
	t.devices += g.devices()
	t.Requested = join(t.Requested, g.Requested, plus)
	t.Schedulable = join(t.Schedulable, n.Schedulable(g), plus)
	t.Capacity += g.Capacity
	t.Allocatable += g.Allocatable
	t.MemoryEach = 0
	t.Nodes++
}

// join is f of two values that are both known.
func join[T any](a, b Maybe[T], f func(T, T) T) Maybe[T] {
	x, ok := a.Get()
	if !ok {
		return a
	}
	y, ok := b.Get()
	if !ok {
		return b
	}
	return Known(f(x, y))
}
