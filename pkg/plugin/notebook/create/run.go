package create

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/login"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/fit"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/form"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/notebook"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// checking bounds what is asked before anything is created.
const checking = time.Minute

// Run creates.
func (o *Options) Run(ctx context.Context) error {
	// The API server warns of fractions of bytes, which the limits of the form are.
	password, err := o.User.Password(ctx, o.base)
	if err != nil {
		return err
	}
	place, err := notebook.FindFor(ctx, o.base, nil)
	if err != nil {
		return err
	}
	visitor, url, err := o.enter(ctx, place, password)
	if err != nil {
		return fmt.Errorf("nothing was created: %w", err)
	}
	objects, err := o.prepare(ctx, place)
	if err != nil {
		return err
	}
	if o.DryRun != plugin.DryRunNone {
		return o.print(objects.All(), fmt.Sprintf("created (%s dry run)", o.DryRun))
	}
	fmt.Fprintf(o.base.ErrOut, "Creating the notebook in %s.\n", place)
	if err := notebooks.Create(ctx, place.Cluster, objects.All()); err != nil {
		return err
	}
	if err := o.print(objects.All(), "created"); err != nil || !o.Wait {
		return err
	}
	waiting, cancel := rollout.Bounded(ctx, o.Timeout)
	defer cancel()
	if err := place.AwaitAnswer(waiting, o.base, o.Request.Name); err != nil {
		return err
	}
	if visitor != nil {
		if err := place.AwaitGateway(waiting, o.base, o.Request.Name, url, visitor); err != nil {
			return err
		}
	}
	if o.Format != "" {
		return nil
	}
	return place.ShowURL(ctx, o.base, o.Request.Name, o.Open)
}

// enter logs in whom the notebook has to answer, and returns the URL that it will have.
func (o *Options) enter(ctx context.Context, place *notebook.Place, password string) (*login.Visitor, string, error) {
	if o.User.Email == "" {
		return nil, "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, checking)
	defer cancel()
	url, in, err := place.URL(ctx, o.Request.Name)
	if err != nil {
		return nil, "", err
	}
	visitor, err := login.Enter(ctx, in, o.User.Email, password)
	return visitor, url, err
}

// print writes the objects, or a line for each.
func (o *Options) print(objects []*unstructured.Unstructured, done string) error {
	if o.Format != "" {
		return view.Manifests(o.base.Out, o.Format, objects)
	}
	for _, u := range objects {
		if _, err := fmt.Fprintf(o.base.Out, "%s %s\n", view.ObjectName(u), done); err != nil {
			return err
		}
	}
	return nil
}

// prepare makes the objects, and finds out whether they would run.
func (o *Options) prepare(ctx context.Context, place *notebook.Place) (*form.Objects, error) {
	ctx, cancel := context.WithTimeout(ctx, checking)
	defer cancel()
	var spawner *form.Form
	var facts *fit.Facts
	together, asking := errgroup.WithContext(ctx)
	together.Go(func() (err error) {
		spawner, _, err = form.Read(asking, place.Cluster)
		return err
	})
	together.Go(func() (err error) {
		facts, err = fit.Read(asking, place.Cluster, place.Namespace)
		return err
	})
	together.Go(func() error {
		o.Request.Creator = notebooks.Creator(asking, place.Cluster, place.Namespace)
		return nil
	})
	if err := together.Wait(); err != nil {
		return nil, err
	}
	o.Request.Namespace = place.Namespace
	if err := o.resolve(spawner, facts); err != nil {
		return nil, err
	}
	objects, err := build(spawner, o.Request)
	if err != nil || o.DryRun == plugin.DryRunClient {
		return objects, err
	}
	verdict, err := facts.Try(ctx, objects)
	if err != nil {
		return nil, err
	}
	for _, p := range verdict.Problems {
		fmt.Fprintf(o.base.ErrOut, "warning: %s\n", p)
	}
	if len(verdict.Causes) == 0 {
		o.sayImage(facts, objects)
		return objects, nil
	}
	return o.smaller(ctx, spawner, facts, objects, verdict)
}

// resolve finds in the cluster what names mean.
func (o *Options) resolve(spawner *form.Form, facts *fit.Facts) error {
	gpus, err := notebook.ResolveGPU(o.GPU, spawner, facts)
	if err != nil {
		return err
	}
	o.Request.GPUs = gpus
	if !o.ConfigsGiven {
		return nil
	}
	labels, err := facts.Labels(o.Configs)
	if err != nil {
		return fmt.Errorf("--config: %w", err)
	}
	o.Request.Labels = labels
	return nil
}

func build(spawner *form.Form, r form.Request) (*form.Objects, error) {
	objects, err := spawner.Build(r)
	if refusal := (*form.Refusal)(nil); errors.As(err, &refusal) {
		return nil, fmt.Errorf("--%w", err)
	}
	return objects, err
}

// smaller is the largest notebook that would run instead, where that was asked for; else
// it says why the wanted one would not, and which one would.
func (o *Options) smaller(ctx context.Context, spawner *form.Form, facts *fit.Facts, objects *form.Objects, verdict *fit.Verdict) (*form.Objects, error) {
	size, fitting, ok, err := facts.Largest(ctx, objects, func(s fit.Size) (*form.Objects, error) {
		r := o.Request
		r.CPU, r.Memory = quantity(s.CPU, ""), quantity(s.Memory, "Gi")
		if s.GPUs > 0 {
			r.GPUs = &form.GPURequest{Count: s.GPUs, Resource: s.GPU}
		}
		return build(spawner, r)
	})
	if err == nil && ok && o.Fit {
		fmt.Fprintf(o.base.ErrOut, "What was requested does not fit (%s). The largest that does: %s\n", verdict.Causes[0].Summary, size)
		o.sayImage(facts, fitting)
		return fitting, nil
	}
	failure := &rollout.Failure{
		Err:    fmt.Errorf("%s would not run: nothing was created", notebooks.RefOf(o.Request.Namespace, o.Request.Name)),
		Causes: verdict.Causes,
	}
	switch {
	case err != nil:
	case ok:
		failure.Stood = fmt.Sprintf("The largest that would run: %s (--fit takes it)", size)
	case o.Fit:
		failure.Stood = "No smaller size would run either."
	}
	return nil, failure
}

func quantity(n float64, unit string) *resource.Quantity {
	q := resource.MustParse(fmt.Sprintf("%g%s", n, unit))
	return &q
}

// sayImage says what is known of the image before a node pulls it.
func (o *Options) sayImage(facts *fit.Facts, objects *form.Objects) {
	containers, _, _ := unstructured.NestedSlice(objects.Notebook.Object, "spec", "template", "spec", "containers")
	container, _ := containers[0].(map[string]any)
	image, _ := container["image"].(string)
	known := facts.ImageText(image)
	if known == "" {
		known = "no node is known to have it, so its size is not known, and whether it exists is not checked"
	}
	fmt.Fprintf(o.base.ErrOut, "Image %s: %s\n", image, known)
}
