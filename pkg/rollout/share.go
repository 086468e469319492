package rollout

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/util/retry"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// Until watches one object until check says so; check sees nil while it is absent. With the
// client of all namespaces it watches the objects of that name in all of them.
func Until(ctx context.Context, client dynamic.ResourceInterface, name string, check func(*unstructured.Unstructured) (bool, error)) error {
	return until(ctx, client, name, "", check)
}

// Retry writes until the API server accepts or refuses for good; say is told what is
// waited for, each thing once. When the context ends, the error says why it ended and
// what the last answer was.
func Retry(ctx context.Context, say func(string), write func(context.Context) error) error {
	pause, said := retryPause(), ""
	for {
		err := write(ctx)
		what, later := retryable(err)
		if !later {
			return err
		}
		if what != said {
			said = what
			say(what)
		}
		if pauseFor(ctx, pause.Step()) != nil {
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}

// Enlist makes objects part of the installation: uninstall removes them, and no install
// prunes them, since they are of no component. The inventory is told of their kinds and
// namespaces before they are written. Where nothing is installed, nothing happens.
func Enlist(ctx context.Context, c *cluster.Cluster, objects ...*unstructured.Unstructured) error {
	client := c.Dynamic.Resource(configMaps).Namespace(InventoryNamespace)
	var installed bool
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		parent, err := readParent(ctx, c)
		if installed = parent != nil; err != nil || !installed {
			return err
		}
		kinds, namespaces := map[string]bool{}, map[string]bool{}
		for _, k := range groupKindsOf(parent) {
			kinds[k.String()] = true
		}
		annotations := parent.GetAnnotations()
		for _, n := range strings.Split(annotations[applySetMoreNamespaces], ",") {
			namespaces[n] = n != ""
		}
		for _, u := range objects {
			kinds[u.GroupVersionKind().GroupKind().String()] = true
			namespaces[u.GetNamespace()] = u.GetNamespace() != ""
		}
		maps.DeleteFunc(namespaces, func(_ string, named bool) bool { return !named })
		now := [2]string{strings.Join(slices.Sorted(maps.Keys(kinds)), ","), strings.Join(slices.Sorted(maps.Keys(namespaces)), ",")}
		if now == [2]string{annotations[applySetGroupKinds], annotations[applySetMoreNamespaces]} {
			return nil
		}
		annotations[applySetGroupKinds], annotations[applySetMoreNamespaces] = now[0], now[1]
		parent.SetAnnotations(annotations)
		_, err = client.Update(ctx, parent, metav1.UpdateOptions{FieldManager: FieldManager})
		return err
	})
	if err != nil {
		return fmt.Errorf("inventory ConfigMap %s/%s: %w", InventoryNamespace, InventoryName, err)
	}
	if installed {
		for _, u := range objects {
			markMember(u)
		}
	}
	return nil
}

// Right is what somebody has to be allowed. An empty namespace means the whole cluster.
type Right struct {
	Verb, Namespace string
	Resource        schema.GroupResource
}

// Lacking lists the rights that the user does not have, in the form of Permissions.
func (e *Engine) Lacking(ctx context.Context, rights []Right) ([]string, error) {
	all, err := e.allowedEverything(ctx)
	if err != nil || all {
		return nil, err
	}
	var needed inquiry
	for _, r := range rights {
		needed.ask(r.Resource, r.Namespace, r.Verb)
	}
	return e.denied(ctx, needed.questions)
}

// RemoveComponent takes one component out of the cluster and leaves its definitions; it
// returns how many objects were deleted. What depends on it is the caller's to look
// after. A namespace that holds something of somebody else stays.
func (e *Engine) RemoveComponent(ctx context.Context, release *components.Release, name string) (int, error) {
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	parent, err := readParent(ctx, e.cluster)
	if err != nil || parent == nil {
		return 0, err
	}
	all, err := e.members(ctx, groupKindsOf(parent))
	if err != nil {
		return 0, err
	}
	var steps [len(stepNames)][]member
	deleted := 0
	for _, m := range all {
		if step := stepOf(m.key); m.component == name && step != stepDefinitions && step != stepNotebooks && step != stepProfiles {
			steps[step] = append(steps[step], m)
			deleted++
		}
	}
	for step, members := range steps {
		if step == stepNamespaces {
			if members, err = e.deletableNamespaces(ctx, release, &Removal{}, members); err != nil {
				return 0, e.stopped(ctx, err, stepNames[step])
			}
		}
		if err := e.deleteAll(ctx, members); err != nil {
			return 0, e.stopped(ctx, err, stepNames[step])
		}
	}
	return deleted, nil
}
