package top

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/show"
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
			after = []view.Cell{show.Sample(n.Sample), view.Text(show.Age(s.Time.Sub(n.Created)))}
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
	free := show.Count(g.Free())
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
	cells := []view.Cell{view.Text(g.Resource), view.Text(g.Product), view.Text(strconv.FormatInt(g.Capacity, 10)), show.Count(g.Requested), free}
	if g.Allocatable < g.Capacity {
		cells[2].Level = view.Raised // devices that are not healthy
	}
	if c.wide {
		sharing := string(g.Sharing)
		if g.Slots() && g.Replicas > 1 {
			sharing += fmt.Sprintf(":%d", g.Replicas)
		}
		cells = append(cells, view.Text(strconv.FormatInt(g.Allocatable, 10)), show.Count(g.Schedulable), view.Text(sharing))
	}
	if c.live {
		cells = append(cells, show.Percent(g.Live.Utilization), show.Memory(g.Live))
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
		show.Quantity(cpu.Used, func(q resource.Quantity) string { return atLeast + show.Milli(q) }), show.Percent(cpu.Percent(o.ShowCapacity)),
		show.Quantity(memory.Used, func(q resource.Quantity) string { return atLeast + show.Mebi(q.Value()) }), show.Percent(memory.Percent(o.ShowCapacity)),
	}
}

// nodeCSV has one row for each node and GPU resource, in base units. Empty is not known.
func (o *TopOptions) nodeCSV(s *usage.Snapshot) [][]string {
	rows := [][]string{strings.Split("name,ready,cordoned,cpu_cores,cpu_percent,memory_bytes,memory_percent,sample_time,"+
		"gpu_resource,gpu_product,gpu_capacity,gpu_allocatable,gpu_requested,gpu_free,gpu_schedulable,gpu_util_percent,gpu_memory_used_bytes,gpu_memory_total_bytes", ",")}
	for _, n := range s.Nodes {
		row := []string{
			n.Name, strconv.FormatBool(n.Ready), strconv.FormatBool(n.Cordoned),
			show.QuantityField(n.CPU.Used), show.FloatField(n.CPU.Percent(o.ShowCapacity)),
			show.QuantityField(n.Memory.Used), show.FloatField(n.Memory.Percent(o.ShowCapacity)), "",
		}
		if n.Sample != nil {
			row[7] = n.Sample.Time.UTC().Format(time.RFC3339)
		}
		if len(n.GPUs) == 0 {
			rows = append(rows, append(row, make([]string, 10)...))
		}
		for _, g := range n.GPUs {
			rows = append(rows, append(row[:8:8], g.Resource, g.Product, strconv.FormatInt(g.Capacity, 10), strconv.FormatInt(g.Allocatable, 10),
				show.IntField(g.Requested), show.IntField(g.Free()), show.IntField(n.Schedulable(g)),
				show.FloatField(g.Live.Utilization), show.IntField(g.Live.MemoryUsed), show.IntField(g.Live.MemoryTotal)))
		}
	}
	return rows
}
