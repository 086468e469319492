package components

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestEveryPodOfTheStackHasThePullSecretOfItsNamespace(t *testing.T) {
	for _, release := range ReleaseNames() {
		source, err := NewEmbedded(release)
		if err != nil {
			t.Fatal(err)
		}
		rendered, err := source.Render(t.Context(), source.Release().Names(), Options{PullSecret: ParsePullSecret("mirror"), Outlines: true})
		if err != nil {
			t.Fatal(err)
		}
		var namespaces, running, copies []string
		pods := 0
		for _, u := range ObjectsOf(rendered) {
			switch {
			case u.GetKind() == "Namespace":
				namespaces = append(namespaces, u.GetName())
			case u.GetKind() == "Secret" && u.GetName() == PullSecretCopy:
				copies = append(copies, u.GetNamespace())
				if Generated(u)[".dockerconfigjson"] != PullSecretValue {
					t.Errorf("the copy in %s has no placeholder: %v", u.GetNamespace(), u.Object)
				}
			}
			if !slices.Contains(WorkloadKinds, u.GetKind()) {
				continue
			}
			pods++
			secrets, _, err := unstructured.NestedSlice(u.Object, "spec", "template", "spec", "imagePullSecrets")
			if err != nil || len(secrets) != 1 || secrets[0].(map[string]any)["name"] != PullSecretCopy {
				t.Errorf("release %s: the pods of %s %s/%s have the pull secrets %v (%v)", release, u.GetKind(), u.GetNamespace(), u.GetName(), secrets, err)
			}
			running = append(running, u.GetNamespace())
		}
		slices.Sort(copies)
		if pods == 0 || len(slices.Compact(copies)) != len(copies) {
			t.Errorf("release %s: %d workloads, copies in %v", release, pods, copies)
		}
		for _, namespace := range slices.Concat(namespaces, running) {
			if !slices.Contains(copies, namespace) {
				t.Errorf("release %s: no copy in namespace %s: %v", release, namespace, copies)
			}
		}
	}
}
