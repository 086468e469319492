// Package show is how commands show what they have read: as a table or a document, once or
// again and again, or in a browser.
package show

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// LookFlags are those of a command that prints a table or a document of what the cluster
// has, once or with --watch again and again.
type LookFlags struct {
	output    string
	noHeaders bool
	watch     bool
	interval  time.Duration
	timeout   time.Duration
}

// Add adds the flags.
func (f *LookFlags) Add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVarP(&f.output, "output", "o", view.FormatTable, "Output format. One of: (table, wide, json, yaml, csv, name, jsonpath=TEMPLATE)")
	fs.BoolVar(&f.noHeaders, "no-headers", false, "If true, print tables and csv without headers")
	fs.BoolVarP(&f.watch, "watch", "w", false, "If true, refresh the output until Ctrl-C: in place on a terminal; otherwise, print one table, or one line of JSON, after the other")
	fs.DurationVar(&f.interval, "interval", 5*time.Second, "Interval between refreshes with --watch")
	fs.DurationVar(&f.timeout, "timeout", time.Minute, "The length of time to wait before giving up on reading the cluster, such as 10s; with --watch, for each refresh. 0 means no timeout")
	plugin.Complete(cmd, "output", func() []string {
		return []string{view.FormatTable, view.FormatWide, view.JSON, view.YAML, view.FormatCSV, view.Name, view.JSONPath + "="}
	})
}

// Options checks the flags and says what they mean.
func (f *LookFlags) Options(b *plugin.Base) (LookOptions, error) {
	o := LookOptions{Base: b, Format: f.output, Headers: !f.noHeaders, Watch: f.watch, Interval: f.interval, Timeout: f.timeout}
	if f.output == "" {
		return o, errors.New("--output: the value is empty: omit the flag for a table")
	}
	if err := view.CheckOutput(f.output, view.FormatTable, view.FormatWide, view.FormatCSV, view.Name); err != nil {
		return o, err
	}
	if f.interval < time.Second {
		return o, fmt.Errorf("--interval: %s is too short: use 1s or more", f.interval)
	}
	return o, plugin.CheckTimeout(f.timeout)
}

// LookOptions are how often, and how, something is shown.
type LookOptions struct {
	Base     *plugin.Base
	Format   string
	Headers  bool
	Watch    bool
	Interval time.Duration
	// Timeout bounds a look, and connecting before the first; 0 does not.
	Timeout time.Duration
	// Bars are drawn behind percentages on a terminal.
	Bars bool
}

// Connect reaches the cluster in the time of a look.
func (o LookOptions) Connect(ctx context.Context) (*cluster.Cluster, error) {
	ctx, cancel := plugin.Within(ctx, o.Timeout)
	defer cancel()
	return o.Base.Connect(ctx, o.Base.ErrOut)
}

// Looks prints the looks.
func (o LookOptions) Looks() view.Looks {
	return view.Looks{
		Out: o.Base.Out, ErrOut: o.Base.ErrOut, Format: o.Format, Headers: o.Headers, Bars: o.Bars, Again: o.Watch, Interval: o.Interval,
	}
}

// Show shows what look returns: once, or with --watch until ctx ends.
func (o LookOptions) Show(ctx context.Context, look func(context.Context) (view.Look, error)) error {
	return o.Looks().Show(ctx, func() (view.Look, error) {
		within, cancel := plugin.Within(ctx, o.Timeout)
		defer cancel()
		seen, err := look(within)
		if err != nil && ctx.Err() == nil && within.Err() != nil {
			err = fmt.Errorf("the cluster did not answer all requests within %s (--timeout): %w", o.Timeout, err)
		}
		return seen, err
	})
}

// AllNamespacesFlag is -A, in the place of -n.
type AllNamespacesFlag struct{ all bool }

// Add adds the flag; what is listed.
func (f *AllNamespacesFlag) Add(cmd *cobra.Command, what string) {
	cmd.Flags().BoolVarP(&f.all, "all-namespaces", "A", false, "If present, list "+what+" across all namespaces")
}

// Given tells whether it was, and refuses it beside -n.
func (f *AllNamespacesFlag) Given(b *plugin.Base) (bool, error) {
	if f.all && *b.Config.Namespace != "" {
		return false, errors.New("--all-namespaces: it cannot be used together with --namespace")
	}
	return f.all, nil
}

// NoneFound is a message that nothing was found, with the namespace that was looked in, if
// it was not all of them.
func NoneFound(message, namespace string) string {
	if namespace == "" {
		return message
	}
	return message + " in namespace " + namespace + ": use -A for all namespaces"
}

// Rows is a table of what lies in namespaces: for all of them the first column has theirs,
// and the columns of more are added where it is wide.
func Rows[T any](objects []T, all, wide bool, headers, more []string, row func(*T) (namespace string, cells, more []view.Cell)) view.Grid {
	out := view.Grid{Headers: headers}
	if all {
		out.Headers = append([]string{"NAMESPACE"}, out.Headers...)
	}
	if wide {
		out.Headers = append(out.Headers, more...)
	}
	for i := range objects {
		namespace, cells, more := row(&objects[i])
		if all {
			cells = append([]view.Cell{view.Text(namespace)}, cells...)
		}
		if wide {
			cells = append(cells, more...)
		}
		out.Rows = append(out.Rows, cells)
	}
	return out
}
