package view

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// StatusWatch shows one report after the other.
type StatusWatch interface {
	Show(r *report.Report) error
}

// StatusScreen draws each report over the one before, on a terminal.
type StatusScreen struct {
	w     io.Writer
	wide  bool
	style Style
	size  func() (width, height int)
	now   func() time.Time
	drawn int
}

// NewStatusScreen draws to a terminal of the given size.
func NewStatusScreen(w io.Writer, wide bool, style Style, size func() (width, height int), now func() time.Time) *StatusScreen {
	return &StatusScreen{w: w, wide: wide, style: style, size: size, now: now}
}

// Show implements StatusWatch. It draws no more lines than the terminal has, and none
// that wraps: what scrolls away could not be drawn over.
func (s *StatusScreen) Show(r *report.Report) error {
	var b bytes.Buffer
	if err := Status(&b, r, s.wide, s.style, s.now()); err != nil {
		return err
	}
	width, height := s.size()
	lines := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
	if room := max(1, height-1); len(lines) > room {
		// The verdict stays; what is cut is the end of the causes.
		verdict := lines[len(lines)-1]
		lines = append(lines[:max(0, room-2)], "...", verdict)
	}
	var out strings.Builder
	if s.drawn > 0 {
		fmt.Fprintf(&out, "\x1b[%dA", s.drawn)
	}
	for _, l := range lines {
		// The last column is left free: some terminals wrap as soon as it is used.
		out.WriteString(cutLine(l, width-1) + "\x1b[K\n")
	}
	out.WriteString("\x1b[J")
	s.drawn = len(lines)
	_, err := io.WriteString(s.w, out.String())
	return err
}

// cutLine cuts a line to a width. Escape sequences have none, and are never cut.
func cutLine(line string, width int) string {
	var b strings.Builder
	n, escape := 0, false
	for _, c := range line {
		switch {
		case c == '\x1b':
			escape = true
		case escape:
			escape = c != 'm'
		case n >= width:
			continue
		default:
			n++
		}
		b.WriteRune(c)
	}
	return b.String()
}

// StatusLines prints a line for each row that has changed, for logs and pipes.
type StatusLines struct {
	w    io.Writer
	now  func() time.Time
	rows map[string]string
}

// NewStatusLines writes to w; now is the clock that lines are stamped with.
func NewStatusLines(w io.Writer, now func() time.Time) *StatusLines {
	return &StatusLines{w: w, now: now, rows: map[string]string{}}
}

// Show implements StatusWatch. The first report is printed whole.
func (s *StatusLines) Show(r *report.Report) error {
	var b strings.Builder
	stamp := s.now().UTC().Format(time.RFC3339)
	line := func(name, text string) {
		if s.rows[name] == text {
			return
		}
		s.rows[name] = text
		fmt.Fprintf(&b, "%s  %-19s  %s\n", stamp, name, text)
	}
	for _, c := range r.Components {
		text := string(c.State)
		if c.Pods != nil {
			text += fmt.Sprintf(" %d/%d", c.Pods.Ready, c.Pods.Wanted)
		}
		if cell := causeCell(c); cell != "" {
			text += " " + cell
		}
		line(c.Name, text)
	}
	var gone []string
	for name := range s.rows {
		if name != "" && !slices.ContainsFunc(r.Components, func(c report.Component) bool { return c.Name == name }) {
			gone = append(gone, name)
		}
	}
	slices.Sort(gone)
	for _, name := range gone {
		fmt.Fprintf(&b, "%s  %-19s  is no longer part of the installation\n", stamp, name)
		delete(s.rows, name)
	}
	line("", Verdict(r))
	_, err := io.WriteString(s.w, b.String())
	return err
}
