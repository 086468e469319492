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

func TestWhatAnUpgradeHasYetToCreateIsAwaitedAndNotFailed(t *testing.T) {
	policy := report.Ref{Group: "security.istio.io", Kind: "AuthorizationPolicy", Namespace: "istio-system", Name: "istio-ingressgateway-oauth2-proxy"}
	const policyRecord = "AuthorizationPolicy.security.istio.io/istio-system/istio-ingressgateway-oauth2-proxy"
	for _, tt := range []struct {
		name    string
		missing []report.Ref
		pending []string
		// more breaks something else.
		more  func(*Snapshot)
		rows  map[string]report.State
		cause map[string]string
		whole report.State
	}{
		{
			"an object beside programs that serve",
			[]report.Ref{policy},
			[]string{policyRecord},
			nil,
			map[string]report.State{"oauth2-proxy": report.Progressing, "dex": report.Ready},
			map[string]string{"oauth2-proxy": diagnose.UpgradeIncomplete},
			report.Progressing,
		},
		{
			"programs, while those of the older release serve",
			[]report.Ref{dexDeployment},
			[]string{dexRecord},
			nil,
			map[string]report.State{"dex": report.Progressing},
			map[string]string{"dex": diagnose.UpgradeIncomplete},
			report.Progressing,
		},
		{
			"what is missing beside it is no effect",
			[]report.Ref{dexDeployment, policy},
			[]string{policyRecord},
			nil,
			map[string]report.State{"dex": report.Missing, "oauth2-proxy": report.Progressing},
			nil, report.Missing,
		},
		{
			"another error of the same component is told",
			[]report.Ref{policy},
			[]string{policyRecord},
			func(s *Snapshot) {
				s.change(t, proxies, int64(0), "spec", "replicas").change(t, proxies, int64(0), "status", "readyReplicas")
			},
			map[string]report.State{"oauth2-proxy": report.Failed},
			nil, report.Failed,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := whole(t).without(tt.missing...)
			s.Inventory.Settings.From = "1.10"
			s.Inventory.LastRun = &rollout.LastRun{Result: rollout.RunInterrupted, Pending: tt.pending}
			if tt.more != nil {
				tt.more(s)
			}
			r := s.Report(Check(s))
			for name, want := range tt.rows {
				if got := rowOf(t, r, name); got.State != want {
					t.Errorf("%s is %s (%s), want %s", name, got.State, got.Cause, want)
				}
			}
			for name, want := range tt.cause {
				if got := rowOf(t, r, name); got.Cause != want {
					t.Errorf("%s has the cause %s, want %s", name, got.Cause, want)
				}
			}
			if r.State != tt.whole {
				t.Errorf("the whole is %s, want %s", r.State, tt.whole)
			}
			if len(r.Causes) == 0 || r.Causes[0].Name != diagnose.UpgradeIncomplete && tt.more == nil {
				t.Errorf("the first cause: %+v", r.Causes)
			}
		})
	}
}
