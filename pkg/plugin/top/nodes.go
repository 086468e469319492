package top

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage/dra"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// TopFlags are what was typed.
type TopFlags struct {
	topFlags
	sortBy       string
	showCapacity bool
	selector     string
	gpuOnly      bool
	total        bool
	gpuResources []string
	noDCGM       bool
	protobuf     bool
}

// TopOptions are what is to be shown.
type TopOptions struct {
	topOptions
	SortBy       string
	ShowCapacity bool
	GPUOnly      bool
	Total        bool
	NoDCGM       bool
	Usage        usage.Options
}

func New(b *plugin.Base) *cobra.Command {
	cmd := newTopNodes(b, "top [NODE...]")
	cmd.GroupID = plugin.GroupUse
	cmd.AddGroup(&cobra.Group{ID: plugin.GroupUse, Title: "More closely:"})
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
		Short: "Show what nodes have and use: CPU, memory, and GPUs by resource",
		Long: `Show what nodes have and use: CPU, memory, and GPUs by resource.

CPU and memory are what kubectl top nodes prints: of metrics-server, in percent of
what is allocatable. GPUs are counted as the scheduler counts them: FREE is what is
allocatable and not requested; on a node that is not ready or is cordoned nobody can
get them all the same. A node with several GPU resources (MIG slices) has a line for
each. UTIL% and VRAM are live, where NVIDIA's exporter runs on the node.

What is not known is <unknown> or <forbidden>, never 0, and the reason is on standard
error. The exit code is 0 when the nodes could be listed, whatever else is missing.`,
		Example: plugin.Examples(`
			# All nodes, those that use the most memory first
			kubectl jupyter top --sort-by=memory

			# Where is a GPU free?
			kubectl jupyter top --gpu-only --sort-by=gpu-free --total

			# Two nodes, again and again
			kubectl jupyter top gpu-0 gpu-1 --watch

			# Nodes of one kind, for a spreadsheet
			kubectl jupyter top -l nvidia.com/gpu.product=Tesla-T4 -o csv

			# How many GPUs of each resource are free on each node
			kubectl jupyter top -o jsonpath='{range .nodes[*]}{.name}{" "}{.gpus[*].free}{"\n"}{end}'`),
		ValidArgsFunction: b.CompleteNames(schema.GroupVersionResource{Version: "v1", Resource: "nodes"}, false),
		Args:              cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.ToOptions(b, args)
			if err != nil {
				return plugin.UsageError(cmd, err)
			}
			return o.Run(cmd.Context())
		},
	}
	fs := cmd.Flags()
	f.topFlags.add(cmd)
	fs.StringVar(&f.sortBy, "sort-by", "name", "Most first: cpu, memory, cpu%, memory%, gpu (requested), gpu-free (that a pod can get), gpu-util, age (oldest first), or name")
	fs.BoolVar(&f.showCapacity, "show-capacity", false, "Percentages of the nodes' capacity instead of what is allocatable")
	fs.StringVarP(&f.selector, "selector", "l", "", "Label `selector` of nodes, such as nvidia.com/gpu.present=true")
	fs.BoolVar(&f.gpuOnly, "gpu-only", false, "Only nodes that have GPUs")
	fs.BoolVar(&f.total, "total", false, "A line at the end with the sum over nodes, for each GPU resource on its own")
	fs.StringArrayVar(&f.gpuResources, "gpu-resource", nil, "A further `resource` that counts as a GPU, such as example.com/fpga; can be repeated")
	fs.BoolVar(&f.noDCGM, "no-dcgm", false, "Do not ask NVIDIA's exporter what GPUs do right now")
	fs.BoolVar(&f.protobuf, "use-protocol-buffers", true, "Ask for metrics in protobuf; with false, in JSON")
	plugin.Complete(cmd, "sort-by", usage.SortKeys)
	return cmd
}

// ToOptions checks what was typed.
func (f *TopFlags) ToOptions(b *plugin.Base, args []string) (*TopOptions, error) {
	common, err := f.topFlags.options(b)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(usage.SortKeys(), f.sortBy) {
		return nil, fmt.Errorf("--sort-by %q: the keys are %s", f.sortBy, plugin.List(usage.SortKeys()))
	}
	names, err := chosenNodes(args, f.selector)
	if err != nil {
		return nil, err
	}
	if err := checkResourceNames(f.gpuResources); err != nil {
		return nil, err
	}
	return &TopOptions{
		topOptions: common, SortBy: f.sortBy, ShowCapacity: f.showCapacity, GPUOnly: f.gpuOnly, Total: f.total, NoDCGM: f.noDCGM,
		Usage: usage.Options{Names: names, Selector: f.selector, GPUResources: f.gpuResources, JSONMetrics: !f.protobuf},
	}, nil
}

// chosenNodes checks the names of nodes, and the selector that may stand in their place.
func chosenNodes(args []string, selector string) ([]string, error) {
	if len(args) > 0 && selector != "" {
		return nil, errors.New("--selector: names of nodes and a selector exclude each other: give one of them")
	}
	if _, err := labels.Parse(selector); err != nil {
		return nil, fmt.Errorf("--selector %q: %w", selector, err)
	}
	names := slices.Compact(slices.Sorted(slices.Values(args)))
	for _, n := range names {
		if errs := validation.IsDNS1123Subdomain(n); len(errs) > 0 {
			return nil, fmt.Errorf("%q cannot be the name of a node: %s", n, errs[0])
		}
	}
	return names, nil
}

// checkResourceNames refuses values of --gpu-resource that can be no devices: what has no
// domain is the node's own, such as memory, and is not counted one by one.
func checkResourceNames(names []string) error {
	for _, r := range names {
		if errs := validation.IsQualifiedName(r); len(errs) > 0 {
			return fmt.Errorf("--gpu-resource %q: not the name of a resource: %s", r, errs[0])
		}
		if !strings.ContainsAny(r, "./") {
			return fmt.Errorf("--gpu-resource %q: not a resource of devices: those have a domain, as example.com/fpga has", r)
		}
	}
	return nil
}

// Run shows the nodes.
func (o *TopOptions) Run(ctx context.Context) error {
	c, err := o.connect(ctx)
	if err != nil {
		return err
	}
	o.Usage.Live = liveSource(c, o.NoDCGM)
	if _, err := c.Mapper.Resource(resourcev1.SchemeGroupVersion.WithKind("ResourceSlice")); err == nil {
		o.Usage.Claims = &dra.Source{REST: c.REST(), Drivers: o.Usage.GPUResources}
	}
	return o.run(ctx, func(ctx context.Context) (topFace, error) {
		s, err := usage.Read(ctx, c, o.Usage)
		if err != nil {
			return topFace{}, err
		}
		if o.GPUOnly {
			s.OnlyGPUs()
		}
		s.Sort(o.SortBy, o.ShowCapacity)
		return o.face(s), nil
	})
}

func (o *TopOptions) face(s *usage.Snapshot) topFace {
	problems := s.Problems
	if len(s.Nodes) == 0 {
		none := "no nodes found"
		if o.GPUOnly {
			none = "no nodes with GPUs found"
		}
		problems = append(slices.Clone(problems), none)
	}
	return topFace{
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
