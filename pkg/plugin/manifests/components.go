package manifests

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// ComponentsFlags are what was typed.
type ComponentsFlags struct {
	release plugin.ReleaseFlag
	output  string
}

// ComponentsOptions are how the catalogue is to be printed.
type ComponentsOptions struct {
	base    *plugin.Base
	Release *components.Release
	Format  string
}

func componentFormats() []string { return []string{"wide", view.JSON, view.YAML, view.Name} }

func NewComponents(b *plugin.Base) *cobra.Command {
	f := &ComponentsFlags{}
	cmd := &cobra.Command{
		Use:     "components",
		GroupID: plugin.GroupManifests,
		Short:   "List the components with their versions and dependencies",
		Long: `List the components of the stack with their versions and dependencies, without a cluster.

NEEDS has the dependencies, as COMPONENT:CONDITION. Accepted: the API server has its
objects. Established: its CustomResourceDefinitions are served. Admission: its webhooks
answer. Injection: new pods get their sidecar. Ready: all of it works.`,
		Example: plugin.Examples(`
			# List all components
			kubectl jupyter components

			# Show the reason for each dependency
			kubectl jupyter components -o wide

			# List the components of another release
			kubectl jupyter components --release 1.10

			# List all components in JSON, for use by programs
			kubectl jupyter components -o json`),
		Args: plugin.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := f.ToOptions(b)
			return plugin.Run(cmd, o, err)
		},
	}
	f.release.Add(cmd)
	cmd.Flags().StringVarP(&f.output, "output", "o", "", "Output format. One of: (wide, json, yaml, name)")
	plugin.Complete(cmd, "output", componentFormats)
	return cmd
}

// ToOptions checks what was typed.
func (f *ComponentsFlags) ToOptions(b *plugin.Base) (*ComponentsOptions, error) {
	if f.output != "" {
		if err := view.CheckFormat(f.output, componentFormats()...); err != nil {
			return nil, err
		}
	}
	source, err := f.release.Source()
	if err != nil {
		return nil, err
	}
	return &ComponentsOptions{base: b, Release: source.Release(), Format: f.output}, nil
}

// catalogue is the machine-readable form.
type catalogue struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Release    string `json:"release"`
	// Kubernetes minor versions of 1.x, inclusive.
	Served     [2]int                 `json:"servedKubernetesMinors"`
	Tested     [2]int                 `json:"testedKubernetesMinors"`
	Components []components.Component `json:"components"`
}

// Run prints the catalogue.
func (o *ComponentsOptions) Run(context.Context) error {
	r := o.Release
	switch o.Format {
	case view.JSON, view.YAML:
		c := catalogue{
			APIVersion: report.APIVersion, Kind: "Catalogue", Release: r.Name,
			Served:     [2]int{r.ServedMin, r.ServedMax},
			Tested:     [2]int{r.TestedMin, r.TestedMax},
			Components: r.Components,
		}
		if o.Format == view.JSON {
			return view.IndentedJSON(o.base.Out, c)
		}
		data, err := yaml.Marshal(c)
		if err != nil {
			return err
		}
		_, err = o.base.Out.Write(data)
		return err
	case view.Name:
		for _, n := range r.Names() {
			if _, err := fmt.Fprintln(o.base.Out, n); err != nil {
				return err
			}
		}
		return nil
	case "wide":
		return view.Table(o.base.Out, []string{"NAME", "VERSION", "PROFILES", "NAMESPACES", "NEEDS", "FOR", "WHY"}, wideRows(r))
	}
	rows := make([][]string, len(r.Components))
	for i, c := range r.Components {
		var needs []string
		for _, n := range c.Needs {
			// The same fact may be needed by some kinds for one reason and by others for another.
			if need := n.Component + ":" + string(n.Condition); !slices.Contains(needs, need) {
				needs = append(needs, need)
			}
		}
		rows[i] = []string{c.Name, c.Version, strings.Join(needs, " ")}
	}
	return view.Table(o.base.Out, []string{"NAME", "VERSION", "NEEDS"}, rows)
}

// wideRows gives every need a row of its own.
func wideRows(r *components.Release) [][]string {
	var rows [][]string
	for _, c := range r.Components {
		profiles := "on demand"
		if !c.OnDemand {
			var in []string
			for _, p := range components.Profiles() {
				if !slices.Contains(c.NotIn, p) {
					in = append(in, p)
				}
			}
			profiles = strings.Join(in, ",")
		}
		first := []string{c.Name, c.Version, profiles, strings.Join(c.Namespaces, ",")}
		if len(c.Needs) == 0 {
			rows = append(rows, append(first, "", "", ""))
			continue
		}
		for _, n := range c.Needs {
			kinds := "everything"
			if len(n.Kinds) > 0 {
				kinds = strings.Join(n.Kinds, ",")
			}
			rows = append(rows, append(slices.Clone(first), n.Component+":"+string(n.Condition), kinds, n.Why))
		}
	}
	return rows
}
