package manifests

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// ImagesFlags are what was typed.
type ImagesFlags struct{ choiceFlags }

// ImagesOptions are what is to be listed.
type ImagesOptions struct{ choice }

// NewImages makes the command with its verbs. Without one it lists.
func NewImages(verbs ...plugin.Verb) plugin.Verb {
	return func(b *plugin.Base) *cobra.Command {
		cmd := newImages(b)
		for _, v := range verbs {
			cmd.AddCommand(v(b))
		}
		return cmd
	}
}

func newImages(b *plugin.Base) *cobra.Command {
	f := &ImagesFlags{}
	cmd := &cobra.Command{
		Use:     "images [COMPONENT...]",
		GroupID: plugin.GroupManifests,
		Short:   "List the container images of the stack",
		Long: `List the container images of the stack, one per line, without a cluster.

The list includes the images of the components, the sidecars that they inject into other
pods, and the notebook images that the web app offers.`,
		Example: plugin.Examples(`
			# List all images that a mirror must contain, including those of MetalLB
			kubectl jupyter images $(kubectl jupyter components -o name)

			# List the names under which a mirror must serve the images
			kubectl jupyter images --registry registry.example.com/mirror

			# Show which components use each image
			kubectl jupyter images -o json`),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.ToOptions(b, args)
			return plugin.Run(cmd, o, err)
		},
	}
	f.add(cmd, "", "Output format. One of: (json, wide); by default, one image per line", imageFormats)
	return cmd
}

func imageFormats() []string { return []string{view.JSON, view.FormatWide} }

// ToOptions checks what was typed.
func (f *ImagesFlags) ToOptions(b *plugin.Base, args []string) (*ImagesOptions, error) {
	c, err := f.choice(b, args)
	return &ImagesOptions{c}, err
}

// Run prints the list.
func (o *ImagesOptions) Run(ctx context.Context) error {
	rendered, err := o.Source.Render(ctx, o.Components, o.Manifests)
	if err != nil {
		return err
	}
	images := components.Images(rendered, o.Manifests)
	switch o.Format {
	case view.JSON:
		return view.IndentedJSON(o.base.Out, images)
	case view.FormatWide:
		rows := make([][]string, len(images))
		for i, image := range images {
			when := "at install"
			if image.OnDemand {
				when = "later"
			}
			rows[i] = []string{image.Ref, when, strings.Join(image.Components, ",")}
		}
		return view.Table(o.base.Out, []string{"IMAGE", "PULLED", "COMPONENTS"}, rows)
	}
	for _, image := range images {
		if _, err := fmt.Fprintln(o.base.Out, image.Ref); err != nil {
			return err
		}
	}
	return nil
}
