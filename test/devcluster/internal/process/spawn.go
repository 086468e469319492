package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Child is a process that this one has started.
type Child struct {
	Record Record
	done   chan struct{}
	err    error
	cmd    *exec.Cmd
}

// Options say how a child is started.
type Options struct {
	// Name is what the child is called in records and messages.
	Name string
	// Book, when set, records the child as long as it runs.
	Book Book
	// Log, when set, is a file that both outputs are appended to.
	Log string
	// Output, when set and Log is not, takes both outputs.
	Output io.Writer
	// Grace is how long the child has between SIGTERM and SIGKILL once the
	// context has ended; 5 s when it is zero.
	Grace time.Duration
}

// Start starts cmd and ends it when ctx ends. The kernel kills the child
// when this process dies first, whatever killed it.
func Start(ctx context.Context, cmd *exec.Cmd, o Options) (*Child, error) {
	if o.Grace == 0 {
		o.Grace = 5 * time.Second
	}
	var log *os.File
	switch {
	case o.Log != "":
		if err := os.MkdirAll(filepath.Dir(o.Log), 0o700); err != nil {
			return nil, err
		}
		f, err := os.OpenFile(o.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, err
		}
		log, cmd.Stdout, cmd.Stderr = f, f, f
	case o.Output != nil:
		cmd.Stdout, cmd.Stderr = o.Output, o.Output
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	c := &Child{done: make(chan struct{}), cmd: cmd}
	running.Add(1)
	started := make(chan error, 1)
	go func() {
		defer running.Done()
		defer close(c.done)
		// The parent-death signal belongs to the thread that forked: this
		// goroutine keeps the thread for the life of the child and never
		// gives it back.
		runtime.LockOSThread()
		err := cmd.Start()
		if err == nil {
			c.Record, err = Of(o.Name, cmd.Process.Pid)
			if errors.Is(err, os.ErrProcessDone) || errors.Is(err, os.ErrNotExist) {
				err = nil // it has ended already; Wait says how
			}
		}
		if err == nil && o.Book != "" && c.Record.PID != 0 {
			err = o.Book.Add(c.Record)
		}
		started <- err
		if cmd.Process != nil {
			c.err = cmd.Wait()
		}
		if o.Book != "" && c.Record.PID != 0 {
			_ = o.Book.Remove(c.Record)
		}
		if log != nil {
			_ = log.Close()
		}
	}()
	if err := <-started; err != nil {
		if cmd.Process != nil {
			_ = cmd.Process.Kill()
		}
		return nil, fmt.Errorf("start %s: %w", o.Name, err)
	}
	go func() {
		select {
		case <-c.done:
		case <-ctx.Done():
			c.Stop(o.Grace)
		}
	}()
	return c, nil
}

// Done is closed when the child has ended.
func (c *Child) Done() <-chan struct{} { return c.done }

// Wait waits for the child's end and returns how it ended.
func (c *Child) Wait() error {
	<-c.done
	return c.err
}

// Stop ends the child: SIGTERM, after grace SIGKILL; it returns when the
// child has ended.
func (c *Child) Stop(grace time.Duration) {
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.done:
		return
	case <-time.After(grace):
	}
	_ = c.cmd.Process.Kill()
	<-c.done
}

// running counts the children of this process.
var running sync.WaitGroup

// WaitAll waits until all children have ended, at most timeout, and tells
// whether they have.
func WaitAll(timeout time.Duration) bool {
	done := make(chan struct{})
	go func() {
		running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-time.After(timeout):
		return false
	}
}
