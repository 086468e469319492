package holders

import (
	"cmp"
	"slices"
	"strings"
)

// GPUSortKeys are what GPUs can be sorted by.
func GPUSortKeys() []string { return []string{"node", "gpu-util", "vram", "state", "namespace"} }

// Sort sorts GPUs by a key of GPUSortKeys: figures with the most first, what is not known
// last. Equals stay in the order of nodes and devices.
func (g *GPUs) Sort(key string) {
	stateOrder := []State{Free, Held, Unusable, Unknown}
	slices.SortStableFunc(g.Rows, func(a, b Row) int { return cmp.Compare(nodeName(a), nodeName(b)) })
	switch key {
	case "gpu-util":
		byMost(g.Rows, func(r Row) (float64, bool) { return r.Live().Utilization.Get() })
	case "vram":
		byMost(g.Rows, func(r Row) (float64, bool) { v, ok := r.Live().MemoryUsed.Get(); return float64(v), ok })
	case "state":
		slices.SortStableFunc(g.Rows, func(a, b Row) int {
			return cmp.Compare(slices.Index(stateOrder, a.State), slices.Index(stateOrder, b.State))
		})
	case "namespace":
		slices.SortStableFunc(g.Rows, func(a, b Row) int {
			if (a.Pod.Namespace == "") != (b.Pod.Namespace == "") {
				return strings.Compare(b.Pod.Namespace, a.Pod.Namespace) // those of nobody last
			}
			return cmp.Or(cmp.Compare(a.Pod.Namespace, b.Pod.Namespace), cmp.Compare(a.Pod.Name, b.Pod.Name))
		})
	}
}

func nodeName(r Row) string {
	if r.Node == nil {
		return ""
	}
	return r.Node.Name
}

// byMost sorts by a figure, the most first and those without one last; equals stay.
func byMost[T any](rows []T, of func(T) (float64, bool)) {
	slices.SortStableFunc(rows, func(a, b T) int {
		x, known := of(a)
		y, too := of(b)
		switch {
		case known != too && known:
			return -1
		case known != too:
			return 1
		}
		return cmp.Compare(y, x)
	})
}

// NotebookSortKeys are what notebooks can be sorted by.
func NotebookSortKeys() []string {
	return []string{"namespace", "name", "owner", "node", "cpu", "memory", "gpu", "gpu-util", "age", "idle"}
}

// Sort sorts notebooks by a key of NotebookSortKeys: figures with the most first, ages with
// the oldest, what is not known last. Equals stay in the order of namespaces and names.
func (n *Notebooks) Sort(key string) {
	by := func(text func(Notebook) string) {
		slices.SortStableFunc(n.Notebooks, func(a, b Notebook) int {
			if (text(a) == "") != (text(b) == "") {
				return strings.Compare(text(b), text(a))
			}
			return strings.Compare(text(a), text(b))
		})
	}
	by(func(b Notebook) string { return b.Name })
	by(func(b Notebook) string { return b.Namespace })
	most := func(of func(Notebook) (float64, bool)) { byMost(n.Notebooks, of) }
	switch key {
	case "name":
		by(func(b Notebook) string { return b.Name })
	case "owner":
		by(func(b Notebook) string { owner, _ := b.Owner.Get(); return owner })
	case "node":
		by(func(b Notebook) string { return strings.Join(b.Nodes, ",") })
	case "cpu":
		most(func(b Notebook) (float64, bool) { q, ok := b.CPU.Get(); return q.AsApproximateFloat64(), ok })
	case "memory":
		most(func(b Notebook) (float64, bool) { q, ok := b.Memory.Get(); return q.AsApproximateFloat64(), ok })
	case "gpu":
		// Of several resources the one of which it has most: a slice and a GPU have no sum.
		most(func(b Notebook) (float64, bool) {
			top := int64(0)
			for _, count := range b.GPUs {
				top = max(top, count)
			}
			return float64(top), true
		})
	case "gpu-util":
		most(func(b Notebook) (float64, bool) { return b.Live.Utilization.Get() })
	case "age":
		most(func(b Notebook) (float64, bool) { return -float64(b.Created.UnixNano()), true })
	case "idle":
		most(func(b Notebook) (float64, bool) { d, ok := b.Use.Idle(n.Time).Get(); return d.Seconds(), ok })
	}
}
