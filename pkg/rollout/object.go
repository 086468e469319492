package rollout

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

const crdKind = "CustomResourceDefinition"

// CreateOnlyAnnotation lists fields that are ours only until somebody else changes
// them, as istiod does with its validator's failurePolicy: comma-separated paths
// with dots, [*] for every item of a list.
const CreateOnlyAnnotation = "kubectl-jupyter/create-only-fields"

// StartsAfterAnnotation names a Deployment (NAMESPACE/NAME) that has to be ready before
// an object is sent: what a pod mounts may be made by another one of the same
// component, and a kubelet that finds it missing tries again later and later.
const StartsAfterAnnotation = "kubectl-jupyter/starts-after"

// GoesFirstAnnotation marks an object that is deleted before anything else is sent when a
// run no longer has it, such as a redirect to something that this run removes.
const GoesFirstAnnotation = "kubectl-jupyter/goes-first"

// key identifies an object across versions of its API.
type key struct {
	group, kind, namespace, name string
}

func keyOf(u *unstructured.Unstructured) key {
	gvk := u.GroupVersionKind()
	return key{gvk.Group, gvk.Kind, u.GetNamespace(), u.GetName()}
}

func (k key) ref() report.Ref {
	return report.Ref{Group: k.group, Kind: k.kind, Namespace: k.namespace, Name: k.name}
}

func isWorkload(kind string) bool { return slices.Contains(components.WorkloadKinds, kind) }

func isWebhookConfiguration(kind string) bool {
	return kind == "MutatingWebhookConfiguration" || kind == "ValidatingWebhookConfiguration"
}

// definedKind is the group and kind that a CustomResourceDefinition defines.
func definedKind(crd *unstructured.Unstructured) schema.GroupKind {
	group, _, _ := unstructured.NestedString(crd.Object, "spec", "group")
	kind, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "kind")
	return schema.GroupKind{Group: group, Kind: kind}
}

// withoutForeign drops the create-only fields whose live value is no longer ours.
// As long as the value is the one we would send, we go on sending it: leaving out a
// field that only we own would make the server remove it.
func withoutForeign(desired, live *unstructured.Unstructured) *unstructured.Unstructured {
	paths := desired.GetAnnotations()[CreateOnlyAnnotation]
	if paths == "" || live == nil {
		return desired
	}
	out := desired.DeepCopy()
	for _, p := range strings.Split(paths, ",") {
		dropChanged(out.Object, live.Object, strings.Split(strings.TrimSpace(p), "."))
	}
	return out
}

func dropChanged(desired, live any, path []string) {
	d, ok := desired.(map[string]any)
	l, okLive := live.(map[string]any)
	if !ok || !okLive || len(path) == 0 {
		return
	}
	name, each := strings.CutSuffix(path[0], "[*]")
	if !each {
		if len(path) > 1 {
			dropChanged(d[name], l[name], path[1:])
		} else if value, has := l[name]; has && !equal(value, d[name]) {
			delete(d, name)
		}
		return
	}
	items, _ := d[name].([]any)
	liveItems, _ := l[name].([]any)
	for _, item := range items {
		if twin := byName(liveItems, item); twin != nil {
			dropChanged(item, twin, path[1:])
		}
	}
}

// byName finds the item with the same name, which is the merge key of every list
// that create-only fields are in.
func byName(items []any, like any) any {
	m, _ := like.(map[string]any)
	for _, i := range items {
		if c, ok := i.(map[string]any); ok && c["name"] == m["name"] {
			return c
		}
	}
	return nil
}
