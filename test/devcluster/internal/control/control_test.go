package control

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/process"
)

// server serves a socket in a directory until the test ends.
func server(t *testing.T, dir string) string {
	t.Helper()
	socket := filepath.Join(dir, "control.sock")
	ctx, cancel := context.WithCancel(t.Context())
	book := process.Book(filepath.Join(t.TempDir(), "processes"))
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, socket, book) }()
	t.Cleanup(func() { cancel(); <-done })
	return socket
}

// run asks until the server listens.
func run(t *testing.T, socket string, signals <-chan os.Signal, args ...string) (int, error) {
	t.Helper()
	for {
		code, err := Run(socket, args, os.Environ(), "/", signals)
		if err != nil && strings.HasPrefix(err.Error(), "reach the bed:") && t.Context().Err() == nil {
			runtime.Gosched()
			continue
		}
		return code, err
	}
}

func TestTheExitCodeOfACommandIsHandedBack(t *testing.T) {
	socket := server(t, t.TempDir())
	for script, want := range map[string]int{"true": 0, "exit 7": 7, "kill -TERM $$": 128 + int(syscall.SIGTERM)} {
		if code, err := run(t, socket, nil, "sh", "-c", script); err != nil || code != want {
			t.Errorf("%s: %d, %v; want %d", script, code, err, want)
		}
	}
}

func TestASignalReachesTheCommand(t *testing.T) {
	socket := server(t, t.TempDir())
	signals := make(chan os.Signal, 1)
	marker := filepath.Join(t.TempDir(), "trapped")
	if err := syscall.Mkfifo(marker, 0o600); err != nil {
		t.Fatal(err)
	}
	go func() {
		// Opening the pipe waits for the command, which has its trap by then.
		if f, err := os.Open(marker); err == nil {
			_ = f.Close()
		}
		signals <- syscall.SIGINT
	}()
	code, err := run(t, socket, signals, "sh", "-c", "trap 'exit 5' INT; : > "+marker+"; while :; do sleep 0.02; done")
	if err != nil || code != 5 {
		t.Errorf("%d, %v; want 5", code, err)
	}
}

func TestAProgramThatDoesNotExistIsNamed(t *testing.T) {
	socket := server(t, t.TempDir())
	code, err := run(t, socket, nil, "no-such-program")
	if code != 127 || err == nil || !strings.Contains(err.Error(), "no-such-program") {
		t.Errorf("%d, %v", code, err)
	}
}

func TestADirectoryTooDeepForASocketWorksToo(t *testing.T) {
	deep := filepath.Join(t.TempDir(), strings.Repeat("d", 120))
	if err := os.Mkdir(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	if code, err := run(t, server(t, deep), nil, "true"); err != nil || code != 0 {
		t.Errorf("%d, %v", code, err)
	}
}
