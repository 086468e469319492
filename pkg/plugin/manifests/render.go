package manifests

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/version"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/preflight"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// RenderFlags are what was typed.
type RenderFlags struct {
	choiceFlags
	server string
}

// RenderOptions are what is to be printed.
type RenderOptions struct{ choice }

func NewRender(b *plugin.Base) *cobra.Command {
	f := &RenderFlags{}
	cmd := &cobra.Command{
		Use:     "render [COMPONENT...]",
		GroupID: plugin.GroupManifests,
		Short:   "Print the manifests",
		Long: `Print the manifests that install would apply, without a cluster.

Secrets have placeholders such as $(generated:NAME): their values are generated during the
installation and are only stored in the cluster.`,
		Example: plugin.Examples(`
			# Print all manifests, in a valid order of installation
			kubectl jupyter render

			# Print one component, with your own patches applied
			kubectl jupyter render dex -k ./my-patches

			# Print the names of all objects of the small profile
			kubectl jupyter render --profile slim -o name`),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.ToOptions(b, args)
			return plugin.Run(cmd, o, err)
		},
	}
	f.add(cmd, view.YAML, "Output format. One of: (yaml, json, name)", view.ManifestFormats)
	cmd.Flags().StringVar(&f.server, "kube-version", "", "Kubernetes `version` of the server to render the manifests for, such as 1.28; by default, a recent version")
	return cmd
}

// ToOptions checks what was typed.
func (f *RenderFlags) ToOptions(b *plugin.Base, args []string) (*RenderOptions, error) {
	c, err := f.choice(b, args)
	if err != nil || f.server == "" {
		return &RenderOptions{c}, err
	}
	v, err := version.ParseGeneric(f.server)
	if err != nil {
		return nil, fmt.Errorf("--kube-version: %q is not a version such as 1.28: %w", f.server, err)
	}
	if err := preflight.CheckVersion(c.Source.Release(), v); err != nil {
		return nil, fmt.Errorf("--kube-version: %w", err)
	}
	c.Manifests.ForServer(int(v.Minor()))
	return &RenderOptions{c}, nil
}

// Run prints the manifests.
func (o *RenderOptions) Run(ctx context.Context) error {
	rendered, err := o.Source.Render(ctx, o.Components, o.Manifests)
	if err != nil {
		return err
	}
	return view.Manifests(o.base.Out, o.Format, components.ObjectsOf(rendered))
}
