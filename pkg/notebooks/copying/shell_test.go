package copying

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/container"
)

// shell runs what is meant for a container in a folder of this machine, with the shell of
// this machine. A break is what the connection to a real one does: some bytes have passed,
// the program ends, and the error says nothing about it.
type shell struct {
	dir  string
	path string

	mu sync.Mutex
	// cut ends the next runs of scripts with a text after so many bytes of their data.
	cut []cut
	// short is like cut, but looks like success.
	quiet bool
	// ran counts runs of scripts by that text; passed are bytes of data in both directions.
	ran    map[string]int
	passed int64
}

type cut struct {
	script string
	after  int64
}

var errLost = errors.New("websocket: close 1006 (abnormal closure)")

// newShell has the programs of this machine; or only those named, and sh.
func newShell(t *testing.T, programs ...string) *shell {
	t.Helper()
	s := &shell{dir: t.TempDir(), path: os.Getenv("PATH"), ran: map[string]int{}}
	if len(programs) == 0 {
		return s
	}
	s.path = t.TempDir()
	for _, name := range programs {
		real, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(real, filepath.Join(s.path, name)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// plain puts a program that knows less than GNU's in the place of find.
func (s *shell) plain(t *testing.T) *shell {
	t.Helper()
	real, err := exec.LookPath("find")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	script := "#!/bin/sh\nfor a; do [ \"$a\" != -printf ] || { echo 'find: unrecognized: -printf' >&2; exit 1; }; done\nexec " + real + " \"$@\"\n"
	if err := os.WriteFile(filepath.Join(bin, "find"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	s.path = bin + string(os.PathListSeparator) + s.path
	return s
}

func (s *shell) run(ctx context.Context, c container.Command) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	after := int64(-1)
	s.mu.Lock()
	for _, text := range []string{"dd of=", "head -c \"$4\"", "tar -cf", "tar -xof", "sha256sum", "find ", "mv -f"} {
		if strings.Contains(c.Args[2], text) {
			s.ran[text]++
		}
	}
	if len(s.cut) > 0 && strings.Contains(c.Args[2], s.cut[0].script) {
		after, s.cut = s.cut[0].after, s.cut[1:]
	}
	s.mu.Unlock()
	cmd := exec.CommandContext(ctx, "/bin/sh", c.Args[1:]...)
	cmd.Dir, cmd.Env = s.dir, []string{"PATH=" + s.path, "HOME=" + s.dir}
	cmd.Stderr = c.Stderr
	was := false
	lost := func() { was = true; cancel() }
	if c.Stdin != nil {
		cmd.Stdin = &wire{s: s, r: c.Stdin, left: after, lost: lost}
	}
	cmd.Stdout = &wire{s: s, w: c.Stdout, left: after, lost: lost}
	err := cmd.Run()
	var exited *exec.ExitError
	switch {
	case was && s.quiet:
		return nil
	case was:
		return errLost
	case errors.As(err, &exited):
		return container.ExitError{Code: exited.ExitCode()}
	}
	return err
}

// wire is one direction of the connection.
type wire struct {
	s    *shell
	r    io.Reader
	w    io.Writer
	left int64
	lost func()
}

func (w *wire) pass(n int) bool {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	if w.left >= 0 {
		if w.left -= int64(n); w.left < 0 {
			w.lost()
			return false
		}
	}
	w.s.passed += int64(n)
	return true
}

func (w *wire) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if n > 0 && !w.pass(n) {
		return 0, errLost
	}
	return n, err
}

func (w *wire) Write(p []byte) (int, error) {
	if !w.pass(len(p)) {
		return 0, errLost
	}
	return w.w.Write(p)
}
