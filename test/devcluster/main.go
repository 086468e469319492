// Command devcluster runs a Kubernetes control plane and its nodes from one
// binary, for tests and demonstrations: etcd, kube-apiserver,
// kube-controller-manager and kube-scheduler are the real ones; the nodes are
// simulated by kwok or, with --nodes real, one real kubelet on containerd.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := cli.Main(ctx, os.Args, stop)
	stop()
	os.Exit(code)
}
