package plugin

import (
	"context"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/version"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// messages is an error stream whose target can be changed while others write to it:
// the API server's warnings go above the progress display while there is one.
type messages struct {
	mu sync.Mutex
	w  io.Writer
}

func newMessages(w io.Writer) *messages { return &messages{w: w} }

func (m *messages) to(w io.Writer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.w = w
}

func (m *messages) Write(p []byte) (int, error) {
	m.mu.Lock()
	w := m.w
	m.mu.Unlock()
	return w.Write(p)
}

// progress chooses how a run is shown: events for programs, a live list on a
// terminal, lines everywhere else. The second result is set for programs.
func (b *base) progress(machine bool) (view.Progress, *view.Events) {
	if machine {
		e := view.NewEvents(b.Out, b.ErrOut)
		return e, e
	}
	if f, ok := b.ErrOut.(*os.File); ok && view.IsTerminal(f) && os.Getenv("TERM") != "dumb" {
		size := func() (int, int) {
			width, height, err := term.GetSize(int(f.Fd()))
			if err != nil || width == 0 || height == 0 {
				return 80, 24
			}
			return width, height
		}
		return view.NewLive(f, styleFor(f), size, time.Now), nil
	}
	return view.NewPlain(b.ErrOut, time.Now), nil
}

// kubectl is the command that reaches the same cluster, for advice that can be pasted.
func (b *base) kubectl() string { return "kubectl" + b.flags() }

// flags reach the cluster again, with a space before each.
func (b *base) flags() string {
	var out strings.Builder
	for _, f := range []struct {
		flag  string
		value *string
	}{{"kubeconfig", b.config.KubeConfig}, {"context", b.config.Context}, {"server", b.config.APIServer}} {
		if f.value != nil && *f.value != "" {
			out.WriteString(" --" + f.flag + "=" + quote(*f.value))
		}
	}
	return out.String()
}

// quote makes a word safe for a shell where it has to be.
func quote(s string) string {
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%_+=:,./-") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// engine shows its progress until the returned function is called. It waits until what it
// has applied is ready.
func (b *base) engine(c *cluster.Cluster, o rollout.Options) (*rollout.Engine, func()) {
	progress, _ := b.progress(false)
	o.Wait, o.Explain, o.Hopeless = true, explain(c), diagnose.Hopeless
	o.Events, o.Tooling = progress.Event, version.Get().Tooling()
	return rollout.New(c, o), progress.Close
}

// explain asks why objects are not ready.
func explain(c *cluster.Cluster) func(context.Context, []rollout.Subject) []report.Cause {
	return func(ctx context.Context, subjects []rollout.Subject) []report.Cause {
		asked := make([]diagnose.Subject, len(subjects))
		for i, s := range subjects {
			asked[i] = diagnose.Subject{Component: s.Component, Ref: s.Ref, Message: s.Message}
		}
		return diagnose.Explain(ctx, c, asked)
	}
}
