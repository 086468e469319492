package bed

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/client-go/informers"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/certmanager"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/control"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/kwok"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/pods"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/standin"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/standin/istiod"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/standin/login"
)

// startBehaviours starts what answers for simulated pods.
func (r *runner) startBehaviours(ctx, parts context.Context) error {
	if !r.cfg.StandIns || r.cfg.NodeCount == 0 {
		return nil
	}
	behaviours := r.behaviours()
	f := informers.NewSharedInformerFactory(r.client, 0)
	nodes := f.Core().V1().Nodes().Lister()
	f.Start(parts.Done())
	f.WaitForCacheSync(ctx.Done())
	r.goRun(parts, "pods", func(ctx context.Context) error {
		return pods.Run(ctx, pods.Options{
			Config:     r.cluster,
			Behaviours: behaviours,
			LogFor: func(namespace, pod, container string) (io.WriteCloser, string, error) {
				file := filepath.Join(r.dir.Path("logs"), "pods", namespace, pod+"_"+container+".log")
				if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
					return nil, "", err
				}
				w, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
				return w, file, err
			},
			Simulated: func(node string) bool {
				n, err := nodes.Get(node)
				return err == nil && n.Annotations[kwok.SelectorKey] == kwok.SelectorValue
			},
		})
	})
	return nil
}

func (r *runner) behaviours() []pods.Behaviour {
	var all []pods.Behaviour
	if r.cfg.CertManager != "" {
		all = append(all, certmanager.Behaviours(r.cfg.CertManager, r.dir.Path("pods"), r.dir.Book())...)
		r.part("cert-manager", Real, "", "its own controller, webhook and cainjector, without ACME, run as processes when their simulated pods are Ready, with the rights of their ServiceAccounts")
	}
	for _, b := range slices.Concat([]pods.Behaviour{istiod.Behaviour(), login.Dex(), login.OAuth2Proxy(), login.Gateway()}, standin.Behaviours()) {
		all = append(all, b)
		r.part(strings.TrimPrefix(b.Name, "stand-in "), StandIn, "", "acts for simulated pods with the image "+strings.Join(b.Images, ", ")+", from when they are Ready")
	}
	return all
}

// serveControl takes commands to be run inside of the bed's network.
func (r *runner) serveControl(parts context.Context) {
	r.goRun(parts, "control socket", func(ctx context.Context) error {
		return control.Serve(ctx, r.dir.ControlSocket(), r.dir.Book())
	})
}
