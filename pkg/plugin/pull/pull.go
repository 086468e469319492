// Package pull is the command `images pull`.
package pull

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/pulls"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// Flags are what was typed.
type Flags struct {
	manifests plugin.ManifestFlags
	nodes     string
	notebooks []string
	keep      bool
	remove    bool
	timeout   time.Duration
	output    string
}

// Options are what is meant.
type Options struct {
	base *plugin.Base
	// Intent says which images the stack has; Images replaces it.
	Intent    rollout.Intent
	Images    []string
	Notebooks []string
	Nodes     labels.Selector
	// Tolerate also takes nodes with taints, which a selector names on purpose.
	Tolerate     bool
	Keep, Remove bool
	Timeout      time.Duration
	Format       string
}

func formats() []string { return []string{view.JSON} }

// New makes the command.
func New(b *plugin.Base) *cobra.Command {
	f := &Flags{}
	cmd := &cobra.Command{
		Use:   "pull [IMAGE...]",
		Short: "Pull images on the nodes, before pods need them",
		Long: `Pull images on the nodes, before pods need them.

Without arguments, these are the images of the stack, with the options of the last run, and
the notebook image that the web app's form proposes. The nodes are those that accept pods
without tolerations. --nodes selects others, which may have taints.

Pods in kube-system pull the images, and none of their containers ever starts. They are
deleted at the end, unless --keep leaves them, so that nodes that are added later pull the
images as well: they then stay in the state CreateContainerConfigError. --remove deletes
them, as does uninstall. A node deletes images that no container uses when its disk fills up.

The table on standard output has a row for each image and node. If an image cannot be
pulled, the exit code is 1.`,
		Example: plugin.Examples(`
			# Pull all images of the stack and the default notebook image on all nodes
			kubectl jupyter images pull

			# Pull all notebook images of the form on the nodes with GPUs, now and later
			kubectl jupyter images pull --nodes nvidia.com/gpu.present=true --notebook-images all --keep

			# Pull the images of another release before an upgrade
			kubectl jupyter images pull --release 26.03

			# Pull an image of your own
			kubectl jupyter images pull registry.example.com/team/notebook:v1`),
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.ToOptions(b, args, cmd.Flags().Changed)
			return plugin.Run(cmd, o, err)
		},
	}
	f.manifests.Add(cmd)
	fs := cmd.Flags()
	fs.StringVar(&f.nodes, "nodes", "", "`Selector` (label query) of the nodes, such as nvidia.com/gpu.present=true")
	fs.StringSliceVar(&f.notebooks, "notebook-images", []string{pulls.DefaultImage}, `Images of notebooks to pull: "default", "all", "none", or `+"`names`"+` of images that the form offers, such as jupyter-scipy`)
	fs.BoolVar(&f.keep, "keep", false, "If true, leave DaemonSets that pull the images on nodes that are added later")
	fs.BoolVar(&f.remove, "remove", false, "If true, delete the DaemonSets that --keep has left, and pull nothing")
	fs.DurationVar(&f.timeout, "timeout", plugin.DefaultTimeout, "The length of time to wait before giving up on the run, such as 90s or 20m; 0 means no timeout")
	fs.StringVarP(&f.output, "output", "o", "", "Output format. One of: (json)")
	plugin.Complete(cmd, "output", formats)
	plugin.Complete(cmd, "notebook-images", func() []string { return []string{pulls.DefaultImage, pulls.AllImages, pulls.NoImages} })
	return cmd
}

// ToOptions checks what was typed.
func (f *Flags) ToOptions(b *plugin.Base, args []string, given func(string) bool) (*Options, error) {
	if err := plugin.CheckTimeout(f.timeout); err != nil {
		return nil, err
	}
	if f.output != "" {
		if err := view.CheckFormat(f.output, formats()...); err != nil {
			return nil, err
		}
	}
	switch {
	case f.remove && (f.keep || len(args) > 0):
		return nil, errors.New("--remove pulls nothing: it cannot be used with --keep or with images")
	case len(args) > 0 && given("notebook-images"):
		return nil, errors.New("--notebook-images cannot be used with images as arguments: these are all that is pulled")
	}
	o := &Options{
		base: b, Intent: rollout.Intent{Given: given, Upgrade: given("release") || given("manifests")}, Images: args, Notebooks: f.notebooks, Tolerate: f.nodes != "",
		Keep: f.keep, Remove: f.remove, Timeout: f.timeout, Format: f.output,
	}
	for _, image := range args {
		if err := components.CheckImage(image); err != nil {
			return nil, err
		}
	}
	var err error
	if o.Nodes, err = labels.Parse(f.nodes); err != nil {
		return nil, fmt.Errorf("--nodes %q: %w", f.nodes, err)
	}
	if err := f.manifests.FillIn(&o.Intent); err != nil {
		return nil, err
	}
	return o, nil
}

