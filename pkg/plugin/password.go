package plugin

import (
	"bufio"
	"bytes"
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

// readPassword reads one line from the input. Somebody at a terminal is asked, and
// what is typed is not shown.
func readPassword(streams genericiooptions.IOStreams, whose string) ([]byte, error) {
	if view.IsTerminal(streams.In) {
		fmt.Fprintf(streams.ErrOut, "Password for %s: ", whose)
		line, err := term.ReadPassword(int(streams.In.(*os.File).Fd()))
		fmt.Fprintln(streams.ErrOut)
		if err != nil {
			return nil, fmt.Errorf("--password-stdin: %w", err)
		}
		return checkPassword(line)
	}
	in := bufio.NewReader(io.LimitReader(streams.In, 64<<10))
	line, err := in.ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("--password-stdin: %w", err)
	}
	if more, err := in.ReadByte(); err == nil && more != 0 {
		return nil, errors.New("--password-stdin: standard input has more than one line: the password is one line")
	}
	return checkPassword(bytes.TrimRight(line, "\r\n"))
}

func checkPassword(p []byte) ([]byte, error) {
	switch {
	case len(p) == 0:
		return nil, errors.New("--password-stdin: standard input is empty: pipe the password in, or leave the flag out to have one generated")
	case len(p) > passwordBytes:
		return nil, fmt.Errorf("--password-stdin: the password has %d bytes, at most %d are allowed", len(p), passwordBytes)
	case !utf8.Valid(p) || bytes.ContainsFunc(p, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return nil, errors.New("--password-stdin: the password has characters that nobody can type into a form")
	}
	return p, nil
}
