package rollout

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// Preview is what an upgrade will do, as a person asks: which programs change, what stops
// and what stays.
type Preview struct {
	From, To string
	// Versions of the components; From is empty for a new one.
	Versions []VersionChange
	// Replaced objects are deleted and created, Deleted ones only deleted.
	Replaced, Deleted []report.Ref
	// Restarted workloads get new pods.
	Restarted []report.Ref
	// Created and Configured are all others that change, Unchanged counts those that do not.
	Created, Configured []report.Ref
	Unchanged           int
	// Restricting objects come last: they can refuse what the release before does.
	Restricting []report.Ref
	// Without are the components that stay out.
	Without []string
	// Kept counts what is of people, by kind; a kind that could not be read is missing.
	Kept map[string]int
}

// VersionChange is the version of a component before and after.
type VersionChange struct{ Title, From, To string }

// Preview tells what a plan with a release before it will do. It writes nothing.
func (e *Engine) Preview(ctx context.Context, plan *Plan, s *Survey) (*Preview, error) {
	p := &Preview{From: plan.From.Name, To: plan.Release.Name, Without: plan.Settings.Without, Kept: map[string]int{}}
	for _, r := range plan.Rendered {
		v := VersionChange{Title: r.Component.Title, To: r.Component.Version}
		if before, err := plan.From.Component(r.Component.Name); err == nil {
			v.From = before.Version
		}
		if v.From != v.To {
			p.Versions = append(p.Versions, v)
		}
	}
	late := s.course(plan).late
	for _, c := range s.Changes() {
		switch {
		case c.Action == report.Pruned:
			p.Deleted = append(p.Deleted, c.Ref)
		case c.Action == report.Unchanged:
			p.Unchanged++
		case c.Action == report.Replaced:
			p.Replaced = append(p.Replaced, c.Ref)
		case late[keyOfRef(c.Ref)] > 0:
			p.Restricting = append(p.Restricting, c.Ref)
		case c.Action == report.Created:
			p.Created = append(p.Created, c.Ref)
		case c.Restarts():
			p.Restarted = append(p.Restarted, c.Ref)
		default:
			p.Configured = append(p.Configured, c.Ref)
		}
	}
	left, err := e.outgrown(ctx, plan)
	if err != nil {
		return nil, err
	}
	for _, m := range left {
		p.Deleted = append(p.Deleted, m.key.ref())
	}
	for _, kind := range []schema.GroupKind{{Group: "kubeflow.org", Kind: "Profile"}, {Group: "kubeflow.org", Kind: "Notebook"}, {Group: "dex.coreos.com", Kind: "Password"}, {Group: "dex.coreos.com", Kind: "Connector"}} {
		if all, err := e.every(ctx, kind); err == nil {
			p.Kept[kind.Kind] = len(all)
		}
	}
	return p, ctx.Err()
}

// Restarts tells that a change of a workload makes new pods.
func (c *Change) Restarts() bool {
	if c.Live == nil || c.Merged == nil || !isWorkload(c.Ref.Kind) {
		return false
	}
	template := func(u *unstructured.Unstructured) any {
		t, _, _ := unstructured.NestedFieldNoCopy(u.Object, "spec", "template")
		return t
	}
	return !equal(template(c.Live), template(c.Merged))
}
