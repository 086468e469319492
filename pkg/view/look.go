package view

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// Formats of tables, beside those of documents.
const (
	FormatTable = "table"
	FormatWide  = "wide"
	FormatCSV   = "csv"
)

// Look is what was seen at one moment, ready to be printed.
type Look struct {
	// Grid is for table and wide, CSV (its first row are the headers) for csv, Names for
	// name, Document for the rest. They are functions, for one of them is called.
	Grid     func(wide bool) Grid
	CSV      func() [][]string
	Names    func() []string
	Document func() any
	// Apart is a second table below Grid; nil, or one without rows, is not shown.
	Apart func(wide bool) Grid
	// Problems are what is missing and why, one sentence each.
	Problems []string
}

// Looks prints one look, or one after the other.
type Looks struct {
	Out, ErrOut io.Writer
	// Format is one of those of tables or documents, or Name.
	Format  string
	Headers bool
	// Bars are drawn behind percentages where there are colours.
	Bars bool
	// Again has one look after the other; Interval is the time between two.
	Again    bool
	Interval time.Duration
}

// Show prints what take returns: once, or again and again until ctx ends. The first look
// has to succeed.
func (l Looks) Show(ctx context.Context, take func() (Look, error)) error {
	if !l.Again {
		look, err := take()
		if err != nil {
			return err
		}
		l.complain(look.Problems)
		return l.Print(l.Out, look, l.Headers)
	}
	show := l.inTurn()
	if f, ok := Redrawable(l.Out); ok && l.table() {
		show = l.onScreen(NewScreen(f, TerminalSize(f)))
	}
	tick := time.NewTicker(l.Interval)
	defer tick.Stop()
	for first := true; ; first = false {
		look, err := take()
		switch {
		case ctx.Err() != nil:
			return nil // Ctrl-C is how watching ends
		case err != nil && first:
			return err
		}
		if err := show(look, err); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (l Looks) table() bool { return l.Format == FormatTable || l.Format == FormatWide }

// complain says what is missing, on the error stream.
func (l Looks) complain(problems []string) {
	for _, p := range problems {
		fmt.Fprintf(l.ErrOut, "%s: %s\n", StyleFor(l.ErrOut, os.Getenv).Severity(report.Warning), p)
	}
}

// inTurn prints one look after the other, and problems when they change. A look that
// fails is a problem of its own: the next one may succeed.
func (l Looks) inTurn() func(Look, error) error {
	var said []string
	headers, again := l.Headers, false
	return func(look Look, failed error) error {
		problems := look.Problems
		if failed != nil {
			problems = []string{failed.Error()}
		}
		if !slices.Equal(said, problems) {
			l.complain(problems)
			said = problems
		}
		if failed != nil {
			return nil
		}
		if again && l.table() {
			if _, err := fmt.Fprintln(l.Out); err != nil {
				return err
			}
		}
		err := l.Print(l.Out, look, headers)
		again = true
		// One header for all rows of a csv, one for each table.
		headers = l.Headers && l.table()
		return err
	}
}

// onScreen draws in place. While looks fail, the last one stays, with the reason below.
func (l Looks) onScreen(screen *Screen) func(Look, error) error {
	var last string
	return func(look Look, failed error) error {
		problems := look.Problems
		if failed != nil {
			problems = []string{failed.Error()}
		} else {
			var b bytes.Buffer
			if err := l.Print(&b, look, l.Headers); err != nil {
				return err
			}
			last = b.String()
		}
		style := StyleFor(l.Out, os.Getenv)
		var foot strings.Builder
		for _, p := range problems {
			fmt.Fprintf(&foot, "%s: %s\n", style.Severity(report.Warning), p)
		}
		fmt.Fprintln(&foot, style.Dim(fmt.Sprintf("%s, every %s; Ctrl-C ends it", time.Now().Format("15:04:05"), l.Interval)))
		return screen.Show(last, foot.String())
	}
}

// Print prints one look.
func (l Looks) Print(w io.Writer, look Look, headers bool) error {
	switch l.Format {
	case FormatTable, FormatWide:
		wide, style := l.Format == FormatWide, StyleFor(l.Out, os.Getenv)
		options := GridOptions{NoHeaders: !headers, Style: style, Bars: l.Bars && style.Color}
		if f, ok := l.Out.(*os.File); ok && options.Bars {
			options.Width, _ = TerminalSize(f)()
		}
		if err := look.Grid(wide).Print(w, options); err != nil || look.Apart == nil {
			return err
		}
		apart := look.Apart(wide)
		if len(apart.Rows) == 0 {
			return nil
		}
		if _, err := fmt.Fprintln(w); err != nil {
			return err
		}
		return apart.Print(w, options)
	case FormatCSV:
		rows := look.CSV()
		if headers {
			return CSV(w, rows[0], rows[1:])
		}
		return CSV(w, nil, rows[1:])
	case Name:
		for _, n := range look.Names() {
			if _, err := fmt.Fprintln(w, n); err != nil {
				return err
			}
		}
		return nil
	case JSON:
		if l.Again {
			return JSONLine(w, look.Document())
		}
	case YAML:
		if l.Again {
			if _, err := fmt.Fprintln(w, "---"); err != nil {
				return err
			}
		}
	}
	return Document(w, l.Format, look.Document())
}

// TerminalSize asks anew each time, for terminals are resized.
func TerminalSize(f *os.File) func() (width, height int) {
	return func() (int, int) {
		width, height, err := term.GetSize(int(f.Fd()))
		if err != nil || width == 0 || height == 0 {
			return 80, 24
		}
		return width, height
	}
}
