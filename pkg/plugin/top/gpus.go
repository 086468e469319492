package top

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/show"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/top/sums"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage/holders"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// TopGPUsFlags are what was typed.
type TopGPUsFlags struct {
	topFlags
	nodeFlags
	by          string
	hourlyRates []string
	waste       bool
	forTime     time.Duration
	below       string
}

// TopGPUsOptions are what is to be shown.
type TopGPUsOptions struct {
	topOptions
	Holders holders.Options
	// By adds up; empty shows each.
	By holders.By
	// Rates are prices of an hour of a GPU, by product.
	Rates holders.Rates
	// Waste lists held GPUs that are not used, after having watched them For a time. Below
	// is the utilization, in percent, that counts as none.
	Waste bool
	For   time.Duration
	Below float64
}

func newTopGPUsCommand(b *plugin.Base) *cobra.Command {
	f := &TopGPUsFlags{}
	cmd := &cobra.Command{
		Use:     "gpus [NODE...]",
		Aliases: []string{"gpu"},
		GroupID: plugin.GroupUse,
		Short:   "Display GPUs, the pods that hold them, and the pods that wait for one",
		Long: `Display GPUs, the pods that hold them, and the pods that wait for one.

There is one row for each GPU, for each slice of a partitioned GPU (MIG), and for each slot
of a time-sliced GPU. The API server knows how many GPUs a pod holds, but only the NVIDIA
DCGM exporter or a DRA driver reports which ones; without them, DEVICE is <unknown>. UTIL%
and VRAM of a slot are those of the whole GPU.

With --waste, the GPUs are watched for the time given with --for, and those are listed that
a pod held all the time and whose utilization was below --below in every sample, which the
DCGM exporter has to report. HELD is the time since the pod was started. With
--hourly-rate, COST is the price of that time; a slot of a GPU costs its part of it.

A GPU is held, free, unusable (its device plugin or driver does not offer it) or unknown.
Pods that wait for a GPU are listed below, with the reason given by the scheduler.

The exit code is 0 if the nodes could be listed, even if other data is missing.`,
		Example: plugin.Examples(`
			# Show all GPUs, free ones first
			kubectl jupyter top gpus --sort-by=state

			# Watch the GPUs of two nodes, the pods that hold them, and their utilization
			kubectl jupyter top gpus gpu-0 gpu-1 --watch

			# List the GPUs that are held but not used in the next ten minutes
			kubectl jupyter top gpus --waste --for=10m --below=5%

			# Show who holds how many GPUs, and what they have cost since their pods were started
			kubectl jupyter top gpus --by=owner --hourly-rate=NVIDIA-A100-SXM4-80GB=2.50 --hourly-rate=Tesla-T4=0.35

			# List the pods that wait for a GPU, and why
			kubectl jupyter top gpus -o jsonpath='{range .waiting[*]}{.namespace}/{.pod}: {.message}{"\n"}{end}'`),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.ToOptions(b, args, cmd.Flags().Changed)
			return plugin.Run(cmd, o, err)
		},
	}
	f.addGroups(cmd)
	f.nodeFlags.add(b, cmd)
	f.topFlags.add(cmd, holders.GPUSortKeys, "node", "Sort by node, gpu-util or vram (descending), state (free first), or namespace (of the pod that holds the GPU)")
	return cmd
}

// ToOptions checks what was typed.
func (f *TopGPUsFlags) ToOptions(b *plugin.Base, args []string, given func(string) bool) (*TopGPUsOptions, error) {
	common, err := f.topFlags.options(b, holders.GPUSortKeys())
	if err != nil {
		return nil, err
	}
	names, err := f.nodeFlags.chosen(args)
	if err != nil {
		return nil, err
	}
	o := &TopGPUsOptions{
		topOptions: common, Waste: f.waste, For: f.forTime,
		Holders: holders.Options{Nodes: names, Selector: f.selector, GPUResources: f.gpuResources},
	}
	return o, f.groups(o, given)
}

// Run shows the GPUs.
func (o *TopGPUsOptions) Run(ctx context.Context) error {
	c, err := o.Connect(ctx)
	if err != nil {
		return err
	}
	o.Holders.Live = o.live(c)
	o.Holders.Owners = o.Waste || o.By == holders.ByOwner
	if o.Waste {
		return o.showWaste(ctx, c)
	}
	return o.Show(ctx, func(ctx context.Context) (view.Look, error) {
		g, err := holders.ReadGPUs(ctx, c, o.Holders)
		if err != nil {
			return view.Look{}, err
		}
		g.Sort(o.SortBy)
		if o.By != "" {
			return sums.GPUs(g, o.By, o.Rates, slices.Concat(g.Problems, g.Unpriced(o.Rates))), nil
		}
		return o.face(g), nil
	})
}

func (o *TopGPUsOptions) face(g *holders.GPUs) view.Look {
	problems := slices.Concat(g.Problems, g.Unpriced(o.Rates))
	if len(g.Rows) == 0 {
		problems = append(slices.Clone(problems), "no GPUs found")
	}
	return view.Look{
		Grid:     func(wide bool) view.Grid { return gpuGrid(g, wide, o.Rates) },
		Apart:    func(wide bool) view.Grid { return waitingGrid(g, wide) },
		CSV:      func() [][]string { return gpuCSV(g, o.Rates) },
		Document: func() any { return g.Document(report.APIVersion, o.Rates) },
		Names:    func() []string { return gpuNames(g) },
		Problems: problems,
	}
}

