package rollout

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// InstalledOf are those of the components that the inventory has objects of.
func (e *Engine) InstalledOf(ctx context.Context, names []string) ([]string, error) {
	there, err := e.find(ctx)
	if err != nil {
		return nil, err
	}
	installed := there.components()
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !slices.Contains(installed, n) }), nil
}

// found is the inventory as it is in the cluster: its ConfigMap, nil where nothing is
// installed, and the metadata of its members.
type found struct {
	parent  *unstructured.Unstructured
	members []member
}

func (e *Engine) find(ctx context.Context) (*found, error) {
	parent, err := readParent(ctx, e.cluster)
	if parent == nil || err != nil {
		return &found{}, err
	}
	members, err := e.members(ctx, groupKindsOf(parent))
	return &found{parent, members}, err
}

// components that have members, in no particular order.
func (f *found) components() []string {
	var names []string
	for _, m := range f.members {
		if m.component != "" && !slices.Contains(names, m.component) {
			names = append(names, m.component)
		}
	}
	return names
}
