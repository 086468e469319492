// Package control runs commands inside of a bed's network. A multithreaded
// process cannot join the user namespace of another one; the bed, which is
// inside, starts the command instead, on the files of whoever asks.
package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/process"
)

// request asks for a command. It follows one byte with the three files.
type request struct {
	Args []string `json:"args"`
	Env  []string `json:"env"`
	Dir  string   `json:"dir"`
}

// signalled passes a signal on to the command.
type signalled struct {
	Signal int `json:"signal"`
}

// response says how the command ended.
type response struct {
	Code  int    `json:"code"`
	Error string `json:"error,omitempty"`
}

// files is how many files a request brings: both outputs and the input.
const files = 3

// grace is how long a command whose client has gone may take to end.
const grace = 3 * time.Second

// Serve takes requests on a socket until ctx ends. Whoever may open the
// socket's directory may run commands as the bed's user, who owns it.
func Serve(ctx context.Context, socket string, book process.Book) error {
	l, err := listen(socket)
	if err != nil {
		return fmt.Errorf("control socket %s: %w", socket, err)
	}
	if err := os.Chmod(socket, 0o600); err != nil {
		return errors.Join(err, l.Close())
	}
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	for {
		c, err := l.AcceptUnix()
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("control socket %s: %w", socket, err)
		}
		go func() {
			defer func() { _ = c.Close() }()
			r := serve(ctx, c, book)
			_ = json.NewEncoder(c).Encode(r)
		}()
	}
}

func serve(ctx context.Context, c *net.UnixConn, book process.Book) response {
	fds, err := receive(c)
	if err != nil {
		return response{Code: 1, Error: err.Error()}
	}
	defer func() {
		for _, f := range fds {
			_ = f.Close()
		}
	}()
	in := json.NewDecoder(c)
	var r request
	if err := in.Decode(&r); err != nil || len(r.Args) == 0 {
		return response{Code: 1, Error: fmt.Sprintf("not a request: %v", err)}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	path, err := lookPath(r.Args[0], r.Env)
	if err != nil {
		return response{Code: 127, Error: err.Error()}
	}
	cmd := &exec.Cmd{Path: path, Args: r.Args, Env: r.Env, Dir: r.Dir, Stdin: fds[0], Stdout: fds[1], Stderr: fds[2]}
	child, err := process.Start(ctx, cmd, process.Options{Name: "exec", Book: book, Grace: grace})
	if err != nil {
		return response{Code: 126, Error: err.Error()}
	}
	go func() {
		// The end of the connection is the end of the client, and of its command.
		defer cancel()
		for {
			var s signalled
			if err := in.Decode(&s); err != nil {
				return
			}
			_ = cmd.Process.Signal(syscall.Signal(s.Signal))
		}
	}()
	err = child.Wait()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return response{}
	case errors.As(err, &exit):
		if w, ok := exit.Sys().(syscall.WaitStatus); ok && w.Signaled() {
			return response{Code: 128 + int(w.Signal())}
		}
		return response{Code: exit.ExitCode()}
	}
	return response{Code: 1, Error: err.Error()}
}

// receive reads the byte that carries the files.
func receive(c *net.UnixConn) ([]*os.File, error) {
	var b [1]byte
	oob := make([]byte, syscall.CmsgSpace(files*4))
	_, n, _, _, err := c.ReadMsgUnix(b[:], oob)
	if err != nil {
		return nil, err
	}
	messages, err := syscall.ParseSocketControlMessage(oob[:n])
	if err != nil {
		return nil, err
	}
	var all []*os.File
	for i := range messages {
		fds, err := syscall.ParseUnixRights(&messages[i])
		if err != nil {
			return nil, err
		}
		for _, fd := range fds {
			syscall.CloseOnExec(fd)
			all = append(all, os.NewFile(uintptr(fd), "passed"))
		}
	}
	if len(all) != files {
		for _, f := range all {
			_ = f.Close()
		}
		return nil, fmt.Errorf("%d files came with the request, not %d", len(all), files)
	}
	return all, nil
}
