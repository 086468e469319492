package status

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// incomplete tells that the last run did not create all that it was to create.
func (s *Snapshot) incomplete() bool { return len(s.notCreated()) > 0 }

// notCreated are the objects that the last run did not come to, and that are not there.
func (s *Snapshot) notCreated() []report.Ref {
	if s.Inventory == nil {
		return nil
	}
	return slices.DeleteFunc(s.Inventory.LastRun.PendingRefs(), func(ref report.Ref) bool { return s.Presence(ref) != Absent })
}

// upgrading tells that an upgrade has begun and is not complete. Until it is, programs of the
// older release serve where those of the newer one are not there.
func (s *Snapshot) upgrading() bool { return s.Inventory != nil && s.Inventory.Settings.From != "" }

// awaited tells that all that a component lacks is what the upgrade under way has yet to
// create.
func (s *Snapshot) awaited(r *components.Rendered) bool {
	if !s.upgrading() {
		return false
	}
	lacking := s.notCreated()
	return !slices.ContainsFunc(r.Objects, func(u *unstructured.Unstructured) bool {
		ref := cluster.RefOf(u)
		return s.Presence(ref) == Absent && s.live(u) == nil && !slices.Contains(lacking, ref)
	})
}

// onlyAwaited tells that the only error is that the upgrade is not complete.
func onlyAwaited(causes []report.Cause) bool {
	return !slices.ContainsFunc(causes, func(c report.Cause) bool { return c.Severity >= report.Error && c.Name != diagnose.UpgradeIncomplete })
}

// lacksPrograms tells that a component has workloads and none of them is there.
func (s *Snapshot) lacksPrograms(r *components.Rendered) bool {
	lacks := false
	for _, u := range r.Objects {
		if isWorkload(u.GetKind()) {
			if s.Presence(cluster.RefOf(u)) != Absent {
				return false
			}
			lacks = true
		}
	}
	return lacks
}

// checkLastRun: a run that failed, was interrupted or killed, or is still at work.
func checkLastRun(s *Snapshot) []report.Cause {
	if s.Inventory == nil || s.Inventory.LastRun == nil || s.Inventory.LastRun.Result == rollout.RunFinished {
		return nil
	}
	last := s.Inventory.LastRun
	c := report.Cause{
		Name: diagnose.InstallIncomplete, Severity: report.Info,
		Object:   report.Ref{Kind: "ConfigMap", Namespace: rollout.InventoryNamespace, Name: rollout.InventoryName},
		Evidence: []string{"started " + last.Started.UTC().Format("2006-01-02 15:04:05 UTC")},
		Remedy:   "complete it: kubectl jupyter install",
	}
	what := "install"
	if s.upgrading() {
		what = fmt.Sprintf("upgrade from release %s to release %s", s.Inventory.Settings.From, s.Inventory.Settings.Release)
		c.Name, c.Severity, c.Remedy = diagnose.UpgradeIncomplete, report.Warning, "complete it: kubectl jupyter upgrade"
	}
	switch last.Result {
	case rollout.RunFailed:
		c.Summary = "the last " + what + " failed"
		c.Evidence = append(c.Evidence, last.Reason)
	case rollout.RunInterrupted:
		c.Summary = "the last " + what + " was interrupted"
	default:
		c.Summary = "the last " + what + " has not finished: it is still running, or it was killed"
	}
	if lacking := s.notCreated(); len(lacking) > 0 {
		c.Severity, c.Also = report.Error, lacking
		c.Evidence = append(c.Evidence, fmt.Sprintf("%d objects were not created, the first is %s", len(lacking), lacking[0]))
	}
	return []report.Cause{c}
}
