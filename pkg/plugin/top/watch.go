package top

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// topFlags are what every form of top takes.
type topFlags struct {
	output    string
	noHeaders bool
	watch     bool
	interval  time.Duration
	timeout   time.Duration
	noBars    bool
}

func (f *topFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVarP(&f.output, "output", "o", plugin.FormatTable, "Output format: table, wide, json, yaml, csv, name or jsonpath=TEMPLATE")
	fs.BoolVar(&f.noHeaders, "no-headers", false, "No line of headers, in tables and csv")
	fs.BoolVarP(&f.watch, "watch", "w", false, "Again and again until Ctrl-C: in place on a terminal; elsewhere one table, or one line of JSON, after the other")
	fs.DurationVar(&f.interval, "interval", 5*time.Second, "Time between two looks of --watch")
	fs.DurationVar(&f.timeout, "timeout", time.Minute, "How long one look may take, such as 10s; 0 for no bound")
	fs.BoolVar(&f.noBars, "no-bars", false, "No bars behind percentages on a terminal")
	plugin.Complete(cmd, "output", func() []string {
		return []string{plugin.FormatTable, plugin.FormatWide, view.JSON, view.YAML, plugin.FormatCSV, view.Name, view.JSONPath + "="}
	})
}

// options checks the flags and says what they mean.
func (f *topFlags) options(b *plugin.Base) (topOptions, error) {
	o := topOptions{base: b, Format: f.output, Headers: !f.noHeaders, Watch: f.watch, Interval: f.interval, Timeout: f.timeout, Bars: !f.noBars}
	if f.output == "" {
		return o, errors.New("--output: empty: leave it out for a table")
	}
	if err := view.CheckOutput(f.output, plugin.FormatTable, plugin.FormatWide, plugin.FormatCSV, view.Name); err != nil {
		return o, err
	}
	if f.interval < time.Second {
		return o, fmt.Errorf("--interval %s: at least 1s: metrics are not taken more often", f.interval)
	}
	return o, plugin.CheckTimeout(f.timeout)
}

// topOptions are how a form of top is to be shown.
type topOptions struct {
	base     *plugin.Base
	Format   string
	Headers  bool
	Watch    bool
	Interval time.Duration
	// Timeout bounds a look, and connecting before the first; 0 does not.
	Timeout time.Duration
	Bars    bool
}

func (o topOptions) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if o.Timeout == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, o.Timeout)
}

func (o topOptions) connect(ctx context.Context) (*cluster.Cluster, error) {
	ctx, cancel := o.bounded(ctx)
	defer cancel()
	return o.base.Connect(ctx, o.base.ErrOut)
}

// Wide tells whether a table has all columns.
func (o topOptions) Wide() bool { return o.Format == plugin.FormatWide }

// topFace is one look at the cluster, ready to be printed.
type topFace struct {
	// Grid is for table and wide, CSV (its first row are the headers) for csv, Names for
	// name, Document for the rest. They are functions, for one of them is called.
	Grid     func(wide bool) view.Grid
	CSV      func() [][]string
	Names    func() []string
	Document func() any
	// Apart is a second table below Grid; nil, or one without rows, is not shown.
	Apart func(wide bool) view.Grid
	// Problems are what is missing and why, one sentence each.
	Problems []string
}

