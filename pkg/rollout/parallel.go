package rollout

import (
	"context"
	"reflect"
	"slices"

	"golang.org/x/sync/errgroup"
)

// inFlight bounds the requests that are under way at once. Beyond two dozen a server
// of a few cores answers no faster.
const inFlight = 24

// parallel calls f for 0 to n-1, inFlight at a time, and returns the first error.
func (e *Engine) parallel(ctx context.Context, n int, f func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(inFlight)
	for i := range n {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return f(ctx, i)
		})
	}
	return group.Wait()
}

func equal(a, b any) bool { return reflect.DeepEqual(a, b) }

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
