package data

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/container"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/notebook"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// ExecFlags are what was typed.
type ExecFlags struct {
	container  string
	stdin, tty bool
}

// ExecOptions are what is meant.
type ExecOptions struct {
	target
	Args       []string
	Stdin, TTY bool
}

// NewExec is `notebook exec`.
func NewExec(b *plugin.Base) *cobra.Command {
	f := &ExecFlags{}
	cmd := &cobra.Command{
		Use:     "exec NAME -- COMMAND [ARGUMENT...]",
		GroupID: notebook.GroupWork,
		Short:   "Run a command in the container of a notebook",
		Long: `Run a command in the container of a notebook.

The command is run as it is written, without a shell, and with the environment of the
container. The exit code is that of the command; 1 also means that it could not be run,
in which case an error is printed.`,
		Example: plugin.Examples(`
			# Show the GPUs of notebook lab
			kubectl jupyter notebook exec lab -- nvidia-smi

			# Open a shell
			kubectl jupyter notebook exec lab -it -- bash

			# Feed a local script to the notebook's Python
			kubectl jupyter notebook exec lab -i -- python3 - < train.py`),
		Args: oneNameAndCommand,
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.ToOptions(b, args)
			return plugin.Run(cmd, o, err)
		},
		ValidArgsFunction: notebook.CompleteNames(b, 1),
	}
	fs := cmd.Flags()
	addContainer(cmd, &f.container)
	fs.BoolVarP(&f.stdin, "stdin", "i", false, "If true, pass standard input to the command")
	fs.BoolVarP(&f.tty, "tty", "t", false, "If true, give the command a terminal; standard input has to be one")
	return cmd
}

// oneNameAndCommand takes NAME -- COMMAND.
func oneNameAndCommand(cmd *cobra.Command, args []string) error {
	names := args
	dash := cmd.ArgsLenAtDash()
	if dash >= 0 {
		names = args[:dash]
	}
	if len(names) == 1 && dash < 0 {
		return plugin.UsageError(cmd, fmt.Errorf("the command is missing: write it after --, as in %s %s -- nvidia-smi", cmd.CommandPath(), names[0]))
	}
	if len(names) > 1 && dash < 0 {
		return plugin.UsageError(cmd, fmt.Errorf("write -- before the command, as in %s %s -- %s", cmd.CommandPath(), names[0], names[1]))
	}
	if err := notebook.OneName(cmd, names); err != nil {
		return err
	}
	if len(args) == len(names) {
		return plugin.UsageError(cmd, errors.New("the command after -- is missing"))
	}
	return nil
}

// ToOptions checks what was typed.
func (f *ExecFlags) ToOptions(b *plugin.Base, args []string) (*ExecOptions, error) {
	if f.tty && (!f.stdin || !view.IsTerminal(b.In)) {
		return nil, errors.New("--tty requires --stdin, and standard input has to be a terminal: omit --tty in scripts")
	}
	return &ExecOptions{target: target{b, args[0], f.container}, Args: args[1:], Stdin: f.stdin, TTY: f.tty}, nil
}

// Run runs the command.
func (o *ExecOptions) Run(ctx context.Context) error {
	c, t, err := o.find(ctx, false)
	if err != nil {
		return err
	}
	command := container.Command{Args: o.Args, Stdout: o.base.Out, Stderr: o.base.ErrOut, TTY: o.TTY}
	if o.Stdin {
		command.Stdin = o.base.In
	}
	if o.TTY {
		terminal, err := openTerminal(ctx, o.base.In.(*os.File))
		if err != nil {
			return fmt.Errorf("--tty: %w", err)
		}
		defer terminal.close()
		command.Sizes = terminal
	}
	err = container.Exec(ctx, c, *t, command)
	var ended container.ExitError
	switch {
	case errors.As(err, &ended):
		return plugin.Exited(ended.Code)
	case ctx.Err() != nil:
		return plugin.Exited(plugin.ExitInterrupted)
	}
	return err
}
