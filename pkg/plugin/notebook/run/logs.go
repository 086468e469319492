package run

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/runs"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/notebook"
)

// LogsOptions are what is meant.
type LogsOptions struct {
	base    *plugin.Base
	Name    string
	Follow  bool
	Output  string
	Timeout time.Duration
}

func newLogsCommand(b *plugin.Base) *cobra.Command {
	o := &LogsOptions{base: b}
	cmd := &cobra.Command{
		Use:   "logs NAME",
		Short: "Show the output of a run until it ends, and return its exit code",
		Long: `Show the output of a run from its beginning until it ends. The exit code is that of the
program. With --output, the executed notebook is written to a file.

A node keeps only the last part of a long output, 10 MiB by default.`,
		Example: plugin.Examples(`
			# Show the output of a run, and wait for its end
			kubectl jupyter notebook run logs lab-run-x7k2p

			# Show what there is now, without waiting
			kubectl jupyter notebook run logs lab-run-x7k2p --follow=false

			# Fetch the executed notebook of a run that was detached
			kubectl jupyter notebook run logs lab-run-x7k2p --output train.executed.ipynb`),
		Args: oneRun,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Name = runName(args[0])
			return plugin.Run(cmd, o, o.check())
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	fs := cmd.Flags()
	fs.BoolVarP(&o.Follow, "follow", "f", true, "If true, wait for the end of the run")
	fs.StringVar(&o.Output, "output", "", "`File` for the executed notebook")
	fs.DurationVar(&o.Timeout, "timeout", notebook.DefaultTimeout, "The length of time to wait until the program starts; 0 means no timeout")
	return cmd
}

func (o *LogsOptions) check() error {
	if o.Output != "" && !o.Follow {
		return errors.New("--output and --follow=false cannot be used together: the executed notebook comes at the end")
	}
	return errors.Join(plugin.CheckTimeout(o.Timeout), writable(o.Output))
}

// Run shows.
func (o *LogsOptions) Run(ctx context.Context) error {
	place, err := notebook.Find(ctx, o.base)
	if err != nil {
		return err
	}
	return follow(ctx, o.base, place, o.Name, &followOptions{output: o.Output, timeout: o.Timeout, follow: o.Follow})
}

// runName takes what `run list -o name` prints, too.
func runName(arg string) string { return strings.TrimPrefix(arg, "job.batch/") }

// oneRun takes the name of one run.
func oneRun(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return plugin.UsageError(cmd, fmt.Errorf("%s takes the name of one run, but also got %q", cmd.CommandPath(), args[1]))
	}
	return someRuns(cmd, args)
}

// someRuns takes the names of one run or more.
func someRuns(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return plugin.UsageError(cmd, fmt.Errorf("%s requires the name of a run: `kubectl jupyter notebook run list` lists them", cmd.CommandPath()))
	}
	for _, a := range args {
		if len(validation.IsDNS1123Subdomain(runName(a))) > 0 {
			return plugin.UsageError(cmd, fmt.Errorf("%q is not the name of a run", a))
		}
	}
	return nil
}

// DeleteOptions are what is meant.
type DeleteOptions struct {
	base  *plugin.Base
	Names []string
	Yes   bool
}

func newDeleteCommand(b *plugin.Base) *cobra.Command {
	o := &DeleteOptions{base: b}
	cmd := &cobra.Command{
		Use:     "delete NAME...",
		Aliases: []string{"rm"},
		Short:   "End runs, and delete them with their output",
		Long: `End runs, and delete them with their output. The files that a program has written to a
volume are kept. Runs that still run are deleted after a confirmation.`,
		Example: plugin.Examples(`
			# Delete a run
			kubectl jupyter notebook run delete lab-run-x7k2p

			# Delete two runs in another namespace
			kubectl jupyter notebook run delete lab-run-x7k2p lab-run-9fq4z -n kubeflow-user-example-com

			# End a run that has not ended, without the prompt for confirmation
			kubectl jupyter notebook run delete lab-run-x7k2p --yes`),
		Args: someRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, a := range args {
				o.Names = append(o.Names, runName(a))
			}
			return plugin.Run(cmd, o, nil)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Flags().BoolVarP(&o.Yes, "yes", "y", false, "If true, do not prompt for confirmation")
	return cmd
}

// Run deletes.
func (o *DeleteOptions) Run(ctx context.Context) error {
	place, err := notebook.Find(ctx, o.base)
	if err != nil {
		return err
	}
	list, err := runs.Read(ctx, place.Cluster, place.Namespace)
	if err != nil {
		return err
	}
	var running []string
	for _, name := range o.Names {
		r, err := list.Find(place.Namespace, name)
		if err != nil {
			return err
		}
		if !r.Over() {
			running = append(running, name)
		}
	}
	if len(running) > 0 && !o.Yes {
		fmt.Fprintf(o.base.ErrOut, "In %s, these runs have not ended: %s\n", place, plugin.List(running))
		if err := o.base.Confirm(ctx, "--yes to end and delete them"); err != nil {
			return err
		}
	}
	for _, name := range o.Names {
		if err := runs.Delete(ctx, place.Cluster, place.Namespace, name); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(o.base.Out, "job.batch/%s deleted\n", name); err != nil {
			return err
		}
	}
	return nil
}
