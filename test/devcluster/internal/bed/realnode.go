package bed

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/images"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/kubeversion"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/node"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/pki"
)

const realNodeName = "real-0"

// startRealNode starts the real node of a bed.
func (r *runner) startRealNode(ctx, parts context.Context) (stop func(), err error) {
	all, have, err := r.archives()
	if err != nil {
		return nil, err
	}
	for _, a := range all {
		if a.File == "" {
			r.part("image "+a.Name, Missing, "", a.Missing)
			continue
		}
		r.part("image "+a.Name, Kind(a.Kind), a.From, a.Note)
	}
	r.say("a real node: containerd, runc, kubelet and kube-proxy; %d images", len(have))
	n, err := node.Up(parts, ctx, node.Config{
		Dir: r.dir.Path("node"), Cache: r.dir.Path(cacheEntry), Logs: filepath.Dir(r.dir.Log(mainLog)),
		Name: realNodeName, Network: r.network,
		Kubeconfig: r.dir.internalKubeconfig(), ClientCA: r.pki.Cert(pki.CA),
		Images: have, Registry: r.registry, GPUs: r.cfg.GPUs, NetworkPolicies: r.cfg.NetworkPolicies,
		CNIDirs: images.HasCNIPlugin(all), Book: r.dir.Book(), Say: r.say,
	})
	if err != nil {
		return nil, fmt.Errorf("real node: %w", err)
	}
	r.watchFailure(parts, n.Failed())
	for _, p := range []struct{ name, version, note string }{
		{"kubelet", kubeversion.Of(kubeversion.Kubernetes), "node " + realNodeName + ", on containerd and runc of this machine"},
		{"kube-proxy", kubeversion.Of(kubeversion.Kubernetes), "iptables, in the bed's network"},
	} {
		r.part(p.name, Real, p.version, p.note)
	}
	if r.cfg.NetworkPolicies != "" {
		r.part("network policies", Real, images.EnforcerVersion, "kube-network-policies decides, iptables hands it the packets; what comes from the bed itself and from the node's root passes")
	}
	r.part("volumes", Real, "", "the default StorageClass makes directories in the bed's own")
	if r.cfg.GPUs > 0 {
		r.part("GPUs", Simulated, "", fmt.Sprintf("node %s reports %d nvidia.com/gpu; there is no device", realNodeName, r.cfg.GPUs))
	}
	return func() {
		if err := n.Down(context.WithoutCancel(ctx)); err != nil {
			r.say("the real node: %v", err)
		}
	}, nil
}

// archives returns the images of the real node, and those of them that could be made.
func (r *runner) archives() (all, have []images.Archive, err error) {
	all, err = images.Store{Dir: r.cfg.Images, Release: r.cfg.Release}.List()
	for _, a := range all {
		if a.File != "" {
			have = append(have, a)
		}
	}
	return all, have, err
}

// cleanUpNode removes what a killed bed's real node left outside of its directory.
func (d Dir) cleanUpNode(ctx context.Context, _ io.Writer) error {
	return node.CleanUp(ctx, d.Path("node"))
}
