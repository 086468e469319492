package rollout

import (
	"fmt"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// mustSay are the kinds whose controller reports by a condition of its own, which
// kstatus takes for Current as long as the condition is not there.
var mustSay = map[schema.GroupKind]string{
	{Group: "cert-manager.io", Kind: "Certificate"}:   "Ready",
	{Group: "cert-manager.io", Kind: "Issuer"}:        "Ready",
	{Group: "cert-manager.io", Kind: "ClusterIssuer"}: "Ready",
}

// Readiness tells whether an object is Current in the sense of kstatus, and otherwise
// what is missing.
func Readiness(u *unstructured.Unstructured) (bool, string) {
	if u == nil {
		return false, "does not exist"
	}
	if wanted, ok := mustSay[u.GroupVersionKind().GroupKind()]; ok {
		value, message := condition(u, wanted)
		if value == "" {
			return false, fmt.Sprintf("no condition %s yet", wanted)
		}
		return value == "True", message
	}
	result, err := status.Compute(u)
	if err != nil {
		return false, err.Error()
	}
	return result.Status == status.CurrentStatus, result.Message
}

func condition(u *unstructured.Unstructured, kind string) (value, message string) {
	conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	for _, c := range conditions {
		if m, ok := c.(map[string]any); ok && m["type"] == kind {
			value, _ = m["status"].(string)
			message, _ = m["message"].(string)
			return value, message
		}
	}
	return "", ""
}
