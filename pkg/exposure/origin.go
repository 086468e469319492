package exposure

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// Origin is a choice about where notebooks are served.
type Origin struct {
	// Wanted is nil for no change.
	Wanted        *components.NotebookOrigin
	Kustomization string
	// TLS is the choice about the certificate in the same run.
	TLS *HTTPS
}

// aboutOrigin are the components that have to agree on the notebooks' origin.
var aboutOrigin = []string{"istio", gatewayComponent, "jupyter-web-app"}

// Check refuses what cannot work, before anything is written: a host that the certificate is
// not for, and what the user may not change.
func (o *Origin) Check(ctx context.Context, c *cluster.Cluster, source components.Source) error {
	if o.Wanted == nil {
		return nil
	}
	quiet := rollout.New(c, rollout.Options{})
	part, names, err := o.part(ctx, c, source, quiet)
	if err != nil {
		return err
	}
	if host := o.Wanted.Host; host != "" && o.TLS.Mode == "" && part.Settings.TLS.On() && !slices.Contains(part.Settings.TLS.Hosts, host) {
		return fmt.Errorf("--notebook-origin: the gateway's certificate is not for %s: add --tls self-signed, or --tls SECRET with a Secret whose certificate is for %s and %s", host, o.Wanted.AppHost(), host)
	}
	part.Settings.NotebookOrigin = *o.Wanted
	plan, err := part.Plan(ctx, names...)
	if err != nil {
		return err
	}
	return quiet.Allowed(ctx, plan)
}

func (o *Origin) part(ctx context.Context, c *cluster.Cluster, source components.Source, engine *rollout.Engine) (rollout.Part, []string, error) {
	return partOf(ctx, "--notebook-origin", rollout.Part{Cluster: c, Source: source, Kustomization: o.Kustomization}, engine, aboutOrigin, "istio", gatewayComponent)
}

// Apply serves notebooks where it was chosen, after the gateway's Service and scheme are
// what they are to be. An earlier choice is adjusted to the node ports that it is reached
// by now. What was changed is returned with an error too.
func (o *Origin) Apply(ctx context.Context, c *cluster.Cluster, source components.Source, engine *rollout.Engine) ([]Change, error) {
	if o.Wanted == nil {
		settings, err := rollout.ReadSettings(ctx, c)
		if err != nil || settings == nil || !settings.NotebookOrigin.Port {
			return nil, err
		}
	}
	part, names, err := o.part(ctx, c, source, engine)
	if err != nil {
		return nil, err
	}
	was := part.Settings.NotebookOrigin
	wanted := was
	if o.Wanted != nil {
		wanted = *o.Wanted
	}
	var changes []Change
	apply := func(names ...string) error {
		if wanted.AppNodePort, wanted.NodePort, err = nodePorts(ctx, c, wanted, part.Settings.TLS.On()); err != nil {
			return err
		}
		part.Settings.NotebookOrigin = wanted
		plan, err := part.Plan(ctx, names...)
		if err != nil {
			return err
		}
		survey, err := engine.Change(ctx, plan)
		changes = append(changes, Changes(survey)...)
		return err
	}
	if o.Wanted != nil {
		if err := apply(names...); err != nil {
			return changes, err
		}
	}
	// A port that the Service has just got has been given its node port only now.
	app, notebooks, err := nodePorts(ctx, c, wanted, part.Settings.TLS.On())
	if err != nil || app == wanted.AppNodePort && notebooks == wanted.NodePort {
		return changes, err
	}
	return changes, apply(gatewayComponent)
}

// nodePorts are those of the web app's port and of the notebooks', where the gateway's
// Service is of type NodePort and has both.
func nodePorts(ctx context.Context, c *cluster.Cluster, origin components.NotebookOrigin, https bool) (app, notebooks int32, err error) {
	if !origin.Port {
		return 0, 0, nil
	}
	u, err := c.Dynamic.Resource(servicesResource).Namespace(Namespace).Get(ctx, ServiceName, metav1.GetOptions{})
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w", ServiceRef, err)
	}
	var svc corev1.Service
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &svc); err != nil {
		return 0, 0, fmt.Errorf("%s: %w", ServiceRef, err)
	}
	app, notebooks = nodePortsOf(&svc, https)
	return app, notebooks, nil
}

func nodePortsOf(svc *corev1.Service, https bool) (app, notebooks int32) {
	if svc.Spec.Type != corev1.ServiceTypeNodePort {
		return 0, 0
	}
	door := int32(80)
	if https {
		door = 443
	}
	for _, p := range svc.Spec.Ports {
		switch p.Port {
		case door:
			app = p.NodePort
		case components.NotebookPort:
			notebooks = p.NodePort
		}
	}
	if app == 0 || notebooks == 0 {
		return 0, 0
	}
	return app, notebooks
}
