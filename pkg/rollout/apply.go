package rollout

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// run is one Apply: the graph, and every object on its way through it.
type run struct {
	*Engine
	plan   *Plan
	survey *Survey
	graph  *graph
	// slots bounds the writes that are under way.
	slots      *slots
	readyFacts map[key]*fact
	started    time.Time
	// record of this run, guarded by recording
	recording sync.Mutex
	record    record
	last      *LastRun
	// late are the objects that an upgrade sends last, by wave
	late map[key]int
	// outlived are objects of the release before that go at the end and were in no inventory
	outlived []member

	work sync.WaitGroup
	fail context.CancelCauseFunc
}

// Apply brings the plan into the cluster. Every object is sent as soon as what it needs
// is there; independent branches run side by side. A run that is cut off at any
// moment is completed by the next one. The error is a *Failure.
func (e *Engine) Apply(ctx context.Context, plan *Plan, survey *Survey) (*report.Report, *Credentials, error) {
	if len(survey.conflicts) > 0 {
		return nil, nil, &Failure{Err: fmt.Errorf("%d objects belong to another owner, the first is %s: nothing was changed", len(survey.conflicts), survey.conflicts[0])}
	}
	if plan.From != nil && !e.options.Wait {
		// What is pruned serves until the rest is ready.
		waiting := *e
		waiting.options.Wait = true
		e = &waiting
	}
	bounded, release := e.bounded(ctx)
	defer release()
	working, fail := context.WithCancelCause(bounded)
	defer fail(nil)
	course := survey.course(plan)
	r := &run{
		Engine: e, plan: plan, survey: survey, graph: newGraph(plan, course), late: course.late, slots: newSlots(inFlight, definitionsInFlight),
		readyFacts: map[key]*fact{}, started: time.Now(), fail: fail, record: maps.Clone(survey.record),
	}
	err := r.do(working)
	fail(nil)
	r.work.Wait()
	if recorded := r.recordApplied(ctx, err); err == nil {
		err = recorded
	}
	out := r.report()
	e.events.emit(report.Event{Kind: report.EventDone})
	if err != nil {
		return out, nil, r.failure(ctx, err, out)
	}
	credentials := &Credentials{Email: plan.Settings.UserEmail, engine: e}
	if v := survey.vault; v.password != "" {
		credentials.Password, credentials.Generated, credentials.secret = v.password, true, v.passwordKey
	}
	return out, credentials, nil
}

func (e *Engine) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return Bounded(ctx, e.options.Timeout)
}

func (r *run) do(ctx context.Context) error {
	r.begin()
	if err := r.recordParent(ctx); err != nil {
		return err
	}
	var rows []report.Component
	for _, n := range r.graph.nodes {
		rows = append(rows, r.row(n))
		for _, u := range n.Objects {
			r.readyFacts[keyOf(u)] = newFact()
		}
	}
	r.events.emit(report.Event{Kind: report.EventPlan, Components: rows})
	if err := r.pruneFirst(ctx); err != nil {
		return err
	}
	var goals []*fact
	for _, n := range r.graph.nodes {
		goals = append(goals, n.accepted.fact)
		for i := range n.Component.Gates {
			gate := &n.Component.Gates[i]
			f := n.gates[gate.Condition]
			if r.options.Wait && r.possible(gate) {
				goals = append(goals, f)
			}
			r.start(func() error { return r.openGate(ctx, n, gate, f) })
		}
		for _, u := range n.Objects {
			r.start(func() error { return r.bring(ctx, n, u) })
		}
		if n.existing {
			continue
		}
		for _, p := range n.Component.Produces {
			r.start(func() error { return r.awaitProduced(ctx, n, p) })
		}
		if r.options.Wait {
			goals = append(goals, n.ready.fact)
		}
	}
	explaining, stop := context.WithCancel(ctx)
	defer stop()
	r.start(func() error { return r.explainWhileWaiting(explaining) })
	for _, f := range goals {
		if err := f.wait(ctx); err != nil {
			return context.Cause(ctx)
		}
	}
	if err := r.prune(ctx); err != nil {
		return err
	}
	return r.conclude(ctx)
}

// start runs one step of the work; the first that fails ends the run.
func (r *run) start(f func() error) {
	r.work.Go(func() {
		if err := f(); err != nil {
			r.fail(err)
		}
	})
}

// possible tells whether what a gate's probes need is part of the run at all.
func (r *run) possible(gate *components.Gate) bool {
	for _, need := range gate.Needs {
		if r.graph.byRef[need.Component] == nil {
			return false
		}
	}
	return true
}

func (r *run) openGate(ctx context.Context, n *node, gate *components.Gate, f *fact) error {
	if !r.possible(gate) {
		return nil
	}
	if err := r.pass(ctx, n, gate); err != nil {
		return err
	}
	f.set()
	r.progress(n)
	return nil
}

// waitsFor opens the note of an object that is not sent yet.
const waitsFor = "waits for "

