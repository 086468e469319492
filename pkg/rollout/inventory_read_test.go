package rollout

import "testing"

func TestWhatTheRecordNamesCanBeReadBack(t *testing.T) {
	for _, k := range []key{
		{"apps", "Deployment", "kubeflow", "profiles-deployment"},
		{"", "ConfigMap", "istio-system", "istio"},
		{"rbac.authorization.k8s.io", "ClusterRole", "", "cert-manager-controller-approve:cert-manager-io"},
	} {
		if got, ok := parseRecordName(k.recordName()); !ok || got != k.ref() {
			t.Errorf("%s: read back as %v (%t), want %v", k.recordName(), got, ok, k.ref())
		}
	}
	if _, ok := parseRecordName("nonsense"); ok {
		t.Error("nonsense was taken for an object")
	}
}
