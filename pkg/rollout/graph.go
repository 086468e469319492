package rollout

import (
	"context"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// fact is something that becomes true once and that others wait for.
type fact struct {
	once sync.Once
	done chan struct{}
}

func newFact() *fact { return &fact{done: make(chan struct{})} }

func (f *fact) set() { f.once.Do(func() { close(f.done) }) }

func (f *fact) holds() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

func (f *fact) wait(ctx context.Context) error {
	select {
	case <-f.done:
		return nil
	default:
	}
	select {
	case <-f.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// count is a fact that holds once n others have come about.
type count struct {
	*fact
	mu   sync.Mutex
	left int
}

func newCount(n int) *count {
	c := &count{fact: newFact(), left: n}
	if n == 0 {
		c.set()
	}
	return c
}

func (c *count) one() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left--; c.left == 0 {
		c.set()
	}
}

// node is a component in the graph of one run.
type node struct {
	components.Rendered
	existing bool
	// moved are Services that choose other pods than before
	moved map[key]bool
	// accepted, foundations and ready count objects; established counts definitions.
	accepted, foundations, established, ready *count
	// gates holds Admission and Injection where the component has such a gate.
	gates map[components.Condition]*fact

	// telling is held while the state is worked out and told
	telling sync.Mutex

	mu        sync.Mutex
	state     report.State
	acceptedN int
	readyN    int
	changes   map[report.Action]int
	// subject says of every object on its way why it is not ready
	subject         map[key]string
	begun, finished time.Time
}

// graph is the run: every object waits for the facts it needs and for nothing else.
type graph struct {
	nodes []*node
	byRef map[string]*node
	// accepted facts of namespaces, established facts of kinds
	namespaces map[string]*fact
	kinds      map[schema.GroupKind]*fact
	// used are the kinds that objects of the plan are of
	used map[schema.GroupKind]bool
}

// newGraph makes the graph of a plan. Nothing waits for what is late, and no workload for a
// Service that moves to its pods.
func newGraph(plan *Plan, c course) *graph {
	g := &graph{byRef: map[string]*node{}, namespaces: map[string]*fact{}, kinds: map[schema.GroupKind]*fact{}, used: map[schema.GroupKind]bool{}}
	add := func(r components.Rendered, existing bool) {
		n := &node{
			Rendered: r, existing: existing, moved: c.moved, state: report.Waiting, changes: map[report.Action]int{}, subject: map[key]string{},
			gates: map[components.Condition]*fact{},
		}
		for _, gate := range r.Component.Gates {
			n.gates[gate.Condition] = newFact()
		}
		definitions, foundations, sent := 0, 0, len(r.Objects)
		for _, u := range r.Objects {
			g.used[u.GroupVersionKind().GroupKind()] = true
			if u.GetKind() == crdKind {
				definitions++
				if g.kinds[definedKind(u)] == nil {
					g.kinds[definedKind(u)] = newFact()
				}
			}
			if n.foundation(u) {
				foundations++
			}
			if u.GetKind() == "Namespace" && !existing {
				g.namespaces[u.GetName()] = newFact()
			} else if c.late[keyOf(u)] > 0 {
				sent--
			}
		}
		if existing {
			sent, foundations = 0, 0
		}
		n.accepted, n.foundations, n.established = newCount(sent), newCount(foundations), newCount(definitions)
		n.ready = newCount(sent + len(r.Component.Produces))
		g.nodes = append(g.nodes, n)
		g.byRef[r.Component.Name] = n
	}
	for _, r := range plan.Existing {
		add(r, true)
	}
	for _, r := range plan.Rendered {
		add(r, false)
	}
	return g
}

// isFoundation tells what a workload of the same component must find when its first
// pod starts: accounts, rights, configuration, secrets.
func isFoundation(u *unstructured.Unstructured) bool {
	switch u.GroupVersionKind().Group {
	case "", "rbac.authorization.k8s.io":
		return !isWorkload(u.GetKind()) && u.GetKind() != "Namespace"
	}
	return false
}

// foundation tells what has to be there before the component's workloads are sent:
// also what they would make themselves if they did not find it, as Dex does with the
// kinds of its store. It would be somebody else's for the next run.
func (n *node) foundation(u *unstructured.Unstructured) bool {
	return isFoundation(u) && !n.moved[keyOf(u)] || slices.ContainsFunc(n.Component.Leaves, func(l components.Leftover) bool {
		return l.Matches(u.GetKind(), u.GetNamespace(), u.GetName())
	})
}

// awaited tells whether something waits for a definition: an object of its kind, or the
// component's own programs, for whose answers a gate waits.
func (g *graph) awaited(n *node, crd *unstructured.Unstructured) bool {
	return g.used[definedKind(crd)] || len(n.Component.Gates) > 0
}

// fact of a condition of a component; nil when the component is not part of the run.
func (g *graph) fact(component string, c components.Condition) *fact {
	n := g.byRef[component]
	if n == nil {
		return nil
	}
	if f := n.gates[c]; f != nil {
		return f
	}
	switch c {
	case components.Accepted:
		return n.accepted.fact
	case components.Established:
		return n.established.fact
	}
	return n.ready.fact
}

// prerequisite is a fact with what to say while it is waited for.
type prerequisite struct {
	fact *fact
	say  string
}

// prerequisites of one object, the cheap ones first.
func (g *graph) prerequisites(n *node, u *unstructured.Unstructured) []prerequisite {
	var out []prerequisite
	if f := g.namespaces[u.GetNamespace()]; f != nil {
		out = append(out, prerequisite{f, "namespace " + u.GetNamespace()})
	}
	if f := g.kinds[u.GroupVersionKind().GroupKind()]; f != nil {
		out = append(out, prerequisite{f, "CustomResourceDefinition of " + u.GetKind()})
	}
	if isWorkload(u.GetKind()) {
		out = append(out, prerequisite{n.foundations.fact, "service accounts and configuration of " + n.Component.Name})
	}
	for _, need := range n.Component.Needs {
		if f := g.fact(need.Component, need.Condition); f != nil && need.Gates(u.GetKind()) {
			out = append(out, prerequisite{f, string(need.Condition) + " of " + need.Component})
		}
	}
	return out
}
