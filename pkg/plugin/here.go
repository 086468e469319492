package plugin

import (
	"context"
	"fmt"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/status"
)

// hereTimeout is how long somebody who asked for help alone waits for a cluster.
const hereTimeout = 1500 * time.Millisecond

// here says in one line how the stack of the current cluster is, below the help. Where
// no cluster is configured, or it does not answer at once, there is nothing to say.
func (b *Base) here(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, hereTimeout)
	defer cancel()
	source, err := b.Source()
	if err != nil {
		return
	}
	c, err := b.Connect(ctx, nil)
	if err != nil {
		return
	}
	r, err := status.Run(ctx, c, status.Options{Source: source})
	if err != nil || ctx.Err() != nil {
		return
	}
	fmt.Fprintf(b.Out, "\nIn %s: %s\n", c.Where(), stateLine(r))
}

func stateLine(r *report.Report) string {
	switch {
	case r.State == report.Missing:
		return "nothing is installed. Start with: kubectl jupyter preflight"
	case r.State == report.Ready && r.WayIn != nil && r.WayIn.URL != "":
		return "the stack is Ready, at " + r.WayIn.URL
	case r.State == report.Ready:
		return "the stack is Ready, but has no external address. Next: kubectl jupyter expose"
	}
	return fmt.Sprintf("the stack is %s. To see why: kubectl jupyter status", r.State)
}
