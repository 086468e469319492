package bed

import "context"

// startBehaviours starts what answers for simulated pods.
func (r *runner) startBehaviours(context.Context, context.Context) error { return nil }

// serveControl takes commands to be run inside of the bed's network.
func (r *runner) serveControl(context.Context) (stop func(), err error) { return func() {}, nil }
