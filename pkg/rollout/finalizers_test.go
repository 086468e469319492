package rollout

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/fake"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
)

func TestProfilesAreReleasedOnlyWhenTheirControllerIsGone(t *testing.T) {
	const controller = `{apiVersion: apps/v1, kind: Deployment, metadata: {namespace: kubeflow, name: profiles-deployment}}`
	const profile = `{apiVersion: kubeflow.org/v1, kind: Profile, metadata: {name: ada, finalizers: [profile-finalizer, example.com/other]}}`
	resource := schema.GroupVersionResource{Group: "kubeflow.org", Version: "v1", Resource: "profiles"}
	tests := []struct {
		name    string
		objects []string
		want    int
	}{
		{"with the controller there, it does its own work", []string{controller, profile}, 2},
		{"without it, only its own finalizer goes", []string{profile}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var objects []runtime.Object
			for _, o := range tt.objects {
				objects = append(objects, object(t, o))
			}
			e := &Engine{cluster: &cluster.Cluster{Dynamic: fake.NewSimpleDynamicClient(runtime.NewScheme(), objects...)}}
			u := object(t, profile)
			m := member{key: keyOf(u), version: resource, meta: &metav1.PartialObjectMetadata{}}
			m.meta.Finalizers = u.GetFinalizers()
			if err := e.releaseProfiles(t.Context(), []member{m}); err != nil {
				t.Fatal(err)
			}
			now, err := e.cluster.Dynamic.Resource(resource).Get(t.Context(), "ada", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if got := now.GetFinalizers(); len(got) != tt.want || got[len(got)-1] != "example.com/other" {
				t.Errorf("finalizers %v, want %d and somebody else's among them", got, tt.want)
			}
		})
	}
}
