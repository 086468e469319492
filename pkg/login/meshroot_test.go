package login

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// noon is when the tests' mesh has got its root.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// rootOf is a root certificate that is valid since a time.
func rootOf(t *testing.T, since time.Time) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: since, NotAfter: since.Add(24 * 3650 * time.Hour), IsCA: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// notebookPod has a sidecar that started at a time.
func notebookPod(name string, started time.Time) corev1.Pod {
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kubeflow-user-example-com", Name: name + "-0", Labels: map[string]string{notebookLabel: name}},
		Status: corev1.PodStatus{InitContainerStatuses: []corev1.ContainerStatus{{
			Name: meshProxy, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(started)}},
		}}},
	}
}

// webAppPod is one of a Deployment, ready since a time.
func webAppPod(started, ready time.Time) corev1.Pod {
	p := notebookPod("web-app-5d9f", started)
	yes := true
	p.Namespace, p.Labels = stackNamespace, map[string]string{"pod-template-hash": "5d9f"}
	p.OwnerReferences = []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "web-app-5d9f", Controller: &yes}}
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(ready)}}
	return p
}

func TestSidecarsFromBeforeTheMeshsRootAreNamed(t *testing.T) {
	before, after := noon.Add(-time.Hour), noon.Add(time.Minute)
	deleted := notebookPod("gone", before)
	deleted.DeletionTimestamp = &metav1.Time{Time: after}
	for name, c := range map[string]struct {
		root string
		pods []corev1.Pod
		now  time.Time
		// want are the objects that are named.
		want []string
		says []string
	}{
		"a notebook that ran when the root changed": {
			rootOf(t, noon),
			[]corev1.Pod{notebookPod("ada", before), notebookPod("new", after)},
			after,
			[]string{"Notebook kubeflow-user-example-com/ada"},
			[]string{"valid since 2026-03-01T12:00:00Z", "pod ada-0 started at 2026-03-01T11:00:00Z", "kubectl -n kubeflow-user-example-com delete pod ada-0"},
		},
		"a Deployment of the stack, once for its pods": {
			rootOf(t, noon),
			[]corev1.Pod{webAppPod(before, before), webAppPod(before, before)},
			after,
			[]string{"Deployment kubeflow/web-app"},
			[]string{"kubectl -n kubeflow rollout restart deployment web-app"},
		},
		"a Deployment that waited for istiod": {rootOf(t, noon), []corev1.Pod{webAppPod(before, after)}, after, nil, nil},
		"a pod that is being deleted":         {rootOf(t, noon), []corev1.Pod{deleted}, after, nil, nil},
		"every certificate of the old root has expired": {
			rootOf(t, noon),
			[]corev1.Pod{notebookPod("ada", before)},
			noon.Add(25 * time.Hour),
			nil, nil,
		},
		"the old root is still trusted beside the new one": {
			rootOf(t, noon) + rootOf(t, before.Add(-time.Hour)),
			[]corev1.Pod{notebookPod("ada", before)},
			after,
			nil, nil,
		},
		"a root that could not be read": {"", []corev1.Pod{notebookPod("ada", before)}, after, nil, nil},
		"a root that is no certificate": {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", []corev1.Pod{notebookPod("ada", before)}, after, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			causes := MeshRootCauses(c.root, c.pods, c.now)
			if len(c.want) == 0 {
				if len(causes) > 0 {
					t.Errorf("causes = %+v, want none", causes)
				}
				return
			}
			if len(causes) != 1 || causes[0].Name != diagnose.MeshRootChanged || causes[0].Severity != report.Error {
				t.Fatalf("causes = %+v, want %s", causes, diagnose.MeshRootChanged)
			}
			var named []string
			for _, ref := range append([]report.Ref{causes[0].Object}, causes[0].Also...) {
				named = append(named, ref.String())
			}
			if strings.Join(named, ", ") != strings.Join(c.want, ", ") {
				t.Errorf("names %v, want %v", named, c.want)
			}
			text := strings.Join(append(causes[0].Evidence, causes[0].Remedy), "\n")
			for _, s := range c.says {
				if !strings.Contains(text, s) {
					t.Errorf("it does not say %q:\n%s", s, text)
				}
			}
		})
	}
}

// The check knows by the 503 that the sidecar has got no certificate since, however long
// ago the root has changed.
func TestANotebookBehindAnOldRootIsAFailureWithItsReason(t *testing.T) {
	g := whole(t)
	g.MeshRoot = rootOf(t, noon)
	g.MeshPods = []corev1.Pod{notebookPod("first", noon.Add(-time.Hour))}
	refused := map[string]http.HandlerFunc{
		"GET /notebook/kubeflow-user-example-com/first/api/events/subscribe": says(503, "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure, transport failure reason: TLS_error:|268435581:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:TLS_error_end"),
	}
	r := walkTo(t, httptest.NewServer(pretence{refused}), g, CheckOptions{})
	if outcomes(r) != "PPPPPPPPFP" || r.Passed() || len(r.Causes) != 1 || r.Causes[0].Name != diagnose.MeshRootChanged {
		t.Fatalf("%s %+v, want %s alone", outcomes(r), r.Causes, diagnose.MeshRootChanged)
	}
	if r = walkTo(t, httptest.NewServer(pretence{}), g, CheckOptions{}); !r.Passed() || len(r.Causes) > 0 {
		t.Errorf("the notebook answers, and there are causes: %+v", r.Causes)
	}
}
