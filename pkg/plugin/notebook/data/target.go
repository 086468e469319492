// Package data has the verbs of `notebook` that work in a notebook's container: logs, exec
// and cp.
package data

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/container"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/notebook"
)

// target is the container that a verb works in.
type target struct {
	base *plugin.Base
	// Notebook is its name; Container is empty for the notebook's own.
	Notebook, Container string
}

func addContainer(cmd *cobra.Command, name *string) {
	cmd.Flags().StringVarP(name, "container", "c", "", "Container of the notebook's pod (default: the container of the notebook)")
}

// find connects, and finds the container; inits also finds those that only run at the start.
func (t target) find(ctx context.Context, inits bool) (*cluster.Cluster, *container.Target, error) {
	place, err := notebook.Find(ctx, t.base)
	if err != nil {
		return nil, nil, err
	}
	found, err := container.Of(ctx, place.Cluster, place.Namespace, t.Notebook, t.Container, inits)
	return place.Cluster, found, err
}
