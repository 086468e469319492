package status

import (
	"slices"
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

func TestARowTellsTheStateOfItsComponent(t *testing.T) {
	broken := func(severity report.Severity, ref report.Ref) report.Cause {
		return report.Cause{Name: diagnose.CrashLoopBackOff, Severity: severity, Object: ref, Summary: "it crashes"}
	}
	all := func(name string) (refs []report.Ref) {
		for _, r := range whole(t).Expected {
			for _, u := range r.Objects {
				if r.Component.Name == name {
					refs = append(refs, cluster.RefOf(u))
				}
			}
		}
		return refs
	}
	for _, tt := range []struct {
		name      string
		component string
		snapshot  *Snapshot
		causes    []report.Cause
		want      report.State
		cause     string
	}{
		{"Ready when nothing is wrong", "dex", whole(t), nil, report.Ready, ""},
		{"Ready with a warning", "dex", whole(t), []report.Cause{broken(report.Warning, dexDeployment)}, report.Ready, diagnose.CrashLoopBackOff},
		{"Progressing as long as it may resolve itself", "dex", whole(t), []report.Cause{broken(report.Delay, dexDeployment)}, report.Progressing, diagnose.CrashLoopBackOff},
		{
			"Failed when no pod is left", "dex", whole(t).change(t, dexDeployment, int64(0), "status", "readyReplicas"),
			[]report.Cause{broken(report.Error, dexDeployment)},
			report.Failed, diagnose.CrashLoopBackOff,
		},
		{
			"Degraded when another pod still works", "oauth2-proxy", whole(t).change(t, proxies, int64(2), "spec", "replicas"),
			[]report.Cause{broken(report.Error, proxies)},
			report.Degraded, diagnose.CrashLoopBackOff,
		},
		{"Failed when it is not the pods that are wrong", "oauth2-proxy", whole(t), []report.Cause{broken(report.Error, jwtPolicy)}, report.Failed, diagnose.CrashLoopBackOff},
		{"Missing when nothing of it is there", "dex", whole(t).without(all("dex")...), nil, report.Missing, ""},
		{"not told of other components' causes", "dex", whole(t), []report.Cause{broken(report.Error, proxies)}, report.Ready, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := tt.snapshot.Report(tt.causes)
			if row := rowOf(t, r, tt.component); row.State != tt.want || row.Cause != tt.cause {
				t.Errorf("%s, cause %q; want %s, %q", row.State, row.Cause, tt.want, tt.cause)
			}
		})
	}
}

func TestWhatMayNotBeReadIsUnknownAndNotMissing(t *testing.T) {
	s := whole(t)
	s.Objects, s.index = nil, nil
	for i := range s.Reads {
		s.Reads[i].Forbidden, s.Reads[i].Error = true, `deployments.apps is forbidden: User "jane" cannot list resource "deployments"`
	}
	r := s.Report(Check(s))
	for _, c := range r.Components {
		if c.Name != "istio-crds" && (c.State != report.Unknown || c.Cause != diagnose.Forbidden) {
			t.Errorf("%s is %s for %q, want Unknown and Forbidden", c.Name, c.State, c.Cause)
		}
	}
	if r.State != report.Unknown {
		t.Errorf("the whole is %s, want Unknown", r.State)
	}
	c := causeOf(r.Causes, diagnose.Forbidden)
	if c == nil || c.Severity != report.Warning || len(c.Evidence) > maxLines {
		t.Fatalf("causes: %+v", r.Causes)
	}
	if len(s.Subjects()) > 0 {
		t.Errorf("subjects: %+v", s.Subjects())
	}
}

