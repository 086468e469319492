package status

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/login"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

func TestANotebookOfAnEarlierMeshRootMakesTheMeshDegraded(t *testing.T) {
	s := lookedAt(t, "")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	since := s.Time.Add(-time.Minute)
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: since, NotAfter: since.Add(time.Hour), IsCA: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	root := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"namespace": login.MeshRootRef.Namespace, "name": login.MeshRootRef.Name},
		"data":     map[string]any{login.MeshRootKey: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))},
	}}
	s.Objects = append(s.Objects, root)
	s.MeshPods = []corev1.Pod{{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "ada-0", Labels: map[string]string{"notebook-name": "ada"}},
		Status: corev1.PodStatus{InitContainerStatuses: []corev1.ContainerStatus{{
			Name: "istio-proxy", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(since.Add(-time.Hour))}},
		}}},
	}}
	causes := checkMeshRoot(s)
	wantCause(t, causes, diagnose.MeshRootChanged, report.Error, "Notebook team/ada", "kubectl -n team delete pod ada-0")

	s.MeshPods[0].Status.InitContainerStatuses[0].State.Running.StartedAt = metav1.NewTime(since.Add(time.Second))
	if again := checkMeshRoot(s); len(again) > 0 {
		t.Errorf("the notebook was restarted, and there are causes: %+v", again)
	}
}

func TestNotebooksWithSidecarsOfAnotherVersionAreNamedWithTheCommand(t *testing.T) {
	s := lookedAt(t, "")
	image := func(name, tag string) []corev1.Container {
		return []corev1.Container{{Name: name, Image: "registry.example.com/proxyv2:" + tag}}
	}
	const control = "1.30.8"
	controller := true
	s.StackPods = []corev1.Pod{{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "istio-system", Name: "istiod-1-a", Labels: map[string]string{"pod-template-hash": "1"},
			OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "istiod-1", Controller: &controller}},
		},
		Spec: corev1.PodSpec{Containers: image("discovery", control)},
	}}
	pod := func(name, tag string) corev1.Pod {
		return corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name + "-0", Labels: map[string]string{"notebook-name": name}},
			Spec:       corev1.PodSpec{InitContainers: image("istio-proxy", tag)},
		}
	}
	other := pod("ada", "1.0.0")
	other.Labels = nil // not a notebook's
	s.MeshPods = []corev1.Pod{pod("old", "1.0.0"), pod("new", control), other}
	causes := checkSidecars(s)
	wantCause(t, causes, diagnose.VersionSkew, report.Warning, "Notebook team/old: istio-proxy 1.0.0", "istiod: "+control)
	if c := causes[0]; len(causes) != 1 || len(c.Also) > 0 || c.Remedy != "restart those that are not in use: kubectl jupyter upgrade --restart-notebooks=idle" {
		t.Errorf("causes %+v", causes)
	}
}
