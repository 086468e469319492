package clones

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/kustomize/kyaml/resid"
)

// identity of an object in a cluster.
type identity struct{ group, kind, namespace, name string }

func identityOf(u *unstructured.Unstructured) identity {
	return identity{u.GroupVersionKind().Group, u.GetKind(), u.GetNamespace(), u.GetName()}
}

// placeInNamespaces gives a namespace to objects that need one and have none: upstream
// leaves it to the kubeconfig of whoever applies them.
func (c *clone) placeInNamespaces() {
	clusterWide := map[schema.GroupKind]bool{}
	for _, objects := range c.objects {
		for _, u := range objects {
			if u.GetKind() == "CustomResourceDefinition" {
				group, _, _ := unstructured.NestedString(u.Object, "spec", "group")
				kind, _, _ := unstructured.NestedString(u.Object, "spec", "names", "kind")
				scope, _, _ := unstructured.NestedString(u.Object, "spec", "scope")
				clusterWide[schema.GroupKind{Group: group, Kind: kind}] = scope == "Cluster"
			}
		}
	}
	for name, objects := range c.objects {
		for _, u := range objects {
			gvk := u.GroupVersionKind()
			wide, custom := clusterWide[gvk.GroupKind()]
			if !custom {
				wide = resid.NewGvk(gvk.Group, gvk.Version, gvk.Kind).IsClusterScoped()
			}
			if u.GetNamespace() == "" && !wide {
				u.SetNamespace(c.home(name))
			}
		}
	}
}

// home is the namespace of a component.
func (c *clone) home(name string) string {
	if known, err := c.embedded.Release().Component(name); err == nil && len(known.Namespaces) > 0 {
		return known.Namespaces[0]
	}
	return "kubeflow"
}

// join has every object in one component. An overlay may have objects of other components,
// as upstream's Istio without CNI has namespaces: what a chosen overlay says of them holds,
// but they stay where they belong. Of two others, the later one holds, as it would when all
// are applied in order.
func (c *clone) join() {
	home := map[identity]string{}
	chosen := func(name string) bool { return c.options.Overlays[name] != "" }
	names := c.names()
	// Those of chosen overlays come last: all others have a home by then.
	slices.SortStableFunc(names, func(a, b string) int {
		switch {
		case chosen(a) == chosen(b):
			return 0
		case chosen(a):
			return 1
		}
		return -1
	})
	for _, name := range names {
		var kept []*unstructured.Unstructured
		for _, u := range c.objects[name] {
			id := identityOf(u)
			first, twice := home[id]
			if !twice {
				home[id] = name
				kept = append(kept, u)
				continue
			}
			of := c.objects[first]
			if first == name {
				of = kept
			}
			i := slices.IndexFunc(of, func(o *unstructured.Unstructured) bool { return identityOf(o) == id })
			if !reflect.DeepEqual(of[i].Object, u.Object) {
				of[i].Object = combined(of[i], u).Object
			}
		}
		c.objects[name] = kept
	}
	c.dropHomeOfFirstUser()
}

// combined is the second of two objects of a name; of namespaces, labels and annotations of
// both.
func combined(a, b *unstructured.Unstructured) *unstructured.Unstructured {
	if a.GetKind() != "Namespace" {
		return b
	}
	out := b.DeepCopy()
	for _, of := range []struct {
		get func(*unstructured.Unstructured) map[string]string
		set func(map[string]string)
	}{
		{(*unstructured.Unstructured).GetLabels, out.SetLabels},
		{(*unstructured.Unstructured).GetAnnotations, out.SetAnnotations},
	} {
		both := map[string]string{}
		maps.Copy(both, of.get(a))
		maps.Copy(both, of.get(b))
		if len(both) > 0 {
			of.set(both)
		}
	}
	return out
}

// dropHomeOfFirstUser leaves the first user's namespace to the profile controller, which
// refuses one that was created before.
func (c *clone) dropHomeOfFirstUser() {
	for _, u := range c.objects["user-profile"] {
		if u.GetKind() != "Profile" {
			continue
		}
		for _, name := range c.names() {
			before := len(c.objects[name])
			c.objects[name] = slices.DeleteFunc(c.objects[name], func(o *unstructured.Unstructured) bool {
				return o.GetKind() == "Namespace" && o.GetName() == u.GetName()
			})
			if len(c.objects[name]) < before {
				c.warn("Namespace %s of component %s is left out: the profile controller creates it, and refuses one that exists", u.GetName(), name)
			}
		}
	}
}

// tidy removes what a client must not send, or what would undo what controllers write.
func tidy(objects []*unstructured.Unstructured) {
	scaled := map[string]bool{}
	for _, u := range objects {
		if u.GetKind() == "HorizontalPodAutoscaler" {
			kind, _, _ := unstructured.NestedString(u.Object, "spec", "scaleTargetRef", "kind")
			name, _, _ := unstructured.NestedString(u.Object, "spec", "scaleTargetRef", "name")
			scaled[kind+"/"+u.GetNamespace()+"/"+name] = true
		}
	}
	for _, u := range objects {
		delete(u.Object, "status")
		if u.GetKind() == "CustomResourceDefinition" {
			if metadata, ok := u.Object["metadata"].(map[string]any); ok {
				dropNulls(metadata)
			}
		} else {
			dropNulls(u.Object)
		}
		if scaled[u.GetKind()+"/"+u.GetNamespace()+"/"+u.GetName()] {
			unstructured.RemoveNestedField(u.Object, "spec", "replicas")
		}
		switch {
		case strings.HasSuffix(u.GetKind(), "WebhookConfiguration"):
			// Sent again, it would take away what cert-manager has written, and every pod that
			// the webhook is asked about would be refused.
			webhooks, _ := u.Object["webhooks"].([]any)
			for _, w := range webhooks {
				w, _ := w.(map[string]any)
				if config, ok := w["clientConfig"].(map[string]any); ok && config["caBundle"] == "" {
					delete(config, "caBundle")
				}
			}
		case u.GetKind() == "ClusterRole" && u.Object["aggregationRule"] != nil:
			delete(u.Object, "rules") // written by a controller
		}
	}
}

// dropNulls removes fields without a value.
func dropNulls(v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if e == nil {
				delete(v, k)
			} else {
				dropNulls(e)
			}
		}
	case []any:
		for _, e := range v {
			dropNulls(e)
		}
	}
}
