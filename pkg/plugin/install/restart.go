package install

import (
	"context"
	"fmt"
	"io"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/activity"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// Values of --restart-notebooks.
const (
	restartNever = "never"
	restartIdle  = "idle"
	restartAll   = "all"
)

var restarts = []string{restartNever, restartIdle, restartAll}

// restartNotebooks gives running notebooks new sidecars, or says which have old ones.
func (o *UpgradeOptions) restartNotebooks(ctx context.Context, c *cluster.Cluster, w io.Writer) error {
	if o.dry() {
		return nil
	}
	mesh, err := notebooks.MeshVersion(ctx, c)
	if err != nil {
		return err
	}
	list, err := notebooks.Read(ctx, c, "")
	if err != nil {
		return err
	}
	old := list.OldSidecars(mesh)
	if len(old) == 0 {
		return nil
	}
	busy := map[string]string{}
	if o.Restart == restartIdle {
		busy = inUse(ctx, c, old)
	}
	var left int
	for _, n := range old {
		why := busy[n.Namespace+"/"+n.Name]
		switch {
		case o.Restart == restartNever:
			left++
			continue
		case why != "":
			left++
			fmt.Fprintf(w, "Not restarted: %s: %s.\n", n.Ref(), why)
			continue
		}
		if err := notebooks.Restart(ctx, c, n); err != nil {
			return err
		}
		fmt.Fprintf(w, "Restarted: %s, for a sidecar of version %s.\n", n.Ref(), mesh)
	}
	if left > 0 {
		fmt.Fprintf(w, "%s with a sidecar of another version than %s: it gets a new one when it starts again. To restart those in which nothing runs:\n  kubectl jupyter upgrade --restart-notebooks=idle%s\n",
			report.Count(left, "notebook"), mesh, o.base.Flags())
	}
	return nil
}

// inUse says of the notebooks that are not idle, or of which it cannot be known, why.
func inUse(ctx context.Context, c *cluster.Cluster, all []*notebooks.Notebook) map[string]string {
	var targets []activity.Target
	out := map[string]string{}
	for _, n := range all {
		if n.State != notebooks.Running {
			continue // nothing runs in it
		}
		targets = append(targets, activity.Target{Namespace: n.Namespace, Name: n.Name, Pod: n.Pod, Port: n.Port(), Type: n.Type, Started: n.Started})
	}
	for name, result := range activity.Read(ctx, c, targets) {
		switch r := result.Reading; {
		case result.Err != nil:
			out[name] = "whether it is in use is unknown: " + result.Err.Error()
		case r.Busy() > 0:
			out[name] = report.Count(r.Busy(), "busy kernel")
		case len(r.Terminals) > 0:
			out[name] = report.Count(len(r.Terminals), "open terminal")
		case r.Connections > 0:
			out[name] = report.Count(r.Connections, "open page")
		}
	}
	return out
}
