package view

import (
	"fmt"
	"io"
	"strconv"
	"time"
)

const (
	// redrawn, and printed, is how often at most a transfer is shown.
	redrawn = 200 * time.Millisecond
	printed = 10 * time.Second
)

// Meter shows how far a transfer, or other work, is: in place on a terminal, elsewhere as a line now and
// then.
type Meter struct {
	w      io.Writer
	screen *Screen
	now    func() time.Time
	amount func(int64) string

	what    string
	started time.Time
	from    int64
	last    time.Time
}

// NewMeter writes to w; now is the clock that the rate is measured with.
func NewMeter(w io.Writer, now func() time.Time) *Meter {
	m := &Meter{w: w, now: now, last: now(), amount: Bytes}
	if f, ok := Redrawable(w); ok {
		m.screen = NewScreen(f, TerminalSize(f))
	}
	return m
}

// NewCounter is a meter of things that are counted.
func NewCounter(w io.Writer, now func() time.Time) *Meter {
	m := NewMeter(w, now)
	m.amount = func(n int64) string { return strconv.FormatInt(n, 10) }
	return m
}

// Show says what is done, and how much of it.
func (m *Meter) Show(what string, done, total int64) {
	now := m.now()
	every := printed
	if m.screen != nil {
		every = redrawn
	}
	if m.what != what {
		m.what, m.started, m.from = what, now, done
		if m.screen != nil {
			every = 0
		}
	}
	if now.Sub(m.last) < every {
		return
	}
	m.last = now
	text := m.line(done, total, now.Sub(m.started))
	if m.screen == nil {
		fmt.Fprintln(m.w, text)
		return
	}
	_ = m.screen.Show(text, "")
}

func (m *Meter) line(done, total int64, took time.Duration) string {
	if total == 0 {
		return m.what
	}
	text := fmt.Sprintf("%s: %3d%%, %s of %s", m.what, done*100/total, m.amount(done), m.amount(total))
	if moved := done - m.from; moved > 0 && took > time.Second {
		rate := float64(moved) / took.Seconds()
		text += fmt.Sprintf(", %s/s, %s left", m.amount(int64(rate)), time.Duration(float64(total-done)/rate*float64(time.Second)).Round(time.Second))
	}
	return text
}

// Say prints a line above what is shown.
func (m *Meter) Say(text string) {
	m.Close()
	fmt.Fprintln(m.w, text)
}

// Close takes away what is shown in place.
func (m *Meter) Close() {
	if m.screen != nil {
		_ = m.screen.Show("", "")
		m.what = ""
	}
}

// Bytes is a number of bytes as people read it: 312.5 MiB.
func Bytes(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, i := float64(n), 0
	for value >= unit && i < 5 {
		value /= unit
		i++
	}
	return fmt.Sprintf("%.1f %ciB", value, " KMGTP"[i])
}
