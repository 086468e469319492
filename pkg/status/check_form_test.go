package status

import (
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

func TestWhatBreaksThePagesOfTheWebAppIsNamed(t *testing.T) {
	const notebook = "apiVersion: kubeflow.org/v1\nkind: Notebook\nmetadata: {namespace: team, name: ada}\n"
	const podDefault = "apiVersion: kubeflow.org/v1alpha1\nkind: PodDefault\nmetadata: {namespace: team, name: token}\n"
	const arm = "apiVersion: v1\nkind: Node\nmetadata: {name: a1, labels: {kubernetes.io/arch: arm64}}"
	for _, tt := range []struct{ name, objects, want, says string }{
		{"a notebook as the web app makes it", notebook + "spec: {template: {spec: {containers: [{name: ada, resources: {requests: {cpu: 1, memory: 1Gi}}, volumeMounts: []}]}}}", "", ""},
		{
			"a notebook of a manifest", notebook + "spec: {template: {spec: {containers: [{name: ada, resources: {requests: {cpu: 1}}}]}}}",
			diagnose.NotebookBreaksList, "Notebook team/ada: the first container has no resources.requests.memory, volumeMounts",
		},
		{
			"a notebook without a container", notebook + "spec: {template: {spec: {containers: []}}}",
			diagnose.NotebookBreaksList, "resources.requests.cpu, resources.requests.memory, volumeMounts",
		},
		{"only the first container is asked", notebook + "spec: {template: {spec: {containers: [{name: ada, resources: {requests: {cpu: 1, memory: 1Gi}}, volumeMounts: []}, {name: other}]}}}", "", ""},
		{"a PodDefault with labels", podDefault + `spec: {selector: {matchLabels: {token: "true"}}}`, "", ""},
		{
			"a PodDefault for all notebooks", podDefault + "spec: {selector: {matchExpressions: [{key: notebook-name, operator: Exists}]}}",
			diagnose.PodDefaultBreaksForm, "PodDefault team/token: spec.selector has no matchLabels",
		},
		{"images for amd64 where all nodes are arm64", arm, diagnose.WrongArchitecture, "jupyter-pytorch-cuda"},
		{"one node can run them", arm + "\n---\napiVersion: v1\nkind: Node\nmetadata: {name: a2, labels: {kubernetes.io/arch: amd64}}", "", ""},
		{"a node does not say what it is", arm + "\n---\napiVersion: v1\nkind: Node\nmetadata: {name: a2}", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			causes := checkForm(lookedAt(t, tt.objects))
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
