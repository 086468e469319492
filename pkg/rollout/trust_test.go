package rollout

import (
	"context"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/metadata/fake"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
)

// injected is a pod with a sidecar, of a controller.
func injected(namespace, name, kind, owner string) *metav1.PartialObjectMetadata {
	yes := true
	return &metav1.PartialObjectMetadata{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name,
			Labels:          map[string]string{"security.istio.io/tlsMode": "istio", "pod-template-hash": "5d9f"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: kind, Name: owner, Controller: &yes}},
		},
	}
}

func TestPodsOfTheInstallationDoNotHoldTheMeshsKey(t *testing.T) {
	scheme := fake.NewTestScheme()
	if err := metav1.AddMetaToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	ending := injected("team", "ending-0", "StatefulSet", "ending")
	ending.DeletionTimestamp, ending.Finalizers = &metav1.Time{}, []string{"example.com/wait"}
	plain := injected("team", "plain-0", "StatefulSet", "plain")
	plain.Labels = nil
	objects := []runtime.Object{
		injected("team", "ada-0", "StatefulSet", "ada"),
		injected("kubeflow", "web-app-5d9f-x", "ReplicaSet", "web-app-5d9f"),
		injected("kubeflow", "somebodys-5d9f-x", "ReplicaSet", "somebodys-5d9f"),
		ending, plain,
	}
	e := &Engine{cluster: &cluster.Cluster{Metadata: fake.NewSimpleMetadataClient(scheme, objects...)}}
	pods, err := e.staying(context.Background(), "security.istio.io/tlsMode=istio", map[key]bool{{"apps", "Deployment", "kubeflow", "web-app"}: true})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range pods {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	if want := []string{"ada-0", "somebodys-5d9f-x"}; !slices.Equal(names, want) {
		t.Errorf("pods that stay = %v, want %v", names, want)
	}
}
