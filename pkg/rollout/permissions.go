package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
)

var accessReviews = schema.GroupVersionResource{Group: "authorization.k8s.io", Version: "v1", Resource: "selfsubjectaccessreviews"}

// verbs that an object needs from survey to Ready.
var verbs = []string{"get", "list", "watch", "create", "patch"}

// question asks for one right. An empty namespace means the whole cluster.
type question struct {
	verb, namespace string
	resource        schema.GroupResource
}

// inquiry collects questions, each once.
type inquiry struct {
	asked     map[question]bool
	questions []question
}

func (i *inquiry) ask(resource schema.GroupResource, namespace string, verbs ...string) {
	for _, v := range verbs {
		q := question{v, namespace, resource}
		if i.asked == nil {
			i.asked = map[question]bool{}
		}
		if !i.asked[q] {
			i.asked[q] = true
			i.questions = append(i.questions, q)
		}
	}
}

// lines is a sorted list without repetitions that many goroutines add to.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) add(s string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at, found := slices.BinarySearch(l.all, s); !found {
		l.all = slices.Insert(l.all, at, s)
	}
}

// denied asks all questions and lists those that the server answers with no.
func (e *Engine) denied(ctx context.Context, questions []question) ([]string, error) {
	var missing lines
	err := e.parallel(ctx, len(questions), func(ctx context.Context, i int) error {
		q := questions[i]
		ok, err := e.allowed(ctx, q.verb, q.resource, q.namespace)
		if err == nil && !ok {
			where := "in the whole cluster"
			if q.namespace != "" {
				where = "in namespace " + q.namespace
			}
			missing.add(fmt.Sprintf("%s %s %s", q.verb, q.resource, where))
		}
		return err
	})
	return missing.all, err
}

func (e *Engine) allowedEverything(ctx context.Context) (bool, error) {
	return e.allowed(ctx, "*", schema.GroupResource{Group: "*", Resource: "*"}, "")
}

// Permissions lists what the user may not do and the plan needs: all of it, before the
// first write. Who may do everything costs one request. It is half of the answer: the
// server also refuses roles that grant more than their writer has, which Survey finds.
func (e *Engine) Permissions(ctx context.Context, plan *Plan) ([]string, error) {
	all, err := e.allowedEverything(ctx)
	if err != nil || all {
		return nil, err
	}
	var needed inquiry
	needed.ask(schema.GroupResource{Resource: "configmaps"}, InventoryNamespace, "get", "create", "patch")
	defined := map[schema.GroupKind]*unstructured.Unstructured{}
	for _, r := range plan.Rendered {
		for _, u := range r.Objects {
			if u.GetKind() == crdKind {
				defined[definedKind(u)] = u
			}
		}
	}
	for _, r := range plan.Rendered {
		for _, u := range r.Objects {
			gk := u.GroupVersionKind().GroupKind()
			if m, err := e.cluster.Mapper.Resource(u.GroupVersionKind()); err == nil {
				needed.ask(m.GroupResource(), u.GetNamespace(), verbs...)
			} else if crd := defined[gk]; crd != nil {
				plural, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "plural")
				needed.ask(schema.GroupResource{Group: gk.Group, Resource: plural}, u.GetNamespace(), verbs...)
			}
		}
	}
	e.askUpgrade(&needed, plan)
	return e.denied(ctx, needed.questions)
}

// askUpgrade asks for what an upgrade does beside an installation: it deletes what goes, and
// makes the ReplicaSets of replaced Deployments members of the inventory.
func (e *Engine) askUpgrade(needed *inquiry, plan *Plan) {
	if plan.From == nil {
		return
	}
	planned := plan.keys()
	for _, r := range plan.Rendered {
		for _, u := range r.Objects {
			if u.GetKind() == "Deployment" {
				needed.ask(replicaSets.GroupResource(), u.GetNamespace(), "get", "list", "watch", "patch", "delete")
				needed.ask(deployments.GroupResource(), u.GetNamespace(), "delete")
			}
		}
		if before, err := plan.From.Component(r.Component.Name); err == nil {
			for _, k := range outgrowable(plan, planned, before) {
				if resource, err := e.cluster.Mapper.Preferred(schema.GroupKind{Group: k.group, Kind: k.kind}); err == nil {
					needed.ask(resource.GroupResource(), k.namespace, "get", "delete")
				}
			}
		}
	}
	for _, m := range plan.found.members {
		if !planned[m.key] && !keptKind(m.key.kind) && speaksFor(plan, m.component) {
			needed.ask(m.version.GroupResource(), m.key.namespace, "delete")
		}
	}
}

// UninstallPermissions lists what the user may not do and an uninstallation needs.
func (e *Engine) UninstallPermissions(ctx context.Context) ([]string, error) {
	all, err := e.allowedEverything(ctx)
	if err != nil || all {
		return nil, err
	}
	inventory := schema.GroupResource{Resource: "configmaps"}
	if missing, err := e.denied(ctx, []question{{"get", InventoryNamespace, inventory}}); err != nil || len(missing) > 0 {
		return missing, err
	}
	parent, err := readParent(ctx, e.cluster)
	if err != nil || parent == nil {
		return nil, err
	}
	var needed inquiry
	needed.ask(inventory, InventoryNamespace, "delete")
	needed.ask(podsResource.GroupResource(), "", "list")
	for _, gk := range groupKindsOf(parent) {
		if r, err := e.cluster.Mapper.Preferred(gk); err == nil {
			needed.ask(r.GroupResource(), "", "list", "watch", "delete")
		}
	}
	return e.denied(ctx, needed.questions)
}

func (e *Engine) allowed(ctx context.Context, verb string, resource schema.GroupResource, namespace string) (bool, error) {
	review := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
		"spec": map[string]any{"resourceAttributes": map[string]any{
			"verb": verb, "group": resource.Group, "resource": resource.Resource, "namespace": namespace,
		}},
	}}
	answer, err := e.cluster.Dynamic.Resource(accessReviews).Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("SelfSubjectAccessReview: %w", err)
	}
	ok, _, _ := unstructured.NestedBool(answer.Object, "status", "allowed")
	return ok, nil
}

// Lacks is the error of a user who may not do what a command needs; nil for nothing missing.
func Lacks(c *cluster.Cluster, missing []string) error {
	if len(missing) == 0 {
		return nil
	}
	who := fmt.Sprintf("the user of context %q", c.Target.Context)
	if as := c.Config.Impersonate.UserName; as != "" {
		who = fmt.Sprintf("user %q", as)
	}
	return fmt.Errorf("%s lacks %d permissions in cluster %q, nothing was changed:\n  %s\nrequest them, or choose another --context, --user or --as",
		who, len(missing), c.Target.Cluster, strings.Join(Gathered(missing), "\n  "))
}
