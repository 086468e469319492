//go:build e2e || e2e_real

package e2e

import (
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
)

// connect as the bed's administrator, or as somebody else.
func (b *bed) connect(user string) *cluster.Cluster {
	b.t.Helper()
	flags := genericclioptions.NewConfigFlags(false)
	flags.KubeConfig = &b.Kubeconfig
	if user != "" {
		flags.Impersonate = &user
	}
	c, err := cluster.Connect(b.t.Context(), flags, cluster.Options{UserAgent: "kubectl-jupyter-e2e"})
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

// deploy is a Deployment "web" with more of its pod's spec. The nodes' taints do not matter.
func deploy(podSpec string) string {
	return `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: NS}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      tolerations: [{operator: Exists}]
` + podSpec
}
