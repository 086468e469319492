package rollout

import (
	"context"
	"slices"
)

// Installed names the components that the inventory has objects of, in no
// particular order; none where nothing is installed.
func (e *Engine) Installed(ctx context.Context) ([]string, error) {
	parent, err := readParent(ctx, e.cluster)
	if parent == nil || err != nil {
		return nil, err
	}
	members, err := e.members(ctx, groupKindsOf(parent))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, m := range members {
		if m.component != "" && !slices.Contains(names, m.component) {
			names = append(names, m.component)
		}
	}
	return names, nil
}
