// Package formcmd has `notebook form`: what the web app's form for a new notebook offers.
package formcmd

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/form"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/offer"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/notebook"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// New returns the command `form`, which alone is `form show`.
func New(b *plugin.Base) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "form",
		Short: "Show and change the form for new notebooks in the web app",
		Long: `Show and change what the form for new notebooks in the web app offers: images, sizes, kinds of
GPUs, nodes to choose from, and tolerations. "kubectl jupyter notebook create" offers the same.

A changed form is recorded in the cluster: later runs of "install" and "upgrade" keep it.`,
		Example: plugin.Examples(`
			# Show what the form offers
			kubectl jupyter notebook form

			# Offer what the nodes of the cluster have, after showing the changes
			kubectl jupyter notebook form set --from-cluster

			# Offer what the release offers
			kubectl jupyter notebook form reset`),
		GroupID: notebook.GroupSettings,
	}
	show := newShowCommand(b)
	cmd.Args, cmd.RunE = show.Args, show.RunE
	cmd.Flags().AddFlagSet(show.Flags())
	cmd.AddGroup(&cobra.Group{ID: plugin.GroupUse, Title: "Available Commands:"})
	for _, sub := range []*cobra.Command{show, newSetCommand(b), newResetCommand(b)} {
		sub.GroupID = plugin.GroupUse
		cmd.AddCommand(sub)
	}
	return cmd
}

// showOptions are what is meant.
type showOptions struct {
	base                  *plugin.Base
	Format, Kustomization string
}

func formats() []string {
	return []string{view.FormatTable, view.JSON, view.YAML, view.JSONPath + "="}
}

func newShowCommand(b *plugin.Base) *cobra.Command {
	o := &showOptions{base: b}
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show what the form for new notebooks offers",
		Long: `Show what the form for new notebooks offers. The column FROM shows whether a part is the
release's or was chosen with "kubectl jupyter notebook form set".`,
		Example: plugin.Examples(`
			# Print the kinds of GPUs that the form offers
			kubectl jupyter notebook form show -o 'jsonpath={range .gpus[*]}{.limitsKey}{"\n"}{end}'

			# Show what the form offers, as a table
			kubectl jupyter notebook form show

			# Save what the form offers
			kubectl jupyter notebook form show -o yaml > form.yaml`),
		Args: plugin.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return plugin.Run(cmd, o, view.CheckOutput(o.Format, view.FormatTable))
		},
	}
	cmd.Flags().StringVarP(&o.Format, "output", "o", view.FormatTable, "Output format. One of: (table, json, yaml, jsonpath=TEMPLATE)")
	plugin.Complete(cmd, "output", formats)
	return cmd
}

// document is the machine-readable form.
type document struct {
	APIVersion string                         `json:"apiVersion"`
	Kind       string                         `json:"kind"`
	Images     map[notebooks.Type]form.Images `json:"images"`
	CPU        form.Size                      `json:"cpu"`
	Memory     form.Size                      `json:"memory"`
	GPUs       []form.Vendor                  `json:"gpus"`
	Affinities []form.Affinity                `json:"affinities"`
	Taints     []form.Tolerations             `json:"tolerations"`
	Chosen     components.Form                `json:"chosen"`
}

// Run shows.
func (o *showOptions) Run(ctx context.Context) error {
	c, err := o.base.Connect(ctx, o.base.ErrOut)
	if err != nil {
		return err
	}
	i, err := offer.Open(ctx, c, o.Kustomization)
	if err != nil {
		return err
	}
	if view.IsDocument(o.Format) {
		d := document{
			APIVersion: report.APIVersion, Kind: "NotebookForm", Images: map[notebooks.Type]form.Images{},
			CPU: i.Form.CPU, Memory: i.Form.Memory, GPUs: i.Form.GPUs.Value.Vendors,
			Affinities: i.Form.Affinity.Options, Taints: i.Form.Tolerations.Options, Chosen: i.Chosen,
		}
		for _, t := range notebooks.Types() {
			d.Images[t] = i.Form.Images(t)
		}
		return view.Document(o.base.Out, o.Format, d)
	}
	return view.Table(o.base.Out, []string{"PART", "NAME", "OFFERS", "FROM"}, rows(i))
}

// rows are one for each choice that the form has.
func rows(i *offer.Installation) [][]string {
	var out [][]string
	from := func(chosen bool) string {
		if chosen {
			return "chosen"
		}
		return "release"
	}
	f := i.Form
	for _, t := range notebooks.Types() {
		images := f.Images(t)
		for _, image := range images.Options {
			name := form.ShortImage(image)
			if image == images.Value {
				name += " (default)"
			}
			out = append(out, []string{"image", name, image, from(t == notebooks.Jupyter && len(i.Chosen.Images) > 0)})
		}
	}
	size := func(name string, s form.Size, chosen string) {
		text := string(s.Value)
		if s.LimitFactor != "" && s.LimitFactor != "none" {
			text += ", limit " + string(s.LimitFactor) + " times that"
		}
		out = append(out, []string{"size", name, text, from(chosen != "")})
	}
	size("cpu", f.CPU, i.Chosen.CPU)
	size("memory", f.Memory, i.Chosen.Memory)
	for _, v := range f.GPUs.Value.Vendors {
		out = append(out, []string{"gpu", v.Resource, v.Title, from(len(i.Chosen.GPUs) > 0)})
	}
	for _, a := range f.Affinity.Options {
		out = append(out, []string{"affinity", a.Key, a.Title, from(len(i.Chosen.Affinities) > 0)})
	}
	for _, t := range f.Tolerations.Options {
		out = append(out, []string{"tolerations", t.Key, t.Title, from(len(i.Chosen.Tolerations) > 0)})
	}
	return out
}

// unique refuses an image that is there twice.
func unique(images []string) error {
	for n, image := range images {
		if slices.Contains(images[:n], image) {
			return fmt.Errorf("--image: %s is there twice", image)
		}
	}
	return nil
}
