package rollout

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

var replicaSets = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "replicasets"}

const replicaSetKind = "ReplicaSet.apps"

// makeWay does what has to be done before an object of an upgrade can take the place of the
// one before. Each step can be done again: a run that was killed is completed by the next.
func (r *run) makeWay(ctx context.Context, n *node, u *unstructured.Unstructured, change *Change) error {
	switch {
	case r.plan.From == nil:
		return nil
	case change.Action == report.Replaced:
		return r.takeDown(ctx, n, u, change)
	case isWebhookConfiguration(u.GetKind()):
		return r.handOver(ctx, n, u, r.survey.outgoing(n.Component.Name, u.GetKind()))
	case movedPolicy(change.Live, u):
		return r.guard(ctx, n, change.Live)
	}
	return nil
}

// takeDown deletes an object of which a field cannot be changed. The pods of a Deployment
// stay and serve until the new ones do: its ReplicaSets become members of the inventory,
// so that they are pruned with everything else, by the next run if need be.
func (r *run) takeDown(ctx context.Context, n *node, u *unstructured.Unstructured, change *Change) error {
	ref, uid := change.Ref, change.Live.GetUID()
	client, err := r.clientFor(u)
	if err != nil {
		return refusal(ref, err)
	}
	policy := metav1.DeletePropagationForeground
	if ref.Group == "apps" && ref.Kind == "Deployment" {
		policy = metav1.DeletePropagationOrphan
		if err := r.enlistReplicaSets(ctx, n, change.Live); err != nil {
			return err
		}
	}
	say := func(what string) { r.note(n, keyOf(u), what); r.events.wait(n.Component.Name, ref, what) }
	say("is being replaced: a field of it cannot be changed")
	err = Retry(ctx, say, func(ctx context.Context) error {
		err := client.Delete(ctx, ref.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}, PropagationPolicy: &policy})
		if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
			return nil // gone, or another object by now
		}
		return err
	})
	if err != nil {
		return refusal(ref, err)
	}
	err = until(ctx, client, ref.Name, "", func(live *unstructured.Unstructured) (bool, error) {
		return live == nil || live.GetUID() != uid, nil
	})
	if err != nil {
		return fmt.Errorf("%s: not deleted: %w", ref, err)
	}
	change.Live = nil
	return nil
}

// enlistReplicaSets makes the ReplicaSets of a Deployment members of the inventory.
func (r *run) enlistReplicaSets(ctx context.Context, n *node, deployment *unstructured.Unstructured) error {
	client := r.cluster.Dynamic.Resource(replicaSets).Namespace(deployment.GetNamespace())
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": map[string]string{
		applySetPartOfLabel: setID, components.ComponentLabel: n.Component.Name,
	}}})
	if err != nil {
		return err
	}
	return Retry(ctx, func(string) {}, func(ctx context.Context) error {
		list, err := client.List(ctx, metav1.ListOptions{})
		if err != nil {
			return fmt.Errorf("ReplicaSets in namespace %s: %w", deployment.GetNamespace(), err)
		}
		for i := range list.Items {
			s := &list.Items[i]
			if !slices.ContainsFunc(s.GetOwnerReferences(), func(o metav1.OwnerReference) bool { return o.UID == deployment.GetUID() }) {
				continue
			}
			_, err := client.Patch(ctx, s.GetName(), types.MergePatchType, patch, metav1.PatchOptions{FieldManager: FieldManager})
			if apierrors.IsNotFound(err) {
				continue // an old one that the Deployment has cleaned up
			}
			if err != nil {
				return fmt.Errorf("ReplicaSet %s/%s: %w", s.GetNamespace(), s.GetName(), err)
			}
			r.outlives(n, keyOf(s), replicaSets, s)
		}
		return nil
	})
}

