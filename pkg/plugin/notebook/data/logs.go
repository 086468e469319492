package data

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/container"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/notebook"
)

// LogsFlags are what was typed.
type LogsFlags struct {
	container                    string
	follow, previous, timestamps bool
	tail                         int64
	since                        time.Duration
}

// LogsOptions are what is meant.
type LogsOptions struct {
	target
	Log corev1.PodLogOptions
}

// NewLogs is `notebook logs`.
func NewLogs(b *plugin.Base) *cobra.Command {
	f := &LogsFlags{}
	cmd := &cobra.Command{
		Use:     "logs NAME",
		GroupID: notebook.GroupWork,
		Short:   "Print the log of a notebook",
		Long: `Print the log of a notebook: of its own container, or of another one of its pod (-c), such as
istio-proxy.

The log is that of the current pod. A notebook that is stopped has no pod, and no log.`,
		Example: plugin.Examples(`
			# Print the log of notebook lab
			kubectl jupyter notebook logs lab

			# Print the last 100 lines, and follow the log until Ctrl-C
			kubectl jupyter notebook logs lab --tail 100 -f

			# Print what the container logged before it was restarted
			kubectl jupyter notebook logs lab --previous

			# Print the log of the sidecar of the last hour
			kubectl jupyter notebook logs lab -c istio-proxy --since 1h`),
		Args: notebook.OneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.ToOptions(b, args[0])
			return plugin.Run(cmd, o, err)
		},
		ValidArgsFunction: notebook.CompleteNames(b, 1),
	}
	fs := cmd.Flags()
	addContainer(cmd, &f.container)
	fs.BoolVarP(&f.follow, "follow", "f", false, "If true, print what is logged until Ctrl-C, or until the container ends")
	fs.BoolVarP(&f.previous, "previous", "p", false, "If true, print the log of the container before its last restart")
	fs.BoolVar(&f.timestamps, "timestamps", false, "If true, print the time of each line")
	fs.Int64Var(&f.tail, "tail", -1, "Number of lines at the end of the log to print; -1 prints all")
	fs.DurationVar(&f.since, "since", 0, "Print only what was logged in the last duration, such as 5s, 2m or 3h; 0 prints all")
	return cmd
}

// ToOptions checks what was typed.
func (f *LogsFlags) ToOptions(b *plugin.Base, name string) (*LogsOptions, error) {
	o := &LogsOptions{
		target: target{b, name, f.container},
		Log:    corev1.PodLogOptions{Follow: f.follow, Previous: f.previous, Timestamps: f.timestamps},
	}
	switch {
	case f.tail < -1:
		return nil, fmt.Errorf("--tail: %d is not a number of lines: use 0 or more, or -1 for all", f.tail)
	case f.since < 0 || f.since > 0 && f.since < time.Second:
		return nil, fmt.Errorf("--since: %s is too short: use a duration such as 5s, 2m or 3h", f.since)
	case f.follow && f.previous:
		return nil, errors.New("--follow and --previous cannot be used together: nothing is added to the log of a container that has ended")
	}
	if f.tail >= 0 {
		o.Log.TailLines = &f.tail
	}
	if f.since > 0 {
		seconds := int64(f.since.Round(time.Second).Seconds())
		o.Log.SinceSeconds = &seconds
	}
	return o, nil
}

// Run prints the log.
func (o *LogsOptions) Run(ctx context.Context) error {
	c, t, err := o.find(ctx, true)
	if err != nil {
		return err
	}
	log, err := container.Logs(ctx, c, *t, o.Log)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	_, err = io.Copy(o.base.Out, log)
	switch {
	case err == nil:
		return nil
	case o.Log.Follow && ctx.Err() != nil:
		return nil // Ctrl-C is how following ends
	}
	return fmt.Errorf("log of %s: %w", t, err)
}
