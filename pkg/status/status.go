// Package status says whether a running stack works, and if not, why: it reads what
// the cluster has, compares it with what the catalogue knows, and names the causes.
//
// The work has three steps. Collect makes a bounded number of requests, side by side,
// into a Snapshot; their number depends on the catalogue and not on the size of the
// cluster. The checks are pure functions from a Snapshot to causes. What is not ready
// for a reason that lies deeper (a pod, a webhook, a volume) goes to package diagnose,
// which reads further, so that a healthy stack costs nothing more.
package status

import (
	"context"
	"slices"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// Options of a look at a stack.
type Options struct {
	// Source of what should be there.
	Source components.Source
	// Only narrows the report to these components; all when empty. Everything is read
	// all the same: what is wrong with one is often another one's fault.
	Only []string
	// Since is when the work began that the report's time counts, connecting for example;
	// now where it is zero.
	Since time.Time
}

// Run reads a cluster and reports. What cannot be read, for want of rights or because
// the server did not answer, is told in the report and is no error.
func Run(ctx context.Context, c *cluster.Cluster, o Options) (*report.Report, error) {
	if o.Since.IsZero() {
		o.Since = time.Now()
	}
	s, err := Collect(ctx, c, o.Source)
	if err != nil {
		return nil, err
	}
	causes := Check(s)
	if subjects := s.Subjects(); len(subjects) > 0 {
		causes = append(causes, diagnose.Explain(ctx, c, subjects)...)
	}
	causes = withAddress(causes, address(ctx, c, s))
	causes = gathered(append(causes, people(ctx, c, s)...))
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	out := s.Report(causes)
	if len(o.Only) > 0 {
		s.narrow(out, o.Only)
		details(ctx, c, s, out)
	}
	out.Elapsed = time.Since(o.Since).Seconds()
	return out, nil
}

// narrow leaves the rows of some components, and the causes that these rows tell of or
// that are about the cluster as a whole.
func (s *Snapshot) narrow(r *report.Report, only []string) {
	r.Components = slices.DeleteFunc(r.Components, func(c report.Component) bool { return !slices.Contains(only, c.Name) })
	var theirs []report.Cause
	for _, name := range only {
		if c := s.Component(name); c != nil {
			theirs = append(theirs, s.concerning(c, r.Causes)...)
		}
	}
	r.Causes = slices.DeleteFunc(r.Causes, func(c report.Cause) bool {
		general := c.Component == "" && c.Object == (report.Ref{})
		return !general && !slices.ContainsFunc(theirs, func(o report.Cause) bool { return o.Name == c.Name && o.Summary == c.Summary })
	})
	r.State = overall(r.Components, r.Causes)
}
