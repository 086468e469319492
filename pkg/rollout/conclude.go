package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// prune deletes what an earlier run brought and this plan no longer has: webhook
// configurations before the programs that answer them.
func (r *run) prune(ctx context.Context) error {
	var first, then []member
	for _, m := range append(r.survey.pruned, r.outlived...) {
		if isWebhookConfiguration(m.key.kind) {
			first = append(first, m)
		} else {
			then = append(then, m)
		}
	}
	if err := r.deleteMembers(ctx, first); err != nil {
		return err
	}
	return r.deleteMembers(ctx, then)
}

// pruneFirst deletes what must not outlive anything that this run changes.
func (r *run) pruneFirst(ctx context.Context) error {
	return r.deleteMembers(ctx, goFirst(r.survey.pruned))
}

func goFirst(pruned []member) []member {
	var out []member
	for _, m := range pruned {
		if m.meta.GetAnnotations()[GoesFirstAnnotation] == "true" {
			out = append(out, m)
		}
	}
	return out
}

// deleteMembers deletes objects. In an upgrade it waits for the pods of workloads: what comes
// after them would be too strict for them.
func (r *run) deleteMembers(ctx context.Context, members []member) error {
	return r.parallel(ctx, len(members), func(ctx context.Context, i int) error {
		m := members[i]
		ref := m.key.ref()
		uid := m.meta.UID
		policy := metav1.DeletePropagationBackground
		waits := r.plan.From != nil && isWorkload(m.key.kind)
		if waits {
			policy = metav1.DeletePropagationForeground
		}
		err := r.resource(m).Delete(ctx, m.key.name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}, PropagationPolicy: &policy})
		if err != nil && !apierrors.IsNotFound(err) {
			return refusal(ref, err)
		}
		r.unrecord(m.key)
		if err != nil {
			return nil
		}
		if waits {
			r.events.wait(m.component, ref, "is being deleted with its pods")
			err := until(ctx, r.resource(m), m.key.name, "", func(u *unstructured.Unstructured) (bool, error) { return u == nil || u.GetUID() != uid, nil })
			if err != nil {
				return fmt.Errorf("%s: not deleted: %w", ref, err)
			}
		}
		r.events.emit(report.Event{Kind: report.EventObject, Component: m.component, Object: &ref, Action: report.Pruned})
		return nil
	})
}

// conclude ends an upgrade: what components of the release before have made and the new
// ones do not use goes, and what restricts comes.
func (r *run) conclude(ctx context.Context) error {
	if r.plan.From == nil {
		return nil
	}
	left, err := r.Engine.outgrown(ctx, r.plan)
	if err != nil {
		return err
	}
	if err := r.deleteMembers(ctx, left); err != nil {
		return err
	}
	for wave := 1; wave <= lateWaves; wave++ {
		type late struct {
			n *node
			u *unstructured.Unstructured
		}
		var objects []late
		for _, n := range r.graph.nodes {
			for _, u := range n.Objects {
				if !n.existing && r.late[keyOf(u)] == wave {
					objects = append(objects, late{n, u})
				}
			}
		}
		err := r.parallel(ctx, len(objects), func(ctx context.Context, i int) error {
			n, u := objects[i].n, objects[i].u
			_, action, err := r.send(ctx, n, u)
			if err != nil {
				return err
			}
			r.cameLate(n, u, action)
			return nil
		})
		if err != nil {
			return err
		}
	}
	r.plan.Settings.From, r.plan.Settings.Without = "", nil
	return nil
}

// cameLate counts an object that nothing has waited for. A namespace has been counted.
func (r *run) cameLate(n *node, u *unstructured.Unstructured, action report.Action) {
	ref := cluster.RefOf(u)
	n.mu.Lock()
	if u.GroupVersionKind().GroupKind() != namespaceKind {
		n.acceptedN++
		n.readyN++
		n.changes[action]++
	}
	delete(n.subject, keyOf(u))
	n.mu.Unlock()
	r.events.emit(report.Event{Kind: report.EventObject, Component: n.Component.Name, Object: &ref, Action: action})
	r.progress(n)
}

