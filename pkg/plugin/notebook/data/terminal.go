package data

import (
	"context"
	"os"

	"golang.org/x/term"
	"k8s.io/client-go/tools/remotecommand"
)

// terminal of this machine that passes on each key as it is, and says when it is resized.
type terminal struct {
	f       *os.File
	was     *term.State
	ctx     context.Context
	cancel  context.CancelFunc
	resized <-chan struct{}
	last    remotecommand.TerminalSize
}

// openTerminal leaves it to the other end what keys mean, Ctrl-C too, until close.
func openTerminal(ctx context.Context, f *os.File) (*terminal, error) {
	was, err := term.MakeRaw(int(f.Fd()))
	if err != nil {
		return nil, err
	}
	t := &terminal{f: f, was: was}
	t.ctx, t.cancel = context.WithCancel(ctx)
	t.resized = resizes(t.ctx)
	return t, nil
}

func (t *terminal) close() {
	t.cancel()
	_ = term.Restore(int(t.f.Fd()), t.was)
}

// Next returns the size once it is another than before, nil at the end.
func (t *terminal) Next() *remotecommand.TerminalSize {
	for {
		if width, height, err := term.GetSize(int(t.f.Fd())); err == nil {
			size := remotecommand.TerminalSize{Width: uint16(width), Height: uint16(height)}
			if size != t.last {
				t.last = size
				return &size
			}
		}
		select {
		case <-t.ctx.Done():
			return nil
		case <-t.resized:
		}
	}
}
