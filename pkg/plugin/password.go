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

// hidden is what people type or pipe and nobody else may see.
type hidden struct {
	flag, what, prompt string
	// most bytes that it may have; 0 for as many as a line has.
	most int
}

var (
	password = hidden{"--password-stdin", "the password", "Password for", passwordBytes}
	secret   = hidden{"--secret-stdin", "the secret", "Secret of", 0}
)

// ReadPassword reads one line from the input. Somebody at a terminal is asked, and
// what is typed is not shown.
func ReadPassword(ctx context.Context, streams genericiooptions.IOStreams, whose string) ([]byte, error) {
	return password.read(ctx, streams, whose)
}

// ReadSecret is ReadPassword for what is a provider's.
func ReadSecret(ctx context.Context, streams genericiooptions.IOStreams, whose string) ([]byte, error) {
	return secret.read(ctx, streams, whose)
}

func (h hidden) read(ctx context.Context, streams genericiooptions.IOStreams, whose string) ([]byte, error) {
	if !view.IsTerminal(streams.In) {
		return Answer(ctx, func() ([]byte, error) { return h.piped(streams.In) })
	}
	fd := int(streams.In.(*os.File).Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", h.flag, err)
	}
	fmt.Fprintf(streams.ErrOut, "%s %s: ", h.prompt, whose)
	line, err := Answer(ctx, func() ([]byte, error) { return term.ReadPassword(fd) })
	fmt.Fprintln(streams.ErrOut)
	if err != nil {
		// A read that was given up still holds the echo back.
		if restored := term.Restore(fd, before); restored != nil {
			return nil, fmt.Errorf("%s: %w", h.flag, restored)
		}
		return nil, fmt.Errorf("%s: %w", h.flag, err)
	}
	return h.check(line)
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

func (h hidden) piped(r io.Reader) ([]byte, error) {
	in := bufio.NewReader(io.LimitReader(r, 64<<10))
	line, err := in.ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", h.flag, err)
	}
	if _, err := in.ReadByte(); err == nil {
		return nil, fmt.Errorf("%s: standard input has more than one line: %s must be a single line", h.flag, h.what)
	}
	return h.check(bytes.TrimRight(line, "\r\n"))
}

func (h hidden) check(p []byte) ([]byte, error) {
	switch {
	case len(p) == 0:
		return nil, fmt.Errorf("%s: standard input is empty: pipe %s to it, as one line", h.flag, h.what)
	case h.most > 0 && len(p) > h.most:
		return nil, fmt.Errorf("%s: %s has %d bytes, at most %d are allowed", h.flag, h.what, len(p), h.most)
	case !utf8.Valid(p) || bytes.ContainsFunc(p, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return nil, fmt.Errorf("%s: %s contains control characters, or is not valid UTF-8", h.flag, h.what)
	}
	return p, nil
}
