package preflight

import (
	"fmt"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/platform"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// findPlatform says which kind of cluster it is, where that can be read and not guessed.
func findPlatform(f *Facts) (string, []report.Cause) {
	p := platform.Of(f.Open, f.Target.Version)
	if p.Name == "" && f.failed[readNodes] != nil {
		return p.String() + ": the nodes could not be read", nil
	}
	return p.String(), nil
}

// findNetwork says what of the cluster's network is not as in most clusters, and how that is
// known.
func findNetwork(f *Facts) (string, []report.Cause) {
	n := f.Network
	said := fmt.Sprintf("domain %s (%s)", n.Domain, n.How)
	if !n.IPv6 {
		return said, nil
	}
	if !n.Only {
		return said + "; pods have addresses of IPv6 and IPv4", nil
	}
	return said + "; pods have addresses of IPv6 alone", nil
}

// findDirectories says where Istio's CNI plugin will be put on the nodes, and how that is
// known.
func findDirectories(f *Facts) (string, []report.Cause) {
	d := f.Directories
	said := fmt.Sprintf("plugins in %s, configuration in %s: %s", d.CNI.BinDir, d.CNI.ConfDir, d.How)
	if !d.Multus {
		return said, nil
	}
	return said, []report.Cause{{
		Name: diagnose.CNIChainUnsupported, Severity: report.Warning, Component: "istio",
		Object:   report.Ref{Group: "apps", Kind: "DaemonSet", Namespace: "kube-system", Name: "istio-cni-node"},
		Summary:  "the nodes run CNI plugins through Multus, which Istio's CNI plugin is not configured for here: pods with a sidecar may have no network",
		Evidence: []string{d.How},
		Remedy:   "use an Istio that was installed for this platform (--use-existing istio-crds,istio), or try it on a cluster that may fail",
	}}
}
