package status

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

const (
	// maxAsked notebooks and volumes are asked why they are not ready; more of them mostly
	// have the same reason.
	maxAsked = 16
	// maxAlike causes of one name are told one by one.
	maxAlike = 3
	// stopped marks a Notebook that nobody wants to run now.
	stopped = "kubeflow-resource-stopped"
)

// people says why what people have does not work. What is only slow is not told; what cannot
// start is a warning, unless nobody's can: the stack may be in order.
func people(ctx context.Context, c *cluster.Cluster, s *Snapshot) []report.Cause {
	asked, more := s.stranded()
	if more > 0 {
		s.NotChecked = append(s.NotChecked, fmt.Sprintf("why %d more notebooks and volumes are not ready", more))
	}
	if len(asked) == 0 {
		return nil
	}
	var causes []report.Cause
	for _, cause := range diagnose.Explain(ctx, c, asked) {
		if cause.Severity < report.Error && cause.Name != diagnose.Unreadable && cause.Name != diagnose.Forbidden {
			continue
		}
		cause.Severity = report.Warning
		if cause.Object.Name == probeName {
			// A pod as a notebook's is: the dry run is nobody's object.
			cause.Object = report.Ref{Kind: "Namespace", Name: cause.Object.Namespace}
			cause.Summary += ": notebooks there cannot start"
			if s.everybodys(cause) {
				cause.Severity = report.Error
			}
		}
		causes = append(causes, cause)
	}
	return causes
}

// everybodys tells that what refuses a person's notebooks refuses all of them: it is the
// cluster's, or there is nobody else.
func (s *Snapshot) everybodys(c report.Cause) bool {
	return c.Name == diagnose.PodSecurityViolation || c.Name == diagnose.SecurityContextConstraints || len(s.All("kubeflow.org", "Profile")) == 1
}

// stranded are people's objects that should be ready and are not, one of each namespace
// before the second of any, and how many there are beside these.
func (s *Snapshot) stranded() (asked []diagnose.Subject, more int) {
	for _, p := range s.Proofs {
		if !p.OK && !p.Impossible && !p.Forbidden && !p.Accepted && !s.incomplete() && s.Component(p.Component) != nil && s.peoples(p) {
			asked = append(asked, diagnose.Subject{Ref: p.Object, Message: p.Why})
		}
	}
	var all []diagnose.Subject
	for _, u := range s.All("kubeflow.org", "Notebook") {
		if notebookState(u) == waiting {
			all = append(all, diagnose.Subject{Ref: cluster.RefOf(u), Message: "has no ready pod"})
		}
	}
	for i := range s.Unbound {
		claim := &s.Unbound[i]
		home := report.Ref{Group: "kubeflow.org", Kind: "Profile", Name: claim.Namespace}
		young := claim.Status.Phase == corev1.ClaimPending && s.Time.Sub(claim.CreationTimestamp.Time) < settling
		if claim.DeletionTimestamp == nil && !young && s.Presence(home) == Present {
			all = append(all, diagnose.Subject{
				Ref:     report.Ref{Kind: "PersistentVolumeClaim", Namespace: claim.Namespace, Name: claim.Name},
				Message: fmt.Sprintf("is %s", claim.Status.Phase),
			})
		}
	}
	// Each namespace's first, then each one's second.
	turn, seen := map[int][]diagnose.Subject{}, map[string]int{}
	for _, sub := range all {
		n := seen[sub.Ref.Namespace]
		seen[sub.Ref.Namespace]++
		turn[n] = append(turn[n], sub)
	}
	for n := range len(all) {
		for _, sub := range turn[n] {
			if len(asked) < maxAsked {
				asked = append(asked, sub)
			} else {
				more++
			}
		}
	}
	return asked, more
}

// state of a Notebook.
type notebookIs int

const (
	running notebookIs = iota
	waiting
	halted
)

func notebookState(u *unstructured.Unstructured) notebookIs {
	ready, _, _ := unstructured.NestedInt64(u.Object, "status", "readyReplicas")
	_, off := u.GetAnnotations()[stopped]
	switch {
	case off || u.GetDeletionTimestamp() != nil:
		return halted
	case ready == 0:
		return waiting
	}
	return running
}

// people counts what people have.
func (s *Snapshot) people() *report.People {
	out := &report.People{Profiles: len(s.All("kubeflow.org", "Profile")), Volumes: s.Claims, Unbound: len(s.Unbound)}
	for _, u := range s.All("kubeflow.org", "Notebook") {
		out.Notebooks++
		switch notebookState(u) {
		case waiting:
			out.NotReady++
		case halted:
			out.Stopped++
		}
	}
	return out
}

// notChecked adds what the reads tell of what people have and was not looked at, and proofs
// that could not be tried.
func (s *Snapshot) notChecked() {
	for _, r := range s.Reads {
		if r.Cut {
			s.NotChecked = append(s.NotChecked, fmt.Sprintf("%s: more than the first %d", r, maxItems*maxPages))
		}
	}
	var unproven []string
	for _, p := range s.Proofs {
		if p.Forbidden && s.Component(p.Component) != nil && !slices.Contains(unproven, p.Component) {
			unproven = append(unproven, p.Component)
		}
	}
	for _, name := range unproven {
		s.NotChecked = append(s.NotChecked, fmt.Sprintf("whether webhooks of %s answer: dry runs are forbidden", name))
	}
	slices.Sort(s.NotChecked)
}

// gathered tells causes of one name that many people's objects have once, with all of them.
func gathered(causes []report.Cause) []report.Cause {
	alike := map[string]int{}
	peoples := func(c report.Cause) bool {
		return c.Component == "" && c.Object.Namespace != "" && c.Severity <= report.Warning
	}
	for _, c := range causes {
		if peoples(c) {
			alike[c.Name]++
		}
	}
	var out []report.Cause
	at := map[string]int{}
	for _, c := range causes {
		if !peoples(c) || alike[c.Name] <= maxAlike {
			out = append(out, c)
			continue
		}
		i, known := at[c.Name]
		if !known {
			at[c.Name] = len(out)
			c.Summary = fmt.Sprintf("%s; and %d more like it", c.Summary, alike[c.Name]-1)
			out = append(out, c)
			continue
		}
		out[i].Also = append(append(out[i].Also, c.Object), c.Also...)
		if len(c.Evidence) > 0 {
			out[i].Evidence = append(out[i].Evidence, c.Evidence[0])
		}
	}
	return out
}
