package data

import (
	"context"
	"time"
)

// resizes says when the terminal may have another size. Windows has no signal for it.
func resizes(ctx context.Context) <-chan struct{} {
	out := make(chan struct{})
	go func() {
		tick := time.NewTicker(250 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			select {
			case <-ctx.Done():
				return
			case out <- struct{}{}:
			}
		}
	}()
	return out
}
