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
				sum = &GPUTotal{GPU: g, Nodes: 1, Schedulable: n.Schedulable(g)}
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

// Various is the product of a total whose nodes have different ones.
const Various = "various"

func (t *GPUTotal) add(n Node, g GPU) {
	if t.Product != g.Product {
		t.Product = Various
	}
	if t.Sharing != g.Sharing || t.Replicas != g.Replicas {
		t.Sharing, t.Replicas = NotShared, 1
	}
	// The mean over nodes weighs each by its devices.
	t.Live.Utilization = join(t.Live.Utilization, g.Live.Utilization, func(x, y float64) float64 {
		if t.Capacity+g.Capacity == 0 {
			return 0
		}
		return (x*float64(t.Capacity) + y*float64(g.Capacity)) / float64(t.Capacity+g.Capacity)
	})
	plus := func(x, y int64) int64 { return x + y }
	t.Live.MemoryUsed = join(t.Live.MemoryUsed, g.Live.MemoryUsed, plus)
	t.Live.MemoryTotal = join(t.Live.MemoryTotal, g.Live.MemoryTotal, plus)
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
