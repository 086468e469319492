package rollout

import (
	"container/heap"
	"context"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// definitionsInFlight bounds the definitions that are sent at once. Each costs the
// server a tenth of a second of processor and makes it rebuild its schemas, and a pod
// that could be pulling its image waits meanwhile.
const definitionsInFlight = 3

// Urgency of a write, the lowest first: what pods need to start, then pods, since
// their images take longest, then everything else, then definitions: first those that
// something waits for.
const (
	urgentNamespace = iota
	urgentFoundation
	urgentWorkload
	urgentRest
	urgentDefinition
	urgentUnusedDefinition
)

func urgency(u *unstructured.Unstructured) int {
	switch {
	case u.GroupVersionKind().GroupKind() == namespaceKind:
		return urgentNamespace
	case u.GetKind() == crdKind:
		return urgentDefinition
	case isWorkload(u.GetKind()):
		return urgentWorkload
	case isFoundation(u):
		return urgentFoundation
	}
	return urgentRest
}

// slots bounds the writes under way and lets the urgent ones go first.
type slots struct {
	mu      sync.Mutex
	free    int
	heavy   int
	waiting tickets
	next    int
}

type ticket struct {
	urgency, number int
	ready           chan struct{}
}

func newSlots(n, definitions int) *slots { return &slots{free: n, heavy: definitions} }

// take waits for a slot. The function it returns gives it back.
func (s *slots) take(ctx context.Context, urgency int) (func(), error) {
	s.mu.Lock()
	t := &ticket{urgency: urgency, number: s.next, ready: make(chan struct{})}
	s.next++
	heap.Push(&s.waiting, t)
	s.admit()
	s.mu.Unlock()
	select {
	case <-t.ready:
		return func() { s.give(urgency) }, nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-t.ready: // admitted just now; nobody will use the slot
		s.release(urgency)
	default:
		s.waiting.drop(t)
	}
	return nil, ctx.Err()
}

func (s *slots) give(urgency int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.release(urgency)
}

func (s *slots) release(urgency int) {
	s.free++
	if urgency >= urgentDefinition {
		s.heavy++
	}
	s.admit()
}

// admit lets in whoever is first, as long as there is room. Definitions are the least
// urgent, so one that finds no room among its own kind holds up nobody.
func (s *slots) admit() {
	for s.free > 0 && len(s.waiting) > 0 {
		definition := s.waiting[0].urgency >= urgentDefinition
		if definition && s.heavy == 0 {
			return
		}
		t := heap.Pop(&s.waiting).(*ticket)
		s.free--
		if definition {
			s.heavy--
		}
		close(t.ready)
	}
}

// tickets is a heap: by urgency, and first come first served within one.
type tickets []*ticket

func (t tickets) Len() int { return len(t) }
func (t tickets) Less(i, j int) bool {
	if t[i].urgency != t[j].urgency {
		return t[i].urgency < t[j].urgency
	}
	return t[i].number < t[j].number
}
func (t tickets) Swap(i, j int) { t[i], t[j] = t[j], t[i] }
func (t *tickets) Push(x any)   { *t = append(*t, x.(*ticket)) }
func (t *tickets) Pop() any {
	last := len(*t) - 1
	x := (*t)[last]
	*t = (*t)[:last]
	return x
}

func (t *tickets) drop(x *ticket) {
	for i, y := range *t {
		if y == x {
			heap.Remove(t, i)
			return
		}
	}
}
