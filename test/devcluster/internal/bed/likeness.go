package bed

import (
	"context"
	"strings"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/apply"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/enforcer"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/images"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/servicelb"
)

// startLikeness starts what makes the cluster like one of somebody else's.
func (r *runner) startLikeness(ctx, parts context.Context, applier *apply.Applier) error {
	if err := applier.Text(ctx, []byte(r.cfg.storageClasses())); err != nil {
		return err
	}
	if r.cfg.Unprovisioned {
		r.part("default StorageClass", Simulated, "", "gp2 of kubernetes.io/aws-ebs, whose driver is not installed, as on EKS: nobody makes its volumes")
	}
	if r.network.HasIPv6() || r.cfg.Domain != "" || r.cfg.Network != "" {
		r.part("network", Real, "", "domain "+r.network.Domain+", Services in "+joined(r.network.Services)+", nodes in "+joined(r.network.Nodes))
	}
	if r.cfg.PodSecurity != "" {
		r.part("Pod Security", Real, "", "namespaces without labels enforce "+r.cfg.PodSecurity+", but for kube-system")
	}
	if r.cfg.Enforcer != "" {
		r.goRun(parts, "enforcer", func(ctx context.Context) error { return enforcer.Run(ctx, r.client) })
		r.part("admissions enforcer", StandIn, "", "changes webhook configurations as that of AKS does")
	}
	if r.cfg.LoadBalancer != "" {
		r.goRun(parts, "ServiceLB", func(ctx context.Context) error {
			return servicelb.Run(ctx, r.client, images.PauseImage)
		})
		r.part("load balancers", StandIn, "", "ServiceLB of k3s: DaemonSets that take ports of the nodes, whose addresses Services get; simulated nodes say that they are of k3s")
	}
	return nil
}

func joined[T interface{ String() string }](all []T) string {
	texts := make([]string, len(all))
	for i, a := range all {
		texts[i] = a.String()
	}
	return strings.Join(texts, " and ")
}
