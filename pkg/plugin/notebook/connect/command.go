package connect

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// signalled is what shells add to the number of a signal that has ended a program.
const signalled = 128

// command runs what --exec is for, and ends with its exit code. It is no child that is
// killed: a signal is passed on, and what it does about it is awaited.
func (o *Options) command(ctx context.Context, url string) error {
	cmd := exec.Command(o.Command[0], o.Command[1:]...)
	cmd.Env = append(os.Environ(), Variable+"="+url)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = o.base.In, o.base.Out, o.base.ErrOut
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("--exec: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
		// A terminal has sent its signal to both already.
		if !view.IsTerminal(o.base.In) {
			if cmd.Process.Signal(os.Interrupt) != nil {
				_ = cmd.Process.Kill() // there are systems that cannot interrupt
			}
		}
		err = <-ended
	}
	var exited *exec.ExitError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &exited):
		return fmt.Errorf("--exec: %s: %w", o.Command[0], err)
	}
	if status, ok := exited.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return plugin.Exited(signalled + int(status.Signal()))
	}
	return plugin.Exited(exited.ExitCode())
}
