package preflight

import (
	"context"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/users"
)

// network reads what is known of the cluster's network. It is asked for isolated namespaces
// alone: release 26.03 brings policies too, and works without their effect.
func (l *looker) network(ctx context.Context) error {
	e, by, err := users.EnforcementOf(ctx, l.cluster)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.facts.Policies, l.facts.Enforcer = e, by
	return err
}

func findIsolation(f *Facts) (string, []report.Cause) {
	cause := report.Cause{Name: diagnose.PoliciesNotEnforced, Severity: report.Warning, Summary: users.EnforcementWarning(f.Policies, f.Enforcer)}
	switch f.Policies {
	case "":
		return "not asked", nil
	case users.Enforced:
		return "enforced by " + f.Enforcer, nil
	case users.NotEnforced:
		cause.Evidence = []string{f.Enforcer}
		cause.Remedy = "install a network that enforces them, such as Calico or Cilium, or kube-network-policies beside the one that is there"
		return "not enforced", []report.Cause{cause}
	}
	cause.Severity = report.Info
	cause.Evidence = []string{"no DaemonSet of the cluster has an image that is known to enforce them, or not to"}
	cause.Remedy = "ask who runs the cluster, or try: a pod of another namespace must not reach one of an isolated namespace"
	return "not known", []report.Cause{cause}
}