func gpuGrid(g *holders.GPUs, wide bool, rates holders.Rates) view.Grid {
	out := view.Grid{Headers: []string{"NODE", "GPU", "DEVICE", "PRODUCT", "STATE", "NAMESPACE", "POD", "NOTEBOOK"}}
	if g.Exported {
		out.Headers = append(out.Headers, "UTIL%", "VRAM")
	}
	if len(rates) > 0 {
		out.Headers = append(out.Headers, "COST")
	}
	if wide {
		out.Headers = append(out.Headers, "HELD", "UUID", "CLAIM", "WHY")
	}
	for _, r := range g.Rows {
		device := view.Text(r.DeviceText())
		if r.Device == nil {
			device = show.Missing(usage.Absence{})
		}
		holder := []view.Cell{view.Text(r.Pod.Namespace), view.Text(r.Pod.Name), view.Text(r.Pod.Notebook)}
		if r.State == holders.Unknown && r.Pod.Name == "" {
			for i := range holder {
				holder[i] = show.Missing(r.Why)
			}
		}
		row := append([]view.Cell{view.Text(nodeText(r)), view.Text(r.Resource), device, view.Text(r.Product), stateCell(r)}, holder...)
		if g.Exported {
			row = append(row, show.Percent(r.Live().Utilization), show.Memory(r.Live()))
		}
		if len(rates) > 0 {
			row = append(row, costCell(g, r, rates))
		}
		if wide {
			uuid := ""
			if r.Device != nil {
				uuid = r.Device.UUID
			}
			row = append(row, heldCell(g, r), view.Text(uuid), view.Text(strings.Join(r.Claims, ",")), view.Text(r.Why.Reason))
		}
		out.Rows = append(out.Rows, row)
	}
	return out
}

func nodeText(r holders.Row) string {
	if r.Node == nil {
		return ""
	}
	return r.Node.Name
}

func stateCell(r holders.Row) view.Cell {
	c := view.Text(r.StateText())
	switch {
	case r.Schedulable():
		c.Level = view.Calm
	case r.State == holders.Free:
		c.Level = view.Faint
	case r.State == holders.Unusable:
		c.Level = view.Raised
	case r.State == holders.Unknown:
		c = show.Missing(r.Why)
	}
	return c
}

// waitingGrid is apart from the GPUs, for these pods have none.
func waitingGrid(g *holders.GPUs, wide bool) view.Grid {
	out := view.Grid{Headers: []string{"NAMESPACE", "WAITING POD", "NOTEBOOK", "WANTS", "AGE", "REASON"}}
	for _, w := range g.Waiting {
		reason := w.Message
		if !wide {
			reason = w.Brief()
		}
		if reason == "" {
			reason = "not yet processed by the scheduler"
		}
		out.Rows = append(out.Rows, []view.Cell{
			view.Text(w.Namespace), view.Text(w.Name), view.Text(w.Notebook), view.Text(w.WantsText()),
			view.Text(show.Age(g.Time.Sub(w.Created))), view.Text(reason),
		})
	}
	return out
}

// gpuCSV has one row for each GPU and, with the state waiting, one for each pod that has
// none. Empty is not known or does not apply.
func gpuCSV(g *holders.GPUs, rates holders.Rates) [][]string {
	rows := [][]string{strings.Split("node,resource,origin,product,sharing,state,schedulable,device,uuid,mig_profile,namespace,pod,notebook,claims,"+
		"util_percent,memory_used_bytes,memory_total_bytes,wants,waiting_since,message,held_since,cost", ",")}
	for _, r := range g.Rows {
		var uuid, profile string
		if r.Device != nil {
			uuid, profile = r.Device.UUID, r.Device.Profile
		}
		live := r.Live()
		rows = append(rows, []string{
			nodeText(r), r.Resource, string(r.Origin), r.Product, string(r.Sharing), string(r.State), fmt.Sprint(r.Schedulable()), r.DeviceText(), uuid, profile,
			r.Pod.Namespace, r.Pod.Name, r.Pod.Notebook, strings.Join(r.Claims, ";"),
			show.FloatField(live.Utilization), show.IntField(live.MemoryUsed), show.IntField(live.MemoryTotal), "", "", r.Why.Reason,
			show.Stamp(r.Pod.Since), show.FloatField(g.Cost(r, rates)),
		})
	}
	for _, w := range g.Waiting {
		row := make([]string, len(rows[0]))
		row[5], row[10], row[11], row[12] = "waiting", w.Namespace, w.Name, w.Notebook
		row[17], row[18], row[19] = w.WantsText(), w.Created.UTC().Format(time.RFC3339), w.Message
		rows = append(rows, row)
	}
	return rows
}

// gpuNames are NODE/RESOURCE/NUMBER: GPUs of device plugins are no objects and have no
// names of their own. DRA devices have.
func gpuNames(g *holders.GPUs) []string {
	numbers := map[string]int{}
	var out []string
	for _, r := range g.Rows {
		prefix := nodeText(r) + "/" + r.Resource
		name := fmt.Sprint(numbers[prefix])
		if r.Origin == usage.DRA {
			name = r.DeviceText()
		}
		numbers[prefix]++
		out = append(out, prefix+"/"+name)
	}
	return out
}
