package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// look compares one object with what is in the cluster.
func (e *Engine) look(ctx context.Context, s *Survey, u *unstructured.Unstructured, change *Change) (*Conflict, error) {
	client, _, err := e.cluster.For(u)
	if err != nil {
		return nil, refusal(change.Ref, err)
	}
	var live *unstructured.Unstructured
	state := s.vault.states[keyOf(u)]
	if state != nil {
		live = state.live
	} else if live, err = client.Get(ctx, u.GetName(), metav1.GetOptions{}); err != nil {
		if !apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("%s: %w", change.Ref, unread{err})
		}
		live = nil
	}
	if live == nil {
		return nil, e.try(ctx, s, client, u)
	}
	if live.GetDeletionTimestamp() != nil {
		change.Leaving = live
		return nil, nil
	}
	change.Live = live
	if live.GetLabels()[applySetPartOfLabel] != setID && !e.options.Adopt {
		return &Conflict{Ref: change.Ref, Component: change.Component, Managers: managersOf(live)}, nil
	}
	if state != nil {
		change.Action, change.Merged = report.Unchanged, live
		if len(state.fresh) > 0 || live.GetLabels()[applySetPartOfLabel] != setID {
			change.Action = report.Configured
		}
		return nil, nil
	}
	if !e.options.AskAll && s.record.fits(u, live) {
		change.Action, change.Merged = report.Unchanged, live
		return nil, nil
	}
	change.Action = report.Configured
	merged, err := client.Apply(ctx, u.GetName(), withoutForeign(u, live), metav1.ApplyOptions{FieldManager: FieldManager, Force: e.options.Adopt, DryRun: []string{metav1.DryRunAll}})
	switch {
	case err == nil:
		change.Merged = merged
		if sameContent(live, merged) {
			change.Action = report.Unchanged
		}
		return nil, nil
	case apierrors.IsConflict(err):
		return fieldConflict(change, err), nil
	}
	return nil, unlessLater(err)
}

// sameContent compares two states of an object; what the server keeps for itself does not count.
func sameContent(a, b *unstructured.Unstructured) bool {
	return equal(content(a), content(b))
}

func content(u *unstructured.Unstructured) map[string]any {
	out := map[string]any{}
	for k, v := range u.Object {
		out[k] = v
	}
	delete(out, "status")
	m, _ := out["metadata"].(map[string]any)
	metadata := map[string]any{}
	for k, v := range m {
		switch k {
		case "managedFields", "resourceVersion", "generation":
		default:
			metadata[k] = v
		}
	}
	out["metadata"] = metadata
	return out
}

// managersOf names who wrote an object, leaving out writers of status.
func managersOf(u *unstructured.Unstructured) []string {
	var out []string
	for _, f := range u.GetManagedFields() {
		if f.Subresource == "" && f.Manager != FieldManager && !slices.Contains(out, f.Manager) {
			out = append(out, f.Manager)
		}
	}
	return out
}

// fieldConflict reads the server's refusal: who owns which of our fields now.
func fieldConflict(change *Change, err error) *Conflict {
	c := &Conflict{Ref: change.Ref, Component: change.Component}
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return c
	}
	for _, cause := range status.Status().Details.Causes {
		if cause.Type != metav1.CauseTypeFieldManagerConflict {
			continue
		}
		c.Fields = append(c.Fields, cause.Field)
		// The message reads: conflict with "MANAGER" using VERSION
		if _, rest, ok := strings.Cut(cause.Message, `"`); ok {
			if m, _, ok := strings.Cut(rest, `"`); ok && !slices.Contains(c.Managers, m) {
				c.Managers = append(c.Managers, m)
			}
		}
	}
	return c
}
