package rollout

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// ownerAnnotation of a namespace is the email address of its Profile's owner. The profile
// controller refuses a namespace that exists and names another one, or none.
const ownerAnnotation = "owner"

// NamespaceTaken is why a Profile would never become ready: its namespace exists and is
// not its owner's. The server accepts the Profile all the same.
type NamespaceTaken struct {
	Namespace string
	// Owner that the Profile names, and what the namespace says, empty where it says nothing.
	Owner, Said string
}

func (e *NamespaceTaken) Error() string {
	said := "it has no annotation " + ownerAnnotation
	if e.Said != "" {
		said = "its owner is " + e.Said
	}
	return fmt.Sprintf("namespace %s exists and does not belong to %s: %s", e.Namespace, e.Owner, said)
}

// Remedy says what can be chosen.
func (e *NamespaceTaken) Remedy() string {
	out := "choose another first user (--user-email), or install without one (--skip user-profile)"
	if e.Said == "" {
		out += fmt.Sprintf("; or assign the namespace and everything in it to that user: kubectl annotate namespace %s %s=%s", e.Namespace, ownerAnnotation, e.Owner)
	}
	return out
}

// namespaceTaken looks for a namespace in the place of the one that a new Profile gets.
func (e *Engine) namespaceTaken(ctx context.Context, profile *unstructured.Unstructured) (*NamespaceTaken, error) {
	name := profile.GetName()
	ns, err := e.cluster.Metadata.Resource(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}).Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("Namespace %s: %w", name, err)
	case ns.DeletionTimestamp != nil:
		return nil, nil // it is gone before the Profile is created
	}
	owner, _, _ := unstructured.NestedString(profile.Object, "spec", "owner", "name")
	if said := ns.Annotations[ownerAnnotation]; said != owner {
		return &NamespaceTaken{Namespace: name, Owner: owner, Said: said}, nil
	}
	return nil, nil
}
