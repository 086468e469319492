package usage

import (
	"cmp"
	"slices"
)

// SortKeys are what nodes can be sorted by.
func SortKeys() []string {
	return []string{"cpu", "memory", "cpu%", "memory%", "gpu", "gpu-free", "gpu-util", "name", "age"}
}

// Sort sorts nodes by a key of SortKeys: names upwards, everything else with the most
// first. The name decides between equals, and what is not known comes last. capacity tells
// what percentages refer to.
func (s *Snapshot) Sort(key string, capacity bool) {
	by := func(Node) (float64, bool) { return 0, true }
	switch key {
	case "cpu":
		by = func(n Node) (float64, bool) { q, ok := n.CPU.Used.Get(); return float64(q.MilliValue()), ok }
	case "memory":
		by = func(n Node) (float64, bool) { q, ok := n.Memory.Used.Get(); return float64(q.Value()), ok }
	case "cpu%":
		by = func(n Node) (float64, bool) { return n.CPU.Percent(capacity).Get() }
	case "memory%":
		by = func(n Node) (float64, bool) { return n.Memory.Percent(capacity).Get() }
	case "gpu":
		by = most(func(_ Node, g GPU) Maybe[int64] { return g.Requested })
	case "gpu-free":
		by = most(Node.Schedulable)
	case "gpu-util":
		by = most(func(_ Node, g GPU) Maybe[float64] { return g.Live.Utilization })
	case "age":
		by = func(n Node) (float64, bool) { return -float64(n.Created.UnixNano()), true }
	}
	slices.SortStableFunc(s.Nodes, func(a, b Node) int {
		x, known := by(a)
		y, too := by(b)
		switch {
		case known != too && known:
			return -1
		case known != too:
			return 1
		case known && x != y:
			return cmp.Compare(y, x)
		}
		return cmp.Compare(a.Name, b.Name)
	})
}

// most is the largest figure of a node's resources: a slice and a GPU have no sum.
func most[T int64 | float64](of func(Node, GPU) Maybe[T]) func(Node) (float64, bool) {
	return func(n Node) (float64, bool) {
		var top T
		any := false
		for _, g := range n.GPUs {
			if v, ok := of(n, g).Get(); ok && (!any || v > top) {
				top, any = v, true
			}
		}
		return float64(top), any
	}
}

// OnlyGPUs leaves the nodes that have GPUs.
func (s *Snapshot) OnlyGPUs() {
	s.Nodes = slices.DeleteFunc(s.Nodes, func(n Node) bool { return len(n.GPUs) == 0 })
}
