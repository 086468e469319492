package manifests

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/mirror"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/registries"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// CopyFlags are what was typed.
type CopyFlags struct {
	choiceFlags
	registries registries.Flags
	to, list   string
	force      bool
	dryRun     string
}

// CopyOptions are what is to be copied.
type CopyOptions struct {
	choice
	Registries mirror.Options
	// To is where, as --registry of install says it.
	To string
	// List of images; nil for those of the components.
	List  []string
	Force bool
	// Dry lists what would be copied.
	Dry bool
}

func newCopy(b *plugin.Base) *cobra.Command {
	f := &CopyFlags{}
	cmd := &cobra.Command{
		Use:   "copy [COMPONENT...] --to REGISTRY",
		Short: "Copy the container images of the stack to another registry",
		Long: `Copy the container images of the stack from their registries to another one, which the
cluster can pull from: kubectl jupyter install --registry REGISTRY. No cluster is needed.

All architectures are copied, and digests stay the same. What the registry already has is
not sent again: repeat the command to continue a copy that was interrupted. An image that
exists there with other contents is only replaced with --force.

The command connects to registries from this machine, and logs in with the credentials of
docker login. Images are copied through this machine, and not stored on it.`,
		Example: plugin.Examples(`
			# Copy all images, including those of MetalLB
			kubectl jupyter images copy $(kubectl jupyter components -o name) --to registry.example.com/mirror

			# Copy all images except those with CUDA
			kubectl jupyter images | grep -v cuda | kubectl jupyter images copy -f - --to registry.example.com/mirror

			# Copy to a prefix for each registry
			kubectl jupyter images copy --to docker.io=harbor.example.com/dockerhub,quay.io=harbor.example.com/quay,ghcr.io=harbor.example.com/ghcr,registry.istio.io=harbor.example.com/istio

			# Show what would be copied, to a registry with a private certificate authority
			kubectl jupyter images copy --to registry.example.com --registry-ca ca.crt --dry-run=client`),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.ToOptions(b, args)
			return plugin.Run(cmd, o, err)
		},
	}
	f.add(cmd, "", "Output format. One of: (json); by default, one line for each image", func() []string { return []string{view.JSON} })
	fs := cmd.Flags()
	fs.StringVar(&f.to, "to", "", "Registry to copy to, as `HOST[:PORT][/PREFIX]` or REGISTRY=HOST/PREFIX, as in --registry of install")
	fs.StringVarP(&f.list, "filename", "f", "", `File with the images to copy, one per line, instead of those of components; "-" reads standard input`)
	fs.BoolVar(&f.force, "force", false, "If true, replace images that exist in the registry with other contents")
	fs.StringVar(&f.dryRun, "dry-run", "none", `Must be "none" or "client". If client, only print what would be copied`)
	f.registries.Add(cmd)
	return cmd
}

// ToOptions checks what was typed.
func (f *CopyFlags) ToOptions(b *plugin.Base, args []string) (*CopyOptions, error) {
	c, err := f.choice(b, args)
	if err != nil {
		return nil, err
	}
	o := &CopyOptions{choice: c, To: f.to, Force: f.force}
	switch {
	case f.to == "":
		return nil, errors.New("--to is required: specify the registry to copy to, as in --to registry.example.com/mirror")
	case c.Manifests.Registry != "":
		return nil, errors.New("--registry cannot be used with images copy: images are copied from their own registries; --to says where to")
	case f.list != "" && len(args) > 0:
		return nil, errors.New("-f and COMPONENT exclude each other")
	}
	if err := (components.Options{Registry: f.to}).Validate(); err != nil {
		return nil, fmt.Errorf("--to: %w", errors.New(strings.TrimPrefix(err.Error(), "--registry: ")))
	}
	switch f.dryRun {
	case "none":
	case plugin.DryRunClient:
		o.Dry = true
	default:
		return nil, fmt.Errorf(`--dry-run: %q must be "none" or "client"`, f.dryRun)
	}
	if o.Registries, err = f.registries.Options(); err != nil {
		return nil, err
	}
	if f.list != "" {
		if o.List, err = readList(b.In, f.list); err != nil {
			return nil, fmt.Errorf("-f %s: %w", f.list, err)
		}
	}
	return o, nil
}

// readList reads names of images, one a line.
func readList(in io.Reader, file string) ([]string, error) {
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	var list []string
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if line := strings.TrimSpace(lines.Text()); line != "" && !strings.HasPrefix(line, "#") {
			list = append(list, line)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, errors.New("there is no image in it")
	}
	return list, nil
}

// pairs are the images with their names in the registry.
func (o *CopyOptions) pairs(ctx context.Context) ([]mirror.Pair, error) {
	list := o.List
	if list == nil {
		rendered, err := o.Source.Render(ctx, o.Components, o.Manifests)
		if err != nil {
			return nil, err
		}
		for _, image := range components.Images(rendered, o.Manifests) {
			list = append(list, image.Ref)
		}
	}
	to := components.Options{Registry: o.To}
	pairs := make([]mirror.Pair, 0, len(list))
	for _, ref := range list {
		p := mirror.Pair{From: ref, To: to.Mirrored(ref)}
		if p.From == p.To {
			return nil, fmt.Errorf("--to: no registry is specified for %s: add an entry for its registry, or one without REGISTRY= for all others", ref)
		}
		pairs = append(pairs, p)
	}
	return pairs, nil
}

// Run copies.
func (o *CopyOptions) Run(ctx context.Context) error {
	pairs, err := o.pairs(ctx)
	if err != nil {
		return err
	}
	results := []mirror.Result{}
	if o.Dry {
		for _, p := range pairs {
			results = append(results, mirror.Result{From: p.From, To: p.To, Outcome: "would be copied (dry run)"})
		}
		return o.print(results...)
	}
	client, err := mirror.New(o.Registries)
	if err != nil {
		return err
	}
	defer client.Close()
	meter := view.NewMeter(o.base.ErrOut, time.Now)
	defer meter.Close()
	var printing error
	err = client.Copy(ctx, pairs, o.Force, func(p mirror.Progress) {
		meter.Show(fmt.Sprintf("%d of %d: %s", p.Index, p.Of, p.From), p.Done, p.Bytes)
	}, func(r mirror.Result) {
		meter.Close()
		if o.Format == view.JSON {
			results = append(results, r)
			return
		}
		printing = errors.Join(printing, o.print(r))
	})
	meter.Close()
	if o.Format == view.JSON {
		printing = view.IndentedJSON(o.base.Out, results)
	}
	return errors.Join(printing, err)
}

// print says what has become of images; those that failed go to standard error.
func (o *CopyOptions) print(results ...mirror.Result) error {
	if o.Format == view.JSON {
		return view.IndentedJSON(o.base.Out, results)
	}
	for _, r := range results {
		if r.Err != nil {
			fmt.Fprintf(o.base.ErrOut, "%s: %v\n", r.From, r.Err)
			continue
		}
		name := r.To
		if r.Digest != "" {
			name += "@" + r.Digest
		}
		if _, err := fmt.Fprintf(o.base.Out, "%s %s\n", name, r.Outcome); err != nil {
			return err
		}
	}
	return nil
}
