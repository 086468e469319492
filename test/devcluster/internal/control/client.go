package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// Run runs a command in the bed's network with the caller's files,
// environment and directory, passes signals on, and returns its exit code.
func Run(socket string, args, env []string, dir string, signals <-chan os.Signal) (int, error) {
	c, err := dial(socket)
	if err != nil {
		return 1, fmt.Errorf("reach the bed: %w", err)
	}
	defer func() { _ = c.Close() }()
	rights := syscall.UnixRights(int(os.Stdin.Fd()), int(os.Stdout.Fd()), int(os.Stderr.Fd()))
	if _, _, err := c.WriteMsgUnix([]byte{0}, rights, nil); err != nil {
		return 1, fmt.Errorf("pass files to the bed: %w", err)
	}
	out := json.NewEncoder(c)
	var mu sync.Mutex
	mu.Lock()
	err = out.Encode(request{Args: args, Env: env, Dir: dir})
	mu.Unlock()
	if err != nil {
		return 1, fmt.Errorf("ask the bed: %w", err)
	}
	go func() {
		for s := range signals {
			if n, ok := s.(syscall.Signal); ok {
				mu.Lock()
				_ = out.Encode(signalled{Signal: int(n)})
				mu.Unlock()
			}
		}
	}()
	var r response
	if err := json.NewDecoder(c).Decode(&r); err != nil {
		return 1, fmt.Errorf("the bed ended while the command ran: %w", err)
	}
	if r.Error != "" {
		return r.Code, errors.New(r.Error)
	}
	return r.Code, nil
}

// lookPath finds a program in the PATH of env, which is the caller's and not
// the one of this process.
func lookPath(name string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for _, e := range env {
		list, ok := strings.CutPrefix(e, "PATH=")
		if !ok {
			continue
		}
		for _, dir := range filepath.SplitList(list) {
			p := filepath.Join(dir, name)
			if s, err := os.Stat(p); err == nil && !s.IsDir() && s.Mode()&0o111 != 0 {
				return p, nil
			}
		}
	}
	return "", fmt.Errorf("%s: no such program in $PATH", name)
}
