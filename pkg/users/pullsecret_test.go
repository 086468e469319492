package users

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestAServiceAccountKeepsThePullSecretsThatOthersGaveIt(t *testing.T) {
	account := func(names ...any) *unstructured.Unstructured {
		var list []any
		for _, n := range names {
			list = append(list, map[string]any{"name": n})
		}
		return &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"name": "default-editor", "resourceVersion": "7"}, "imagePullSecrets": list}}
	}
	for _, tt := range []struct {
		name   string
		live   *unstructured.Unstructured
		wanted bool
		patch  string
	}{
		{"the first one", account(), true, `{"imagePullSecrets":[{"name":"kubectl-jupyter-image-pull"}],"metadata":{"resourceVersion":"7"}}`},
		{"beside another", account("own"), true, `{"imagePullSecrets":[{"name":"own"},{"name":"kubectl-jupyter-image-pull"}],"metadata":{"resourceVersion":"7"}}`},
		{"already there", account("kubectl-jupyter-image-pull", "own"), true, ""},
		{"taken away again", account("kubectl-jupyter-image-pull", "own"), false, `{"imagePullSecrets":[{"name":"own"}],"metadata":{"resourceVersion":"7"}}`},
		{"never there", account("own"), false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			patch, err := pullPatch(tt.live, tt.wanted)
			if err != nil || string(patch) != tt.patch {
				t.Errorf("patch %s (%v), want %s", patch, err, tt.patch)
			}
		})
	}
}
