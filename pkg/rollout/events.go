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

// wait tells what is waited for, once for each message.
func (e *emitter) wait(component string, ref report.Ref, message string) {
	e.once(report.Event{Kind: report.EventWait, Component: component, Object: &ref, Message: message})
}

// warn tells what is wrong, once for each message.
func (e *emitter) warn(component string, ref *report.Ref, message string) {
	e.once(report.Event{Kind: report.EventWarning, Component: component, Object: ref, Message: message})
}

func (e *emitter) once(ev report.Event) {
	key := string(ev.Kind) + ev.Component
	if ev.Object != nil {
		key += ev.Object.String()
	}
	e.mu.Lock()
	if e.last == nil {
		e.last = map[string]string{}
	}
	said := e.last[key] == ev.Message
	e.last[key] = ev.Message
	e.mu.Unlock()
	if !said {
		e.emit(ev)
	}
}
