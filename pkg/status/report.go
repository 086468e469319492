package status

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// Report makes rows of a snapshot, and of the causes that were found in it.
func (s *Snapshot) Report(causes []report.Cause) *report.Report {
	causes = slices.Clone(causes)
	for i := range causes {
		c := &causes[i]
		if c.Component == "" && c.Object != (report.Ref{}) {
			c.Component = s.Owner(c.Object)
		}
		if c.Name == diagnose.WebhookServiceMissing && s.Owner(c.Object) != "" {
			c.Remedy = "kubectl jupyter install recreates what is missing" // rather than remove our own webhook
		}
	}
	causes = diagnose.Rank(causes)
	for i := range causes {
		c := &causes[i]
		c.Docs = diagnose.Docs(c.Name)
		// What was sent as a dry run is no object that anybody has.
		c.Also = slices.DeleteFunc(c.Also, func(r report.Ref) bool { return r.Name == probeName })
	}
	out := &report.Report{
		APIVersion: report.APIVersion, Kind: "Status", Release: s.Release.Name, Target: s.Target,
		Causes: causes, Foreign: s.Foreign(), LeftOut: s.LeftOut, WayIn: &s.WayIn, Culling: s.culling(),
	}
	if s.Inventory != nil {
		out.Profile, out.Release = s.Inventory.Settings.Profile, s.Inventory.Settings.Release
		out.Newer = s.Inventory.Settings.Newest()
	}
	if s.Installed() {
		out.People = s.people()
		out.NotChecked = s.NotChecked
	}
	for i := range s.Expected {
		out.Components = append(out.Components, s.row(&s.Expected[i], causes))
	}
	out.State = overall(out.Components, causes)
	return out
}

// row of one component.
func (s *Snapshot) row(r *components.Rendered, causes []report.Cause) report.Component {
	row := report.Component{Name: r.Component.Name, Title: r.Component.Title}
	row.Version, row.Offered = s.versions(r)
	there, hidden := 0, 0
	// Definitions stay after an uninstallation: a component that has more is not there
	// because of them.
	onlyDefinitions := !slices.ContainsFunc(r.Objects, func(u *unstructured.Unstructured) bool { return u.GetKind() != definition })
	for _, u := range r.Objects {
		row.Objects++
		switch presence := s.Presence(cluster.RefOf(u)); {
		case presence == Present || s.live(u) != nil:
			if onlyDefinitions || u.GetKind() != definition {
				there++
			}
			if _, bad := s.unready(u); !bad {
				row.Ready++
			}
		case presence != Absent:
			hidden++
		}
	}
	row.Pods = s.podsOf(r)
	row.Restarts, row.LastRestart = s.restarts(r)

	mine := s.concerning(r, causes)
	if len(mine) > 0 {
		row.Cause = mine[0].Name
	}
	worst := report.Info
	for _, c := range mine {
		worst = max(worst, c.Severity)
	}
	existing := s.Existing(row.Name)
	switch {
	case there == 0 && hidden > 0, hidden > 0 && worst < report.Delay && s.hides(r):
		row.State, row.Cause = report.Unknown, s.hidden(r)
	case (there == 0 && !existing || s.incomplete() && s.lacksPrograms(r) || worst >= report.Error) && onlyAwaited(mine) && s.awaited(r):
		row.State = report.Progressing
	case there == 0 && !existing, s.incomplete() && s.lacksPrograms(r):
		row.State = report.Missing
	case worst >= report.Error && s.available(r) && onlyReplicas(mine):
		row.State = report.Degraded
	case worst >= report.Error:
		row.State = report.Failed
	case worst == report.Delay:
		row.State = report.Progressing
	default:
		row.State = report.Ready
	}
	return row
}

// concerning are the causes that a component's row tells of: its own, and others' that
// hold up one of its objects; in the order of the report.
func (s *Snapshot) concerning(r *components.Rendered, causes []report.Cause) []report.Cause {
	mine := func(ref report.Ref) bool {
		return slices.ContainsFunc(r.Objects, func(u *unstructured.Unstructured) bool {
			have := cluster.RefOf(u)
			return have.Kind == ref.Kind && have.Namespace == ref.Namespace && have.Name == ref.Name
		})
	}
	var out []report.Cause
	for _, c := range causes {
		if c.Component == r.Component.Name || mine(c.Object) || slices.ContainsFunc(c.Also, mine) {
			out = append(out, c)
		}
	}
	return out
}

