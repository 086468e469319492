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
