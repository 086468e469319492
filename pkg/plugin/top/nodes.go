package top

import (
	"context"
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/top/sums"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage/dra"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage/holders"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// TopFlags are what was typed.
type TopFlags struct {
	topFlags
	nodeFlags
	showCapacity bool
	gpuOnly      bool
	total        bool
	protobuf     bool
	by           string
}

// TopOptions are what is to be shown.
type TopOptions struct {
	topOptions
	ShowCapacity bool
	GPUOnly      bool
	Total        bool
	// By adds up what there is, or who uses it; empty shows nodes.
	By    holders.By
	Usage usage.Options
}

func New(b *plugin.Base) *cobra.Command {
	cmd := newTopNodes(b, "top [NODE...]")
	cmd.GroupID = plugin.GroupUse
	cmd.AddGroup(&cobra.Group{ID: plugin.GroupUse, Title: "Available Commands:"})
	// People who know kubectl type this.
	nodes := newTopNodes(b, "nodes [NODE...]")
	nodes.Aliases = []string{"node", "no"}
	nodes.Hidden = true
	cmd.AddCommand(nodes, newTopNotebooksCommand(b), newTopGPUsCommand(b))
	return cmd
}

func newTopNodes(b *plugin.Base, use string) *cobra.Command {
	f := &TopFlags{}
	cmd := &cobra.Command{
		Use:   use,
		Short: "Display resource (CPU/memory/GPU) usage of nodes",
		Long: `Display resource (CPU/memory/GPU) usage of nodes.

CPU and memory are those of kubectl top nodes: from metrics-server, as a percentage of the
allocatable amount. GPUs are counted as the scheduler counts them: FREE is what is
allocatable and not requested. Free GPUs of a node that is cordoned or not ready are not
available to new pods. A node with several GPU resources (MIG slices) has one line for
each. UTIL% and VRAM are current values, if the NVIDIA DCGM exporter runs on the node.

Unknown values are shown as <unknown> or <forbidden>, never as 0, and the reason is written
to standard error. The exit code is 0 if the nodes could be listed, even if other data is
missing.`,
		Example: plugin.Examples(`
			# Show metrics for all nodes, sorted by memory usage
			kubectl jupyter top --sort-by=memory

			# Show nodes with GPUs, sorted by the number of free GPUs
			kubectl jupyter top --gpu-only --sort-by=gpu-free --total

			# Watch two nodes
			kubectl jupyter top gpu-0 gpu-1 --watch

			# Export the nodes with one GPU product as CSV
			kubectl jupyter top -l nvidia.com/gpu.product=Tesla-T4 -o csv

			# Show which users use the nodes, and how much of them they request
			kubectl jupyter top --by=owner

			# Print the number of free GPUs of each resource on each node
			kubectl jupyter top -o jsonpath='{range .nodes[*]}{.name}{" "}{.gpus[*].free}{"\n"}{end}'`),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.ToOptions(b, args)
			return plugin.Run(cmd, o, err)
		},
	}
	fs := cmd.Flags()
	f.nodeFlags.add(b, cmd)
	f.topFlags.add(cmd, usage.SortKeys, "name", "Sort by cpu, memory, cpu%, memory%, gpu (requested), gpu-free (available to new pods) or gpu-util, descending; or by age (oldest first) or name")
	fs.BoolVar(&f.showCapacity, "show-capacity", false, "If true, show percentages of the capacity of the nodes instead of the allocatable amount")
	fs.BoolVar(&f.gpuOnly, "gpu-only", false, "If true, show only nodes with GPUs")
	fs.BoolVar(&f.total, "total", false, "If true, show the totals of all nodes, in one line for each GPU resource")
	sums.AddFlag(cmd, &f.by, "Show who uses the nodes, by owner or namespace of pods, or the GPUs by product, instead of nodes")
	fs.BoolVar(&f.protobuf, "use-protocol-buffers", true, "Enables using protocol-buffers to access Metrics API")
	return cmd
}

// ToOptions checks what was typed.
func (f *TopFlags) ToOptions(b *plugin.Base, args []string) (*TopOptions, error) {
	common, err := f.topFlags.options(b, usage.SortKeys())
	if err != nil {
		return nil, err
	}
	names, err := f.nodeFlags.chosen(args)
	if err != nil {
		return nil, err
	}
	by, err := sums.Check(f.by)
	if err != nil {
		return nil, err
	}
	if by != "" && f.total {
		return nil, errors.New("--total and --by cannot be used together")
	}
	return &TopOptions{
		topOptions: common, ShowCapacity: f.showCapacity, GPUOnly: f.gpuOnly, Total: f.total, By: by,
		Usage: usage.Options{Names: names, Selector: f.selector, GPUResources: f.gpuResources, JSONMetrics: !f.protobuf},
	}, nil
}

// Run shows the nodes.
func (o *TopOptions) Run(ctx context.Context) error {
	c, err := o.Connect(ctx)
	if err != nil {
		return err
	}
	o.Usage.Live = o.live(c)
	o.Usage.Claims = dra.Claims(c, o.Usage.GPUResources)
	return o.Show(ctx, func(ctx context.Context) (view.Look, error) {
		if o.By == holders.ByOwner || o.By == holders.ByNamespace {
			s, err := holders.ReadShares(ctx, c, o.By, holders.Options{Nodes: o.Usage.Names, Selector: o.Usage.Selector, GPUResources: o.Usage.GPUResources})
			if err != nil {
				return view.Look{}, err
			}
			return sums.Shares(s, o.By), nil
		}
		if o.By == holders.ByProduct {
			g, err := holders.ReadGPUs(ctx, c, holders.Options{Nodes: o.Usage.Names, Selector: o.Usage.Selector, GPUResources: o.Usage.GPUResources, Live: o.Usage.Live})
			if err != nil {
				return view.Look{}, err
			}
			return sums.GPUs(g, o.By, nil, g.Problems), nil
		}
		s, err := usage.Read(ctx, c, o.Usage)
		if err != nil {
			return view.Look{}, err
		}
		if o.GPUOnly {
			s.OnlyGPUs()
		}
		s.Sort(o.SortBy, o.ShowCapacity)
		return o.face(s), nil
	})
}

func (o *TopOptions) face(s *usage.Snapshot) view.Look {
	problems := s.Problems
	if len(s.Nodes) == 0 {
		none := "no nodes found"
		if o.GPUOnly {
			none = "no nodes with GPUs found"
		}
		problems = append(slices.Clone(problems), none)
	}
	return view.Look{
		Grid:     func(wide bool) view.Grid { return o.nodeGrid(s, wide) },
		CSV:      func() [][]string { return o.nodeCSV(s) },
		Document: func() any { return s.Document(report.APIVersion, o.ShowCapacity, o.Total) },
		Names: func() []string {
			var out []string
			for _, n := range s.Nodes {
				out = append(out, "node/"+n.Name)
			}
			return out
		},
		Problems: problems,
	}
}
