// Package sums shows what top adds up with --by.
package sums

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/show"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage/holders"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// AddFlag adds --by.
func AddFlag(cmd *cobra.Command, by *string, says string) {
	cmd.Flags().StringVar(by, "by", "", says+". One of: ("+strings.Join(holders.Bys(), ", ")+")")
	plugin.Complete(cmd, "by", holders.Bys)
}

// Check refuses what nothing can be added up by.
func Check(by string) (holders.By, error) {
	if err := holders.CheckBy(by); err != nil {
		return "", fmt.Errorf("--by: %w", err)
	}
	return holders.By(by), nil
}

// Money has two decimals; it has no currency.
func Money(m usage.Maybe[float64]) view.Cell {
	v, ok := m.Get()
	if !ok {
		return show.Missing(m.Why())
	}
	return view.Text(strconv.FormatFloat(v, 'f', 2, 64))
}

func hours(m usage.Maybe[float64]) view.Cell {
	v, ok := m.Get()
	if !ok {
		return show.Missing(m.Why())
	}
	return view.Text(strconv.FormatFloat(v, 'f', 1, 64))
}

// GPUs shows GPUs that are added up.
func GPUs(g *holders.GPUs, by holders.By, rates holders.Rates, problems []string) view.Look {
	groups := g.Groups(by, rates)
	headers := []string{strings.ToUpper(string(by)), "GPU", "COUNT", "HELD", "FREE"}
	if g.Exported {
		headers = append(headers, "UTIL%", "VRAM")
	}
	headers = append(headers, "HOURS")
	if len(rates) > 0 {
		headers = append(headers, "COST")
	}
	return view.Look{
		Grid: func(bool) view.Grid {
			out := view.Grid{Headers: headers}
			for _, x := range groups {
				row := []view.Cell{show.Owner(x.Name), view.Text(x.Resource), view.Text(fmt.Sprint(x.Count)), view.Text(fmt.Sprint(x.Held)), view.Text(fmt.Sprint(x.Schedulable))}
				if g.Exported {
					row = append(row, show.Percent(x.Live.Utilization), show.Memory(x.Live))
				}
				row = append(row, hours(x.HeldHours))
				if len(rates) > 0 {
					row = append(row, Money(x.Cost))
				}
				out.Rows = append(out.Rows, row)
			}
			return out
		},
		CSV: func() [][]string {
			rows := [][]string{strings.Split(string(by)+",resource,count,held,schedulable,util_percent,memory_used_bytes,memory_total_bytes,held_hours,cost", ",")}
			for _, x := range groups {
				name, _ := x.Name.Get()
				rows = append(rows, []string{
					name, x.Resource, fmt.Sprint(x.Count), fmt.Sprint(x.Held), fmt.Sprint(x.Schedulable), show.FloatField(x.Live.Utilization),
					show.IntField(x.Live.MemoryUsed), show.IntField(x.Live.MemoryTotal), show.FloatField(x.HeldHours), show.FloatField(x.Cost),
				})
			}
			return rows
		},
		Document: func() any { return g.GPUGroupsDocument(report.APIVersion, by, groups, problems) },
		Names: func() []string {
			return namesOf(groups, func(x holders.GPUGroup) usage.Maybe[string] { return x.Name })
		},
		Problems: problems,
	}
}

