package rollout

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPermissionsAreGatheredByResource(t *testing.T) {
	got := Gathered([]string{
		"create configmaps in namespace auth",
		"create configmaps in namespace kubeflow",
		"create namespaces in the whole cluster",
		"create secrets in namespace auth",
		"patch configmaps in namespace auth",
		"patch configmaps in namespace kubeflow",
		"ClusterRole kubeflow-admin: attempting to grant extra privileges",
	})
	want := []string{
		"configmaps: create, patch in auth, kubeflow",
		"namespaces: create in the whole cluster",
		"secrets: create in auth",
		"ClusterRole kubeflow-admin: attempting to grant extra privileges",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("want (-), got (+):\n%s", d)
	}
}
