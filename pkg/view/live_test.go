package view

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// screen is as much of a terminal as Live needs: it keeps the lines, moves up, and
// clears to the end. Lines that are too long fail the test, because a terminal
// would wrap them.
type screen struct {
	t             *testing.T
	mu            sync.Mutex
	width, height int
	lines         []string
	row           int
	raw           strings.Builder
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.raw.Write(p)
	for text := string(p); text != ""; {
		var n int
		switch {
		case strings.HasPrefix(text, "\x1b[J"):
			s.lines = s.lines[:s.row]
			text = text[3:]
		case strings.HasPrefix(text, "\x1b["):
			if _, err := fmt.Sscanf(text, "\x1b[%dA", &n); err == nil && strings.HasPrefix(text, fmt.Sprintf("\x1b[%dA", n)) {
				if n > s.height-1 {
					s.t.Errorf("moved up %d lines on a screen of %d", n, s.height)
				}
				s.row -= n
				text = strings.TrimPrefix(text, fmt.Sprintf("\x1b[%dA", n))
				continue
			}
			_, text, _ = strings.Cut(text, "m") // a colour
		case text[0] == '\r':
			text = text[1:]
		case text[0] == '\n':
			s.put("")
			s.row++
			text = text[1:]
		default:
			end := strings.IndexAny(text, "\x1b\r\n")
			if end < 0 {
				end = len(text)
			}
			s.put(text[:end])
			text = text[end:]
		}
	}
	return len(p), nil
}

func (s *screen) put(text string) {
	for len(s.lines) <= s.row {
		s.lines = append(s.lines, "")
	}
	s.lines[s.row] += text
	if n := utf8.RuneCountInString(s.lines[s.row]); n >= s.width {
		s.t.Errorf("a line of %d columns on a screen of %d: %q", n, s.width, s.lines[s.row])
	}
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.lines, "\n") + "\n"
}

// clock is moved by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newLive(t *testing.T, width, height int) (*Live, *screen, *clock) {
	t.Helper()
	s := &screen{t: t, width: width, height: height}
	c := &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	l := NewLive(s, Style{Color: true}, func() (int, int) { return width, height }, c.Now)
	t.Cleanup(l.Close)
	return l, s, c
}

func plan(names ...string) report.Event {
	e := report.Event{Kind: report.EventPlan}
	for _, n := range names {
		e.Components = append(e.Components, report.Component{Name: n, State: report.Waiting, Objects: 10})
	}
	return e
}

func component(name string, state report.State, done int) report.Event {
	return report.Event{Kind: report.EventComponent, Component: name, State: state, Done: done, Total: 10}
}

func TestLiveShowsOneRowForEachComponentAndLeavesThemAtTheEnd(t *testing.T) {
	l, s, c := newLive(t, 80, 24)
	l.Event(plan("cert-manager", "istio", "dex"))
	l.Event(component("cert-manager", report.Applying, 3))
	c.add(1500 * time.Millisecond)
	l.Event(component("cert-manager", report.Progressing, 7))
	l.Event(report.Event{Kind: report.EventWait, Component: "cert-manager", Message: "webhook webhook.cert-manager.io does not answer yet"})
	l.Event(component("istio", report.Applying, 1))
	c.add(time.Second)
	l.Event(component("cert-manager", report.Ready, 10))
	l.Event(component("istio", report.Failed, 4))
	l.Close()
	want := `✓ cert-manager  Ready          10/10    2.5s
✗ istio         Failed          4/10    1.0s
· dex           Waiting
`
	if d := cmp.Diff(want, s.text()); d != "" {
		t.Errorf("want (-), on the screen (+):\n%s", d)
	}
}

func TestLiveSaysWhatAComponentWaitsForAndForgetsItAfterwards(t *testing.T) {
	l, s, _ := newLive(t, 80, 24)
	l.Event(plan("istio"))
	l.Event(component("istio", report.Progressing, 9))
	l.Event(report.Event{Kind: report.EventWait, Component: "istio", Message: "no caBundle yet"})
	fmt.Fprintln(l, "a line above makes it draw")
	if !strings.Contains(s.text(), "no caBundle yet") {
		t.Errorf("what is waited for is not on the screen:\n%s", s.text())
	}
	l.Event(component("istio", report.Ready, 10))
	l.Close()
	if strings.Contains(s.text(), "caBundle") {
		t.Errorf("what was waited for is still on the screen:\n%s", s.text())
	}
}

func TestLivePutsWarningsAboveTheRows(t *testing.T) {
	l, s, _ := newLive(t, 80, 24)
	l.Event(plan("istio"))
	fmt.Fprint(l, "Warning: deprecated\n")
	l.Event(report.Event{Kind: report.EventWarning, Component: "istio", Message: "ImagePullBackOff"})
	l.Close()
	want := `Warning: deprecated
warning: istio: ImagePullBackOff
· istio  Waiting
`
	if d := cmp.Diff(want, s.text()); d != "" {
		t.Errorf("want (-), on the screen (+):\n%s", d)
	}
}

func TestLiveNeverDrawsMoreThanTheTerminalHolds(t *testing.T) {
	l, s, _ := newLive(t, 40, 6)
	names := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
	l.Event(plan(names...))
	for _, n := range names {
		l.Event(component(n, report.Applying, 1))
		l.Event(report.Event{Kind: report.EventWait, Component: n, Message: strings.Repeat("a very long reason ", 10) + "\nwith\x1b[2Jescapes"})
		fmt.Fprintln(l, n) // draws
	}
	l.Event(component("a", report.Ready, 10))
	fmt.Fprintln(l, "after")
	if text := s.text(); !strings.Contains(text, "and 4 more") {
		t.Errorf("it does not say that rows are left out:\n%s", text)
	}
	l.Close()
	for _, n := range names {
		if !strings.Contains(s.text(), " "+n+"  ") {
			t.Errorf("%s is not on the screen at the end:\n%s", n, s.text())
		}
	}
}

func TestLiveWritesNothingBeforeThereIsSomethingToShow(t *testing.T) {
	l, s, _ := newLive(t, 80, 24)
	l.mu.Lock()
	l.redraw(nil, false)
	l.mu.Unlock()
	l.Close()
	if got := s.raw.String(); got != "" {
		t.Errorf("wrote %q", got)
	}
}

func TestLiveCountsWhatAnUninstallationHasDeleted(t *testing.T) {
	l, s, _ := newLive(t, 80, 24)
	deleted := func(component string) report.Event {
		return report.Event{Kind: report.EventObject, Component: component, Action: report.Deleted, Object: &report.Ref{Kind: "Service", Name: "x"}}
	}
	l.Event(deleted("istio"))
	l.Event(deleted("istio"))
	l.Event(deleted(""))
	l.Event(report.Event{Kind: report.EventComponent, Component: "istio", State: report.Removed, Done: 2, Total: 2})
	fmt.Fprintln(l, "draws")
	if text := s.text(); !strings.Contains(text, "others  Removing           1") {
		t.Errorf("what belongs to no component is not counted:\n%s", text)
	}
	l.Event(report.Event{Kind: report.EventDone})
	l.Close()
	text := s.text()
	if !strings.Contains(text, "✓ istio   Removed          2/2") {
		t.Errorf("istio is not shown as removed:\n%s", text)
	}
	if !strings.Contains(text, "✓ others  Removed            1") {
		t.Errorf("what belongs to no component is still being removed:\n%s", text)
	}
}
