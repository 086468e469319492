package components_test

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

func TestMetalLBAnnouncesFromExcludedNodesOnlyWhenToldTo(t *testing.T) {
	forEachRelease(t, func(t *testing.T, release string) {
		for _, told := range []bool{false, true} {
			for _, u := range render(t, release, components.Options{IgnoreExcluded: told}, "metallb") {
				if u.GetKind() != "DaemonSet" {
					continue
				}
				containers, _, _ := unstructured.NestedSlice(u.Object, "spec", "template", "spec", "containers")
				args, _, _ := unstructured.NestedStringSlice(containers[0].(map[string]any), "args")
				if got := slices.Contains(args, "--ignore-exclude-lb"); got != told || len(args) < 2 {
					t.Errorf("told %v: arguments %q", told, args)
				}
			}
		}
	})
}
