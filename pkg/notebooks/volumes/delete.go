package volumes

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
)

var claimsResource = schema.GroupVersionResource{Version: "v1", Resource: "persistentvolumeclaims"}

// Delete deletes a volume that was looked at, with what is in it, unless it has come into
// use meanwhile: people take their time to answer.
func Delete(ctx context.Context, c *cluster.Cluster, v *Volume) error {
	list, err := Read(ctx, c, v.Namespace, Options{Fresh: true})
	if err != nil {
		return err
	}
	now, err := list.Find(v.Namespace, []string{v.Name})
	if err != nil {
		return err
	}
	if now[0].uid != v.uid {
		return fmt.Errorf("%s: another volume has taken its name meanwhile", v.Ref())
	}
	if err := now[0].Deletable(); err != nil {
		return err
	}
	uid := types.UID(v.uid)
	err = c.Dynamic.Resource(claimsResource).Namespace(v.Namespace).Delete(ctx, v.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("%s: %w", v.Ref(), err)
	}
	return nil
}
