package status

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/exposure"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// address says why a gateway of type LoadBalancer has no address, or one that is announced
// to nobody. Of other types nothing is asked. Who may not read all of it gets no answer
// rather than a wrong one: a controller that cannot be seen is not one that is missing.
func address(ctx context.Context, c *cluster.Cluster, s *Snapshot) []report.Cause {
	if s.WayIn.Via != string(corev1.ServiceTypeLoadBalancer) {
		return nil
	}
	seen, err := exposure.Read(ctx, c)
	if err != nil {
		s.NotChecked = append(s.NotChecked, "why the gateway's address may not answer: "+err.Error())
		return nil
	}
	return seen.Causes()
}

// withAddress joins what is known of the gateway's address with the other causes. That
// there is none yet is told once, by whoever knows more about it.
func withAddress(causes, address []report.Cause) []report.Cause {
	pending := func(c report.Cause) bool {
		return c.Name == diagnose.LoadBalancerPending && c.Object.Namespace == exposure.Namespace && c.Object.Name == exposure.ServiceName
	}
	if slices.ContainsFunc(causes, pending) {
		address = slices.DeleteFunc(address, pending)
		if slices.ContainsFunc(address, func(c report.Cause) bool { return c.Severity >= report.Error }) {
			causes = slices.DeleteFunc(causes, pending)
		}
	}
	return append(causes, address...)
}
