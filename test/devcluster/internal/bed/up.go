package bed

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/netns"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/process"
)

// RunCommand is the hidden subcommand that Up starts in the background.
const RunCommand = "run-bed"

// The files that Up hands to the bed's process. The listeners are made
// outside of the bed's network and stay there, whoever accepts on them: that
// is how ordinary programs reach the API server inside.
const (
	fdLock = 3 + iota
	fdAPI
	fdProxy
	fdProgress
)

// AlreadyRunning is the error of Up when the directory has a running bed.
type AlreadyRunning struct{ Dir Dir }

func (e AlreadyRunning) Error() string {
	return fmt.Sprintf("a bed runs in %s already: stop it with `devcluster down --dir %s`, or take another --dir", e.Dir, e.Dir)
}

// message is one line of the progress pipe.
type message struct {
	Text  string `json:"text,omitempty"`
	Ready bool   `json:"ready,omitempty"`
	Error string `json:"error,omitempty"`
}

// Up starts a bed and returns its state once it is ready. It leaves a bed of
// a killed run cleaned up first. With foreground set it stays attached, calls
// ready once the bed is ready, and returns when the bed has ended.
func Up(ctx context.Context, dir Dir, cfg Config, out io.Writer, foreground bool, ready func(State)) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	abs, err := filepath.Abs(string(dir))
	if err != nil {
		return err
	}
	dir = Dir(abs)
	if err := os.MkdirAll(string(dir), 0o700); err != nil {
		return fmt.Errorf("directory of the bed: %w", err)
	}
	lock, err := dir.lock()
	if errors.Is(err, errLocked) {
		return AlreadyRunning{dir}
	}
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	if err := dir.cleanUp(ctx, out, cleaning{keepDir: true}); err != nil {
		return fmt.Errorf("clean up after an earlier bed in %s: %w", dir, err)
	}
	if err := os.MkdirAll(dir.Path("logs"), 0o700); err != nil {
		return err
	}

	if foreground {
		// The signal that ends the bed with us belongs to the thread that starts it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
	}
	b, err := launch(dir, cfg, lock, foreground)
	if err != nil {
		return err
	}
	// From here on the lock is the bed's.
	_ = lock.Close()
	state, err := b.follow(ctx, out)
	if err != nil {
		b.stop()
		return err
	}
	ready(state)
	if !foreground {
		return nil
	}
	select {
	case <-ctx.Done():
		fmt.Fprintln(out, "stopping the bed")
		return Down(context.WithoutCancel(ctx), dir, DownOptions{Out: io.Discard})
	case err := <-b.ended:
		s, serr := dir.ReadState()
		if serr == nil && s.Phase == Failed {
			return fmt.Errorf("the bed failed: %s; see %s", s.Error, dir.Log(mainLog))
		}
		return err
	}
}

const mainLog = "devcluster"

// launched is a bed's process as its starter sees it.
type launched struct {
	dir      Dir
	process  *os.Process
	record   process.Record
	progress *os.File
	ended    chan error
}

func launch(dir Dir, cfg Config, lock *os.File, foreground bool) (*launched, error) {
	api, err := listen(cfg.APIPort)
	if err != nil {
		return nil, err
	}
	defer func() { _ = api.Close() }()
	proxy, err := listen(cfg.ProxyPort)
	if err != nil {
		return nil, err
	}
	defer func() { _ = proxy.Close() }()
	if err := writeJSON(dir.configFile(), cfg); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(dir.Log(mainLog), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	pr, pw, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer func() { _ = pw.Close() }()

	cmd := exec.Command(self, RunCommand, "--dir", string(dir)) // ends by `down`, not with this command
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Dir = "/"
	cmd.ExtraFiles = []*os.File{lock, api, proxy, pw}
	cmd.SysProcAttr = netns.SysProcAttr()
	// A session of its own: closing the terminal or Ctrl-C there does not end it.
	cmd.SysProcAttr.Setsid = true
	if foreground {
		cmd.SysProcAttr.Pdeathsig = syscall.SIGTERM
	}
	if err := cmd.Start(); err != nil {
		_ = pr.Close()
		if netns.Refused(err) {
			return nil, netns.Explain(err, os.Geteuid(), os.ReadFile)
		}
		return nil, fmt.Errorf("start the bed: %w", err)
	}
	b := &launched{dir: dir, process: cmd.Process, progress: pr, ended: make(chan error, 1)}
	go func() { b.ended <- cmd.Wait() }()
	if r, err := process.Of(mainProcess, cmd.Process.Pid); err == nil {
		b.record = r
		if err := dir.Book().Add(r); err != nil {
			b.stop()
			return nil, err
		}
	}
	return b, nil
}

// listen opens a port on 127.0.0.1 and returns it as a file that a child can inherit.
func listen(port int) (*os.File, error) {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, err
	}
	defer func() { _ = l.Close() }()
	return l.(*net.TCPListener).File()
}

// follow prints the bed's progress until it is ready or has failed.
func (b *launched) follow(ctx context.Context, out io.Writer) (State, error) {
	defer func() { _ = b.progress.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = b.progress.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	s := bufio.NewScanner(b.progress)
	for s.Scan() {
		var m message
		if err := json.Unmarshal(s.Bytes(), &m); err != nil {
			return State{}, fmt.Errorf("progress of the bed: %w", err)
		}
		switch {
		case m.Error != "":
			return State{}, errors.New(m.Error)
		case m.Ready:
			return b.dir.ReadState()
		default:
			fmt.Fprintln(out, m.Text)
		}
	}
	if ctx.Err() != nil {
		return State{}, fmt.Errorf("the start was interrupted: %w", context.Cause(ctx))
	}
	return State{}, fmt.Errorf("the bed ended before it was ready; see %s", b.dir.Log(mainLog))
}

// stop ends a bed whose start did not succeed. What it wrote stays for a
// look; the next up or down removes it.
func (b *launched) stop() {
	_ = b.process.Signal(syscall.SIGTERM)
	if !b.record.WaitGone(stopGrace) {
		_ = b.process.Kill()
	}
}
