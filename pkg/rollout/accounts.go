package rollout

import (
	"context"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// accounts lists what lets people sign in at the Dex of the installation.
func (e *Engine) accounts(ctx context.Context, release *components.Release) ([]member, error) {
	dex, err := release.Component(dexComponent)
	if err != nil {
		return nil, nil // a release with another way in
	}
	var all []member
	for _, kind := range slices.Sorted(maps.Keys(accountKinds)) {
		found, err := e.every(ctx, schema.GroupKind{Group: "dex.coreos.com", Kind: kind})
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return slices.DeleteFunc(all, func(m member) bool { return !slices.Contains(dex.Namespaces, m.key.namespace) }), nil
}

// accountKinds are what Dex keeps of people: their passwords, and the identity providers
// where they have accounts.
var accountKinds = map[string]string{"Password": "user accounts", "Connector": "identity providers"}
