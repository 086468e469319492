package notebooks

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
)

const (
	// unwatched is after how long a notebook is looked at where nothing has changed: a
	// cause may become one by lasting.
	unwatched = 5 * time.Second
	// reopen is between two tries to watch.
	reopen = time.Second
)

// Follow looks at a notebook, and again whenever it, its pods or the warnings of its
// namespace change, until see says that it has seen enough or returns an error. see gets
// nil when the notebook is not there.
func Follow(ctx context.Context, c *cluster.Cluster, namespace, name string, see func(*Notebook) (bool, error)) error {
	within, cancel := context.WithCancel(ctx)
	defer cancel()
	changed := make(chan struct{}, 1)
	for _, w := range []struct {
		resource schema.GroupVersionResource
		options  metav1.ListOptions
	}{
		{Resource, metav1.ListOptions{FieldSelector: "metadata.name=" + name}},
		{schema.GroupVersionResource{Version: "v1", Resource: "pods"}, metav1.ListOptions{LabelSelector: Label + "=" + name}},
		{schema.GroupVersionResource{Version: "v1", Resource: "events"}, metav1.ListOptions{FieldSelector: "type=Warning"}},
	} {
		go watchInto(within, c, w.resource, namespace, w.options, changed)
	}
	tick := time.NewTicker(unwatched)
	defer tick.Stop()
	for {
		n, err := Get(ctx, c, namespace, name)
		if err != nil && !IsMissing(err) {
			return err
		}
		if done, err := see(n); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case <-tick.C:
		}
	}
}

// watchInto says that something has changed, until ctx ends. Where it may not watch, the
// looks that are due anyway have to do.
func watchInto(ctx context.Context, c *cluster.Cluster, resource schema.GroupVersionResource, namespace string, o metav1.ListOptions, changed chan<- struct{}) {
	for ctx.Err() == nil {
		w, err := c.Dynamic.Resource(resource).Namespace(namespace).Watch(ctx, o)
		if apierrors.IsForbidden(err) {
			return
		}
		if err == nil {
			for range w.ResultChan() {
				select {
				case changed <- struct{}{}:
				default: // it is known already
				}
			}
			w.Stop()
		}
		select {
		case <-ctx.Done():
		case <-time.After(reopen):
		}
	}
}
