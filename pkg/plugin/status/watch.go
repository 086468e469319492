package status

import (
	"context"
	"fmt"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/status"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

const (
	// lookAgain is after how long a stack is looked at again although no watch has told
	// of a change: whether a webhook answers shows only when it is asked.
	lookAgain = 10 * time.Second
	// settling is how long changes that come together are waited for.
	settling = 300 * time.Millisecond
)

// wait looks again whenever something has changed, until everything is Ready or the
// time is up; then it prints what it saw last.
func (o *StatusOptions) wait(ctx context.Context, changes *status.Changes) error {
	bounded, cancel := plugin.Within(ctx, o.Timeout)
	defer cancel()
	var last *report.Report
	var failed error
	for {
		r, err := o.look(bounded, changes)
		if err == nil {
			last, failed = r, nil
		} else if bounded.Err() == nil {
			failed = err // the server may come back
		}
		if last != nil && last.State == report.Ready || next(bounded, changes) != nil {
			break
		}
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case failed != nil:
		return failed
	case last == nil:
		return plugin.Unclear(fmt.Errorf("--timeout: the cluster could not be read within %s", o.Timeout))
	}
	if err := o.print(last); err != nil {
		return err
	}
	if last.State != report.Ready {
		fmt.Fprintf(o.base.ErrOut, "error: timed out after %s, not all components are Ready\n", o.Timeout)
	}
	return stateError(last.State)
}

// watch shows one report after the other until it is interrupted, which is how it is
// meant to end and needs no message. What could not be read is told, and tried again.
func (o *StatusOptions) watch(ctx context.Context, changes *status.Changes) error {
	show := o.print
	if wide := o.Format == view.FormatWide; wide || o.Format == view.FormatTable {
		if f, ok := view.Redrawable(o.base.Out); ok {
			show = view.NewStatusScreen(f, wide, plugin.StyleFor(f), view.TerminalSize(f), time.Now).Show
		} else {
			show = view.NewStatusLines(o.base.Out, time.Now).Show
		}
	}
	for first := true; ; first = false {
		r, err := o.look(ctx, changes)
		switch {
		case err == nil:
			if err := show(r); err != nil {
				return err
			}
		case ctx.Err() != nil:
			return plugin.ErrSilent
		case first:
			return err
		default:
			fmt.Fprintf(o.base.ErrOut, "error: %s\n", err)
		}
		if next(ctx, changes) != nil {
			return plugin.ErrSilent
		}
	}
}

// next returns when there is reason to look again, or the context's end.
func next(ctx context.Context, changes *status.Changes) error {
	again := time.NewTimer(lookAgain)
	defer again.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-again.C:
		return nil
	case <-changes.C():
	}
	settled := time.NewTimer(settling)
	defer settled.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-settled.C:
			return nil
		case <-changes.C():
		}
	}
}
