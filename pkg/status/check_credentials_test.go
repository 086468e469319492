package status

import (
	"strings"
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/login"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

func TestCredentialsThatNotebooksGetAreToldAsLoudlyAsAnOpenApplication(t *testing.T) {
	if causes := checkCredentials(whole(t)); len(causes) > 0 {
		t.Errorf("of a whole stack: %+v", causes)
	}
	s := whole(t).without(login.CredentialsRef)
	wantCause(t, checkCredentials(s), diagnose.CredentialsForwarded, report.Fatal, login.CredentialsRef.String()+": not found")
	for _, c := range checkMissing(s) {
		if c.Object == login.CredentialsRef {
			t.Errorf("it is told twice: %+v", c)
		}
	}
	wantCause(t, checkCredentials(whole(t).change(t, login.CredentialsRef, []any{}, "spec", "configPatches")),
		diagnose.CredentialsForwarded, report.Fatal, "has no patch")
	wantCause(t, checkCredentials(whole(t).change(t, login.CredentialsRef, "none", "spec", "workloadSelector", "labels", "istio")),
		diagnose.CredentialsForwarded, report.Fatal, "selects pods")

	// Installed before there was such a filter: it is not even expected.
	for i := range s.Expected {
		s.Expected[i].Objects = nil
	}
	wantCause(t, checkCredentials(s), diagnose.CredentialsForwarded, report.Fatal, "not found")

	// What may not be read is not missing.
	for i := range s.Reads {
		s.Reads[i].Forbidden, s.Reads[i].Error = true, "forbidden"
	}
	if causes := checkCredentials(s); len(causes) > 0 {
		t.Errorf("where it may not be read: %+v", causes)
	}
	s = whole(t).without(login.CredentialsRef)
	s.Inventory = nil
	if causes := checkCredentials(s); len(causes) > 0 {
		t.Errorf("of a stack of somebody else: %+v", causes)
	}
}

func TestNotebooksThatAreToHaveAnOriginOfTheirOwnAndHaveNot(t *testing.T) {
	s := whole(t)
	if causes := checkOrigin(s); len(causes) > 0 {
		t.Errorf("shared by choice: %+v", causes)
	}
	s.Inventory.Settings.NotebookOrigin.Port = true
	wantCause(t, checkOrigin(s), diagnose.SharedOrigin, report.Fatal, login.OriginRef.String()+": not found")
}

func TestACloneThatWasInstalledWithoutTheFilterIsAWarning(t *testing.T) {
	s := whole(t).without(login.CredentialsRef)
	release := *s.Release
	release.Clone = &components.Clone{Path: "/clones/mine"}
	s.Release = &release
	wantCause(t, checkCredentials(s), diagnose.CredentialsForwarded, report.Fatal, "not found") // it had one
	for i := range s.Expected {
		s.Expected[i].Objects = nil
	}
	causes := checkCredentials(s)
	wantCause(t, causes, diagnose.CredentialsForwarded, report.Warning, "not found")
	if want := "kubectl jupyter upgrade"; !strings.Contains(causes[0].Remedy, want) {
		t.Errorf("the remedy is %q, want %q", causes[0].Remedy, want)
	}
}
