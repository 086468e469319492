package rollout

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata/fake"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
)

func TestWhatAPlatformPutsIntoEveryNamespaceIsNobodys(t *testing.T) {
	scheme := fake.NewTestScheme()
	if err := metav1.AddMetaToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	object := func(kind, namespace, name string) runtime.Object {
		return &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: kind}, ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	}
	var objects []runtime.Object
	for _, ns := range []string{"default", "kube-public", "auth"} {
		objects = append(objects, object("ConfigMap", ns, "openshift-service-ca.crt"), object("ServiceAccount", ns, "builder"), object("PersistentVolumeClaim", ns, "data"))
	}
	objects = append(objects, object("ConfigMap", "auth", "precious"), object("ConfigMap", "default", "precious"))
	e := &Engine{cluster: &cluster.Cluster{Metadata: fake.NewSimpleMetadataClient(scheme, objects...)}}
	for _, tt := range []struct {
		name, resource, object string
		want                   bool
	}{
		{"a bundle of certificates", "configmaps", "openshift-service-ca.crt", true},
		{"an account for builds", "serviceaccounts", "builder", true},
		{"what is in one other namespace may be somebody's", "configmaps", "precious", false},
		{"what is nowhere else is somebody's", "configmaps", "mine", false},
		{"data is somebody's, wherever else there is some", "persistentvolumeclaims", "data", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := cluster.Resource{GroupVersionResource: schema.GroupVersionResource{Version: "v1", Resource: tt.resource}}
			if got := e.ofThePlatform(t.Context(), r, tt.object); got != tt.want {
				t.Errorf("ofThePlatform(%s) = %v, want %v", tt.object, got, tt.want)
			}
		})
	}
	token := key{"", "Secret", "auth", "default-token-x"}
	if !everywhere(token, map[string]string{"kubernetes.io/service-account.name": "default"}) || everywhere(token, nil) {
		t.Error("the token of a ServiceAccount is told by its annotation")
	}
}
