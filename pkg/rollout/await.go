package rollout

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// establish waits until a definition is served, and only then lets its kind be used.
func (r *run) establish(ctx context.Context, n *node, u, now *unstructured.Unstructured) error {
	k := keyOf(u)
	if change := r.survey.changes[k]; change != nil && change.Action == report.Unchanged && change.Live == nil && r.cluster.Mapper.Serves(u) {
		return r.served(n, u)
	}
	version := ""
	established := func(u *unstructured.Unstructured) (bool, error) {
		if u == nil {
			r.note(n, k, "does not exist")
			return false, nil
		}
		if value, message := condition(u, "NamesAccepted"); value == "False" {
			return false, fmt.Errorf("%s: its names conflict with another CustomResourceDefinition: %s", k.ref(), message)
		}
		value, message := condition(u, "Established")
		r.note(n, k, "is not established: "+message)
		return value == "True", nil
	}
	done := false
	if now != nil {
		version = now.GetResourceVersion()
		done, _ = established(now)
	}
	if !done {
		if err := until(ctx, definitions{r.cluster.REST()}, u.GetName(), version, established); err != nil {
			return err
		}
	}
	if err := r.cluster.Mapper.Learn(u); err != nil {
		return err
	}
	return r.served(n, u)
}

// served lets the kind of a definition be used.
func (r *run) served(n *node, u *unstructured.Unstructured) error {
	r.graph.kinds[definedKind(u)].set()
	n.established.one()
	if !n.existing {
		r.ready(n, keyOf(u))
	}
	return nil
}

// awaitGone waits until an older object of the same name has been deleted.
func (r *run) awaitGone(ctx context.Context, n *node, u *unstructured.Unstructured) error {
	client, err := r.clientFor(u)
	if err != nil {
		return refusal(cluster.RefOf(u), err)
	}
	message := "waiting until the previous object of that name is deleted"
	r.note(n, keyOf(u), message)
	r.events.wait(n.Component.Name, cluster.RefOf(u), message)
	return until(ctx, client, u.GetName(), "", func(live *unstructured.Unstructured) (bool, error) {
		return live == nil, nil
	})
}

// awaitProduced waits for an object that a controller has to make.
func (r *run) awaitProduced(ctx context.Context, n *node, p components.Produced) error {
	u := &unstructured.Unstructured{}
	u.SetAPIVersion(p.APIVersion)
	u.SetKind(p.Kind)
	u.SetNamespace(p.Namespace)
	u.SetName(p.Name)
	if err := n.accepted.wait(ctx); err != nil {
		return err
	}
	client, err := r.clientFor(u)
	if err != nil {
		return refusal(cluster.RefOf(u), err)
	}
	r.note(n, keyOf(u), "has not been created by its controller yet")
	err = until(ctx, client, p.Name, "", func(u *unstructured.Unstructured) (bool, error) { return u != nil, nil })
	if err != nil {
		return fmt.Errorf("%s: %w", cluster.RefOf(u), err)
	}
	r.ready(n, keyOf(u))
	return nil
}
