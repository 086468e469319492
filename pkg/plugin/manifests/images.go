package manifests

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/mirror"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/registries"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// ImagesFlags are what was typed.
type ImagesFlags struct {
	choiceFlags
	digests    bool
	registries registries.Flags
}

// ImagesOptions are what is to be listed.
type ImagesOptions struct {
	choice
	// Ask the registries, if not nil.
	Ask *mirror.Options
}

// listedImage is an image in JSON.
type listedImage struct {
	components.Image
	// Digest and Platforms are what the registry says, where it was asked.
	Digest    string   `json:"digest,omitempty"`
	Platforms []string `json:"platforms,omitempty"`
	// Error is why the registry has not said it.
	Error string `json:"error,omitempty"`
}

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
pods, and the notebook images that the web app offers. With --digests, the registries are
asked for the digest and the platforms of each image; without it, nobody is asked.`,
		Example: plugin.Examples(`
			# List all images that a mirror must contain, including those of MetalLB
			kubectl jupyter images $(kubectl jupyter components -o name)

			# List the names under which a mirror must serve the images
			kubectl jupyter images --registry registry.example.com/mirror

			# Show which components use each image
			kubectl jupyter images -o json

			# Show what each image is in its registry at present
			kubectl jupyter images --digests -o json`),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.ToOptions(b, args)
			return plugin.Run(cmd, o, err)
		},
	}
	f.add(cmd, "", "Output format. One of: (json, wide); by default, one image per line", imageFormats)
	cmd.Flags().BoolVar(&f.digests, "digests", false, "If true, ask the registries for the digest of each image, with the credentials of docker login")
	f.registries.Add(cmd)
	cmd.AddCommand(newCopy(b))
	return cmd
}

func imageFormats() []string { return []string{view.JSON, view.FormatWide} }

// ToOptions checks what was typed.
func (f *ImagesFlags) ToOptions(b *plugin.Base, args []string) (*ImagesOptions, error) {
	c, err := f.choice(b, args)
	if err != nil || !f.digests {
		return &ImagesOptions{choice: c}, err
	}
	ask, err := f.registries.Options()
	return &ImagesOptions{choice: c, Ask: &ask}, err
}

// Run prints the list.
func (o *ImagesOptions) Run(ctx context.Context) error {
	rendered, err := o.Source.Render(ctx, o.Components, o.Manifests)
	if err != nil {
		return err
	}
	images := components.Images(rendered, o.Manifests)
	list := make([]listedImage, len(images))
	for i := range images {
		list[i].Image = images[i]
	}
	if o.Ask == nil {
		return o.print(list)
	}
	failed, err := o.ask(ctx, list)
	return errors.Join(err, o.print(list), failed)
}

// ask completes the list with what registries say. Failed tells of those that said nothing.
func (o *ImagesOptions) ask(ctx context.Context, list []listedImage) (failed, err error) {
	client, err := mirror.New(*o.Ask)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	refs := make([]string, len(list))
	for i := range list {
		refs[i] = list[i].Ref
	}
	silent := 0
	for i, a := range client.Ask(ctx, refs) {
		list[i].Digest, list[i].Platforms = a.Digest, a.Platforms
		if a.Err != nil {
			silent++
			list[i].Error = a.Err.Error()
			fmt.Fprintf(o.base.ErrOut, "image %s: %v\n", a.Image, a.Err)
		}
	}
	if silent > 0 {
		failed = fmt.Errorf("the digests of %s could not be found out", report.Count(silent, "image"))
	}
	return failed, nil
}

func (o *ImagesOptions) print(list []listedImage) error {
	switch o.Format {
	case view.JSON:
		return view.IndentedJSON(o.base.Out, list)
	case view.FormatWide:
		headers, rows := []string{"IMAGE", "PULLED", "COMPONENTS"}, make([][]string, len(list))
		if o.Ask != nil {
			headers = append(headers, "DIGEST", "PLATFORMS")
		}
		for i, image := range list {
			when := "at install"
			if image.OnDemand {
				when = "later"
			}
			rows[i] = []string{image.Ref, when, strings.Join(image.Components, ",")}
			if o.Ask != nil {
				rows[i] = append(rows[i], cmp.Or(image.Digest, "<unknown>"), cmp.Or(strings.Join(image.Platforms, ","), "<unknown>"))
			}
		}
		return view.Table(o.base.Out, headers, rows)
	}
	for _, image := range list {
		ref := image.Ref
		if image.Digest != "" && !strings.Contains(ref, "@") {
			ref += "@" + image.Digest
		}
		if _, err := fmt.Fprintln(o.base.Out, ref); err != nil {
			return err
		}
	}
	return nil
}
