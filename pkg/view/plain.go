package view

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// passing is how long a state has to last to be worth a line of its own.
const passing = time.Second

// Plain prints a line when something changes, for logs and pipes. What passes within
// a second is not printed, nor is progress within a state: a log of two hundred
// counters tells nobody anything.
type Plain struct {
	mu      sync.Mutex
	w       io.Writer
	now     func() time.Time
	started time.Time
	states  map[string]report.State
	waits   map[string]string
	// pending are states that have not lasted long enough yet.
	pending []pending
	// width of the column of names
	width int
}

type pending struct {
	event report.Event
	since time.Time
}

// NewPlain writes to w; now is the clock that elapsed times are measured with.
func NewPlain(w io.Writer, now func() time.Time) *Plain {
	return &Plain{w: w, now: now, started: now(), states: map[string]report.State{}, waits: map[string]string{}, width: 19}
}

// Event implements Progress.
func (p *Plain) Event(e report.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.Kind == report.EventComponent && p.states[e.Component] != e.State {
		p.forget(e.Component)
	}
	p.flush()
	switch e.Kind {
	case report.EventPlan:
		for _, c := range e.Components {
			p.width = max(p.width, len(c.Name))
			p.states[c.Name] = c.State
		}
	case report.EventComponent:
		if p.states[e.Component] == e.State {
			for i := range p.pending {
				if p.pending[i].event.Component == e.Component {
					p.pending[i].event = e // the newest counter, when it is printed
				}
			}
			return
		}
		p.states[e.Component] = e.State
		delete(p.waits, e.Component)
		if settled(e.State) || e.State == report.Degraded {
			p.line(e.Component, describe(e))
		} else {
			p.pending = append(p.pending, pending{e, p.now()})
		}
	case report.EventWait:
		if e.Message == "" || p.waits[e.Component] == e.Message {
			return
		}
		p.waits[e.Component] = e.Message
		p.line(e.Component, e.Message)
	case report.EventWarning:
		name := "warning"
		if e.Component != "" {
			name = e.Component
		}
		p.line(name, "warning: "+e.Message)
	}
}

// flush prints the states that have lasted.
func (p *Plain) flush() {
	var rest []pending
	for _, s := range p.pending {
		if p.now().Sub(s.since) < passing {
			rest = append(rest, s)
			continue
		}
		p.line(s.event.Component, describe(s.event))
	}
	p.pending = rest
}

func (p *Plain) forget(component string) {
	p.pending = slices.DeleteFunc(p.pending, func(s pending) bool { return s.event.Component == component })
}

// describe is a state with its progress and its reason.
func describe(e report.Event) string {
	s := string(e.State)
	if e.Total > 0 && (e.State == report.Applying || e.State == report.Progressing || e.State == report.Removed) {
		s += fmt.Sprintf(" %d/%d", e.Done, e.Total)
	}
	if e.Message != "" {
		s += ": " + e.Message
	}
	return s
}

func (p *Plain) line(name, text string) {
	if name == "" {
		name = others
	}
	fmt.Fprintf(p.w, "%7s  %-*s  %s\n", Elapsed(p.now().Sub(p.started)), p.width, name, text)
}

// Write puts somebody else's lines between the run's own, never inside of one.
func (p *Plain) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.w.Write(b)
}

// Close implements Progress.
func (p *Plain) Close() {}
