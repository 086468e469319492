package status

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/login"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// strangeFilters are EnvoyFilters of the gateway's namespace that are not the installation's.
func (s *Snapshot) strangeFilters() []*unstructured.Unstructured {
	return slices.DeleteFunc(s.All(login.CredentialsRef.Group, login.CredentialsRef.Kind), s.ours)
}

// ours tells of an object that it belongs to the installation.
func (s *Snapshot) ours(u *unstructured.Unstructured) bool {
	return member(u) || s.Owner(cluster.RefOf(u)) != ""
}

// checkFilters: somebody else's filters decide about the gateway's requests too. Those of an
// installation of somebody else are its own.
func checkFilters(s *Snapshot) []report.Cause {
	if s.Foreign() || s.Component("istio") == nil {
		return nil
	}
	g := s.filters(login.CredentialsRef)
	if g == nil {
		return nil
	}
	return g.StrangeFilters(s.ours, func(ref report.Ref) bool { return s.Presence(ref) != Absent })
}

// notebookAnswer is a line of the gateway's access log about a notebook: when, whose, the
// status, Envoy's flags and details.
var notebookAnswer = regexp.MustCompile(`^\[([^\]]+)\] "[A-Z]+ /notebook/([a-z0-9.-]+)/([a-z0-9.-]+)/\S* [^"]*" (\d{3}) (\S+) (\S+)`)

// silence is what the log tells of a notebook that does not answer.
type silence struct {
	times int
	last  string
	since time.Time
}

// checkSilent: notebooks that run, and whose gateway gets no answer from them. Notebook
// containers have no readiness probe: the log alone tells.
func checkSilent(s *Snapshot) []report.Cause {
	found := map[report.Ref]*silence{}
	for _, l := range s.Logs {
		if l.Container != "istio-proxy" || l.Namespace != gateway.Namespace {
			continue
		}
		for _, line := range l.Lines {
			m := notebookAnswer.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			ref := report.Ref{Group: "kubeflow.org", Kind: "Notebook", Namespace: m[2], Name: m[3]}
			at, err := time.Parse(time.RFC3339Nano, m[1])
			if err != nil || !s.ranAt(ref, at) {
				continue
			}
			if !unanswered(m[4], m[5]) {
				if was := found[ref]; was != nil && !at.Before(was.since) {
					delete(found, ref) // it answers again
				}
				continue
			}
			if found[ref] == nil {
				found[ref] = &silence{}
			}
			f := found[ref]
			f.times++
			if !at.Before(f.since) {
				f.since, f.last = at, fmt.Sprintf("%s %s %s", m[4], m[5], m[6])
			}
		}
	}
	if len(found) == 0 {
		return nil
	}
	refs := make([]report.Ref, 0, len(found))
	for ref := range found {
		refs = append(refs, ref)
	}
	slices.SortFunc(refs, compareRefs)
	c := report.Cause{
		Name: diagnose.NotebookUnreachable, Severity: report.Warning, Component: "istio", Object: refs[0], Also: refs[1:],
		Summary: fmt.Sprintf("notebook %s/%s runs, but nothing answers at its port: the program in it does not listen on port 8888 under its NB_PREFIX, or a policy is in the way", refs[0].Namespace, refs[0].Name),
		Remedy: fmt.Sprintf("kubectl -n %s logs %s-0 --all-containers --tail=20\nkubectl -n %s get networkpolicies,authorizationpolicies",
			refs[0].Namespace, refs[0].Name, refs[0].Namespace),
	}
	if len(refs) > 1 {
		c.Summary = fmt.Sprintf("%d notebooks run, but nothing answers at their ports: the programs in them do not listen on port 8888 under their NB_PREFIX, or policies are in the way", len(refs))
	}
	for _, ref := range refs[:min(len(refs), maxLines)] {
		f := found[ref]
		c.Evidence = append(c.Evidence, fmt.Sprintf("log of the gateway, last %s: %s: %s, %d times, most recently at %s",
			logSince, ref, f.last, f.times, f.since.UTC().Format(time.TimeOnly)))
	}
	return []report.Cause{c}
}

// unanswered tells that the gateway, or the sidecar, has answered in the notebook's place.
// Without a route or a ready pod (NR, UH) it is not the notebook's silence.
func unanswered(status, flags string) bool {
	if status != "502" && status != "503" && status != "504" {
		return false
	}
	return !slices.ContainsFunc(strings.Split(flags, ","), func(f string) bool { return f == "NR" || f == "UH" || f == "DC" })
}

// ranAt tells that a Notebook is there and was ready at a time; a program takes a moment to
// listen after its container has started.
func (s *Snapshot) ranAt(ref report.Ref, at time.Time) bool {
	u := s.Object(ref)
	if u == nil || notebookState(u) != running {
		return false
	}
	for i := range s.MeshPods {
		p := &s.MeshPods[i]
		if notebookOf(p) != ref {
			continue
		}
		for _, c := range p.Status.Conditions {
			if c.Type == corev1.PodReady {
				return c.Status == corev1.ConditionTrue && at.Sub(c.LastTransitionTime.Time) > settling
			}
		}
	}
	return true
}