// run shows what look returns: once, or with --watch until ctx ends.
func (o topOptions) run(ctx context.Context, unbounded func(context.Context) (topFace, error)) error {
	look := func() (topFace, error) {
		within, cancel := o.bounded(ctx)
		defer cancel()
		face, err := unbounded(within)
		if err != nil && ctx.Err() == nil && within.Err() != nil {
			err = fmt.Errorf("the cluster has not answered everything within %s (--timeout): %w", o.Timeout, err)
		}
		return face, err
	}
	if !o.Watch {
		face, err := look()
		if err != nil {
			return err
		}
		o.complain(face.Problems)
		return o.print(o.base.Out, face, o.Headers)
	}
	show := o.inTurn()
	if f, ok := o.base.Out.(*os.File); ok && o.inPlace(f) {
		show = o.onScreen(view.NewScreen(f, terminalSize(f)))
	}
	tick := time.NewTicker(o.Interval)
	defer tick.Stop()
	for first := true; ; first = false {
		face, err := look()
		switch {
		case ctx.Err() != nil:
			return nil // Ctrl-C is how watching ends
		case err != nil && first:
			return err
		}
		if err := show(face, err); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// inPlace tells whether what is printed can be drawn over.
func (o topOptions) inPlace(f *os.File) bool {
	return view.IsTerminal(f) && os.Getenv("TERM") != "dumb" && (o.Format == plugin.FormatTable || o.Format == plugin.FormatWide)
}

// complain says what is missing, on the error stream.
func (o topOptions) complain(problems []string) {
	for _, p := range problems {
		fmt.Fprintf(o.base.ErrOut, "%s: %s\n", plugin.StyleFor(o.base.ErrOut).Severity(report.Warning), p)
	}
}

// inTurn prints one look after the other, and problems when they change. A look that
// fails is a problem of its own: the next one may succeed.
func (o topOptions) inTurn() func(topFace, error) error {
	var said []string
	headers, again := o.Headers, false
	return func(face topFace, failed error) error {
		problems := face.Problems
		if failed != nil {
			problems = []string{failed.Error()}
		}
		if !slices.Equal(said, problems) {
			o.complain(problems)
			said = problems
		}
		if failed != nil {
			return nil
		}
		table := o.Format == plugin.FormatTable || o.Format == plugin.FormatWide
		if again && table {
			if _, err := fmt.Fprintln(o.base.Out); err != nil {
				return err
			}
		}
		err := o.print(o.base.Out, face, headers)
		again = true
		// One header for all rows of a csv, one for each table.
		headers = o.Headers && table
		return err
	}
}

// onScreen draws in place. While looks fail, the last one stays, with the reason below.
func (o topOptions) onScreen(screen *view.Screen) func(topFace, error) error {
	var last string
	return func(face topFace, failed error) error {
		problems := face.Problems
		if failed != nil {
			problems = []string{failed.Error()}
		} else {
			var b bytes.Buffer
			if err := o.print(&b, face, o.Headers); err != nil {
				return err
			}
			last = b.String()
		}
		style := plugin.StyleFor(o.base.Out)
		var foot strings.Builder
		for _, p := range problems {
			fmt.Fprintf(&foot, "%s: %s\n", style.Severity(report.Warning), p)
		}
		fmt.Fprintln(&foot, style.Dim(fmt.Sprintf("%s, every %s; Ctrl-C ends it", time.Now().Format("15:04:05"), o.Interval)))
		return screen.Show(last, foot.String())
	}
}

func (o topOptions) print(w io.Writer, face topFace, headers bool) error {
	switch o.Format {
	case plugin.FormatTable, plugin.FormatWide:
		style := plugin.StyleFor(o.base.Out)
		options := view.GridOptions{NoHeaders: !headers, Style: style, Bars: o.Bars && style.Color}
		if f, ok := o.base.Out.(*os.File); ok && options.Bars {
			options.Width, _ = terminalSize(f)()
		}
		if err := face.Grid(o.Wide()).Print(w, options); err != nil || face.Apart == nil {
			return err
		}
		apart := face.Apart(o.Wide())
		if len(apart.Rows) == 0 {
			return nil
		}
		if _, err := fmt.Fprintln(w); err != nil {
			return err
		}
		return apart.Print(w, options)
	case plugin.FormatCSV:
		rows := face.CSV()
		if headers {
			return view.CSV(w, rows[0], rows[1:])
		}
		return view.CSV(w, nil, rows[1:])
	case view.Name:
		for _, n := range face.Names() {
			if _, err := fmt.Fprintln(w, n); err != nil {
				return err
			}
		}
		return nil
	case view.JSON:
		if o.Watch {
			return view.JSONLine(w, face.Document())
		}
	case view.YAML:
		if o.Watch {
			if _, err := fmt.Fprintln(w, "---"); err != nil {
				return err
			}
		}
	}
	return view.Document(w, o.Format, face.Document())
}

// terminalSize asks anew each time, for terminals are resized.
func terminalSize(f *os.File) func() (width, height int) {
	return func() (int, int) {
		width, height, err := term.GetSize(int(f.Fd()))
		if err != nil || width == 0 || height == 0 {
			return 80, 24
		}
		return width, height
	}
}
