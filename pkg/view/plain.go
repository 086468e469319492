package view

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// Plain prints a line when something changes, for logs and pipes. Progress within
// a state is not printed: a log of two hundred counters tells nobody anything.
type Plain struct {
	mu      sync.Mutex
	w       io.Writer
	now     func() time.Time
	started time.Time
	states  map[string]report.State
	waits   map[string]string
	// width of the column of names
	width int
}

// NewPlain writes to w; now is the clock that elapsed times are measured with.
func NewPlain(w io.Writer, now func() time.Time) *Plain {
	return &Plain{w: w, now: now, started: now(), states: map[string]report.State{}, waits: map[string]string{}, width: 19}
}

// Event implements Progress.
func (p *Plain) Event(e report.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e.Kind {
	case report.EventPlan:
		for _, c := range e.Components {
			p.width = max(p.width, len(c.Name))
			p.states[c.Name] = c.State
		}
	case report.EventComponent:
		if p.states[e.Component] == e.State {
			return
		}
		p.states[e.Component] = e.State
		delete(p.waits, e.Component)
		p.line(e.Component, describe(e))
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
	fmt.Fprintf(p.w, "%7s  %-*s  %s\n", Elapsed(p.now().Sub(p.started)), p.width, name, text)
}

func (p *Plain) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.w.Write(b)
}

// Close implements Progress.
func (p *Plain) Close() {}
