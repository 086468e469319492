package plugin

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/version"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/preflight"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// RenderFlags are what was typed.
type RenderFlags struct {
	manifests manifestFlags
	output    string
	server    string
}

// RenderOptions are what is to be printed.
type RenderOptions struct {
	base       *base
	Source     components.Source
	Components []string
	Manifests  components.Options
	Format     string
}

func newRenderCommand(b *base) *cobra.Command {
	f := &RenderFlags{}
	cmd := &cobra.Command{
		Use:     "render [COMPONENT...]",
		GroupID: groupManifests,
		Short:   "Print the manifests",
		Long: `Print the manifests that install would send, without a cluster.

Secrets show a placeholder such as $(generated:NAME): their values are made in
the cluster and exist nowhere else.`,
		Example: examples(`
			# Everything, in a valid order of installation
			kubectl jupyter render

			# One component, as it would be with your own patches
			kubectl jupyter render dex -k ./my-patches

			# The names of all objects of the small profile
			kubectl jupyter render --profile slim -o name`),
		ValidArgsFunction: completeComponents,
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.ToOptions(b, args)
			if err != nil {
				return usageError(cmd, err)
			}
			return o.Run(cmd.Context())
		},
	}
	f.manifests.add(cmd)
	cmd.Flags().StringVar(&f.server, "kube-version", "", "Kubernetes `version` of the server that the manifests are for, such as 1.28; a recent one by default")
	cmd.Flags().StringVarP(&f.output, "output", "o", view.YAML, "Output format: yaml, json or name")
	complete(cmd, "output", view.ManifestFormats)
	return cmd
}

// ToOptions checks what was typed.
func (f *RenderFlags) ToOptions(b *base, args []string) (*RenderOptions, error) {
	manifests, err := f.manifests.options()
	if err != nil {
		return nil, err
	}
	if err := view.CheckFormat(f.output, view.ManifestFormats()...); err != nil {
		return nil, err
	}
	source, err := b.source()
	if err != nil {
		return nil, err
	}
	if f.server != "" {
		v, err := version.ParseGeneric(f.server)
		if err != nil {
			return nil, fmt.Errorf("--kube-version: %q is not a version such as 1.28: %w", f.server, err)
		}
		if err := preflight.CheckVersion(source.Release(), v); err != nil {
			return nil, fmt.Errorf("--kube-version: %w", err)
		}
		manifests.OrdinarySidecars = v.Minor() < components.NativeSidecarsSince
	}
	names, err := chosen(source.Release(), manifests.Profile, args)
	if err != nil {
		return nil, err
	}
	return &RenderOptions{base: b, Source: source, Components: names, Manifests: manifests, Format: f.output}, nil
}

// Run prints the manifests.
func (o *RenderOptions) Run(ctx context.Context) error {
	rendered, err := o.Source.Render(ctx, o.Components, o.Manifests)
	if err != nil {
		return err
	}
	return view.Manifests(o.base.Out, o.Format, objectsOf(rendered))
}
