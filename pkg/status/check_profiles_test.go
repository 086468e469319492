package status

import (
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

func TestAProfileWhoseOwnerHasNoAccessIsNamed(t *testing.T) {
	const editorAccount = "\n---\n{apiVersion: v1, kind: ServiceAccount, metadata: {namespace: team, name: default-editor}}"
	for _, tt := range []struct{ name, profile, want, says string }{
		{"all is well", "spec: {owner: {kind: User, name: ada@example.com}}", "", ""},
		{"a person who logs in with a company's account has no password", "spec: {owner: {kind: User, name: Bob@example.com}}", "", ""},
		{"a group owns it", "spec: {owner: {kind: Group, name: Ada@example.com}}", "", ""},
		{"a condition of another type is no error", "spec: {owner: {kind: User, name: ada@example.com}}\nstatus: {conditions: [{type: Successful, message: done}]}", "", ""},
		{"another case", "spec: {owner: {kind: User, name: Ada@Example.com}}", diagnose.OwnerCaseDiffers, "owner Ada@Example.com, login ada@example.com"},
		{"a kind that RBAC does not have", "spec: {owner: {kind: Admin, name: ada@example.com}}", diagnose.ProfileOwnerInvalid, "spec.owner is Admin ada@example.com"},
		{
			"the owner was changed", "spec: {owner: {kind: User, name: ada@example.com}}\nstatus: {conditions: [{type: Failed, message: namespace already exist but not owned by profile creator}]}",
			diagnose.ProfileFailed, "not owned by profile creator",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := lookedAt(t, "apiVersion: kubeflow.org/v1\nkind: Profile\nmetadata: {name: team}\n"+tt.profile+editorAccount)
			s.Passwords = []string{"ada@example.com"}
			var causes []report.Cause
			for _, c := range checkOwners(s) {
				if c.Object.Name == "team" {
					causes = append(causes, c)
				}
			}
			if tt.want == "" {
				if len(causes) > 0 {
					t.Errorf("causes: %+v", causes)
				}
				return
			}
			wantCause(t, causes, tt.want, report.Warning, tt.says)
		})
	}
}
