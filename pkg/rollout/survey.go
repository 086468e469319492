package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// Change is what a run does, or would do, to one object.
type Change struct {
	Ref       report.Ref
	Component string
	Action    report.Action
	// Live is the object before, nil where there is none.
	Live *unstructured.Unstructured
	// Merged is the object after, as the server's dry run says; for an object that
	// cannot be tried yet (its kind or namespace comes with this run), as it will be sent.
	Merged *unstructured.Unstructured
	// Leaving is an older object of that name that is being deleted, and has to go first.
	Leaving *unstructured.Unstructured
}

// Conflict is something of somebody else that a run would overwrite.
type Conflict struct {
	Ref       report.Ref
	Component string
	// Managers that own the object, or the fields.
	Managers []string
	// Fields that others own, empty where the whole object is theirs.
	Fields []string
}

// String is one line for a person.
func (c Conflict) String() string {
	owner := strings.Join(c.Managers, ", ")
	if owner == "" {
		owner = "another owner"
	}
	if len(c.Fields) == 0 {
		return fmt.Sprintf("%s (component %s) belongs to %s", c.Ref, c.Component, owner)
	}
	return fmt.Sprintf("%s (component %s): %s changed by %s", c.Ref, c.Component, strings.Join(c.Fields, ", "), owner)
}

// Refusal is an object that the server would not accept.
type Refusal struct {
	Ref       report.Ref
	Component string
	// Err is the server's answer to a dry run.
	Err error
	// Exists tells that the object is there, so that what is refused is a change of it.
	Exists bool
	// Managers are the others who have written it, if it is there.
	Managers []string
}

// Replaceable tells that the object may be deleted to be made anew: nothing of a
// person's, and nobody else's object, goes with it.
func (r Refusal) Replaceable() bool { return r.Exists && !keptKind(r.Ref.Kind) }

// Survey is what a run found before it writes anything.
type Survey struct {
	conflicts []Conflict
	refusals  []Refusal
	changes   map[key]*Change
	order     []key
	parent    *unstructured.Unstructured
	vault     *vault
	pruned    []member
	// record of the last run, and the members it left
	record  record
	members map[key]member
	// absent namespaces, to which those that are being deleted belong
	absent      map[string]bool
	terminating []string
	tried       atomic.Int64
}

// Conflicts lists what belongs to others, in catalogue order.
func (s *Survey) Conflicts() []Conflict { return s.conflicts }

// Refusals lists what the server would not accept, in catalogue order.
func (s *Survey) Refusals() []Refusal { return s.refusals }

// Tried counts the dry runs of objects that do not exist yet, and whose answer says
// what the real thing would be answered.
func (s *Survey) Tried() int { return int(s.tried.Load()) }

// Terminating names the plan's namespaces that are being deleted.
func (s *Survey) Terminating() []string { return s.terminating }

// Earlier tells whether there is an inventory: a run has been here before.
func (s *Survey) Earlier() bool { return s.parent != nil }

// Changes lists what would happen to every object, in catalogue order, pruned ones last.
func (s *Survey) Changes() []Change {
	out := make([]Change, 0, len(s.order)+len(s.pruned))
	for _, k := range s.order {
		out = append(out, *s.changes[k])
	}
	for _, m := range s.pruned {
		out = append(out, Change{Ref: m.key.ref(), Component: m.component, Action: report.Pruned})
	}
	return out
}

