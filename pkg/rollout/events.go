package rollout

import (
	"sync"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// emitter hands events on, one at a time, with their time.
type emitter struct {
	mu   sync.Mutex
	sink report.Sink
	// last message of each wait, so that a retry loop says a thing once
	last map[string]string
	// warned holds every warning that was given
	warned map[string]bool
}

func newEmitter(sink report.Sink) *emitter {
	return &emitter{sink: sink, last: map[string]string{}, warned: map[string]bool{}}
}

func (e *emitter) emit(ev report.Event) {
	if e.sink == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	ev.Time = time.Now()
	e.sink(ev)
}

// wait tells what an object waits for, whenever that is something else than before.
func (e *emitter) wait(component string, ref report.Ref, message string) {
	e.mu.Lock()
	said := e.last[ref.String()] == message
	e.last[ref.String()] = message
	e.mu.Unlock()
	if !said {
		e.emit(report.Event{Kind: report.EventWait, Component: component, Object: &ref, Message: message})
	}
}

// warn tells what is wrong, each thing once in a run.
func (e *emitter) warn(component string, ref report.Ref, message string) {
	k := ref.String() + "\n" + message
	e.mu.Lock()
	said := e.warned[k]
	e.warned[k] = true
	e.mu.Unlock()
	if !said {
		e.emit(report.Event{Kind: report.EventWarning, Component: component, Object: &ref, Message: message})
	}
}
