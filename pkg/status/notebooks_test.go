package status

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

func object(kind, namespace, name string, more map[string]any) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "kubeflow.org/v1", "kind": kind}}
	u.SetNamespace(namespace)
	u.SetName(name)
	for key, value := range more {
		u.Object[key] = value
	}
	return u
}

func TestOfAThousandPeoplesNotebooksAFewAreAskedAndTheRestIsCounted(t *testing.T) {
	s := whole(t)
	for i := range 1000 {
		namespace := fmt.Sprintf("person-%04d", i/2)
		s.Objects = append(s.Objects, object("Notebook", namespace, fmt.Sprintf("nb-%d", i%2), nil), object("Profile", "", namespace, nil))
	}
	s.Objects = append(s.Objects, object("Notebook", "person-0000", "runs", map[string]any{"status": map[string]any{"readyReplicas": int64(1)}}))
	asked, more := s.stranded()
	if len(asked) != maxAsked || more != 1000-maxAsked {
		t.Errorf("asked %d and left out %d, want %d and %d", len(asked), more, maxAsked, 1000-maxAsked)
	}
	namespaces := map[string]bool{}
	for _, sub := range asked {
		namespaces[sub.Ref.Namespace] = true
	}
	if len(namespaces) != maxAsked {
		t.Errorf("asked in %d namespaces, want one notebook of each: %v", len(namespaces), asked)
	}
	if p := s.people(); p.Notebooks != 1001 || p.NotReady != 1000 {
		t.Errorf("people = %+v", p)
	}
}

func TestAVolumeThatAStoppedNotebookWillNotGetIsAskedFor(t *testing.T) {
	s := whole(t)
	s.Objects = append(s.Objects, object("Profile", "", "ada", nil))
	claim := func(namespace, name string, phase corev1.PersistentVolumeClaimPhase, age time.Duration) corev1.PersistentVolumeClaim {
		return corev1.PersistentVolumeClaim{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, CreationTimestamp: metav1.NewTime(s.Time.Add(-age))},
			Status:     corev1.PersistentVolumeClaimStatus{Phase: phase},
		}
	}
	s.Unbound = []corev1.PersistentVolumeClaim{
		claim("ada", "lost", corev1.ClaimLost, time.Hour), claim("ada", "new", corev1.ClaimPending, time.Second),
		claim("ada", "waits", corev1.ClaimPending, time.Hour), claim("database", "data", corev1.ClaimPending, time.Hour),
	}
	asked, _ := s.stranded()
	var names []string
	for _, sub := range asked {
		names = append(names, sub.Ref.Name)
	}
	if got := strings.Join(names, " "); got != "lost waits" {
		t.Errorf("asked for %q, want the claims of people that are not new", got)
	}
}

func TestWhatAPersonsNamespaceRefusesIsNoComponentsFault(t *testing.T) {
	s := whole(t)
	s.Objects = append(s.Objects, object("Profile", "", "ada", nil))
	refused := Proof{Component: "poddefaults", Object: report.Ref{Kind: "Pod", Namespace: "ada", Name: probeName}, Why: `pods "p" is forbidden: exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2`}
	s.Proofs = []Proof{refused}
	if subs := s.Subjects(); len(subs) > 0 {
		t.Errorf("a component is blamed: %+v", subs)
	}
	if asked, _ := s.stranded(); len(asked) != 1 || asked[0].Component != "" {
		t.Errorf("asked = %+v, want the refusal, of no component", asked)
	}
	s.Proofs[0].Why = `failed calling webhook "admission-webhook-deployment.kubeflow.org": no endpoints available`
	if subs := s.Subjects(); len(subs) != 1 {
		t.Errorf("a webhook of ours that does not answer is ours: %+v", subs)
	}
}

func TestTheSameOfManyPeopleIsOneCauseWithTheirNumber(t *testing.T) {
	var causes []report.Cause
	for i := range 900 {
		causes = append(causes, report.Cause{
			Name: diagnose.CrashLoopBackOff, Severity: report.Warning, Object: report.Ref{Kind: "StatefulSet", Namespace: fmt.Sprintf("p%d", i), Name: "nb"},
			Summary: fmt.Sprintf("container nb of StatefulSet p%d/nb crashes", i), Evidence: []string{fmt.Sprintf("exit code %d", i)},
		})
	}
	ours := report.Cause{Name: diagnose.CrashLoopBackOff, Severity: report.Error, Component: "dex", Object: report.Ref{Kind: "Deployment", Namespace: "auth", Name: "dex"}}
	got := diagnose.Rank(gathered(append(causes, ours)))
	if len(got) != 2 || got[0].Component != "dex" {
		t.Fatalf("got %d causes, want ours and one of the people", len(got))
	}
	if len(got[1].Also) != 899 || !strings.Contains(got[1].Summary, "and 899 more") || len(got[1].Evidence) > 8 {
		t.Errorf("%d more objects, %d lines of evidence: %s", len(got[1].Also), len(got[1].Evidence), got[1].Summary)
	}
	if few := gathered(causes[:2]); len(few) != 2 {
		t.Errorf("two are told one by one, got %+v", few)
	}
}

func TestWhatWasNotLookedAtIsSaid(t *testing.T) {
	s := whole(t)
	s.Reads = append(s.Reads, Read{Group: "kubeflow.org", Kind: "Notebook", Cut: true})
	s.Proofs = []Proof{{Component: "cert-manager", Forbidden: true}, {Component: "cert-manager", Forbidden: true}, {Component: "istio", OK: true}}
	s.notChecked()
	want := "Notebook.kubeflow.org: more than the first 2000\nwhether webhooks of cert-manager answer: dry runs are forbidden"
	if got := strings.Join(s.Report(nil).NotChecked, "\n"); got != want {
		t.Errorf("not checked:\n%s\nwant\n%s", got, want)
	}
}