func TestAServerThatDoesNotAnswerIsNoMissingStack(t *testing.T) {
	s := whole(t)
	s.Objects, s.index = nil, nil
	for i := range s.Reads {
		s.Reads[i].Error = "etcdserver: request timed out"
	}
	r := s.Report(Check(s))
	if row := rowOf(t, r, "dex"); row.State != report.Unknown || row.Cause != diagnose.Unreadable || r.State != report.Unknown {
		t.Errorf("dex is %s for %q, the whole is %s", row.State, row.Cause, r.State)
	}
	if c := causeOf(r.Causes, diagnose.Unreadable); c == nil || len(c.Evidence) == 0 {
		t.Errorf("causes: %+v", r.Causes)
	}
}

func TestAReportOfSomeComponentsTellsOfThemAlone(t *testing.T) {
	s := whole(t)
	webApp := report.Ref{Group: "apps", Kind: "Deployment", Namespace: "kubeflow", Name: "jupyter-web-app-deployment"}
	all := []report.Cause{
		{Name: diagnose.Unreadable, Severity: report.Warning, Summary: "not everything was answered"},
		{Name: diagnose.CrashLoopBackOff, Severity: report.Error, Component: "dex", Object: dexDeployment, Summary: "it crashes"},
		{Name: diagnose.Drift, Severity: report.Warning, Component: "dex", Object: dexDeployment, Summary: "ada has changed it"},
		{Name: diagnose.Drift, Severity: report.Warning, Component: "jupyter-web-app", Object: webApp, Summary: "bob has changed it"},
		{Name: diagnose.WebhookUnreachable, Severity: report.Error, Component: "istio", Summary: "the injector does not answer", Also: []report.Ref{dexDeployment}},
		{Name: diagnose.PolicyChanged, Severity: report.Error, Component: "oauth2-proxy", Object: jwtPolicy, Summary: "it is another one"},
		{Name: diagnose.MountFailed, Severity: report.Warning, Object: report.Ref{Kind: "Notebook", Namespace: "team", Name: "nb"}, Summary: "somebody's notebook waits"},
	}
	r := s.Report(all)
	s.narrow(r, []string{"dex"})
	var said []string
	for _, c := range r.Causes {
		said = append(said, c.Summary)
	}
	slices.Sort(said)
	if want := []string{"ada has changed it", "it crashes", "not everything was answered", "the injector does not answer"}; !slices.Equal(said, want) {
		t.Errorf("causes %q, want %q", said, want)
	}
	if len(r.Components) != 1 || r.Components[0].Name != "dex" || r.State != r.Components[0].State || r.State == report.Ready {
		t.Errorf("rows %+v, state %s", r.Components, r.State)
	}
}

func TestAComponentWithoutProgramsIsUnknownWhereAPartOfItMayNotBeRead(t *testing.T) {
	profile := report.Ref{Group: "kubeflow.org", Kind: "Profile", Name: "kubeflow-user-example-com"}
	s := whole(t).without(profile)
	for i := range s.Reads {
		if s.Reads[i].covers(profile) {
			s.Reads[i].Forbidden, s.Reads[i].Error = true, "profiles.kubeflow.org is forbidden"
		}
	}
	r := s.Report(nil)
	if row := rowOf(t, r, "user-profile"); row.State != report.Unknown || row.Cause != diagnose.Forbidden {
		t.Errorf("user-profile is %s for %q", row.State, row.Cause)
	}
	if row := rowOf(t, r, "profiles"); row.State != report.Ready {
		t.Errorf("profiles is %s for %q", row.State, row.Cause)
	}
}

func TestAWebhookOfTheStackIsBroughtBackRatherThanRemoved(t *testing.T) {
	for object, want := range map[string]string{"istio-sidecar-injector": "kubectl jupyter install recreates what is missing", "ghost": "kubectl delete"} {
		r := whole(t).Report([]report.Cause{{
			Name: diagnose.WebhookServiceMissing, Severity: report.Error, Summary: "its service is gone", Remedy: "kubectl delete",
			Object: report.Ref{Group: "admissionregistration.k8s.io", Kind: "MutatingWebhookConfiguration", Name: object},
		}})
		if got := r.Causes[0].Remedy; got != want {
			t.Errorf("%s: %q, want %q", object, got, want)
		}
	}
}