// namesOf are the names of groups, each once, without that of what belongs to none.
func namesOf[T any](groups []T, name func(T) usage.Maybe[string]) []string {
	var out []string
	for _, g := range groups {
		if text, _ := name(g).Get(); text != "" && !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return out
}

// amounts are CPU, memory and requests; of a group some of whose members have no figures,
// at least as much.
func amounts(unknown, of int, cpu, memory, cpuRequested, memoryRequested resource.Quantity) []view.Cell {
	used := []view.Cell{view.Text(show.Milli(cpu)), view.Text(show.Mebi(memory.Value()))}
	for i := range used {
		switch {
		case unknown == of:
			used[i] = show.Missing(usage.Absence{})
		case unknown > 0:
			used[i].Text = ">=" + used[i].Text
		}
	}
	return append(used, view.Text(show.Milli(cpuRequested)), view.Text(show.Mebi(memoryRequested.Value())))
}

// Shares shows who uses nodes.
func Shares(s *holders.Shares, by holders.By) view.Look {
	return view.Look{
		Grid: func(bool) view.Grid {
			out := view.Grid{Headers: []string{strings.ToUpper(string(by)), "PODS", "NODES", "CPU(cores)", "MEMORY(bytes)", "CPU-REQ", "MEMORY-REQ", "GPU"}}
			for _, x := range s.Shares {
				row := append([]view.Cell{show.Owner(x.Name), view.Text(fmt.Sprint(x.Pods)), view.Text(fmt.Sprint(x.Nodes))},
					amounts(x.Unknown, x.Pods, x.CPU, x.Memory, x.CPURequested, x.MemoryRequested)...)
				out.Rows = append(out.Rows, append(row, view.Text(usage.CountsText(x.GPUs, "%d", ","))))
			}
			return out
		},
		CSV: func() [][]string {
			rows := [][]string{strings.Split(string(by)+",pods,nodes,cpu_cores,memory_bytes,unmeasured_pods,cpu_requested_cores,memory_requested_bytes,gpus", ",")}
			for _, x := range s.Shares {
				name, _ := x.Name.Get()
				rows = append(rows, []string{
					name, fmt.Sprint(x.Pods), fmt.Sprint(x.Nodes), show.QuantityField(usage.Known(x.CPU)), show.QuantityField(usage.Known(x.Memory)), fmt.Sprint(x.Unknown),
					show.QuantityField(usage.Known(x.CPURequested)), show.QuantityField(usage.Known(x.MemoryRequested)), usage.CountsText(x.GPUs, "%d", ";"),
				})
			}
			return rows
		},
		Document: func() any { return s.Document(report.APIVersion, by) },
		Names:    func() []string { return namesOf(s.Shares, func(x holders.Share) usage.Maybe[string] { return x.Name }) },
		Problems: s.Problems,
	}
}

// Notebooks shows notebooks that are added up.
func Notebooks(n *holders.Notebooks, by holders.By) view.Look {
	groups := n.Groups(by)
	return view.Look{
		Grid: func(bool) view.Grid {
			out := view.Grid{Headers: []string{strings.ToUpper(string(by)), "NOTEBOOKS", "BUSY", "CPU(cores)", "MEMORY(bytes)", "CPU-REQ", "MEMORY-REQ", "GPU", "GPU-HOURS"}}
			if n.Exported {
				out.Headers = append(out.Headers, "GPU%")
			}
			out.Headers = append(out.Headers, "IDLE")
			for _, x := range groups {
				row := append([]view.Cell{show.Owner(x.Name), view.Text(fmt.Sprint(x.Count)), view.Text(fmt.Sprint(x.Busy))},
					amounts(x.Unknown, x.Count, x.CPU, x.Memory, x.CPURequested, x.MemoryRequested)...)
				row = append(row, view.Text(usage.CountsText(x.GPUs, "%d", ",")), view.Text(usage.CountsText(x.GPUHours, "%.1f", ",")))
				switch {
				case n.Exported && len(x.GPUs) == 0:
					row = append(row, view.Cell{})
				case n.Exported:
					row = append(row, show.Percent(x.Utilization))
				}
				idle := show.Missing(x.Idle.Why())
				if d, ok := x.Idle.Get(); ok {
					idle = view.Text(show.Age(d))
				}
				out.Rows = append(out.Rows, append(row, idle))
			}
			return out
		},
		CSV: func() [][]string {
			rows := [][]string{strings.Split(string(by)+",notebooks,busy,cpu_cores,memory_bytes,unmeasured,cpu_requested_cores,memory_requested_bytes,gpus,gpu_hours,gpu_util_percent,idle_seconds", ",")}
			for _, x := range groups {
				name, _ := x.Name.Get()
				idle := ""
				if d, ok := x.Idle.Get(); ok {
					idle = strconv.FormatInt(int64(d.Seconds()), 10)
				}
				rows = append(rows, []string{
					name, fmt.Sprint(x.Count), fmt.Sprint(x.Busy), show.QuantityField(usage.Known(x.CPU)), show.QuantityField(usage.Known(x.Memory)), fmt.Sprint(x.Unknown),
					show.QuantityField(usage.Known(x.CPURequested)), show.QuantityField(usage.Known(x.MemoryRequested)), usage.CountsText(x.GPUs, "%d", ";"), usage.CountsText(x.GPUHours, "%g", ";"),
					show.FloatField(x.Utilization), idle,
				})
			}
			return rows
		},
		Document: func() any { return n.GroupsDocument(report.APIVersion, by, groups, n.Problems) },
		Names: func() []string {
			return namesOf(groups, func(x holders.NotebookGroup) usage.Maybe[string] { return x.Name })
		},
		Problems: n.Problems,
	}
}
