package top

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// nodeColumns are the columns of a table; which of them there are depends on the nodes.
type nodeColumns struct {
	wide, gpus, live bool
}

func (c nodeColumns) headers() []string {
	h := []string{"NAME", "STATUS", "CPU(cores)", "CPU%", "MEMORY(bytes)", "MEMORY%"}
	if c.gpus {
		h = append(h, "GPU", "PRODUCT", "CAPACITY", "REQUESTED", "FREE")
	}
	if c.gpus && c.wide {
		h = append(h, "ALLOCATABLE", "SCHEDULABLE", "SHARING")
	}
	if c.live {
		h = append(h, "UTIL%", "VRAM")
	}
	if c.wide {
		h = append(h, "SAMPLE", "AGE")
	}
	return h
}

func (o *TopOptions) nodeGrid(s *usage.Snapshot, wide bool) view.Grid {
	c := nodeColumns{wide: wide, live: !o.NoDCGM && s.HasLive()}
	for _, n := range s.Nodes {
		c.gpus = c.gpus || len(n.GPUs) > 0
	}
	g := view.Grid{Headers: c.headers()}
	for _, n := range s.Nodes {
		before := append([]view.Cell{view.Text(n.Name), statusCell(n)}, o.amountCells(n.CPU, n.Memory, "")...)
		var after []view.Cell
		if wide {
			after = []view.Cell{sampleCell(n.Sample), view.Text(ageText(s.Time.Sub(n.Created)))}
		}
		var gpus []usage.GPUTotal
		for _, gpu := range n.GPUs {
			gpus = append(gpus, usage.GPUTotal{GPU: gpu, Schedulable: n.Schedulable(gpu)})
		}
		g.Rows = append(g.Rows, c.rows(before, gpus, after)...)
	}
	if o.Total {
		t := s.Total()
		atLeast := ""
		if t.Unknown > 0 {
			atLeast = ">="
		}
		status := view.Text(fmt.Sprintf("%d/%d", t.Ready, t.Nodes))
		before := append([]view.Cell{view.Text("TOTAL"), status}, o.amountCells(t.CPU, t.Memory, atLeast)...)
		var after []view.Cell
		if wide {
			after = make([]view.Cell, 2)
		}
		g.Rows = append(g.Rows, c.rows(before, t.GPUs, after)...)
	}
	return g
}

// rows are one row for each GPU resource, and one without any. Those after the first
// repeat the name alone: what they would repeat beside it, somebody would add up.
func (c nodeColumns) rows(before []view.Cell, gpus []usage.GPUTotal, after []view.Cell) [][]view.Cell {
	var rows [][]view.Cell
	for i := range max(1, len(gpus)) {
		row := make([]view.Cell, 0, len(before)+len(after)+10)
		if i == 0 {
			row = append(row, before...)
		} else {
			row = append(append(row, before[0]), make([]view.Cell, len(before)-1)...)
		}
		switch {
		case i < len(gpus):
			row = append(row, c.gpuCells(gpus[i])...)
		default:
			row = append(row, make([]view.Cell, len(c.headers())-len(before)-len(after))...)
		}
		if i == 0 {
			row = append(row, after...)
		} else {
			row = append(row, make([]view.Cell, len(after))...)
		}
		rows = append(rows, row)
	}
	return rows
}

func (c nodeColumns) gpuCells(g usage.GPUTotal) []view.Cell {
	free := countCell(g.Free())
	if n, ok := g.Free().Get(); ok {
		can, known := g.Schedulable.Get()
		switch {
		case n < 0:
			free.Level = view.High
		case known && can > 0:
			free.Level = view.Calm
		default:
			free.Level = view.Faint
		}
	}
	cells := []view.Cell{view.Text(g.Resource), view.Text(g.Product), view.Text(strconv.FormatInt(g.Capacity, 10)), countCell(g.Requested), free}
	if g.Allocatable < g.Capacity {
		cells[2].Level = view.Raised // devices that are not healthy
	}
	if c.wide {
		sharing := string(g.Sharing)
		if g.Slots() && g.Replicas > 1 {
			sharing += fmt.Sprintf(":%d", g.Replicas)
		}
		cells = append(cells, view.Text(strconv.FormatInt(g.Allocatable, 10)), countCell(g.Schedulable), view.Text(sharing))
	}
	if c.live {
		cells = append(cells, percentCell(g.Live.Utilization), memoryCell(g.Live))
	}
	return cells
}

func statusCell(n usage.Node) view.Cell {
	c := view.Text(n.Status())
	switch {
	case !n.Ready:
		c.Level = view.High
	case n.Cordoned:
		c.Level = view.Raised
	}
	return c
}

