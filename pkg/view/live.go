package view

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// redrawEvery keeps the elapsed times moving without flicker.
const redrawEvery = 100 * time.Millisecond

// Live redraws one row for each component in place, on a terminal.
//
// It never draws more rows than the terminal has, nor longer ones than it is wide:
// what scrolls away or wraps could not be drawn over, and would stay as garbage.
type Live struct {
	mu      sync.Mutex
	w       io.Writer
	style   Style
	size    func() (width, height int)
	now     func() time.Time
	started time.Time
	rows    []*row
	byName  map[string]*row
	drawn   int
	closed  bool
	done    chan struct{}
	stopped chan struct{}
}

// others are objects of no component, such as definitions that Dex makes itself.
const others = "others"

type row struct {
	name        string
	state       report.State
	done, total int
	message     string
	started     time.Time
	ended       time.Time
}

// NewLive draws to w, a terminal of the given size, until Close.
func NewLive(w io.Writer, style Style, size func() (width, height int), now func() time.Time) *Live {
	l := &Live{
		w: w, style: style, size: size, now: now, started: now(),
		byName: map[string]*row{}, done: make(chan struct{}), stopped: make(chan struct{}),
	}
	go l.run()
	return l
}

func (l *Live) run() {
	defer close(l.stopped)
	tick := time.NewTicker(redrawEvery)
	defer tick.Stop()
	for {
		select {
		case <-l.done:
			return
		case <-tick.C:
			l.mu.Lock()
			l.redraw(nil, false)
			l.mu.Unlock()
		}
	}
}

// Event implements Progress.
func (l *Live) Event(e report.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch e.Kind {
	case report.EventPlan:
		for _, c := range e.Components {
			r := l.row(c.Name)
			r.state, r.total = c.State, c.Objects
		}
	case report.EventComponent:
		r := l.row(e.Component)
		if r.state != e.State {
			r.message = ""
		}
		if r.started.IsZero() && e.State != report.Waiting {
			r.started = l.now()
		}
		r.state = e.State
		if e.Total > 0 {
			r.done, r.total = e.Done, e.Total
		}
		if e.Message != "" {
			r.message = e.Message
		}
		if settled(e.State) {
			r.message = e.Message
			r.ended = l.now()
		} else {
			r.ended = time.Time{}
		}
	case report.EventObject:
		if e.Action == report.Deleted {
			r := l.row(e.Component)
			if r.started.IsZero() {
				r.started = l.now()
			}
			r.state = report.Removing
			r.done++
			r.message = ""
		}
	case report.EventDone:
		for _, r := range l.rows {
			if r.state == report.Removing {
				r.state, r.ended = report.Removed, l.now()
			}
		}
	case report.EventWait:
		if r, ok := l.byName[e.Component]; ok && !settled(r.state) {
			r.message = e.Message
		}
	case report.EventWarning:
		text := e.Message
		if e.Component != "" {
			text = e.Component + ": " + text
		}
		l.redraw([]byte(l.style.Severity(report.Warning)+": "+text+"\n"), false)
	}
}

func settled(s report.State) bool {
	switch s {
	case report.Ready, report.Accepted, report.Failed, report.Removed:
		return true
	}
	return false
}

func (l *Live) row(name string) *row {
	if name == "" {
		name = others
	}
	r, ok := l.byName[name]
	if !ok {
		r = &row{name: name, state: report.Waiting}
		l.byName[name] = r
		l.rows = append(l.rows, r)
	}
	return r
}

// Write puts lines above the rows.
func (l *Live) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return l.w.Write(p)
	}
	l.redraw(p, false)
	return len(p), nil
}

// Close draws the rows a last time, all of them, and leaves the cursor below.
func (l *Live) Close() {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return
	}
	l.closed = true
	close(l.done)
	l.redraw(nil, true)
	l.mu.Unlock()
	<-l.stopped
}

