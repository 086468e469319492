package status

import (
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

const dexRecord = "Deployment.apps/auth/dex"

func TestWhatAnInstallThatWasCutOffDidNotCreateIsMissing(t *testing.T) {
	for _, tt := range []struct {
		name     string
		last     *rollout.LastRun
		missing  []report.Ref
		severity report.Severity // of InstallIncomplete
		says     string
		row      report.State // of Dex
	}{
		{"an inventory of an older version tells nothing", nil, nil, report.Info, "", report.Ready},
		{"a run that finished is no cause", &rollout.LastRun{Result: rollout.RunFinished}, nil, report.Info, "", report.Ready},
		{
			"of a run that was killed only its beginning is known",
			&rollout.LastRun{Result: rollout.RunStarted, Pending: []string{dexRecord}},
			[]report.Ref{dexDeployment},
			report.Error, "it is still running, or it was killed", report.Missing,
		},
		{
			"a failed run says at what",
			&rollout.LastRun{Result: rollout.RunFailed, Reason: "timed out after 2s", Pending: []string{dexRecord}},
			[]report.Ref{dexDeployment},
			report.Error, "timed out after 2s", report.Missing,
		},
		{
			"what a killed run created without recording it is there",
			&rollout.LastRun{Result: rollout.RunInterrupted, Pending: []string{dexRecord}},
			nil, report.Info, "was interrupted", report.Ready,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := whole(t).without(tt.missing...)
			s.Inventory.LastRun = tt.last
			causes := Check(s)
			r := s.Report(causes)
			if got := rowOf(t, r, "dex").State; got != tt.row {
				t.Errorf("dex is %s, want %s", got, tt.row)
			}
			c := causeOf(r.Causes, diagnose.InstallIncomplete)
			if tt.says == "" {
				if c != nil {
					t.Errorf("there is a cause: %+v", c)
				}
				return
			}
			if c == nil {
				t.Fatalf("causes %+v: want %s", r.Causes, diagnose.InstallIncomplete)
			}
			text := strings.Join(append([]string{c.Summary, c.Remedy}, c.Evidence...), "\n")
			if !strings.Contains(text, tt.says) || !strings.Contains(text, "kubectl jupyter install") || c.Severity != tt.severity {
				t.Errorf("want severity %s and %q:\n%+v\n%s", tt.severity, tt.says, c, text)
			}
			if len(tt.missing) == 0 {
				return
			}
			if !slices.Equal(c.Also, tt.missing) {
				t.Errorf("it names %v, want %v", c.Also, tt.missing)
			}
			if r.State != report.Failed {
				t.Errorf("the whole is %s", r.State)
			}
			for _, c := range causes {
				if c.Name == diagnose.ObjectMissing || c.Name == diagnose.ProfileMissing {
					t.Errorf("an effect is named as a cause: %s %s", c.Name, c.Object)
				}
			}
		})
	}
}

func TestNothingThatARunWasToCreateIsSkipped(t *testing.T) {
	s := whole(t).without(report.Ref{Group: "kubeflow.org", Kind: "Profile", Name: "kubeflow-user-example-com"})
	s.Inventory.Applied = []report.Ref{dexDeployment}
	s.Inventory.LastRun = &rollout.LastRun{Result: rollout.RunStarted, Pending: []string{"Profile.kubeflow.org//kubeflow-user-example-com"}}
	s.settle()
	if slices.Contains(s.LeftOut, "user-profile") {
		t.Errorf("skipped: %v", s.LeftOut)
	}
	if got := rowOf(t, s.Report(Check(s)), "user-profile"); got.State != report.Failed || got.Cause != diagnose.InstallIncomplete {
		t.Errorf("user-profile is %s, %s", got.State, got.Cause)
	}
}