// outgrown are the objects that components of the release before have made at run time
// under names which the new release does not use, such as a certificate's Secret.
func (e *Engine) outgrown(ctx context.Context, plan *Plan) ([]member, error) {
	var out []member
	planned := plan.keys()
	for _, r := range plan.Rendered {
		before, err := plan.From.Component(r.Component.Name)
		if err != nil {
			continue // the release before did not have it
		}
		for _, k := range outgrowable(plan, planned, before) {
			resource, err := e.cluster.Mapper.Preferred(schema.GroupKind{Group: k.group, Kind: k.kind})
			if err != nil {
				continue // its kind is not defined here
			}
			meta, err := e.cluster.Metadata.Resource(resource.GroupVersionResource).Namespace(k.namespace).Get(ctx, k.name, metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", k.ref(), err)
			}
			out = append(out, member{k, r.Component.Name, resource.GroupVersionResource, meta})
		}
	}
	return out, nil
}

// keys of the plan's objects.
func (p *Plan) keys() map[key]bool {
	out := map[key]bool{}
	for _, u := range components.ObjectsOf(p.Rendered) {
		out[keyOf(u)] = true
	}
	return out
}

// outgrowable are the names, without patterns, that a component of the release before uses
// at run time and nothing of the new release does. Planned are the objects of the plan.
func outgrowable(plan *Plan, planned map[key]bool, before *components.Component) []key {
	var out []key
	for _, l := range before.Leaves {
		k := key{l.Group, l.Kind, l.Namespace, l.Name}
		if !strings.ContainsAny(l.Namespace+l.Name, `*?[\`) && !keptKind(l.Kind) && !planned[k] && leftBy(plan.Release, k) == "" {
			out = append(out, k)
		}
	}
	return out
}

// standing says of an upgrade that has failed which programs answer nobody, and how to go
// on. A program answers as long as a pod of it is available, of either release.
func (r *run) standing(ctx context.Context) string {
	silent := r.silent(ctx)
	if len(silent) == 0 {
		return fmt.Sprintf("programs of release %s serve where those of release %s are not ready; run `kubectl jupyter upgrade` again to continue", r.plan.From.Name, r.plan.Release.Name)
	}
	return fmt.Sprintf("no pod serves of %s; run `kubectl jupyter upgrade` again to continue", strings.Join(silent, ", "))
}

// silent are the Deployments of the plan of which no pod is available, and none of what the
// component had in their place.
func (r *run) silent(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), silentFor)
	defer cancel()
	available := func(k key) bool {
		resource := deployments
		if k.kind == "ReplicaSet" {
			resource = replicaSets
		}
		u, err := r.cluster.Dynamic.Resource(resource).Namespace(k.namespace).Get(ctx, k.name, metav1.GetOptions{})
		if err != nil {
			return !apierrors.IsNotFound(err) // nobody knows
		}
		n, _, _ := unstructured.NestedInt64(u.Object, "status", "availableReplicas")
		return n > 0
	}
	r.recording.Lock()
	before := slices.Concat(r.survey.pruned, r.outlived)
	r.recording.Unlock()
	var out []string
	for _, n := range r.graph.nodes {
		for _, u := range n.Objects {
			k := keyOf(u)
			if n.existing || k.kind != "Deployment" || k.group != "apps" || available(k) {
				continue
			}
			if !slices.ContainsFunc(before, func(m member) bool {
				return m.component == n.Component.Name && m.key.group == "apps" && (m.key.kind == "Deployment" || m.key.kind == "ReplicaSet") && available(m.key)
			}) {
				out = append(out, k.ref().String())
			}
		}
	}
	return out
}

// silentFor bounds the reads after an upgrade has failed.
const silentFor = 5 * time.Second
