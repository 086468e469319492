package plugin

import (
	"context"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/version"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// Messages is an error stream whose target can be changed while others write to it:
// the API server's warnings go above the progress display while there is one.
type Messages struct {
	mu sync.Mutex
	w  io.Writer
}

func NewMessages(w io.Writer) *Messages { return &Messages{w: w} }

func (m *Messages) To(w io.Writer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.w = w
}

func (m *Messages) Write(p []byte) (int, error) {
	m.mu.Lock()
	w := m.w
	m.mu.Unlock()
	return w.Write(p)
}

// Progress chooses how a run is shown: events for programs, a live list on a
// terminal, lines everywhere else. The second result is set for programs.
func (b *Base) Progress(machine bool) (view.Progress, *view.Events) {
	if machine {
		e := view.NewEvents(b.Out, b.ErrOut)
		return e, e
	}
	if f, ok := view.Redrawable(b.ErrOut); ok {
		return view.NewLive(f, StyleFor(f), view.TerminalSize(f), time.Now), nil
	}
	return view.NewPlain(b.ErrOut, time.Now), nil
}

// Kubectl is the command that reaches the same cluster, for advice that can be pasted.
func (b *Base) Kubectl() string { return "kubectl" + b.Flags() }

// Flags reach the cluster again, with a space before each.
func (b *Base) Flags() string {
	var out strings.Builder
	for _, f := range []struct {
		flag  string
		value *string
	}{{"kubeconfig", b.Config.KubeConfig}, {"context", b.Config.Context}, {"server", b.Config.APIServer}} {
		if f.value != nil && *f.value != "" {
			out.WriteString(" --" + f.flag + "=" + Quote(*f.value))
		}
	}
	return out.String()
}

// Quote makes a word safe for a shell where it has to be.
func Quote(s string) string {
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%_+=:,./-") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// Engine shows its progress until the returned function is called. It waits until what it
// has applied is ready.
func (b *Base) Engine(c *cluster.Cluster, o rollout.Options) (*rollout.Engine, func()) {
	progress, _ := b.Progress(false)
	o.Wait, o.Explain, o.Hopeless = true, Explain(c), diagnose.Hopeless
	o.Events, o.Tooling = progress.Event, version.Get().Tooling()
	return rollout.New(c, o), progress.Close
}

// Explain asks why objects are not ready.
func Explain(c *cluster.Cluster) func(context.Context, []rollout.Subject) []report.Cause {
	return func(ctx context.Context, subjects []rollout.Subject) []report.Cause {
		asked := make([]diagnose.Subject, len(subjects))
		for i, s := range subjects {
			asked[i] = diagnose.Subject{Component: s.Component, Ref: s.Ref, Message: s.Message}
		}
		return diagnose.Explain(ctx, c, asked)
	}
}
