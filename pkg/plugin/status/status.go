package status

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/status"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/version"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// outputShort is for a report of a problem.
const outputShort = "short"

func statusFormats() []string {
	return []string{view.FormatTable, view.FormatWide, outputShort, view.JSON, view.YAML, view.JSONPath + "=", view.Name}
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
			return plugin.Run(cmd, o, err)
		},
		ValidArgsFunction: plugin.CompleteComponents,
	}
	fs := cmd.Flags()
	fs.StringVarP(&f.output, "output", "o", view.FormatTable, "Output format: table, wide, short (for a report of a problem), json, yaml, jsonpath=TEMPLATE or name")
	fs.BoolVarP(&f.watch, "watch", "w", false, "Go on: draw it anew when something changes; without a terminal, print a line for each change")
	fs.BoolVar(&f.wait, "wait", false, "Return when everything is Ready, or when --timeout is over")
	fs.DurationVar(&f.timeout, "timeout", plugin.DefaultTimeout, "How long --wait may take, such as 90s or 20m; 0 for no bound")
	plugin.Complete(cmd, "output", statusFormats)
	return cmd
}

// ToOptions checks what was typed.
func (f *StatusFlags) ToOptions(b *plugin.Base, args []string) (*StatusOptions, error) {
	if err := view.CheckOutput(f.output, view.FormatTable, view.FormatWide, outputShort, view.Name); err != nil {
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
	r, err := status.Run(ctx, c, status.Options{Source: o.Source, Only: o.Only, Since: started})
	if err != nil {
		return nil, unknown(ctx, fmt.Errorf("%s: %w", c.Where(), err))
	}
	for _, name := range o.Only {
		if !slices.ContainsFunc(r.Components, func(c report.Component) bool { return c.Name == name }) {
			return nil, fmt.Errorf("component %s is not part of the installation in %s", name, c.Where())
		}
	}
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
	case view.FormatTable, view.FormatWide:
		return view.Status(w, r, o.Format == view.FormatWide, plugin.StyleFor(w), time.Now())
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