// Survey reads what is in the cluster and asks the server what every object would
// become. It writes nothing.
func (e *Engine) Survey(ctx context.Context, plan *Plan) (*Survey, error) {
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	var err error
	there := plan.found
	if there == nil {
		if there, err = e.find(ctx); err != nil {
			return nil, err
		}
	}
	s := &Survey{changes: map[key]*Change{}, parent: there.parent, record: readRecord(there.parent), members: map[key]member{}}
	for _, m := range there.members {
		s.members[m.key] = m
	}
	if err := e.proveExisting(ctx, plan); err != nil {
		return nil, err
	}
	if s.vault, err = e.openVault(ctx, plan); err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	owner := map[key]string{}
	defined := map[schema.GroupKind]bool{}
	for _, r := range plan.Rendered {
		for _, u := range r.Objects {
			k := keyOf(u)
			if other, twice := owner[k]; twice {
				return nil, fmt.Errorf("%s is in component %s and in component %s", k.ref(), other, r.Component.Name)
			}
			owner[k] = r.Component.Name
			s.order = append(s.order, k)
			markMember(u)
			if u.GetKind() == crdKind {
				defined[definedKind(u)] = true
			}
			objects = append(objects, u)
		}
	}
	// Namespaces first: what is to live in a namespace that does not exist cannot exist either.
	if err := e.absentNamespaces(ctx, s, objects); err != nil {
		return nil, err
	}
	var mu sync.Mutex
	err = e.parallel(ctx, len(objects), func(ctx context.Context, i int) error {
		u := objects[i]
		if err := s.vault.annotate(u); err != nil {
			return fmt.Errorf("%s: %w", cluster.RefOf(u), err)
		}
		change := &Change{Ref: cluster.RefOf(u), Component: owner[keyOf(u)], Action: report.Created, Merged: u}
		var conflict *Conflict
		var refused error
		_, mapErr := e.cluster.Mapper.Resource(u.GroupVersionKind())
		switch {
		case mapErr != nil && meta.IsNoMatchError(mapErr) && defined[u.GroupVersionKind().GroupKind()]:
		case mapErr != nil:
			return refusal(change.Ref, mapErr)
		case s.absent[u.GetNamespace()]:
			refused = e.tryElsewhere(ctx, s, u)
		case !e.options.AskAll && !needsLive(u) && s.stillHolds(u):
			change.Action = report.Unchanged
		default:
			var err error
			if conflict, err = e.look(ctx, s, u, change); isAnswer(err) && !change.replaces(plan, err) {
				refused = err
			} else if err != nil && change.Action != report.Replaced {
				return err
			}
		}
		if u.GetKind() == "Profile" && change.Action == report.Created && refused == nil {
			taken, err := e.namespaceTaken(ctx, u)
			if err != nil {
				return err
			}
			if taken != nil {
				refused = taken
			}
		}
		mu.Lock()
		defer mu.Unlock()
		s.changes[keyOf(u)] = change
		if conflict != nil {
			s.conflicts = append(s.conflicts, *conflict)
		}
		if refused != nil {
			r := Refusal{Ref: change.Ref, Component: change.Component, Err: refused, Exists: change.Live != nil}
			if r.Exists {
				r.Managers = managersOf(change.Live)
			}
			s.refusals = append(s.refusals, r)
		}
		return ctx.Err()
	})
	if err == nil {
		err = s.vault.settle()
	}
	if err != nil {
		return nil, err
	}
	inOrder := func(a, b report.Ref) int {
		return slices.Index(s.order, keyOfRef(a)) - slices.Index(s.order, keyOfRef(b))
	}
	slices.SortFunc(s.conflicts, func(a, b Conflict) int { return inOrder(a.Ref, b.Ref) })
	slices.SortFunc(s.refusals, func(a, b Refusal) int { return inOrder(a.Ref, b.Ref) })
	if len(s.refusals) > 0 && !e.options.KeepRefusals {
		return nil, refusal(s.refusals[0].Ref, s.refusals[0].Err)
	}
	s.pruned = prunable(plan, s)
	return s, nil
}

// recordNames are the objects that a record may speak of: the plan's and the inventory's.
func (s *Survey) recordNames() map[string]bool {
	out := map[string]bool{}
	for k := range s.changes {
		out[k.recordName()] = true
	}
	for k := range s.members {
		out[k.recordName()] = true
	}
	return out
}

// stillHolds tells from the metadata of the inventory alone that an object is as the
// last run left it.
func (s *Survey) stillHolds(u *unstructured.Unstructured) bool {
	m, ok := s.members[keyOf(u)]
	return ok && m.meta.DeletionTimestamp == nil && s.record.fits(u, m.meta)
}

// Lacking is the error of a plan that takes for granted what is not in the cluster.
type Lacking struct {
	Component string
	Ref       report.Ref
}

func (l Lacking) Error() string {
	return fmt.Sprintf("--use-existing: component %s is not complete in the cluster, %s does not exist: install the component instead", l.Component, l.Ref)
}

