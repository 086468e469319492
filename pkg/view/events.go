package view

import (
	"encoding/json"
	"io"
	"sync"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// Progress shows a run while it goes on.
type Progress interface {
	// Event takes what happened. It is a report.Sink.
	Event(report.Event)
	// Write shows further lines, such as the API server's warnings, without
	// disturbing what is on the screen.
	io.Writer
	// Close ends the display; it may be called more than once.
	Close()
}

// Events prints one JSON document a line, for programs. It has no place for
// further lines: Write passes them to the other stream.
type Events struct {
	mu     sync.Mutex
	out    *json.Encoder
	others io.Writer
}

// NewEvents writes events to out and everything else to others.
func NewEvents(out, others io.Writer) *Events {
	e := &Events{out: json.NewEncoder(out), others: others}
	e.out.SetEscapeHTML(false)
	return e
}

// Event implements Progress.
func (e *Events) Event(ev report.Event) { e.Document(ev) }

// Document prints one more line, such as the report at the end.
func (e *Events) Document(v any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	// A reader that has gone away is no reason to stop half way through a cluster.
	_ = e.out.Encode(v)
}

// Write passes on what is no event: lines for people.
func (e *Events) Write(p []byte) (int, error) { return e.others.Write(p) }

// Close implements Progress.
func (e *Events) Close() {}
