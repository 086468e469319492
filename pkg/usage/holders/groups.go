package holders

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
)

// By is what rows are grouped by.
type By string

// What there is to group by.
const (
	ByOwner     By = "owner"
	ByNamespace By = "namespace"
	ByProduct   By = "product"
)

// Bys are all of them.
func Bys() []string { return []string{string(ByOwner), string(ByNamespace), string(ByProduct)} }

// CheckBy refuses what nothing can be grouped by.
func CheckBy(text string) error {
	if text != "" && !slices.Contains(Bys(), text) {
		return fmt.Errorf("%q is none of %s", text, strings.Join(Bys(), ", "))
	}
	return nil
}

// GPUGroup is what the GPUs of one resource that belong together come to: a slice and a GPU
// have no sum.
type GPUGroup struct {
	// Name of the owner, namespace or product; empty for what belongs to none.
	Name     usage.Maybe[string]
	Resource string
	// GPUs, slices or slots that there are, held ones, and those that a pod could get.
	Count, Held, Schedulable int64
	// Live is the mean utilization of their devices, and the sum of their memory.
	Live usage.Live
	// HeldHours is for how long pods have held them together, since those were started.
	HeldHours usage.Maybe[float64]
	// Cost of those hours.
	Cost usage.Maybe[float64]
}

// Groups adds up GPUs by name and resource, those that were held for most hours first, those
// of nobody last.
func (g *GPUs) Groups(by By, rates Rates) []GPUGroup {
	type members struct {
		group   *GPUGroup
		devices []usage.Device
		dark    *usage.Absence
	}
	all := map[string]*members{}
	var order []string
	for _, r := range g.Rows {
		name := r.name(by)
		text, _ := name.Get()
		key := text + "\x00" + name.Why().Reason + "\x00" + r.Resource
		m := all[key]
		if m == nil {
			m = &members{group: &GPUGroup{Name: name, Resource: r.Resource, HeldHours: usage.Known(0.0), Cost: usage.Known(0.0)}}
			all[key] = m
			order = append(order, key)
		}
		m.group.Count++
		if r.Schedulable() {
			m.group.Schedulable++
		}
		if r.Pod.Name != "" || r.State == Held {
			m.group.Held++
		}
		if r.Pod.Name != "" {
			held := usage.Missing[float64](g.HeldFor(r).Why())
			if d, ok := g.HeldFor(r).Get(); ok {
				held = usage.Known(d.Hours())
			}
			m.group.HeldHours = sumOf(m.group.HeldHours, held)
			m.group.Cost = sumOf(m.group.Cost, g.Cost(r, rates))
		}
		switch {
		case r.Device == nil:
			why := r.Live().Utilization.Why()
			m.dark = &why
		case !slices.ContainsFunc(m.devices, func(d usage.Device) bool { return idOf(&d) == idOf(r.Device) && d.Claimed == r.Device.Claimed }):
			m.devices = append(m.devices, *r.Device)
		}
	}
	var out []GPUGroup
	for _, key := range order {
		m := all[key]
		if m.dark != nil {
			m.group.Live = usage.LiveOf(nil, *m.dark)
		} else {
			m.group.Live = usage.LiveOf(m.devices, usage.Absence{})
		}
		out = append(out, *m.group)
	}
	slices.SortStableFunc(out, func(a, b GPUGroup) int {
		return cmp.Or(cmp.Compare(rank(a.Name), rank(b.Name)), strings.Compare(a.Resource, b.Resource))
	})
	byMost(out, func(g GPUGroup) (float64, bool) { return g.HeldHours.Get() })
	return out
}

// rank sorts names upwards, what belongs to none and what is not known last.
func rank(name usage.Maybe[string]) string {
	switch text, known := name.Get(); {
	case !known:
		return "\U0010ffff\U0010ffff"
	case text == "":
		return "\U0010ffff"
	default:
		return text
	}
}

// name of the group that a row belongs to.
func (r Row) name(by By) usage.Maybe[string] {
	switch by {
	case ByNamespace:
		return usage.Known(r.Pod.Namespace)
	case ByProduct:
		return usage.Known(r.Product)
	}
	return r.Owner
}

