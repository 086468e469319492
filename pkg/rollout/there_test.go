package rollout

import (
	"errors"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/metadata/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
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
			source, err := SourceThere(t.Context(), withDeployment(t, tt.deployment, tt.refuses))
			switch {
			case (err != nil) != (tt.want == ""):
				t.Errorf("error %v", err)
			case err == nil && source.Release().Name != tt.want:
				t.Errorf("release %s, want %s", source.Release().Name, tt.want)
			}
		})
	}
}

func TestAnInstallationKeepsTheReleaseThatIsThereThoughNothingIsRecorded(t *testing.T) {
	for name, tt := range map[string]struct {
		deployment string
		asked      string
		typed      bool
		want, err  string
	}{
		"nothing was typed":          {"admission-webhook-deployment", "26.03", false, "1.10", ""},
		"the same was typed":         {"admission-webhook-deployment", "1.10", true, "1.10", ""},
		"another was typed":          {"admission-webhook-deployment", "26.03", true, "", "release 1.10 is installed, although the cluster has no record of it, nothing was changed"},
		"nothing is there":           {"", "26.03", false, "26.03", ""},
		"nothing is there, an older": {"", "1.10", true, "1.10", ""},
	} {
		t.Run(name, func(t *testing.T) {
			source, err := components.NewEmbedded(tt.asked)
			if err != nil {
				t.Fatal(err)
			}
			i := &Intent{Source: source, Given: func(flag string) bool { return tt.typed && flag == "release" }}
			err = i.KeepThere(t.Context(), withDeployment(t, tt.deployment, nil))
			switch {
			case tt.err != "":
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error %v, want %q", err, tt.err)
				}
			case err != nil:
				t.Error(err)
			case i.Source.Release().Name != tt.want:
				t.Errorf("release %s, want %s", i.Source.Release().Name, tt.want)
			}
		})
	}
}

// withDeployment is a cluster with a Deployment of this name in namespace kubeflow, if any,
// that refuses reads with an error, if any.
func withDeployment(t *testing.T, name string, refuses error) *cluster.Cluster {
	t.Helper()
	scheme := fake.NewTestScheme()
	if err := metav1.AddMetaToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	var objects []runtime.Object
	if name != "" {
		objects = append(objects, &metav1.PartialObjectMetadata{
			TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
			ObjectMeta: metav1.ObjectMeta{Namespace: "kubeflow", Name: name},
		})
	}
	client := fake.NewSimpleMetadataClient(scheme, objects...)
	if refuses != nil {
		client.PrependReactor("get", "*", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, refuses })
	}
	return &cluster.Cluster{Metadata: client}
}
