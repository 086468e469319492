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
		Short:   "Show whether the stack works, and if not, the causes and remedies",
		Long: `Show whether the stack works, and if not, the causes and remedies.

The output has one row for each component, then all causes, most severe first, with their
evidence and remedy, then the URL. Nothing is changed: webhooks are tested with server-side
dry run. A stack that was installed by other means is recognized by the names of its
objects.

States: Ready; Progressing, may become ready without intervention; Degraded, works with
fewer pods than desired; Failed, requires a change; Missing; Unknown, the user is not
permitted to read it (the row says forbidden) or the server did not answer.

Exit codes:
  0  all components are Ready
  1  a component is not Ready, or the command line is not valid
  2  the state could not be determined: the cluster does not answer, or access is forbidden`,
		Example: plugin.Examples(`
			# Show the status of the stack
			kubectl jupyter status

			# Show one component, with its pods and events
			kubectl jupyter status jupyter-web-app

			# Wait until all components are Ready, for up to five minutes
			kubectl jupyter status --wait --timeout 5m

			# Watch for changes
			kubectl jupyter status --watch

			# Print a summary for an issue report
			kubectl jupyter status -o short

			# Print the state and the URL, for use by programs
			kubectl jupyter status -o jsonpath='{.state} {.wayIn.url}'`),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("timeout") && !f.wait {
				return plugin.UsageError(cmd, errors.New("--timeout can only be used with --wait: use --request-timeout to limit single requests"))
			}
			o, err := f.ToOptions(b, args)
			return plugin.Run(cmd, o, err)
		},
		ValidArgsFunction: plugin.CompleteComponents,
	}
	fs := cmd.Flags()
	fs.StringVarP(&f.output, "output", "o", view.FormatTable, "Output format. One of: (table, wide, short, json, yaml, jsonpath=TEMPLATE, name); short is a summary for an issue report")
	fs.BoolVarP(&f.watch, "watch", "w", false, "If true, watch for changes: redraw the output on a terminal; otherwise, print a line for each change")
	fs.BoolVar(&f.wait, "wait", false, "If true, wait until all components are Ready, or until --timeout expires")
	fs.DurationVar(&f.timeout, "timeout", plugin.DefaultTimeout, "The length of time to wait with --wait, such as 90s or 20m; 0 means no timeout")
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
		return nil, errors.New("--watch and --wait cannot be used together")
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
