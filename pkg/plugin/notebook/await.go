package notebook

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// DefaultTimeout leaves room for the pull of an image of some gigabytes.
const DefaultTimeout = 15 * time.Minute

// explaining bounds what is asked after the time is over.
const explaining = 15 * time.Second

// Await waits until a notebook is as done says, and writes to standard error each time
// what it waits for changes. done gets nil when the notebook is not there. What cannot
// become so by waiting ends it at once, and so does the end of ctx, with the causes.
func (p *Place) Await(ctx context.Context, b *plugin.Base, name string, done func(*notebooks.Notebook) bool) error {
	said := ""
	err := notebooks.Follow(ctx, p.Cluster, p.Namespace, name, func(n *notebooks.Notebook) (bool, error) {
		if done(n) {
			return true, nil
		}
		if n == nil {
			return false, fmt.Errorf("%s was deleted", notebooks.RefOf(p.Namespace, name))
		}
		if now := waitsFor(n); now != said {
			said = now
			fmt.Fprintf(b.ErrOut, "%s: %s\n", name, now)
		}
		if n.Cause != nil && diagnose.Hopeless(*n.Cause) {
			return false, errHopeless
		}
		return false, nil
	})
	switch {
	case err == nil:
		return nil
	case errors.Is(context.Cause(ctx), plugin.ErrInterrupted):
		return fmt.Errorf("interrupted while waiting for %s: %w", notebooks.RefOf(p.Namespace, name), err)
	case errors.Is(err, errHopeless), ctx.Err() != nil:
		return p.late(ctx, name, err)
	}
	return err
}

var errHopeless = errors.New("it cannot start without a change")

// late is why a notebook is not what was waited for.
func (p *Place) late(ctx context.Context, name string, err error) error {
	ref := notebooks.RefOf(p.Namespace, name)
	asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), explaining)
	defer cancel()
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return &rollout.Failure{
		Err:    fmt.Errorf("%s: %w", ref, err),
		Causes: diagnose.Documented(diagnose.Explain(asking, p.Cluster, []diagnose.Subject{{Ref: ref, Message: "has no ready pod"}})),
		Stood:  fmt.Sprintf("The notebook exists. To see how it goes on: kubectl jupyter notebook why %s -n %s", name, p.Namespace),
	}
}

// waitsFor is what a notebook waits for, in one line.
func waitsFor(n *notebooks.Notebook) string {
	switch {
	case n.Cause != nil && n.Cause.Name != diagnose.NotReady:
		mark := ""
		if n.Cause.Severity >= report.Error {
			mark = report.Error.String() + ": "
		}
		return fmt.Sprintf("%s%s: %s", mark, n.Cause.Name, n.Cause.Summary)
	case n.State == notebooks.Starting && n.Pod == "":
		return "waiting for its pod"
	}
	return string(n.State)
}
