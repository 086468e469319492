package rollout

import (
	"context"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/metadata/fake"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
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

func TestLeftoversOfWhatSomebodyElseHasMadeAreNotOurs(t *testing.T) {
	source, err := components.NewEmbedded(components.DefaultRelease)
	if err != nil {
		t.Fatal(err)
	}
	release := source.Release()
	recorded := func(settings string) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{"data": map[string]any{settingsKey: settings}}}
	}
	namespace := member{key: key{"", "Namespace", "", "istio-system"}, component: "istio"}
	for _, tt := range []struct {
		name   string
		parent *unstructured.Unstructured
		kept   []member
		// istio tells whose Istio is taken to be.
		istio bool
	}{
		{"an installation with an Istio of its own", recorded(`{}`), nil, false},
		{"an installation that uses somebody's Istio", recorded(`{"useExisting": ["istio-crds", "istio"]}`), nil, true},
		{"an uninstall has kept Istio's namespace", nil, []member{namespace}, false},
		{"nothing is left but definitions", nil, []member{{key: key{"apiextensions.k8s.io", crdKind, "", "x"}, component: "istio-crds"}}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			others, err := othersOf(release, tt.parent, tt.kept)
			if err != nil {
				t.Fatal(err)
			}
			if others["istio"] != tt.istio {
				t.Errorf("Istio is somebody else's: %t, want %t", others["istio"], tt.istio)
			}
		})
	}
}
