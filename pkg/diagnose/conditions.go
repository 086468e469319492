package diagnose

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// objectCondition is a condition of an object of any kind.
type objectCondition struct {
	typ, status, reason, message string
}

func conditions(u *unstructured.Unstructured) []objectCondition {
	list, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	var all []objectCondition
	for _, item := range list {
		m, ok := item.(map[string]any)
		if !ok {
			continue
		}
		text := func(key string) string { v, _ := m[key].(string); return v }
		all = append(all, objectCondition{text("type"), text("status"), text("reason"), text("message")})
	}
	return all
}

func condition(u *unstructured.Unstructured, typ string) *objectCondition {
	for _, c := range conditions(u) {
		if c.typ == typ {
			return &c
		}
	}
	return nil
}
