package top

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/activity"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/show"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/top/sums"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage/holders"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// TopNotebooksFlags are what was typed.
type TopNotebooksFlags struct {
	topFlags
	show.AllNamespacesFlag
	noActivity bool
	by         string
}

// TopNotebooksOptions are what is to be shown.
type TopNotebooksOptions struct {
	topOptions
	// Namespace is empty for all.
	Namespace string
	// NoActivity asks no notebook what runs in it.
	NoActivity bool
	// By adds up; empty shows each.
	By      holders.By
	Holders holders.Options
}

func newTopNotebooksCommand(b *plugin.Base) *cobra.Command {
	f := &TopNotebooksFlags{}
	cmd := &cobra.Command{
		Use:     "notebooks",
		Aliases: []string{"notebook", "nb"},
		GroupID: plugin.GroupUse,
		Short:   "Display resource (CPU/memory/GPU) usage, owners and idle time of notebooks",
		Long: `Display resource (CPU/memory/GPU) usage, owners and idle time of notebooks.

The notebooks are those of the kubeconfig's namespace, of another namespace (-n), or of all
namespaces (-A). Only notebooks with a pod are shown; stopped notebooks use no resources.
CPU and memory are from metrics-server, for all containers of the pod. GPU% and VRAM are
current values, if the NVIDIA DCGM exporter runs and reports which pod has which GPU; for a
shared GPU (marked with *), they are those of all pods that share it.

IDLE is the time since something was last done in a notebook: as the notebook controller
has recorded it, if culling is enabled, or else as the notebook itself says, which is asked
through a port-forward. -o wide shows which, and how old that is. While a kernel is busy,
IDLE is busy. RStudio does not say when it was last used.

The exit code is 0 if the pods could be listed, even if other data is missing.`,
		Example: plugin.Examples(`
			# Show the notebooks of all namespaces, sorted by memory usage
			kubectl jupyter top notebooks -A --sort-by=memory

			# Show which notebooks have GPUs, and whether they use them
			kubectl jupyter top notebooks -A --sort-by=gpu -o wide

			# Show how many notebooks and GPUs each user has, and since when none of them was used
			kubectl jupyter top notebooks -A --by=owner

			# Watch the notebooks of one user
			kubectl jupyter top notebooks -n kubeflow-user-example-com --watch

			# List notebooks that have been idle for a day
			kubectl jupyter top notebooks -A -o json | jq -r '.notebooks[] | select(.idleSeconds > 86400) | "\(.namespace)/\(.name)"'`),
		Args: plugin.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := f.ToOptions(b)
			return plugin.Run(cmd, o, err)
		},
	}
	f.add(cmd, holders.NotebookSortKeys, "namespace", "Sort by cpu, memory, gpu (count), gpu-util or idle, descending; or by age (oldest first), namespace, name, owner or node")
	f.AllNamespacesFlag.Add(cmd, "notebooks")
	sums.AddFlag(cmd, &f.by, "Add up the notebooks by owner, namespace or GPU product instead of showing each")
	cmd.Flags().BoolVar(&f.noActivity, "no-activity", false, "If true, do not ask notebooks what runs in them; IDLE is then known only if the notebook controller records it")
	return cmd
}

// ToOptions checks what was typed.
func (f *TopNotebooksFlags) ToOptions(b *plugin.Base) (*TopNotebooksOptions, error) {
	common, err := f.topFlags.options(b, holders.NotebookSortKeys())
	if err != nil {
		return nil, err
	}
	all, err := f.AllNamespacesFlag.Given(b)
	if err != nil {
		return nil, err
	}
	by, err := sums.Check(f.by)
	if err != nil {
		return nil, err
	}
	o := &TopNotebooksOptions{topOptions: common, NoActivity: f.noActivity, By: by, Holders: holders.Options{GPUResources: f.gpuResources}}
	if !all {
		if o.Namespace, _, err = b.Config.ToRawKubeConfigLoader().Namespace(); err != nil {
			return nil, fmt.Errorf("kubeconfig: %w", err)
		}
	}
	return o, nil
}

// Run shows the notebooks.
func (o *TopNotebooksOptions) Run(ctx context.Context) error {
	c, err := o.Connect(ctx)
	if err != nil {
		return err
	}
	o.Holders.Live = o.live(c)
	if !o.NoActivity {
		o.Holders.Ask = activity.Remembering(c)
	}
	return o.Show(ctx, func(ctx context.Context) (view.Look, error) {
		n, err := holders.ReadNotebooks(ctx, c, o.Namespace, o.Holders)
		if err != nil {
			return view.Look{}, err
		}
		n.Sort(o.SortBy)
		return o.face(n), nil
	})
}