// Run pulls, or removes what an earlier run has kept.
func (o *Options) Run(ctx context.Context) error {
	messages := plugin.NewMessages(o.base.ErrOut)
	c, settings, err := o.base.Look(ctx, o.Timeout, messages)
	if err != nil {
		return err
	}
	ctx, cancel := rollout.Bounded(ctx, o.Timeout)
	defer cancel()
	progress, _ := o.base.Progress(false)
	defer progress.Close()
	secret := ""
	if settings != nil {
		secret = settings.PullSecret
	}
	puller := pulls.New(c, pulls.Options{
		Secret: secret, Keep: o.Keep, Selector: o.Nodes, Tolerate: o.Tolerate, Events: progress.Event, Row: func(node string) string { return node },
	})
	if o.Remove {
		n, err := puller.RemoveKept(ctx)
		if err == nil {
			fmt.Fprintf(messages, "Deleted from %s: %s that pulled images.\n", c.Where(), report.Count(n, "DaemonSet"))
		}
		return err
	}
	images, err := o.images(ctx, settings)
	if err != nil {
		return err
	}
	nodes, err := pulls.Nodes(ctx, c, o.Nodes, o.Tolerate, 0)
	if err != nil {
		return err
	}
	if len(nodes) == 0 && !o.Keep {
		return fmt.Errorf("%s: no node accepts pods, nothing was pulled: see kubectl get nodes, or choose others with --nodes", c.Where())
	}
	fmt.Fprintf(messages, "Pulling %s on %s of %s.\n", report.Count(len(images), "image"), report.Count(len(nodes), "node"), c.Where())
	messages.To(progress)
	puller.Add(nodes, images)
	err = puller.Run(ctx)
	if o.Keep && err == nil && ctx.Err() == nil {
		_, err = puller.RemoveKept(ctx) // what this run has made takes their place
	}
	progress.Close()
	return o.end(ctx, c, puller, err)
}

// images to pull.
func (o *Options) images(ctx context.Context, settings *rollout.Settings) ([]string, error) {
	if len(o.Images) > 0 {
		return o.Images, nil
	}
	if err := o.Intent.Keep(settings); err != nil {
		return nil, err
	}
	names, err := o.Intent.Names(nil)
	if err != nil {
		return nil, err
	}
	rendered, err := o.Intent.Source.Render(ctx, names, o.Intent.Manifests)
	if err != nil {
		return nil, err
	}
	early, late, err := components.Needed(rendered, o.Intent.Manifests, func(*unstructured.Unstructured, string) bool { return true })
	if err != nil {
		return nil, err
	}
	offered, err := pulls.NotebookImages(rendered, o.Notebooks)
	return slices.Concat(early, late, offered), err
}

// end prints what has become of each image, and fails where one is not there.
func (o *Options) end(ctx context.Context, c *cluster.Cluster, p *pulls.Puller, failed error) error {
	images := p.Images()
	if o.Format == view.JSON {
		if err := view.IndentedJSON(o.base.Out, document{APIVersion: report.APIVersion, Kind: "ImagePulls", Target: c.Target, Images: images}); err != nil {
			return err
		}
	} else if err := view.Table(o.base.Out, []string{"NODE", "IMAGE", "STATE", "TIME", "SIZE"}, rows(images)); err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	if missing := len(images) - pulls.Sums(images).There; missing > 0 {
		err := fmt.Errorf("%d of %s not pulled", missing, report.Count(len(images), "image"))
		if ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
		return err
	}
	return nil
}

// document is the machine-readable form.
type document struct {
	APIVersion string        `json:"apiVersion"`
	Kind       string        `json:"kind"`
	Target     report.Target `json:"target"`
	Images     []pulls.Image `json:"images"`
}

func rows(images []pulls.Image) [][]string {
	out := make([][]string, len(images))
	for i, image := range images {
		took, size := "-", "-"
		if image.Seconds > 0 {
			took = view.Elapsed(time.Duration(image.Seconds * float64(time.Second)))
		}
		if image.Bytes > 0 {
			size = view.Bytes(image.Bytes)
		}
		out[i] = []string{image.Node, image.Ref, string(image.State), took, size}
	}
	return out
}
