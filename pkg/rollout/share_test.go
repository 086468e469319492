package rollout

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

func TestAWriteIsRetriedUntilItIsAnsweredForGood(t *testing.T) {
	later := errors.New(`Internal error occurred: failed calling webhook "pools.example.com": failed to call webhook: connection refused`)
	for name, c := range map[string]struct {
		answers []error // the last one again and again
		want    error
		writes  int
	}{
		"accepted at once":        {[]error{nil}, nil, 1},
		"accepted a little later": {[]error{later, later, nil}, nil, 3},
		"refused for good":        {[]error{later, errors.New("denied the request")}, errors.New("denied the request"), 2},
	} {
		t.Run(name, func(t *testing.T) {
			writes := 0
			var said []string
			err := Retry(t.Context(), func(s string) { said = append(said, s) }, func(context.Context) error {
				writes++
				return c.answers[min(writes, len(c.answers))-1]
			})
			if fmt.Sprint(err) != fmt.Sprint(c.want) || writes != c.writes {
				t.Errorf("Retry() = %v after %d writes, want %v after %d", err, writes, c.want, c.writes)
			}
			if writes > 1 && (len(said) != 1 || !strings.Contains(said[0], "pools.example.com")) {
				t.Errorf("it said %q, want the webhook's name once", said)
			}
		})
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), 150*time.Millisecond, ErrTimeout)
	defer cancel()
	if err := Retry(ctx, func(string) {}, func(context.Context) error { return later }); !errors.Is(err, ErrTimeout) || !errors.Is(err, later) {
		t.Errorf("Retry() = %v, want that time is up, and the last answer", err)
	}
}

func TestCausesAreFoundAlsoWhenTheCallersTimeIsUp(t *testing.T) {
	asked := false
	plan := &Plan{Release: &components.Release{}, Rendered: []components.Rendered{{Component: &components.Component{Name: "dex"}}}}
	explain := func(ctx context.Context, _ []Subject) []report.Cause {
		asked = ctx.Err() == nil
		return nil
	}
	r := &run{Engine: &Engine{cluster: &cluster.Cluster{}, events: newEmitter(nil), options: Options{Explain: explain}}, plan: plan, graph: newGraph(plan, course{}), survey: &Survey{}}
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Nanosecond, fmt.Errorf("%w after 1ns", ErrTimeout))
	defer cancel()
	<-ctx.Done()
	f := r.failure(ctx, context.Cause(ctx), r.report())
	if !asked || !errors.Is(f, ErrTimeout) {
		t.Errorf("failure = %v, the causes were asked for with a living context: %v", f, asked)
	}
	interrupted, stop := context.WithCancel(t.Context())
	stop()
	if f := r.failure(interrupted, interrupted.Err(), r.report()); !errors.Is(f, ErrInterrupted) {
		t.Errorf("failure = %v, want that it was interrupted", f)
	}
}