// amountCells are CPU and memory as kubectl top nodes writes them.
func (o *TopOptions) amountCells(cpu, memory usage.Amount, atLeast string) []view.Cell {
	return []view.Cell{
		quantityCell(cpu.Used, func(q resource.Quantity) string { return atLeast + milliText(q) }), percentCell(cpu.Percent(o.ShowCapacity)),
		quantityCell(memory.Used, func(q resource.Quantity) string { return atLeast + mebiText(q.Value()) }), percentCell(memory.Percent(o.ShowCapacity)),
	}
}

func milliText(q resource.Quantity) string { return fmt.Sprintf("%dm", q.MilliValue()) }

func mebiText(bytes int64) string { return fmt.Sprintf("%dMi", bytes>>20) }

func missingCell(why usage.Absence) view.Cell {
	return view.Cell{Text: why.String(), Level: view.Faint}
}

func quantityCell(m usage.Maybe[resource.Quantity], text func(resource.Quantity) string) view.Cell {
	q, ok := m.Get()
	if !ok {
		return missingCell(m.Why())
	}
	return view.Text(text(q))
}

// percentCell truncates, as kubectl does.
func percentCell(m usage.Maybe[float64]) view.Cell {
	p, ok := m.Get()
	if !ok {
		return missingCell(m.Why())
	}
	return view.Cell{Text: fmt.Sprintf("%d%%", int64(p)), Percent: &p}
}

func countCell(m usage.Maybe[int64]) view.Cell {
	n, ok := m.Get()
	if !ok {
		return missingCell(m.Why())
	}
	return view.Text(strconv.FormatInt(n, 10))
}

// memoryCell is used/total, coloured by the share.
func memoryCell(l usage.Live) view.Cell {
	used, ok := l.MemoryUsed.Get()
	if !ok {
		return missingCell(l.MemoryUsed.Why())
	}
	total, ok := l.MemoryTotal.Get()
	if !ok {
		return view.Text(mebiText(used) + "/" + l.MemoryTotal.Why().String())
	}
	c := view.Text(mebiText(used) + "/" + mebiText(total))
	if total > 0 {
		c.Level = view.LevelOf(100 * float64(used) / float64(total))
	}
	return c
}

func sampleCell(s *usage.Sample) view.Cell {
	if s == nil {
		return view.Cell{}
	}
	c := view.Text(ageText(s.Age))
	if s.Stale() {
		c.Text, c.Level = c.Text+" (stale)", view.Raised
	}
	return c
}

func ageText(d time.Duration) string { return duration.HumanDuration(max(0, d)) }

// nodeCSV has one row for each node and GPU resource, in base units. Empty is not known.
func (o *TopOptions) nodeCSV(s *usage.Snapshot) [][]string {
	rows := [][]string{strings.Split("name,ready,cordoned,cpu_cores,cpu_percent,memory_bytes,memory_percent,sample_time,"+
		"gpu_resource,gpu_product,gpu_capacity,gpu_allocatable,gpu_requested,gpu_free,gpu_schedulable,gpu_util_percent,gpu_memory_used_bytes,gpu_memory_total_bytes", ",")}
	for _, n := range s.Nodes {
		row := []string{
			n.Name, strconv.FormatBool(n.Ready), strconv.FormatBool(n.Cordoned),
			quantityField(n.CPU.Used), floatField(n.CPU.Percent(o.ShowCapacity)),
			quantityField(n.Memory.Used), floatField(n.Memory.Percent(o.ShowCapacity)), "",
		}
		if n.Sample != nil {
			row[7] = n.Sample.Time.UTC().Format(time.RFC3339)
		}
		if len(n.GPUs) == 0 {
			rows = append(rows, append(row, make([]string, 10)...))
		}
		for _, g := range n.GPUs {
			rows = append(rows, append(row[:8:8], g.Resource, g.Product, strconv.FormatInt(g.Capacity, 10), strconv.FormatInt(g.Allocatable, 10),
				intField(g.Requested), intField(g.Free()), intField(n.Schedulable(g)),
				floatField(g.Live.Utilization), intField(g.Live.MemoryUsed), intField(g.Live.MemoryTotal)))
		}
	}
	return rows
}

func quantityField(m usage.Maybe[resource.Quantity]) string {
	q, ok := m.Get()
	if !ok {
		return ""
	}
	return strconv.FormatFloat(usage.Float(q), 'f', -1, 64)
}

func floatField(m usage.Maybe[float64]) string {
	v, ok := m.Get()
	if !ok {
		return ""
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

func intField(m usage.Maybe[int64]) string {
	v, ok := m.Get()
	if !ok {
		return ""
	}
	return strconv.FormatInt(v, 10)
}
