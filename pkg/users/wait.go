package users

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// AwaitHome waits until the Profile's controller has made the namespace, and in it the
// account under which notebooks run.
func (u *Users) AwaitHome(ctx context.Context, profile string) error {
	accounts := u.Cluster.Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "serviceaccounts"}).Namespace(profile)
	err := rollout.Until(ctx, accounts, "default-editor", func(u *unstructured.Unstructured) (bool, error) { return u != nil, nil })
	if err != nil {
		return fmt.Errorf("ServiceAccount %s/default-editor, which the profile controller creates: %w", profile, err)
	}
	return nil
}

// AwaitGone waits until the namespace of a Profile has been deleted with everything in it.
func (u *Users) AwaitGone(ctx context.Context, profile string) error {
	err := rollout.Until(ctx, u.Cluster.Dynamic.Resource(namespaces), profile, func(u *unstructured.Unstructured) (bool, error) { return u == nil, nil })
	if err != nil {
		return fmt.Errorf("Namespace %s still exists: %w", profile, err)
	}
	return nil
}
