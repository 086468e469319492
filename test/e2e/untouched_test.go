//go:build e2e

package e2e

import (
	"strings"
)

// wantUntouched fails the test when the cluster is not as it was.
func (b *bed) wantUntouched(before map[string]string) {
	b.t.Helper()
	after := b.versions("")
	for k := range after {
		if _, was := before[k]; !was && !livesOnItsOwn(k) {
			b.t.Errorf("%s was made", k)
		}
	}
	for k := range before {
		if _, is := after[k]; !is && !livesOnItsOwn(k) {
			b.t.Errorf("%s is gone", k)
		}
	}
}

// livesOnItsOwn are objects that a control plane makes and drops at any time: its own
// accounts shortly after its start, an APIService for every group that is defined.
func livesOnItsOwn(k string) bool {
	for _, prefix := range []string{"Lease.", "EndpointSlice.", "Endpoints.", "ControllerRevision.", "APIService.", "ServiceAccount.v1 kube-system/"} {
		if strings.HasPrefix(k, prefix) {
			return true
		}
	}
	namespace, isDefault := strings.CutSuffix(strings.TrimPrefix(k, "ServiceAccount.v1 "), "/default")
	if !isDefault {
		namespace, isDefault = strings.CutSuffix(strings.TrimPrefix(k, "ConfigMap.v1 "), "/kube-root-ca.crt")
	}
	return isDefault && (namespace == "default" || strings.HasPrefix(namespace, "kube-"))
}