// hides tells that the reads which decide about a component's state have not been
// answered: those of its workloads; of a component without any, those of any object.
func (s *Snapshot) hides(r *components.Rendered) bool {
	programs := slices.ContainsFunc(r.Objects, func(u *unstructured.Unstructured) bool { return isWorkload(u.GetKind()) })
	for _, u := range r.Objects {
		if p := s.Presence(cluster.RefOf(u)); isWorkload(u.GetKind()) == programs && (p == Forbidden || p == Unread) {
			return true
		}
	}
	return false
}

// hidden is the name for why a component's state is not known.
func (s *Snapshot) hidden(r *components.Rendered) string {
	for _, u := range r.Objects {
		if s.Presence(cluster.RefOf(u)) == Forbidden {
			return diagnose.Forbidden
		}
	}
	return diagnose.Unreadable
}

// podsOf sums the pods of a component's workloads; nil where it has none.
func (s *Snapshot) podsOf(r *components.Rendered) *report.Pods {
	var out *report.Pods
	for _, u := range r.Objects {
		live := s.Object(cluster.RefOf(u))
		if !isWorkload(u.GetKind()) || live == nil {
			continue
		}
		if out == nil {
			out = &report.Pods{}
		}
		ready, want := replicas(live)
		out.Ready, out.Wanted = out.Ready+ready, out.Wanted+want
	}
	return out
}

// replicas of a workload, ready and wanted.
func replicas(u *unstructured.Unstructured) (ready, want int) {
	number := func(fallback int64, path ...string) int {
		n, ok, err := unstructured.NestedInt64(u.Object, path...)
		if !ok || err != nil {
			n = fallback
		}
		return int(n)
	}
	if u.GetKind() == "DaemonSet" {
		return number(0, "status", "numberReady"), number(0, "status", "desiredNumberScheduled")
	}
	return number(0, "status", "readyReplicas"), number(1, "spec", "replicas")
}

// available tells that every workload of a component has a pod that is ready.
func (s *Snapshot) available(r *components.Rendered) bool {
	any := false
	for _, u := range r.Objects {
		if !isWorkload(u.GetKind()) {
			continue
		}
		live := s.Object(cluster.RefOf(u))
		if live == nil {
			return false
		}
		if ready, _ := replicas(live); ready == 0 {
			return false
		}
		any = true
	}
	return any
}

// onlyReplicas tells that every error is about pods of a workload: as long as another
// pod of it is ready, the component works with fewer. A mesh that old sidecars are cut off
// from works for the others.
func onlyReplicas(causes []report.Cause) bool {
	return !slices.ContainsFunc(causes, func(c report.Cause) bool {
		return c.Severity >= report.Error && (!isWorkload(c.Object.Kind) && c.Name != diagnose.MeshRootChanged || c.Name == diagnose.SidecarMissing || c.Name == diagnose.ObjectMissing)
	})
}

// restarts of the containers of a component's pods, and when the last one was.
func (s *Snapshot) restarts(r *components.Rendered) (n int, last *time.Time) {
	for _, p := range s.podsBy(r) {
		for _, list := range [][]corev1.ContainerStatus{p.Status.InitContainerStatuses, p.Status.ContainerStatuses} {
			for _, c := range list {
				n += int(c.RestartCount)
				if t := c.LastTerminationState.Terminated; c.RestartCount > 0 && t != nil && (last == nil || t.FinishedAt.After(*last)) {
					at := t.FinishedAt.UTC()
					last = &at
				}
			}
		}
	}
	return n, last
}

// podsBy are the pods of a component's workloads.
func (s *Snapshot) podsBy(r *components.Rendered) []*corev1.Pod {
	var out []*corev1.Pod
	pods := s.Pods()
	for i := range pods {
		owner := cluster.WorkloadOf(&pods[i])
		if slices.ContainsFunc(r.Objects, func(u *unstructured.Unstructured) bool { return isWorkload(u.GetKind()) && cluster.RefOf(u) == owner }) {
			out = append(out, &pods[i])
		}
	}
	return out
}

// badness orders states, the worst last.
var badness = []report.State{report.Ready, report.Unknown, report.Progressing, report.Degraded, report.Missing, report.Failed}

// overall is the state of the worst component, or Failed where a cause of the whole
// cluster is an error. What an upgrade has yet to create is told of in its components' rows.
func overall(rows []report.Component, causes []report.Cause) report.State {
	worst := report.Ready
	for _, r := range rows {
		if slices.Index(badness, r.State) > slices.Index(badness, worst) {
			worst = r.State
		}
	}
	for _, c := range causes {
		if c.Component == "" && c.Severity >= report.Error && c.Name != diagnose.UpgradeIncomplete {
			return report.Failed
		}
	}
	return worst
}