// bring takes one object from the plan to Ready.
func (r *run) bring(ctx context.Context, n *node, u *unstructured.Unstructured) error {
	k := keyOf(u)
	if n.existing {
		if u.GetKind() != crdKind {
			return nil
		}
		return r.establish(ctx, n, u, nil)
	}
	if r.late[k] > 0 {
		if u.GroupVersionKind().GroupKind() != namespaceKind {
			return nil
		}
		u = stillLoose(u, r.survey.changes[k].Live)
	}
	for _, p := range slices.Concat(r.withoutHeld(n, u, r.graph.prerequisites(n, u)), r.startsAfter(u), r.follows(n, u)) {
		if !p.fact.holds() {
			r.note(n, k, waitsFor+p.say)
		}
		if err := p.fact.wait(ctx); err != nil {
			return err
		}
	}
	now, action, err := r.send(ctx, n, u)
	if err != nil {
		return err
	}
	r.accepted(n, u, action)
	if u.GetKind() == crdKind {
		return r.establish(ctx, n, u, now)
	}
	ok, message := Readiness(now)
	if !ok {
		r.note(n, k, message)
		client, err := r.clientFor(u)
		if err != nil {
			return refusal(k.ref(), err)
		}
		err = until(ctx, client, u.GetName(), now.GetResourceVersion(), func(u *unstructured.Unstructured) (bool, error) {
			ok, message := Readiness(u)
			r.note(n, k, message)
			return ok, nil
		})
		if err != nil {
			return fmt.Errorf("%s: %w", k.ref(), err)
		}
	}
	r.ready(n, k)
	return nil
}

func (r *run) startsAfter(u *unstructured.Unstructured) []prerequisite {
	first := u.GetAnnotations()[StartsAfterAnnotation]
	if first == "" {
		return nil
	}
	namespace, name, _ := strings.Cut(first, "/")
	k := key{"apps", "Deployment", namespace, name}
	if f := r.readyFacts[k]; f != nil {
		return []prerequisite{{f, k.ref().String()}}
	}
	return nil // not part of this run: whoever left it out answers for it
}

// send makes the one PATCH, or none where the survey saw that nothing would change.
func (r *run) send(ctx context.Context, n *node, u *unstructured.Unstructured) (*unstructured.Unstructured, report.Action, error) {
	k := keyOf(u)
	change := r.survey.changes[k]
	if change.Action == report.Unchanged {
		if change.Live == nil {
			return u, report.Unchanged, nil // known from the inventory; its status does not matter
		}
		r.remember(u, change.Live)
		return change.Live, report.Unchanged, nil
	}
	if change.Leaving != nil {
		if err := r.awaitGone(ctx, n, u); err != nil {
			return nil, "", err
		}
	}
	if err := r.makeWay(ctx, n, u, change); err != nil {
		return nil, "", err
	}
	rank := urgency(u)
	if n.foundation(u) {
		rank = min(rank, urgentFoundation)
	}
	if rank == urgentDefinition && !r.graph.awaited(n, u) {
		rank = urgentUnusedDefinition
	}
	give, err := r.slots.take(ctx, rank)
	if err != nil {
		return nil, "", err
	}
	defer give()
	r.note(n, k, "is being applied")
	pause := retryPause()
	for {
		now, err := r.write(ctx, u, change.Live)
		if err == nil {
			r.remember(u, now)
			if change.Live != nil && change.Live.GetResourceVersion() == now.GetResourceVersion() {
				return now, report.Unchanged, nil
			}
			return now, change.Action, nil
		}
		what, later := retryable(err)
		if !later {
			if ctx.Err() != nil {
				return nil, "", ctx.Err()
			}
			return nil, "", refusal(k.ref(), err)
		}
		r.note(n, k, what)
		r.events.wait(n.Component.Name, k.ref(), what)
		if err := pauseFor(ctx, pause.Step()); err != nil {
			return nil, "", err
		}
	}
}

func (r *run) write(ctx context.Context, u, live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	if r.survey.vault.states[keyOf(u)] != nil {
		return r.store(ctx, r.survey.vault, u)
	}
	client, _, err := r.cluster.For(u)
	if err != nil {
		return nil, err
	}
	return client.Apply(ctx, u.GetName(), withoutForeign(u, live), metav1.ApplyOptions{FieldManager: FieldManager, Force: r.options.Adopt})
}

var namespaceKind = schema.GroupKind{Kind: "Namespace"}

func (r *run) accepted(n *node, u *unstructured.Unstructured, action report.Action) {
	ref := cluster.RefOf(u)
	n.mu.Lock()
	n.acceptedN++
	n.changes[action]++
	n.mu.Unlock()
	if u.GroupVersionKind().GroupKind() == namespaceKind {
		r.graph.namespaces[u.GetName()].set()
	}
	if n.foundation(u) {
		n.foundations.one()
	}
	n.accepted.one()
	r.events.emit(report.Event{Kind: report.EventObject, Component: n.Component.Name, Object: &ref, Action: action})
	r.progress(n)
}

func (r *run) ready(n *node, k key) {
	n.mu.Lock()
	n.readyN++
	delete(n.subject, k)
	n.mu.Unlock()
	if f := r.readyFacts[k]; f != nil {
		f.set()
	}
	n.ready.one()
	r.progress(n)
}

// note remembers why an object is not ready yet, for whoever asks.
func (r *run) note(n *node, k key, message string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.subject[k] = message
}

// forget drops a note once it no longer holds.
func (r *run) forget(n *node, k key) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.subject, k)
}

// subjects lists what is in the cluster and not ready. What has not been sent because it
// waits for another object has nothing wrong with it.
func (r *run) subjects() []Subject {
	var out []Subject
	for _, n := range r.graph.nodes {
		n.mu.Lock()
		for k, message := range n.subject {
			if strings.HasPrefix(message, waitsFor) {
				continue
			}
			out = append(out, Subject{Component: n.Component.Name, Ref: k.ref(), Message: message})
		}
		n.mu.Unlock()
	}
	slices.SortStableFunc(out, func(a, b Subject) int { return strings.Compare(a.Component+a.Ref.String(), b.Component+b.Ref.String()) })
	return out
}
