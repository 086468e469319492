package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// Exit codes of the program.
const (
	// ExitDone: what was asked for is done.
	ExitDone = 0
	// ExitFailed: it was refused, or it failed; the message says which.
	ExitFailed = 1
	// ExitUnclear: what was asked could not be found out.
	ExitUnclear = 2
	// ExitInterrupted: a signal ended it, as shells count SIGINT.
	ExitInterrupted = 130
)

// ErrInterrupted is the cause of a context that a signal has cancelled.
var ErrInterrupted = errors.New("interrupted")

// ErrSilent ends a command with ExitFailed whose output has said everything.
var ErrSilent = errors.New("failed")

// Unclear marks an error as one that says nothing about what was asked: the cluster did
// not answer, or may not be read.
func Unclear(err error) error { return unclear{err} }

type unclear struct{ error }

func (u unclear) Unwrap() error { return u.error }

// Exited ends a command with the exit code of a program that it ran, and that has said
// everything; nil where that is zero.
func Exited(code int) error {
	if code == 0 {
		return nil
	}
	return exited(code)
}

type exited int

func (e exited) Error() string { return fmt.Sprintf("ended with exit code %d", int(e)) }

// Execute runs a command tree with args and returns the program's exit code. Errors
// are printed once, on the error stream.
func Execute(ctx context.Context, cmd *cobra.Command, args []string, streams genericiooptions.IOStreams) int {
	cmd.SetArgs(args)
	return finish(ctx, cmd.ExecuteContext(ctx), streams.ErrOut)
}

// finish prints an error and turns it into an exit code.
func finish(ctx context.Context, err error, w io.Writer) int {
	interrupted := errors.Is(context.Cause(ctx), ErrInterrupted)
	if err == nil {
		return ExitDone
	}
	var code exited
	if errors.As(err, &code) {
		return int(code)
	}
	if !errors.Is(err, ErrSilent) {
		printError(w, err, interrupted)
	}
	if interrupted {
		return ExitInterrupted
	}
	if errors.As(err, &unclear{}) {
		return ExitUnclear
	}
	return ExitFailed
}

func printError(w io.Writer, err error, interrupted bool) {
	var failure *rollout.Failure
	if errors.As(err, &failure) {
		style := StyleFor(w)
		if len(failure.Causes) > 0 {
			fmt.Fprintln(w)
			_ = view.Causes(w, failure.Causes, style)
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "error: %s\n", failure.Error())
		if failure.Stood != "" && !strings.Contains(failure.Error(), failure.Stood) {
			fmt.Fprintln(w, failure.Stood)
		}
		return
	}
	if interrupted && errors.Is(err, context.Canceled) {
		fmt.Fprintln(w, "error: interrupted before anything was changed")
		return
	}
	fmt.Fprintf(w, "error: %s\n", strings.TrimPrefix(err.Error(), "error: "))
}

// Run does what was typed, once it has been turned into options; err is why it was not.
func Run(cmd *cobra.Command, o interface{ Run(context.Context) error }, err error) error {
	if err != nil {
		return UsageError(cmd, err)
	}
	return o.Run(cmd.Context())
}

// UsageError points to the help of the command that was not understood.
func UsageError(cmd *cobra.Command, err error) error {
	return fmt.Errorf("%w\nSee '%s --help' for usage", err, cmd.CommandPath())
}

// NoArgs refuses arguments, naming the first.
func NoArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return UsageError(cmd, fmt.Errorf("%s takes no arguments, got %q", cmd.CommandPath(), args[0]))
}
