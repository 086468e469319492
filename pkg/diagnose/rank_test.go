package diagnose

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

func ref(name string) report.Ref { return report.Ref{Kind: "Deployment", Name: name} }

func TestRank(t *testing.T) {
	full := report.Cause{Name: InsufficientCPU, Severity: report.Error, Summary: "no cpu"}
	on := func(c report.Cause, name string, evidence ...string) report.Cause {
		c.Object, c.Evidence = ref(name), evidence
		return c
	}
	for _, tc := range []struct {
		name string
		give []report.Cause
		want []report.Cause
	}{{
		name: "nothing is nothing",
	}, {
		name: "the same cause of several objects is one, with the evidence of all",
		give: []report.Cause{on(full, "a", "said", "a asks"), on(full, "b", "said", "b asks"), on(full, "a", "said")},
		want: []report.Cause{{
			Name: InsufficientCPU, Severity: report.Error, Summary: "no cpu", Object: ref("a"),
			Evidence: []string{"said", "a asks", "b asks"}, Also: []report.Ref{ref("b")},
		}},
	}, {
		name: "what others follow from comes first, and what is worse before that",
		give: []report.Cause{
			{Name: NodeNotReady, Severity: report.Delay, Summary: "starts"},
			{Name: WebhookWithoutEndpoints, Severity: report.Error, Summary: "nobody"},
			{Name: InsufficientCPU, Severity: report.Error, Summary: "full"},
		},
		want: []report.Cause{
			{Name: InsufficientCPU, Severity: report.Error, Summary: "full"},
			{Name: WebhookWithoutEndpoints, Severity: report.Error, Summary: "nobody"},
			{Name: NodeNotReady, Severity: report.Delay, Summary: "starts"},
		},
	}, {
		name: "of a cause that is a delay here and an error there, the error counts",
		give: []report.Cause{
			{Name: ProbeFailing, Severity: report.Delay, Summary: "fails", Object: ref("a")},
			{Name: ProbeFailing, Severity: report.Error, Summary: "fails", Object: ref("b")},
		},
		want: []report.Cause{{Name: ProbeFailing, Severity: report.Error, Summary: "fails", Object: ref("a"), Also: []report.Ref{ref("b")}}},
	}} {
		t.Run(tc.name, func(t *testing.T) {
			got := Rank(tc.give)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("Rank (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(got, Rank(got)); diff != "" {
				t.Errorf("ranking again changes something:\n%s", diff)
			}
		})
	}
}

func TestEvidenceIsBounded(t *testing.T) {
	var many []report.Cause
	for i := range 50 {
		many = append(many, report.Cause{Name: NotReady, Summary: "s", Object: ref("a"), Evidence: []string{fmt.Sprint("line ", i)}})
	}
	got := Rank(many)
	if len(got) != 1 || len(got[0].Evidence) != maxEvidence {
		t.Errorf("got %d causes with %d lines", len(got), len(got[0].Evidence))
	}
}