// proveExisting looks for what the plan takes for granted: the kinds that a component
// defines, and, where no gate will ask its webhooks, the Services by whose names the
// others call it. To wait for them would be to wait for ever.
func (e *Engine) proveExisting(ctx context.Context, plan *Plan) error {
	for _, r := range plan.Existing {
		name := r.Component.Name
		for _, u := range r.Objects {
			switch {
			case u.GetKind() == crdKind && e.cluster.Mapper.Serves(u):
				continue
			case u.GetKind() == crdKind:
			case u.GetKind() != "Service" || len(r.Component.Gates) > 0:
				continue
			}
			client, _, err := e.cluster.For(u)
			var live *unstructured.Unstructured
			if err == nil {
				live, err = client.Get(ctx, u.GetName(), metav1.GetOptions{})
			}
			if err == nil && u.GetKind() == crdKind {
				err = e.learnEstablished(u, live)
			}
			if errors.Is(err, errNotServed) || apierrors.IsNotFound(err) {
				return Lacking{name, cluster.RefOf(u)}
			}
			if err != nil {
				return refusal(cluster.RefOf(u), err)
			}
		}
	}
	return nil
}

var errNotServed = errors.New("not served")

// learnEstablished takes up a definition that the list of all resources lacks. A busy
// server adds to that list some time after it has begun to serve a kind.
func (e *Engine) learnEstablished(wanted, live *unstructured.Unstructured) error {
	if status, _ := condition(live, "Established"); status != "True" {
		return errNotServed
	}
	if err := e.cluster.Mapper.Learn(live); err != nil {
		return err
	}
	if !e.cluster.Mapper.Serves(wanted) {
		return errNotServed
	}
	return nil
}

func keyOfRef(r report.Ref) key { return key{r.Group, r.Kind, r.Namespace, r.Name} }

func markMember(u *unstructured.Unstructured) {
	labels := u.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels[applySetPartOfLabel] = setID
	u.SetLabels(labels)
}

func (e *Engine) absentNamespaces(ctx context.Context, s *Survey, objects []*unstructured.Unstructured) error {
	var names []string
	for _, u := range objects {
		if ns := u.GetNamespace(); ns != "" && !slices.Contains(names, ns) {
			names = append(names, ns)
		}
	}
	s.absent = map[string]bool{}
	var mu sync.Mutex
	namespaces := e.cluster.Metadata.Resource(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"})
	err := e.parallel(ctx, len(names), func(ctx context.Context, i int) error {
		ns, err := namespaces.Get(ctx, names[i], metav1.GetOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("Namespace %s: %w", names[i], err)
		}
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err != nil:
			s.absent[names[i]] = true
		case ns.DeletionTimestamp != nil:
			// What is in a namespace that is being deleted goes with it.
			s.absent[names[i]] = true
			s.terminating = append(s.terminating, names[i])
		}
		return nil
	})
	slices.Sort(s.terminating)
	return err
}

// prunable lists members that no component of the plan has any more. Definitions,
// namespaces and a person's data are never among them.
func prunable(plan *Plan, s *Survey) []member {
	var out []member
	for k, m := range s.members {
		if _, wanted := s.changes[k]; !wanted && speaksFor(plan, m.component) && !keptKind(k.kind) && m.meta.DeletionTimestamp == nil {
			out = append(out, m)
		}
	}
	slices.SortFunc(out, func(a, b member) int { return strings.Compare(a.key.recordName(), b.key.recordName()) })
	return out
}

// speaksFor tells whether the plan speaks for a component, so that what it does not list is to go.
func speaksFor(plan *Plan, component string) bool {
	for _, r := range plan.Rendered {
		if r.Component.Name == component {
			return !r.Component.UserData
		}
	}
	if plan.Partial {
		return false
	}
	c, err := plan.Release.Component(component)
	if err != nil {
		return component != "" // an older release had it, or the user's own kustomization
	}
	return slices.Contains(c.NotIn, plan.Settings.Profile)
}

// keptKind are the kinds whose deletion takes other people's objects along.
func keptKind(kind string) bool {
	switch kind {
	case crdKind, "Namespace", "PersistentVolumeClaim", "PersistentVolume", "Profile", "Notebook":
		return true
	}
	return false
}
