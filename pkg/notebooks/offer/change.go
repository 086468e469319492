package offer

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/form"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// component is the web app.
const component = "jupyter-web-app"

// Installation is the form of what is installed.
type Installation struct {
	part rollout.Part
	// Form as people see it, Release's own one, and what was chosen in its place.
	Form, Release *form.Form
	Chosen        components.Form
}

// Open reads the form as the installation's settings make it. Kustomization is named again
// where the installation was made with one.
func Open(ctx context.Context, c *cluster.Cluster, kustomization string) (*Installation, error) {
	settings, err := rollout.ReadSettings(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Where(), err)
	}
	if settings == nil {
		return nil, fmt.Errorf("nothing is installed in %s: run `kubectl jupyter install` first", c.Where())
	}
	if slices.Contains(settings.UseExisting, component) {
		return nil, fmt.Errorf("the web app in %s is not managed by kubectl jupyter (--use-existing %s): change its form where it is configured", c.Where(), component)
	}
	source, err := settings.Source()
	if err != nil {
		return nil, err
	}
	i := &Installation{part: rollout.Part{Cluster: c, Source: source, Settings: *settings, Kustomization: kustomization}, Chosen: settings.Form}
	if i.Form, err = i.rendered(ctx, settings.Form); err != nil {
		return nil, err
	}
	i.Release, err = i.rendered(ctx, components.Form{})
	return i, err
}

// rendered is the form with the choices.
func (i *Installation) rendered(ctx context.Context, chosen components.Form) (*form.Form, error) {
	o := i.part.Settings.Options()
	o.Form = chosen
	all, err := i.part.Source.Render(ctx, []string{component}, o)
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		for _, u := range r.Objects {
			if components.IsForm(u) {
				return form.InConfigMap(u)
			}
		}
	}
	return nil, fmt.Errorf("component %s of release %s has no form for new notebooks", component, i.part.Source.Release().Name)
}

// Plan is a change of the form, surveyed.
type Plan struct {
	plan   *rollout.Plan
	Survey *rollout.Survey
}

// Plan finds out what a choice changes in the cluster, and refuses what the user may not
// change and what somebody else has changed.
func (i *Installation) Plan(ctx context.Context, engine *rollout.Engine, chosen components.Form) (*Plan, error) {
	part := i.part
	part.Settings.Form = chosen
	plan, err := part.Plan(ctx, component)
	if err != nil {
		return nil, err
	}
	if err := engine.Allowed(ctx, plan); err != nil {
		return nil, err
	}
	survey, err := engine.Unopposed(ctx, plan)
	if err != nil {
		return nil, err
	}
	return &Plan{plan, survey}, nil
}

// Apply changes the form and waits until the web app has it.
func (p *Plan) Apply(ctx context.Context, engine *rollout.Engine) error {
	_, _, err := engine.Apply(ctx, p.plan, p.Survey)
	return err
}

var nodesResource = schema.GroupVersionResource{Version: "v1", Resource: "nodes"}

// Nodes of the cluster.
func Nodes(ctx context.Context, c *cluster.Cluster) ([]corev1.Node, error) {
	list, err := c.Dynamic.Resource(nodesResource).List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return nil, fmt.Errorf("nodes of %s: %w", c.Where(), err)
	}
	nodes := make([]corev1.Node, len(list.Items))
	for i := range list.Items {
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(list.Items[i].Object, &nodes[i]); err != nil {
			return nil, fmt.Errorf("node %s: %w", list.Items[i].GetName(), err)
		}
	}
	return nodes, nil
}
