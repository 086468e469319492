package status

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/status"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/version"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

const (
	outputTable = "table"
	outputWide  = "wide"
	outputShort = "short"

	// lookAgain is after how long a stack is looked at again although no watch has told
	// of a change: whether a webhook answers shows only when it is asked.
	lookAgain = 10 * time.Second
	// settling is how long changes that come together are waited for.
	settling = 300 * time.Millisecond
)

func statusFormats() []string {
	return []string{outputTable, outputWide, outputShort, view.JSON, view.YAML, view.JSONPath + "=", view.Name}
}

// StatusFlags are what was typed.
type StatusFlags struct {
	output  string
	watch   bool
	wait    bool
	timeout time.Duration
}

// StatusOptions are what is meant.
type StatusOptions struct {
	base    *plugin.Base
	Source  components.Source
	Only    []string
	Format  string
	Watch   bool
	Wait    bool
	Timeout time.Duration
}

func New(b *plugin.Base) *cobra.Command {
	f := &StatusFlags{}
	cmd := &cobra.Command{
		Use:     "status [COMPONENT...]",
		GroupID: plugin.GroupStack,
		Short:   "Say whether the stack works, and if not, why and what to do",
		Long: `Say whether the stack works, and if not, why and what to do.

One row for each component, then every cause, worst first, with what proves it and
what helps, then the way in. Nothing is changed: webhooks are tried with dry runs.
A stack that somebody else has installed is recognised by the names of its objects.

States: Ready; Progressing, it may become ready by itself; Degraded, it works with
fewer pods than wanted; Failed, it needs a change; Missing; Unknown, it may not be
read (the row says forbidden) or the server did not answer.

Exit codes:
  0  everything is Ready
  1  something is not Ready, or the command line is not valid
  2  it could not be told: the cluster does not answer, or may not be read`,
		Example: plugin.Examples(`
			# Does it work?
			kubectl jupyter status

			# One component, with its pods and events
			kubectl jupyter status jupyter-web-app

			# Wait until everything is Ready, five minutes at most
			kubectl jupyter status --wait --timeout 5m

			# Follow it
			kubectl jupyter status --watch

			# To paste into a report of a problem
			kubectl jupyter status -o short

			# For programs
			kubectl jupyter status -o jsonpath='{.state} {.wayIn.url}'`),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("timeout") && !f.wait {
				return plugin.UsageError(cmd, errors.New("--timeout bounds --wait: give both, or --request-timeout for one look"))
			}
			o, err := f.ToOptions(b, args)
			if err != nil {
				return plugin.UsageError(cmd, err)
			}
			return o.Run(cmd.Context())
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			names := components.ComponentNames()
			return slices.DeleteFunc(names, func(n string) bool { return slices.Contains(args, n) }), cobra.ShellCompDirectiveNoFileComp
		},
	}
	fs := cmd.Flags()
	fs.StringVarP(&f.output, "output", "o", outputTable, "Output format: table, wide, short (for a report of a problem), json, yaml, jsonpath=TEMPLATE or name")
	fs.BoolVarP(&f.watch, "watch", "w", false, "Go on: draw it anew when something changes; without a terminal, print a line for each change")
	fs.BoolVar(&f.wait, "wait", false, "Return when everything is Ready, or when --timeout is over")
	fs.DurationVar(&f.timeout, "timeout", plugin.DefaultTimeout, "How long --wait may take, such as 90s or 20m; 0 for no bound")
	plugin.Complete(cmd, "output", statusFormats)
	return cmd
}

// ToOptions checks what was typed.
func (f *StatusFlags) ToOptions(b *plugin.Base, args []string) (*StatusOptions, error) {
	if err := view.CheckOutput(f.output, outputTable, outputWide, outputShort, view.Name); err != nil {
		return nil, err
	}
	if err := plugin.CheckTimeout(f.timeout); err != nil {
		return nil, err
	}
	if f.watch && f.wait {
		return nil, errors.New("--watch and --wait: choose one: --watch goes on, --wait ends when everything is Ready")
	}
	source, err := b.Source()
	if err != nil {
		return nil, err
	}
	for _, name := range args {
		if _, err := source.Release().Component(name); err != nil {
			return nil, err
		}
	}
	return &StatusOptions{base: b, Source: source, Only: args, Format: f.output, Watch: f.watch, Wait: f.wait, Timeout: f.timeout}, nil
}

// Run looks at the stack, once or until there is no more to wait for.
func (o *StatusOptions) Run(ctx context.Context) error {
	changes := status.NewChanges()
	switch {
	case o.Watch:
		return o.watch(ctx, changes)
	case o.Wait:
		return o.wait(ctx, changes)
	}
	// One look reads a bounded amount and ends: collecting garbage on the way would be a
	// quarter of its work, and saves 6 MB.
	debug.SetGCPercent(1000)
	r, err := o.look(ctx, nil)
	if err != nil {
		return err
	}
	if err := o.print(r); err != nil {
		return err
	}
	return stateError(r.State)
}

