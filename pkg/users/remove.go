package users

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Belongings are what would be lost with a namespace.
type Belongings struct {
	Notebooks []string
	// Volumes are the claims, each with its size.
	Volumes []string
}

// Belongings lists the notebooks and volumes of a namespace.
func (u *Users) Belongings(ctx context.Context, namespace string) (Belongings, error) {
	var b Belongings
	if r, err := u.Cluster.Mapper.Preferred(notebookKind); err == nil {
		list, err := u.Cluster.Metadata.Resource(r.GroupVersionResource).Namespace(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return b, fmt.Errorf("notebooks of namespace %s: %w", namespace, err)
		}
		for i := range list.Items {
			b.Notebooks = append(b.Notebooks, list.Items[i].Name)
		}
	}
	claims, err := u.Cluster.Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "persistentvolumeclaims"}).
		Namespace(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return b, fmt.Errorf("volumes of namespace %s: %w", namespace, err)
	}
	for i := range claims.Items {
		size, _, _ := unstructured.NestedString(claims.Items[i].Object, "spec", "resources", "requests", "storage")
		b.Volumes = append(b.Volumes, claims.Items[i].GetName()+" ("+size+")")
	}
	return b, nil
}

// Remove takes a person's account away, and their Profile with the namespace where
// profile names it. Nothing is written when one of the two would be refused.
func (u *Users) Remove(ctx context.Context, email, profile string) error {
	writes := []func(context.Context, []string) error{
		func(ctx context.Context, dryRun []string) error { return u.RemovePassword(ctx, email, dryRun) },
	}
	if profile != "" {
		gvr, err := u.preferred(profileKind, "component profiles installs it")
		if err != nil {
			return err
		}
		live, err := u.Cluster.Dynamic.Resource(gvr).Get(ctx, profile, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("Profile %s: %w", profile, err)
		}
		uid := live.GetUID()
		writes = append(writes, func(ctx context.Context, dryRun []string) error {
			err := u.Cluster.Dynamic.Resource(gvr).Delete(ctx, profile, metav1.DeleteOptions{DryRun: dryRun, Preconditions: &metav1.Preconditions{UID: &uid}})
			if err != nil {
				return fmt.Errorf("Profile %s: %w", profile, err)
			}
			return nil
		})
	}
	return tryAll(ctx, writes)
}
