package rollout

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic/fake"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

func TestCopiesOfThePullSecretFollowTheOriginal(t *testing.T) {
	copied := components.PullSecret("auth", components.GeneratedPlaceholder(components.PullSecretValue))
	const original, live = `{apiVersion: v1, kind: Secret, type: kubernetes.io/dockerconfigjson, metadata: {namespace: default, name: mirror}, data: {.dockerconfigjson: bmV3}}`,
		`{apiVersion: v1, kind: Secret, type: kubernetes.io/dockerconfigjson, metadata: {namespace: auth, name: kubectl-jupyter-image-pull}, data: {.dockerconfigjson: b2xk}}`
	for _, tt := range []struct {
		name    string
		objects []string
		// value of all copies, and whether the one that is there changes
		value string
		fresh bool
		err   string
	}{
		{"the first copy", []string{original}, "new", true, ""},
		{"a copy that is older than the original", []string{original, live}, "new", true, ""},
		{"an original that is gone leaves the copies as they are", []string{live}, "old", false, ""},
		{"neither an original nor a copy", nil, "", false, "kubectl -n default create secret docker-registry mirror"},
		{"a Secret for something else", []string{strings.Replace(original, "kubernetes.io/dockerconfigjson", "Opaque", 1)}, "", false, `of type "Opaque"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var objects []runtime.Object
			for _, o := range tt.objects {
				objects = append(objects, object(t, o))
			}
			e := &Engine{cluster: &cluster.Cluster{Dynamic: fake.NewSimpleDynamicClient(runtime.NewScheme(), objects...)}}
			plan := &Plan{
				Settings: Settings{PullSecret: "default/mirror"},
				Rendered: []components.Rendered{{Component: &components.Component{Name: "dex"}, Objects: []*unstructured.Unstructured{copied}}},
			}
			v, err := e.openVault(t.Context(), plan)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), "--image-pull-secret") || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("openVault = %v, want an error that says %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := v.values[components.PullSecretValue]; got != tt.value {
				t.Errorf("value %q, want %q", got, tt.value)
			}
			if got := len(v.states[keyOf(copied)].fresh) > 0; got != tt.fresh {
				t.Errorf("the copy is written: %t, want %t", got, tt.fresh)
			}
		})
	}
}

func TestACopyOfThePullSecretIsTriedWithWhatAServerTakes(t *testing.T) {
	copied := components.PullSecret("auth", components.GeneratedPlaceholder(components.PullSecretValue))
	if got, _, _ := unstructured.NestedString(acceptable(copied).Object, "stringData", ".dockerconfigjson"); got != `{"auths":{}}` {
		t.Errorf("the copy is tried with %q", got)
	}
	other := object(t, `{apiVersion: v1, kind: Secret, metadata: {namespace: auth, name: s}, stringData: {K: "$(generated:oidc-client-secret)"}}`)
	if acceptable(other) != other {
		t.Error("another Secret is changed")
	}
}
