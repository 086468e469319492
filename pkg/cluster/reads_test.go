package cluster

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
)

func TestReadsRunSideBySideAsManyAsAreAllowed(t *testing.T) {
	r := Reads{InFlight: 2}
	running, most, finished := 0, 0, []int(nil)
	var met sync.WaitGroup // the first two wait for each other
	met.Add(2)
	for i := range 5 {
		r.Plan(func(context.Context) error {
			r.Keep(func() { running++; most = max(most, running) })
			if i < 2 {
				met.Done()
				met.Wait()
			}
			r.Keep(func() { running--; finished = append(finished, i) })
			return nil
		})
	}
	if err := r.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	slices.Sort(finished)
	if most != 2 || !slices.Equal(finished, []int{0, 1, 2, 3, 4}) {
		t.Errorf("%d ran at a time, want 2; finished: %v", most, finished)
	}
	if err := r.Run(t.Context()); err != nil || len(finished) != 5 {
		t.Errorf("a round that nothing is planned for ran %v, error %v", finished, err)
	}
}

func TestAReadThatFailsEndsTheOthers(t *testing.T) {
	refused := errors.New("refused")
	r := Reads{InFlight: 2}
	r.Plan(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
	r.Plan(func(context.Context) error { return refused })
	if err := r.Run(t.Context()); !errors.Is(err, refused) {
		t.Errorf("got %v, want the error of the read that failed", err)
	}
}
