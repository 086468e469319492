package rollout

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

func (r *run) remember(u *unstructured.Unstructured, answer *unstructured.Unstructured) {
	if components.Generated(u) != nil {
		return // made once, not applied
	}
	r.recording.Lock()
	defer r.recording.Unlock()
	r.record.add(u, answer)
}

// unrecord drops an object that is deleted. A record that still had it would be written again
// by the next run, which has nothing to change.
func (r *run) unrecord(k key) {
	r.recording.Lock()
	defer r.recording.Unlock()
	delete(r.record, k.recordName())
}

// recordApplied writes what the next run need not ask for, and how this one ended. An
// interrupted run does it too, in a moment of its own; not to have the record only costs time.
func (r *run) recordApplied(ctx context.Context, failed error) error {
	if !r.end(ctx, failed) && maps.Equal(r.record, r.survey.record) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return r.recordParent(ctx)
}

// recordParent writes the inventory: before anything that it has to know of, and at the end.
func (r *run) recordParent(ctx context.Context) error {
	parent, err := parentFor(r.plan, r.survey.parent, r.options.Tooling)
	if err != nil {
		return err
	}
	names := r.survey.recordNames()
	maps.DeleteFunc(r.record, func(name, _ string) bool { return !names[name] })
	applied, err := json.Marshal(r.record)
	if err != nil {
		return fmt.Errorf("inventory: %w", err)
	}
	if err := unstructured.SetNestedField(parent.Object, string(applied), "data", recordKey); err != nil {
		return fmt.Errorf("inventory: %w", err)
	}
	if err := r.last.write(parent); err != nil {
		return err
	}
	client := r.cluster.Dynamic.Resource(configMaps).Namespace(InventoryNamespace)
	_, err = client.Apply(ctx, InventoryName, parent, metav1.ApplyOptions{FieldManager: FieldManager, Force: true})
	if err != nil {
		return refusal(cluster.RefOf(parent), err)
	}
	return nil
}