// look connects anew each time: what kinds the server has changes while a stack is
// being installed.
func (o *StatusOptions) look(ctx context.Context, changes *status.Changes) (*report.Report, error) {
	started := time.Now()
	c, err := o.base.Connect(ctx, o.base.ErrOut)
	if err != nil {
		return nil, unknown(ctx, err)
	}
	if changes != nil {
		changes.Follow(ctx, c, o.Source.Release())
	}
	r, err := status.Run(ctx, c, status.Options{Source: o.Source, Only: o.Only})
	if err != nil {
		return nil, unknown(ctx, fmt.Errorf("%s: %w", c.Where(), err))
	}
	for _, name := range o.Only {
		if !slices.ContainsFunc(r.Components, func(c report.Component) bool { return c.Name == name }) {
			return nil, fmt.Errorf("component %s is not part of the installation in %s", name, c.Where())
		}
	}
	r.Elapsed = time.Since(started).Seconds()
	return r, nil
}

// unknown gives an error the exit code of what could not be found out.
func unknown(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	return plugin.Unclear(err)
}

// stateError turns a state into an exit code. The output has said it already.
func stateError(s report.State) error {
	switch s {
	case report.Ready:
		return nil
	case report.Unknown:
		return plugin.Unclear(plugin.ErrSilent)
	}
	return plugin.ErrSilent
}

func (o *StatusOptions) print(r *report.Report) error {
	w := o.base.Out
	switch o.Format {
	case outputTable, outputWide:
		return view.Status(w, r, o.Format == outputWide, plugin.StyleFor(w), time.Now())
	case outputShort:
		return view.StatusShort(w, r, version.Get().Version)
	case view.Name:
		for _, c := range r.Components {
			if _, err := fmt.Fprintln(w, c.Name); err != nil {
				return err
			}
		}
		return nil
	}
	return view.Document(w, o.Format, r)
}

// wait looks again whenever something has changed, until everything is Ready or the
// time is up; then it prints what it saw last.
func (o *StatusOptions) wait(ctx context.Context, changes *status.Changes) error {
	bounded := ctx
	if o.Timeout > 0 {
		var cancel context.CancelFunc
		bounded, cancel = context.WithTimeout(ctx, o.Timeout)
		defer cancel()
	}
	var last *report.Report
	var failed error
	for {
		r, err := o.look(bounded, changes)
		if err == nil {
			last, failed = r, nil
		} else if bounded.Err() == nil {
			failed = err // the server may come back
		}
		if last != nil && last.State == report.Ready || next(bounded, changes) != nil {
			break
		}
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case failed != nil:
		return failed
	case last == nil:
		return plugin.Unclear(fmt.Errorf("--timeout: %s were not enough to look at the cluster", o.Timeout))
	}
	if err := o.print(last); err != nil {
		return err
	}
	if last.State != report.Ready {
		fmt.Fprintf(o.base.ErrOut, "error: not everything was Ready within %s\n", o.Timeout)
	}
	return stateError(last.State)
}

// watch shows one report after the other until it is interrupted, which is how it is
// meant to end and needs no message. What could not be read is told, and tried again.
func (o *StatusOptions) watch(ctx context.Context, changes *status.Changes) error {
	show := o.print
	if f, ok := o.base.Out.(*os.File); o.Format == outputTable || o.Format == outputWide {
		if ok && view.IsTerminal(f) && os.Getenv("TERM") != "dumb" {
			size := func() (int, int) {
				width, height, err := term.GetSize(int(f.Fd()))
				if err != nil || width == 0 || height == 0 {
					return 80, 24
				}
				return width, height
			}
			show = view.NewStatusScreen(f, o.Format == outputWide, plugin.StyleFor(f), size, time.Now).Show
		} else {
			show = view.NewStatusLines(o.base.Out, time.Now).Show
		}
	}
	for first := true; ; first = false {
		r, err := o.look(ctx, changes)
		switch {
		case err == nil:
			if err := show(r); err != nil {
				return err
			}
		case ctx.Err() != nil:
			return plugin.ErrSilent
		case first:
			return err
		default:
			fmt.Fprintf(o.base.ErrOut, "error: %s\n", err)
		}
		if next(ctx, changes) != nil {
			return plugin.ErrSilent
		}
	}
}

// next returns when there is reason to look again, or the context's end.
func next(ctx context.Context, changes *status.Changes) error {
	again := time.NewTimer(lookAgain)
	defer again.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-again.C:
		return nil
	case <-changes.C():
	}
	settled := time.NewTimer(settling)
	defer settled.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-settled.C:
			return nil
		case <-changes.C():
		}
	}
}
