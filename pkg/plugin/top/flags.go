package top

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/show"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage/dcgm"
)

// topFlags are what every form of top takes.
type topFlags struct {
	show.LookFlags
	noBars       bool
	sortBy       string
	gpuResources []string
	noDCGM       bool
}

// add adds the flags, with the keys that --sort-by takes and what it says of them.
func (f *topFlags) add(cmd *cobra.Command, keys func() []string, defaultKey, sorts string) {
	f.LookFlags.Add(cmd)
	fs := cmd.Flags()
	fs.StringVar(&f.sortBy, "sort-by", defaultKey, sorts)
	fs.StringArrayVar(&f.gpuResources, "gpu-resource", nil, "Additional `resource` or DRA driver to count as a GPU, such as example.com/fpga; can be repeated")
	fs.BoolVar(&f.noDCGM, "no-dcgm", false, "If true, do not query the NVIDIA DCGM exporter for utilization and memory of GPUs")
	fs.BoolVar(&f.noBars, "no-bars", false, "If true, do not show bars behind percentages on a terminal")
	plugin.Complete(cmd, "sort-by", keys)
}

// options checks the flags and says what they mean.
func (f *topFlags) options(b *plugin.Base, keys []string) (topOptions, error) {
	looks, err := f.Options(b)
	looks.Bars = !f.noBars
	o := topOptions{LookOptions: looks, SortBy: f.sortBy, NoDCGM: f.noDCGM}
	if err != nil {
		return o, err
	}
	if !slices.Contains(keys, f.sortBy) {
		return o, fmt.Errorf("--sort-by %q: the keys are %s", f.sortBy, plugin.List(keys))
	}
	return o, checkResourceNames(f.gpuResources)
}

// topOptions are how a form of top is to be shown.
type topOptions struct {
	show.LookOptions
	SortBy string
	NoDCGM bool
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
