package top

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage/dcgm"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// topFlags are what every form of top takes.
type topFlags struct {
	output       string
	noHeaders    bool
	watch        bool
	interval     time.Duration
	timeout      time.Duration
	noBars       bool
	sortBy       string
	gpuResources []string
	noDCGM       bool
}

// add adds the flags, with the keys that --sort-by takes and what it says of them.
func (f *topFlags) add(cmd *cobra.Command, keys func() []string, defaultKey, sorts string) {
	fs := cmd.Flags()
	fs.StringVar(&f.sortBy, "sort-by", defaultKey, sorts)
	fs.StringArrayVar(&f.gpuResources, "gpu-resource", nil, "Additional `resource` or DRA driver to count as a GPU, such as example.com/fpga; can be repeated")
	fs.BoolVar(&f.noDCGM, "no-dcgm", false, "If true, do not query the NVIDIA DCGM exporter for utilization and memory of GPUs")
	plugin.Complete(cmd, "sort-by", keys)
	fs.StringVarP(&f.output, "output", "o", view.FormatTable, "Output format. One of: (table, wide, json, yaml, csv, name, jsonpath=TEMPLATE)")
	fs.BoolVar(&f.noHeaders, "no-headers", false, "If true, print tables and csv without headers")
	fs.BoolVarP(&f.watch, "watch", "w", false, "If true, refresh the output until Ctrl-C: in place on a terminal; otherwise, print one table, or one line of JSON, after the other")
	fs.DurationVar(&f.interval, "interval", 5*time.Second, "Interval between refreshes with --watch")
	fs.DurationVar(&f.timeout, "timeout", time.Minute, "The length of time to wait before giving up on reading the cluster, such as 10s; with --watch, for each refresh. 0 means no timeout")
	fs.BoolVar(&f.noBars, "no-bars", false, "If true, do not show bars behind percentages on a terminal")
	plugin.Complete(cmd, "output", func() []string {
		return []string{view.FormatTable, view.FormatWide, view.JSON, view.YAML, view.FormatCSV, view.Name, view.JSONPath + "="}
	})
}

// options checks the flags and says what they mean.
func (f *topFlags) options(b *plugin.Base, keys []string) (topOptions, error) {
	o := topOptions{base: b, SortBy: f.sortBy, NoDCGM: f.noDCGM, Format: f.output, Headers: !f.noHeaders, Watch: f.watch, Interval: f.interval, Timeout: f.timeout, Bars: !f.noBars}
	if f.output == "" {
		return o, errors.New("--output: the value is empty: omit the flag for a table")
	}
	if err := view.CheckOutput(f.output, view.FormatTable, view.FormatWide, view.FormatCSV, view.Name); err != nil {
		return o, err
	}
	if f.interval < time.Second {
		return o, fmt.Errorf("--interval: %s is too short: use 1s or more", f.interval)
	}
	if err := plugin.CheckTimeout(f.timeout); err != nil {
		return o, err
	}
	if !slices.Contains(keys, f.sortBy) {
		return o, fmt.Errorf("--sort-by %q: the keys are %s", f.sortBy, plugin.List(keys))
	}
	return o, checkResourceNames(f.gpuResources)
}

// topOptions are how a form of top is to be shown.
type topOptions struct {
	base     *plugin.Base
	SortBy   string
	NoDCGM   bool
	Format   string
	Headers  bool
	Watch    bool
	Interval time.Duration
	// Timeout bounds a look, and connecting before the first; 0 does not.
	Timeout time.Duration
	Bars    bool
}

func (o topOptions) connect(ctx context.Context) (*cluster.Cluster, error) {
	ctx, cancel := plugin.Within(ctx, o.Timeout)
	defer cancel()
	return o.base.Connect(ctx, o.base.ErrOut)
}

// nodeFlags choose nodes: by their names as arguments, or by a selector in their place.
type nodeFlags struct{ selector string }

func (f *nodeFlags) add(b *plugin.Base, cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.selector, "selector", "l", "", "Selector (label query) to filter nodes on, such as nvidia.com/gpu.present=true")
	cmd.Args = cobra.ArbitraryArgs
	cmd.ValidArgsFunction = b.CompleteNames(schema.GroupVersionResource{Version: "v1", Resource: "nodes"}, false)
}

// chosen checks the names, and the selector.
func (f *nodeFlags) chosen(args []string) ([]string, error) {
	if len(args) > 0 && f.selector != "" {
		return nil, errors.New("--selector: it cannot be used together with names of nodes")
	}
	if _, err := labels.Parse(f.selector); err != nil {
		return nil, fmt.Errorf("--selector %q: %w", f.selector, err)
	}
	names := slices.Compact(slices.Sorted(slices.Values(args)))
	for _, n := range names {
		if errs := validation.IsDNS1123Subdomain(n); len(errs) > 0 {
			return nil, fmt.Errorf("%q is not a valid node name: %s", n, errs[0])
		}
	}
	return names, nil
}

// checkResourceNames refuses values of --gpu-resource that can be no devices: what has no
// domain is the node's own, such as memory, and is not counted one by one.
func checkResourceNames(names []string) error {
	for _, r := range names {
		if errs := validation.IsQualifiedName(r); len(errs) > 0 {
			return fmt.Errorf("--gpu-resource %q: not a valid resource name: %s", r, errs[0])
		}
		if !strings.ContainsAny(r, "./") {
			return fmt.Errorf("--gpu-resource %q: not an extended resource: its name must have a domain, such as example.com/fpga", r)
		}
	}
	return nil
}

// live asks NVIDIA's exporters, or nobody.
func (o topOptions) live(c *cluster.Cluster) usage.LiveSource {
	if o.NoDCGM {
		return nil
	}
	return &dcgm.Source{REST: c.REST()}
}

func (o topOptions) looks() view.Looks {
	return view.Looks{
		Out: o.base.Out, ErrOut: o.base.ErrOut, Format: o.Format, Headers: o.Headers, Bars: o.Bars, Again: o.Watch, Interval: o.Interval,
	}
}

// run shows what look returns: once, or with --watch until ctx ends.
func (o topOptions) run(ctx context.Context, look func(context.Context) (view.Look, error)) error {
	return o.looks().Show(ctx, func() (view.Look, error) {
		within, cancel := plugin.Within(ctx, o.Timeout)
		defer cancel()
		seen, err := look(within)
		if err != nil && ctx.Err() == nil && within.Err() != nil {
			err = fmt.Errorf("the cluster did not answer all requests within %s (--timeout): %w", o.Timeout, err)
		}
		return seen, err
	})
}