// redraw replaces what was drawn last, with lines above it. It is one write, so
// that nothing else comes between.
func (l *Live) redraw(above []byte, final bool) {
	if l.closed && !final || len(l.rows) == 0 && len(above) == 0 {
		return
	}
	width, height := l.size()
	var b bytes.Buffer
	if l.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", l.drawn)
	}
	b.WriteString("\r\x1b[J")
	if len(above) > 0 {
		b.Write(above)
		if above[len(above)-1] != '\n' {
			b.WriteByte('\n')
		}
	}
	rows := l.rows
	if room := height - 2; !final && room > 0 && len(rows) > room {
		rows = l.worthSeeing(room)
	}
	names := 0
	for _, r := range l.rows {
		names = max(names, utf8.RuneCountInString(r.name))
	}
	for _, r := range rows {
		b.WriteString(l.render(r, names, width))
		b.WriteByte('\n')
	}
	l.drawn = len(rows)
	if n := len(l.rows) - len(rows); n > 0 {
		b.WriteString(fit(fmt.Sprintf("  and %d more", n), width) + "\n")
		l.drawn++
	}
	_, _ = l.w.Write(b.Bytes())
}

// worthSeeing leaves out what is finished, then what has not begun, until the
// rest fits into room rows.
func (l *Live) worthSeeing(room int) []*row {
	drop := len(l.rows) - room
	dropped := map[*row]bool{}
	for _, leave := range []func(*row) bool{
		func(r *row) bool { return settled(r.state) && r.state != report.Failed },
		func(r *row) bool { return r.state == report.Waiting },
		func(*row) bool { return true },
	} {
		for _, r := range l.rows {
			if drop > 0 && !dropped[r] && leave(r) {
				dropped[r] = true
				drop--
			}
		}
	}
	var out []*row
	for _, r := range l.rows {
		if !dropped[r] {
			out = append(out, r)
		}
	}
	return out
}

func (l *Live) render(r *row, names, width int) string {
	mark := map[report.State]string{
		report.Ready: "✓", report.Accepted: "✓", report.Removed: "✓", report.Failed: "✗", report.Degraded: "!", report.Waiting: "·",
	}[r.state]
	if mark == "" {
		frames := []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
		mark = string(frames[int(l.now().Sub(l.started)/redrawEvery)%len(frames)])
	}
	elapsed := ""
	if !r.started.IsZero() {
		end := r.ended
		if end.IsZero() {
			end = l.now()
		}
		elapsed = Elapsed(end.Sub(r.started))
	}
	count := ""
	if r.total == 0 && r.done > 0 {
		count = fmt.Sprint(r.done)
	}
	if r.total > 0 && r.state != report.Waiting {
		count = fmt.Sprintf("%d/%d", r.done, r.total)
	}
	state, tail := fmt.Sprintf("%-11s", r.state), strings.TrimRight(fmt.Sprintf("  %7s  %6s  %s", count, elapsed, r.message), " ")
	if tail == "" {
		state = string(r.state)
	}
	// Cut to the width before colouring: escape sequences have no width.
	head := fit(fmt.Sprintf("%s %-*s  ", mark, names, r.name), width)
	state = fit(state, width-utf8.RuneCountInString(head))
	used := utf8.RuneCountInString(head) + utf8.RuneCountInString(state)
	tail = fit(tail, width-used)
	markEnd := len(mark)
	if markEnd > len(head) {
		return head
	}
	return l.style.State(r.state, head[:markEnd]) + head[markEnd:] + l.style.State(r.state, state) + tail
}

// fit cuts text to width columns; the last is left free, since some terminals
// wrap as soon as it is used.
func fit(text string, width int) string {
	if width <= 1 {
		return ""
	}
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' ' // a line break or an escape in a message would break the frame
		}
		return r
	}, text)
	if utf8.RuneCountInString(text) < width {
		return text
	}
	return string([]rune(text)[:width-2]) + "…"
}
