package notebooks

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
)

// Create creates the claims and the notebook, in their order, and writes into each object
// what the API server has made of it. Where one is refused, those before it are deleted
// again: nothing is left behind that nobody mounts.
func Create(ctx context.Context, c *cluster.Cluster, objects []*unstructured.Unstructured) error {
	for i, u := range objects {
		made, err := c.Dynamic.Resource(ResourceOf(u)).Namespace(u.GetNamespace()).Create(ctx, u, metav1.CreateOptions{FieldManager: FieldManager})
		if err != nil {
			return errors.Join(fmt.Errorf("%s: %w", cluster.RefOf(u), err), undo(ctx, c, objects[:i]))
		}
		made.SetManagedFields(nil)
		u.Object = made.Object
	}
	return nil
}

// undo deletes what this run has created, even when it was interrupted.
func undo(ctx context.Context, c *cluster.Cluster, made []*unstructured.Unstructured) error {
	ctx = context.WithoutCancel(ctx)
	var failed []error
	for _, u := range made {
		uid := types.UID(u.GetUID())
		err := c.Dynamic.Resource(ResourceOf(u)).Namespace(u.GetNamespace()).
			Delete(ctx, u.GetName(), metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
		if err != nil && !apierrors.IsNotFound(err) {
			failed = append(failed, fmt.Errorf("%s was created, and cannot be deleted again: %w", cluster.RefOf(u), err))
		}
	}
	return errors.Join(failed...)
}
