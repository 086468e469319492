package notebooks

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
)

// claims are the volumes of notebooks.
var claims = schema.GroupVersionResource{Version: "v1", Resource: "persistentvolumeclaims"}

// ResourceOf is how the objects of a new notebook are reached: itself and its claims.
func ResourceOf(u *unstructured.Unstructured) schema.GroupVersionResource {
	if u.GetKind() == Kind.Kind {
		return Resource
	}
	return claims
}

// Stop asks the controller for no pod. Volumes and settings stay; what is only in memory
// is lost.
func Stop(ctx context.Context, c *cluster.Cluster, n *Notebook, at time.Time) error {
	return n.annotate(ctx, c, at.UTC().Format(time.RFC3339))
}

// Start asks the controller for a pod again.
func Start(ctx context.Context, c *cluster.Cluster, n *Notebook) error {
	return n.annotate(ctx, c, nil)
}

// annotate writes since when the notebook is stopped, or that it is not. It changes the
// notebook that was looked at, and no other of that name.
func (n *Notebook) annotate(ctx context.Context, c *cluster.Cluster, stopped any) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": n.UID, "annotations": map[string]any{StoppedAnnotation: stopped},
	}})
	if err != nil {
		return err
	}
	_, err = c.Dynamic.Resource(Resource).Namespace(n.Namespace).Patch(ctx, n.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: FieldManager})
	return n.changed(err)
}

// Delete deletes the notebook that was looked at. What its controller has made goes with
// it; its claims have no owner and stay.
func Delete(ctx context.Context, c *cluster.Cluster, n *Notebook) error {
	uid, propagation := types.UID(n.UID), metav1.DeletePropagationBackground
	err := c.Dynamic.Resource(Resource).Namespace(n.Namespace).Delete(ctx, n.Name, metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &uid}, PropagationPolicy: &propagation,
	})
	if apierrors.IsNotFound(err) && !noKind(err) {
		return nil
	}
	return n.changed(err)
}

// changed explains the error of a change.
func (n *Notebook) changed(err error) error {
	switch {
	case err == nil:
		return nil
	case apierrors.IsConflict(err):
		return fmt.Errorf("%s: another notebook has taken its name meanwhile: nothing was changed: %w", n.Ref(), err)
	}
	return explain(err, n.Namespace, n.Name)
}

// DeleteClaim deletes a volume with what is in it. One that is not there is no error.
func DeleteClaim(ctx context.Context, c *cluster.Cluster, namespace, name string) error {
	err := c.Dynamic.Resource(claims).Namespace(namespace).Delete(ctx, name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("PersistentVolumeClaim %s/%s: %w", namespace, name, err)
	}
	return nil
}

// Sharing are the other notebooks of the list that mount a claim.
func (l *List) Sharing(n *Notebook, claim string) []string {
	var out []string
	for i := range l.Notebooks {
		o := &l.Notebooks[i]
		if o.Namespace == n.Namespace && o.Name != n.Name && slices.Contains(o.Claims(), claim) {
			out = append(out, o.Name)
		}
	}
	return out
}
