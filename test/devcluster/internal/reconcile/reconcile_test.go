package reconcile

import (
	"context"
	"errors"
	"testing"
)

func TestItIsCalledAtOnceAfterAFailureAndAfterAChange(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	changed := make(chan struct{}, 1)
	calls := 0
	err := Until(ctx, changed, "test", func(context.Context) error {
		switch calls++; calls {
		case 1:
			return errors.New("not yet")
		case 2:
			changed <- struct{}{}
		case 3:
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || calls != 3 {
		t.Errorf("%d calls, and %v", calls, err)
	}
}
