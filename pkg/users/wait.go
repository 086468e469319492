package users

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
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

// AwaitHomes waits for the namespaces of many Profiles, with one watch; ready is told of
// each.
func (u *Users) AwaitHomes(ctx context.Context, profiles []string, ready func(profile string)) error {
	awaited := map[string]bool{}
	for _, p := range profiles {
		awaited[p] = true
	}
	accounts := u.Cluster.Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "serviceaccounts"})
	check := func(account *unstructured.Unstructured) (bool, error) {
		if account != nil && awaited[account.GetNamespace()] {
			delete(awaited, account.GetNamespace())
			ready(account.GetNamespace())
		}
		return len(awaited) == 0, nil
	}
	if err := rollout.Until(ctx, accounts, "default-editor", check); err != nil {
		missing := slices.Sorted(maps.Keys(awaited))
		return fmt.Errorf("ServiceAccount default-editor, which the profile controller creates, is missing in %s, such as %s: %w",
			report.Count(len(missing), "namespace"), missing[0], err)
	}
	return nil
}
