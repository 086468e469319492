// Package view prints what engines report: live on a terminal, as plain lines
// without one, as JSON for programs. It knows neither clients nor commands.
package view

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// Style decides about colours.
type Style struct{ Color bool }

// StyleFor colours terminals, except where NO_COLOR is set (see https://no-color.org)
// or the terminal cannot.
func StyleFor(w io.Writer, getenv func(string) string) Style {
	return Style{Color: IsTerminal(w) && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"}
}

// IsTerminal tells whether somebody may be looking at w.
func IsTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Redrawable is w as a file where what is on it can be drawn over: a terminal that knows
// how to move its cursor.
func Redrawable(w any) (*os.File, bool) {
	f, _ := w.(*os.File)
	return f, IsTerminal(w) && os.Getenv("TERM") != "dumb"
}

func (s Style) paint(code, text string) string {
	if !s.Color || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Bold stresses text.
func (s Style) Bold(t string) string { return s.paint("1", t) }

// Dim is for what matters less.
func (s Style) Dim(t string) string { return s.paint("2", t) }

// Severity is the name of a severity in its colour.
func (s Style) Severity(v report.Severity) string {
	switch v {
	case report.Fatal, report.Error:
		return s.paint("31", v.String())
	case report.Delay, report.Warning:
		return s.paint("33", v.String())
	}
	return s.paint("36", v.String())
}

// State paints text in the colour of a state.
func (s Style) State(state report.State, text string) string {
	switch state {
	case report.Ready, report.Accepted, report.Removed:
		return s.paint("32", text)
	case report.Failed, report.Missing:
		return s.paint("31", text)
	case report.Degraded:
		return s.paint("33", text)
	case report.Applying, report.Progressing, report.Removing:
		return s.paint("36", text)
	}
	return s.paint("2", text)
}

// Elapsed is a duration as people read it: 3.2s, 1m20s.
func Elapsed(d time.Duration) string {
	if d < 0 {
		d = 0
	}
	if d < time.Minute {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return d.Round(time.Second).String()
}
