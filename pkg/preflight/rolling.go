package preflight

import (
	"fmt"
	"slices"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// rolling are the pods of Deployments that a run changes: one of each starts before one that
// runs now is ended, and has to find a place meanwhile.
func rolling(rendered []components.Rendered, survey *rollout.Survey) ([]Pod, error) {
	if survey == nil {
		return nil, nil
	}
	changed := map[string]bool{}
	for _, c := range survey.Changes() {
		if c.Ref.Kind == "Deployment" && c.Restarts() {
			changed[c.Ref.Namespace+"/"+c.Ref.Name] = true
		}
	}
	if len(changed) == 0 {
		return nil, nil
	}
	sum, err := components.Requests(rendered)
	if err != nil {
		return nil, err
	}
	var pods []Pod
	for _, p := range sum.Pods {
		if p.Kind == "Deployment" && changed[p.Namespace+"/"+p.Name] {
			pods = append(pods, podOf(p))
		}
	}
	return pods, nil
}

// stuck finds the largest pod for which there is no place beside everything that runs. The
// others follow one another: each frees what the pod before it had.
func stuck(pods, rolling []Pod, rooms []Room) *Pod {
	left, homeless := arrange(onEveryNode(pods, rooms), rooms)
	if homeless != nil {
		return nil // which is said already
	}
	var largest *Pod
	for i := range rolling {
		p := &rolling[i]
		takes := slices.ContainsFunc(left, func(r Room) bool { return r.takes(p) })
		if !takes && (largest == nil || tighter(largest.Size, p.Size)) {
			largest = p
		}
	}
	return largest
}

// findStuck says that a rollout cannot go on until something else ends. The pods before it
// serve meanwhile.
func (f *Facts) findStuck() []report.Cause {
	c := f.Capacity
	if c.Stuck == nil || c.Counted < c.Open {
		return nil
	}
	cause := report.Cause{
		Name: diagnose.CapacityTooSmall, Severity: report.Warning,
		Summary: fmt.Sprintf("no capacity to replace the pod of %s: the new one, which requests %s, starts before the old one ends", c.Stuck.Of, c.Stuck.Size),
		Remedy:  "free some capacity until the run is complete, or add a node: kubectl describe nodes",
	}
	if f.Autoscaler != "" {
		cause.Evidence = append(cause.Evidence, "an autoscaler can add nodes: "+f.Autoscaler)
	}
	cause.Evidence = append(append(cause.Evidence, f.roomLines()...), f.excludedLines()...)
	return []report.Cause{cause}
}