// outlives has an object pruned that the survey did not see.
func (r *run) outlives(n *node, k key, resource schema.GroupVersionResource, u *unstructured.Unstructured) {
	m := member{k, n.Component.Name, resource, &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: k.namespace, Name: k.name, UID: u.GetUID()}}}
	r.recording.Lock()
	defer r.recording.Unlock()
	known := func(other member) bool { return other.key == k }
	if !slices.ContainsFunc(r.outlived, known) && !slices.ContainsFunc(r.survey.pruned, known) {
		r.outlived = append(r.outlived, m)
	}
}

// guardSuffix ends the name of the copy of a policy.
const guardSuffix = "-before-upgrade"

// guard keeps a copy of a policy that moves to other pods, for those that it guards now. The
// copy is a member of the inventory that no plan has, so it goes with what is pruned.
func (r *run) guard(ctx context.Context, n *node, live *unstructured.Unstructured) error {
	stand := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": live.GetAPIVersion(), "kind": live.GetKind(),
		"metadata": map[string]any{"name": live.GetName() + guardSuffix},
		"spec":     live.DeepCopy().Object["spec"],
	}}
	stand.SetNamespace(live.GetNamespace())
	stand.SetLabels(live.GetLabels())
	markMember(stand)
	client, resource, err := r.cluster.For(stand)
	if err != nil {
		return refusal(keyOf(stand).ref(), err)
	}
	say := func(what string) { r.note(n, keyOf(live), what) }
	return Retry(ctx, say, func(ctx context.Context) error {
		now, err := client.Apply(ctx, stand.GetName(), stand, metav1.ApplyOptions{FieldManager: FieldManager, Force: true})
		if err != nil {
			return fmt.Errorf("%s: %w", keyOf(stand).ref(), err)
		}
		r.outlives(n, keyOf(stand), resource.GroupVersionResource, now)
		return nil
	})
}

// handOver lets a webhook configuration take over from those that go. The new one is sent
// with a condition under which no object is handled by both, or by both and neither, and
// takes its CA; then the old ones are deleted, long before the Service that they call.
// What follows, the ordinary write, takes the condition away.
func (r *run) handOver(ctx context.Context, n *node, u *unstructured.Unstructured, old []member) error {
	if len(old) == 0 {
		return nil
	}
	taking, err := r.taking(n, u)
	if err != nil {
		return err
	}
	client, err := r.clientFor(u)
	if err != nil {
		return refusal(cluster.RefOf(u), err)
	}
	say := func(what string) { r.note(n, keyOf(u), what); r.events.wait(n.Component.Name, keyOf(u).ref(), what) }
	err = Retry(ctx, say, func(ctx context.Context) error {
		_, err := client.Apply(ctx, u.GetName(), taking, metav1.ApplyOptions{FieldManager: FieldManager, Force: r.options.Adopt})
		return err
	})
	if err != nil {
		return refusal(keyOf(u).ref(), err)
	}
	for i := range n.Component.Gates {
		for _, w := range n.Component.Gates[i].Webhooks {
			if w.Kind == u.GetKind() && w.Name == u.GetName() {
				if err := r.hasCA(ctx, n, w); err != nil {
					return err
				}
			}
		}
	}
	return r.deleteMembers(ctx, old)
}

// taking is a mutating webhook configuration that leaves to another one what that one handles.
func (r *run) taking(n *node, u *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	out := u.DeepCopy()
	if u.GetKind() != "MutatingWebhookConfiguration" {
		return out, nil // to be validated twice changes nothing
	}
	expression := "false"
	for _, g := range n.Component.Gates {
		if g.Handled != "" {
			expression = "!(" + strings.TrimSpace(g.Handled) + ")"
		}
	}
	webhooks, _, err := unstructured.NestedSlice(out.Object, "webhooks")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", keyOf(u).ref(), err)
	}
	for _, w := range webhooks {
		if w, ok := w.(map[string]any); ok {
			conditions, _ := w["matchConditions"].([]any)
			w["matchConditions"] = append(slices.Clone(conditions), map[string]any{"name": "upgrade", "expression": expression})
		}
	}
	return out, unstructured.SetNestedSlice(out.Object, webhooks, "webhooks")
}