func (o *TopNotebooksOptions) face(n *holders.Notebooks) view.Look {
	if o.By != "" {
		return sums.Notebooks(n, o.By)
	}
	problems := n.Problems
	if len(n.Notebooks) == 0 {
		problems = append(slices.Clone(problems), show.NoneFound("no running notebooks found", o.Namespace))
	}
	return view.Look{
		Grid:     func(wide bool) view.Grid { return notebookGrid(n, wide) },
		CSV:      func() [][]string { return notebookCSV(n) },
		Document: func() any { return n.Document(report.APIVersion) },
		Names: func() []string {
			var out []string
			for _, b := range n.Notebooks {
				kind := "notebook"
				if b.Workspace {
					kind = "workspace"
				}
				out = append(out, kind+".kubeflow.org/"+b.Name)
			}
			return out
		},
		Problems: problems,
	}
}

func notebookGrid(n *holders.Notebooks, wide bool) view.Grid {
	gpus := slices.ContainsFunc(n.Notebooks, func(b holders.Notebook) bool { return len(b.GPUs) > 0 })
	live := gpus && n.Exported
	out := view.Grid{Headers: []string{"NAMESPACE", "NOTEBOOK", "OWNER", "NODE", "CPU(cores)", "MEMORY(bytes)", "CPU-REQ", "MEMORY-REQ"}}
	if gpus {
		out.Headers = append(out.Headers, "GPU")
	}
	if live {
		out.Headers = append(out.Headers, "GPU%", "VRAM")
	}
	out.Headers = append(out.Headers, "AGE", "IDLE")
	if wide {
		out.Headers = append(out.Headers, "PHASE", "SAMPLE", "ACTIVITY")
	}
	for _, b := range n.Notebooks {
		row := []view.Cell{
			view.Text(b.Namespace), view.Text(b.Name), show.Owner(b.Owner), nodesCell(b),
			show.Quantity(b.CPU, show.Milli), show.Quantity(b.Memory, mebiQuantity),
			view.Text(show.Milli(b.CPURequested)), view.Text(mebiQuantity(b.MemoryRequested)),
		}
		if gpus {
			row = append(row, view.Text(b.GPUText()))
		}
		switch {
		case live && len(b.GPUs) == 0:
			row = append(row, view.Cell{}, view.Cell{})
		case live:
			util, vram := show.Percent(b.Live.Utilization), show.Memory(b.Live)
			if b.Shared {
				util.Text += "*"
				vram.Text += "*"
			}
			row = append(row, util, vram)
		}
		row = append(row, view.Text(show.Age(n.Time.Sub(b.Created))), show.Idle(b.Use.Busy(), b.Use.Idle(n.Time)))
		if wide {
			sample := view.Cell{}
			if !b.Sampled.IsZero() {
				sample = show.Sample(&usage.Sample{Age: n.Time.Sub(b.Sampled)})
			}
			row = append(row, view.Text(string(b.Phase)), sample, view.Text(b.Use.Text(n.Time)))
		}
		out.Rows = append(out.Rows, row)
	}
	return out
}

func mebiQuantity(q resource.Quantity) string { return show.Mebi(q.Value()) }

// nodesCell says why a notebook that is on no node is on none.
func nodesCell(b holders.Notebook) view.Cell {
	if len(b.Nodes) == 0 {
		return view.Cell{Text: "<" + strings.ToLower(string(corev1.PodPending)) + ">", Level: view.Raised}
	}
	return view.Text(strings.Join(b.Nodes, ","))
}

// notebookCSV is in base units; empty is not known or does not apply.
func notebookCSV(n *holders.Notebooks) [][]string {
	rows := [][]string{strings.Split("namespace,notebook,owner,nodes,phase,cpu_cores,memory_bytes,cpu_requested_cores,memory_requested_bytes,"+
		"gpus,gpu_util_percent,gpu_memory_used_bytes,gpu_memory_total_bytes,gpu_shared,created,last_activity,idle_seconds,activity_source,busy_kernels", ",")}
	for _, b := range n.Notebooks {
		owner, _ := b.Owner.Get()
		var last, idle, busy string
		if t, ok := b.Use.Last.Get(); ok {
			last = show.Stamp(t)
		}
		if d, ok := b.Use.Idle(n.Time).Get(); ok {
			idle = strconv.FormatInt(int64(d.Seconds()), 10)
		}
		if b.Use.Reading != nil {
			busy = strconv.Itoa(b.Use.Reading.Busy())
		}
		rows = append(rows, []string{
			b.Namespace, b.Name, owner, strings.Join(b.Nodes, ";"), string(b.Phase), show.QuantityField(b.CPU), show.QuantityField(b.Memory),
			show.QuantityField(usage.Known(b.CPURequested)), show.QuantityField(usage.Known(b.MemoryRequested)), strings.ReplaceAll(b.GPUText(), ",", ";"),
			show.FloatField(b.Live.Utilization), show.IntField(b.Live.MemoryUsed), show.IntField(b.Live.MemoryTotal), fmt.Sprint(b.Shared),
			show.Stamp(b.Created), last, idle, string(b.Use.Source), busy,
		})
	}
	return rows
}
