// Package reconcile calls what makes a cluster as it should be, again after each change.
package reconcile

import (
	"context"
	"time"

	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

// retry is when something is called again that has failed.
const retry = time.Second

// Changes tells that objects of the informers have come, changed or gone. Changes that
// nobody has asked for yet are one.
func Changes(of ...cache.SharedIndexInformer) (<-chan struct{}, error) {
	changed := make(chan struct{}, 1)
	notify := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	handler := cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { notify() },
		UpdateFunc: func(any, any) { notify() },
		DeleteFunc: func(any) { notify() },
	}
	for _, i := range of {
		if _, err := i.AddEventHandler(handler); err != nil {
			return nil, err
		}
	}
	return changed, nil
}

// Until ctx ends, do is called: now, after each change, and soon after it has failed. Who is
// what the log calls it.
func Until(ctx context.Context, changed <-chan struct{}, who string, do func(context.Context) error) error {
	for {
		var again <-chan time.Time
		if err := do(ctx); err != nil {
			klog.Errorf("devcluster: %s: %v", who, err)
			again = time.After(retry)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-again:
		case <-changed:
		}
	}
}
