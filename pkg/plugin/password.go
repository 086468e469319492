package plugin

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"golang.org/x/term"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// bcrypt takes no more into account; a longer password would be cut in silence.
const passwordBytes = 72

// ReadPassword reads one line from the input. Somebody at a terminal is asked, and
// what is typed is not shown.
func ReadPassword(ctx context.Context, streams genericiooptions.IOStreams, whose string) ([]byte, error) {
	if !view.IsTerminal(streams.In) {
		return Answer(ctx, func() ([]byte, error) { return pipedPassword(streams.In) })
	}
	fd := int(streams.In.(*os.File).Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return nil, fmt.Errorf("--password-stdin: %w", err)
	}
	fmt.Fprintf(streams.ErrOut, "Password for %s: ", whose)
	line, err := Answer(ctx, func() ([]byte, error) { return term.ReadPassword(fd) })
	fmt.Fprintln(streams.ErrOut)
	if err != nil {
		// A read that was given up still holds the echo back.
		if restored := term.Restore(fd, before); restored != nil {
			return nil, fmt.Errorf("--password-stdin: %w", restored)
		}
		return nil, fmt.Errorf("--password-stdin: %w", err)
	}
	return checkPassword(line)
}

// Answer waits for a person or a pipe, and no longer once the run has been interrupted:
// a read of a terminal knows nothing of a context.
func Answer[T any](ctx context.Context, read func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := read()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

func pipedPassword(r io.Reader) ([]byte, error) {
	in := bufio.NewReader(io.LimitReader(r, 64<<10))
	line, err := in.ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("--password-stdin: %w", err)
	}
	if _, err := in.ReadByte(); err == nil {
		return nil, errors.New("--password-stdin: standard input has more than one line: the password must be a single line")
	}
	return checkPassword(bytes.TrimRight(line, "\r\n"))
}

func checkPassword(p []byte) ([]byte, error) {
	switch {
	case len(p) == 0:
		return nil, errors.New("--password-stdin: standard input is empty: pipe the password to it, as one line")
	case len(p) > passwordBytes:
		return nil, fmt.Errorf("--password-stdin: the password has %d bytes, at most %d are allowed", len(p), passwordBytes)
	case !utf8.Valid(p) || bytes.ContainsFunc(p, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return nil, errors.New("--password-stdin: the password contains control characters, or is not valid UTF-8")
	}
	return p, nil
}
