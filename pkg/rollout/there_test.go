package rollout

import (
	"errors"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/metadata/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
)

func TestAStackOfWhichNothingIsRecordedIsComparedWithTheNearestRelease(t *testing.T) {
	for name, tt := range map[string]struct {
		deployment string
		refuses    error
		want       string // empty: an error
	}{
		"nothing is there":                 {"", nil, "26.03"},
		"the webhook's Deployment of 1.10": {"admission-webhook-deployment", nil, "1.10"},
		"that of 26.03":                    {"poddefaults-webhook-deployment", nil, "26.03"},
		"one that both have":               {"jupyter-web-app-deployment", nil, "26.03"},
		"Deployments may not be read":      {"admission-webhook-deployment", apierrors.NewForbidden(deployments.GroupResource(), "x", errors.New("no")), "26.03"},
		"the server does not answer":       {"", errors.New("connection refused"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			scheme := fake.NewTestScheme()
			if err := metav1.AddMetaToScheme(scheme); err != nil {
				t.Fatal(err)
			}
			var objects []runtime.Object
			if tt.deployment != "" {
				objects = append(objects, &metav1.PartialObjectMetadata{
					TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
					ObjectMeta: metav1.ObjectMeta{Namespace: "kubeflow", Name: tt.deployment},
				})
			}
			client := fake.NewSimpleMetadataClient(scheme, objects...)
			if tt.refuses != nil {
				client.PrependReactor("get", "*", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, tt.refuses })
			}
			source, err := SourceThere(t.Context(), &cluster.Cluster{Metadata: client})
			switch {
			case (err != nil) != (tt.want == ""):
				t.Errorf("error %v", err)
			case err == nil && source.Release().Name != tt.want:
				t.Errorf("release %s, want %s", source.Release().Name, tt.want)
			}
		})
	}
}