// sumOf keeps what is missing missing.
func sumOf(a, b usage.Maybe[float64]) usage.Maybe[float64] {
	x, ok := a.Get()
	if !ok {
		return a
	}
	y, ok := b.Get()
	if !ok {
		return b
	}
	return usage.Known(x + y)
}

// NotebookGroup is what the notebooks that belong together come to.
type NotebookGroup struct {
	Name  usage.Maybe[string]
	Count int
	// Busy notebooks have a kernel that runs something, as far as they were asked.
	Busy int
	// CPU and Memory are of those whose use is known; Unknown counts the others.
	CPU, Memory                   resource.Quantity
	Unknown                       int
	CPURequested, MemoryRequested resource.Quantity
	GPUs                          map[string]int64
	// Utilization is the mean over the notebooks that have GPUs.
	Utilization usage.Maybe[float64]
	// GPUHours is for how long they have had their GPUs, by resource, since their pods were
	// created.
	GPUHours map[string]float64
	// Idle is since when none of them was used; missing as soon as one may have been.
	Idle usage.Maybe[time.Duration]
}

// Groups adds up notebooks, by name, those of nobody last.
func (n *Notebooks) Groups(by By) []NotebookGroup {
	all := map[string]*NotebookGroup{}
	percents := map[string][]usage.Maybe[float64]{}
	var order []string
	for _, b := range n.Notebooks {
		name := b.name(by)
		text, _ := name.Get()
		key := text + "\x00" + name.Why().Reason
		g := all[key]
		if g == nil {
			g = &NotebookGroup{Name: name, GPUs: map[string]int64{}, GPUHours: map[string]float64{}, Idle: b.Use.Idle(n.Time)}
			all[key] = g
			order = append(order, key)
		}
		g.add(b, n.Time)
		if len(b.GPUs) > 0 {
			percents[key] = append(percents[key], b.Live.Utilization)
		}
	}
	var out []NotebookGroup
	for _, key := range order {
		g := all[key]
		g.Utilization = mean(percents[key])
		out = append(out, *g)
	}
	slices.SortStableFunc(out, func(a, b NotebookGroup) int { return cmp.Compare(rank(a.Name), rank(b.Name)) })
	return out
}

func (g *NotebookGroup) add(b Notebook, now time.Time) {
	g.Count++
	if b.Use.Busy() {
		g.Busy++
	}
	cpu, hasCPU := b.CPU.Get()
	memory, hasMemory := b.Memory.Get()
	if hasCPU && hasMemory {
		g.CPU.Add(cpu)
		g.Memory.Add(memory)
	} else {
		g.Unknown++
	}
	g.CPURequested.Add(b.CPURequested)
	g.MemoryRequested.Add(b.MemoryRequested)
	for name, count := range b.GPUs {
		g.GPUs[name] += count
		if len(b.Nodes) > 0 {
			g.GPUHours[name] += float64(count) * max(0, now.Sub(b.Created).Hours())
		}
	}
	idle := b.Use.Idle(now)
	least, known := g.Idle.Get()
	if d, ok := idle.Get(); known && (!ok || d < least) {
		g.Idle = idle
	}
}

func mean(all []usage.Maybe[float64]) usage.Maybe[float64] {
	sum := usage.Known(0.0)
	for _, m := range all {
		sum = sumOf(sum, m)
	}
	v, ok := sum.Get()
	switch {
	case len(all) == 0:
		return usage.Missing[float64](usage.Absence{Reason: "they have no GPUs"})
	case !ok:
		return sum
	}
	return usage.Known(v / float64(len(all)))
}

// name of the group that a notebook belongs to. One with GPUs of several products belongs
// to the group of both.
func (n Notebook) name(by By) usage.Maybe[string] {
	switch by {
	case ByNamespace:
		return usage.Known(n.Namespace)
	case ByProduct:
		return usage.Known(strings.Join(slices.Sorted(slices.Values(n.Products)), ","))
	}
	return n.Owner
}
