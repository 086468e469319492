package rollout

import (
	"context"
	"reflect"

	"golang.org/x/sync/errgroup"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// inFlight bounds the requests that are under way at once. Beyond two dozen a server
// of a few cores answers no faster.
const inFlight = 24

// parallel calls f for 0 to n-1, inFlight at a time, and returns the first error. What
// the server may answer differently in a moment is asked again until the context ends,
// so f must be such that it can be called again.
func (e *Engine) parallel(ctx context.Context, n int, f func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(inFlight)
	for i := range n {
		group.Go(func() error {
			pause := retryPause()
			for {
				if err := ctx.Err(); err != nil {
					return err
				}
				err := f(ctx, i)
				what, later := retryable(err)
				if !later {
					return err
				}
				e.events.warn("", report.Ref{}, what)
				if pauseFor(ctx, pause.Step()) != nil {
					return err // the reason says more than that time is up
				}
			}
		})
	}
	return group.Wait()
}

func equal(a, b any) bool { return reflect.DeepEqual(a, b) }
