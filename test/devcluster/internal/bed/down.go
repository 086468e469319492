package bed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

const (
	mainProcess = "devcluster"
	// stopGrace is how long a bed may take to end by itself; a real node needs
	// most of it to stop its containers.
	stopGrace = 30 * time.Second
)

// DownOptions say what Down leaves.
type DownOptions struct {
	Out io.Writer
	// KeepLogs leaves the logs.
	KeepLogs bool
	// Purge removes the cache of images too.
	Purge bool
}

// Down ends the bed of a directory and removes what it made. A bed that was
// killed is cleaned up by the records that it left; no bed is no error.
func Down(ctx context.Context, dir Dir, o DownOptions) error {
	if _, err := os.Stat(string(dir)); errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(o.Out, "no bed in %s\n", dir)
		return nil
	}
	running, err := dir.Running()
	if err != nil {
		return err
	}
	if running {
		if err := dir.endMain(ctx); err != nil {
			return err
		}
	}
	lock, err := dir.waitLock(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	if err := dir.cleanUp(ctx, o.Out, cleaning{keepLogs: o.KeepLogs, cache: o.Purge}); err != nil {
		return err
	}
	if running {
		fmt.Fprintf(o.Out, "the bed in %s is stopped and removed\n", dir)
	} else {
		fmt.Fprintf(o.Out, "no bed runs in %s\n", dir)
	}
	return nil
}

// endMain ends the bed's main process, which ends all others. When it has
// not written its record yet, it is at its very start: the lock tells when
// that is over.
func (d Dir) endMain(ctx context.Context) error {
	records, err := d.Book().List()
	if err != nil {
		return err
	}
	for _, r := range records {
		if r.Name != mainProcess {
			continue
		}
		sent, err := r.Signal(syscall.SIGTERM)
		if err != nil {
			return err
		}
		if sent && !r.WaitGone(stopGrace) {
			if _, err := r.Signal(syscall.SIGKILL); err != nil {
				return err
			}
			if !r.WaitGone(5 * time.Second) {
				return fmt.Errorf("the bed's process %d does not exit", r.PID)
			}
		}
	}
	return ctx.Err()
}

// waitLock takes the lock as soon as it is free.
func (d Dir) waitLock(ctx context.Context) (*os.File, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond) // a lock cannot be watched together with a context
	defer tick.Stop()
	for {
		f, err := d.lock()
		if !errors.Is(err, errLocked) {
			return f, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("%s: %w by another devcluster command", d, errLocked)
		}
	}
}

// cleaning says what cleanUp leaves and takes beyond the usual.
type cleaning struct {
	keepLogs bool
	// keepDir leaves the directory and its lock, for a bed that starts now.
	keepDir bool
	// cache removes the cache of images.
	cache bool
}

// cleanUp ends what is left of a bed whose main process is gone and removes
// its files. It must be called with the lock held.
func (d Dir) cleanUp(ctx context.Context, out io.Writer, what cleaning) error {
	ended, err := d.Book().EndAll(2 * time.Second)
	for _, r := range ended {
		fmt.Fprintf(out, "ended %s (process %d), left by an earlier bed\n", r.Name, r.PID)
	}
	if err != nil {
		return err
	}
	if err := d.cleanUpNode(ctx, out); err != nil {
		return err
	}
	return d.remove(what)
}
