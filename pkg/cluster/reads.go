package cluster

import (
	"context"
	"io"
	"sync"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes/scheme"
)

// Reads are requests that are made side by side. What is worth reading next often depends
// on what was found, so they are planned and run in rounds.
type Reads struct {
	// InFlight bounds how many requests are made at a time.
	InFlight int

	planned []func(context.Context) error
	mu      sync.Mutex
}

// Plan adds a read to the next round. Reads are planned between rounds, not by reads.
func (r *Reads) Plan(read func(context.Context) error) { r.planned = append(r.planned, read) }

// Run makes the reads that are planned and waits for all of them. The first error ends the
// context of the others; a read whose failure is only its own keeps it and returns nil.
func (r *Reads) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(r.InFlight)
	for _, read := range r.planned {
		g.Go(func() error { return read(ctx) })
	}
	r.planned = nil
	return g.Wait()
}

// Keep runs what writes down the result of a read: one at a time.
func (r *Reads) Keep(write func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	write()
}

// Of returns the client for a kind in the version that the server prefers; a no-match
// error when the server does not have it. Without a namespace it is that of all of them,
// and of kinds that live in none.
func (c *Cluster) Of(gk schema.GroupKind, namespace string) (dynamic.ResourceInterface, error) {
	r, err := c.Mapper.Preferred(gk)
	if err != nil {
		return nil, err
	}
	if !r.Namespaced {
		namespace = ""
	}
	return c.Dynamic.Resource(r.GroupVersionResource).Namespace(namespace), nil
}

// Log opens a container's log. Whoever reads it bounds it too: a server's own bound keeps
// the beginning of what it would send.
func (c *Cluster) Log(ctx context.Context, namespace, pod string, o *corev1.PodLogOptions) (io.ReadCloser, error) {
	return c.REST().Get().AbsPath("/api/v1/namespaces", namespace, "pods", pod, "log").
		SpecificallyVersionedParams(o, scheme.ParameterCodec, corev1.SchemeGroupVersion).Stream(ctx)
}
