package diagnose

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func sliceOfReplicaSets(s *Snapshot) *[]appsv1.ReplicaSet       { return &s.ReplicaSets }
func sliceOfClaims(s *Snapshot) *[]corev1.PersistentVolumeClaim { return &s.Claims }
func sliceOfClasses(s *Snapshot) *[]storagev1.StorageClass      { return &s.Classes }
func sliceOfServices(s *Snapshot) *[]corev1.Service             { return &s.Services }
func sliceOfEndpoints(s *Snapshot) *[]discoveryv1.EndpointSlice { return &s.Endpoints }
func sliceOfObjects(s *Snapshot) *[]*unstructured.Unstructured  { return &s.Objects }
func sliceOfMutating(s *Snapshot) *[]admissionv1.MutatingWebhookConfiguration {
	return &s.Mutating
}

func sliceOfValidating(s *Snapshot) *[]admissionv1.ValidatingWebhookConfiguration {
	return &s.Validating
}

// list plans the read of a list into a field of the snapshot.
func list[T any](c *collector, gvr schema.GroupVersionResource, namespace string, o metav1.ListOptions, field func(*Snapshot) *[]T) {
	what := strings.TrimSpace(gvr.Resource + " " + namespace)
	if o.LabelSelector != "" {
		what += " " + o.LabelSelector
	}
	c.add(what, func(ctx context.Context) error {
		l, err := c.reader.list(ctx, gvr, namespace, o)
		if err != nil {
			return err
		}
		return into(c, l.Items, field)
	})
}

// into decodes objects, without what no detector reads.
func into[T any](c *collector, items []unstructured.Unstructured, field func(*Snapshot) *[]T) error {
	decoded := make([]T, 0, len(items))
	for i := range items {
		u := &items[i]
		strip(u)
		var t T
		switch p := any(&t).(type) {
		case **unstructured.Unstructured:
			*p = u
		default:
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &t); err != nil {
				return fmt.Errorf("%s %s/%s: %w", u.GetKind(), u.GetNamespace(), u.GetName(), err)
			}
		}
		decoded = append(decoded, t)
	}
	c.store(func(s *Snapshot) {
		at := field(s)
		*at = append(*at, decoded...)
	})
	return nil
}

// strip removes what is large or nobody's business: who set which field, the last
// applied configuration, and the environment of containers, where people put passwords.
func strip(u *unstructured.Unstructured) {
	u.SetManagedFields(nil)
	if a := u.GetAnnotations(); a["kubectl.kubernetes.io/last-applied-configuration"] != "" {
		delete(a, "kubectl.kubernetes.io/last-applied-configuration")
		u.SetAnnotations(a)
	}
	withoutEnv(u.Object)
	// The images that a node has are most of its size.
	if status, ok := u.Object["status"].(map[string]any); ok && u.GetKind() == "Node" {
		delete(status, "images")
	}
}

func withoutEnv(v any) {
	switch v := v.(type) {
	case map[string]any:
		_, isContainer := v["image"]
		for k, child := range v {
			if isContainer && (k == "env" || k == "envFrom") {
				delete(v, k)
				continue
			}
			withoutEnv(child)
		}
	case []any:
		for _, child := range v {
			withoutEnv(child)
		}
	}
}

// sort makes a snapshot of parallel reads independent of which came first.
func (s *Snapshot) sort() {
	byName := func(aNamespace, aName, bNamespace, bName string) int {
		return cmp.Or(cmp.Compare(aNamespace, bNamespace), cmp.Compare(aName, bName))
	}
	slices.SortStableFunc(s.Objects, func(a, b *unstructured.Unstructured) int {
		return cmp.Or(cmp.Compare(a.GetKind(), b.GetKind()), byName(a.GetNamespace(), a.GetName(), b.GetNamespace(), b.GetName()))
	})
	slices.SortStableFunc(s.Pods, func(a, b corev1.Pod) int { return byName(a.Namespace, a.Name, b.Namespace, b.Name) })
	slices.SortStableFunc(s.Events, func(a, b corev1.Event) int { return byName(a.Namespace, a.Name, b.Namespace, b.Name) })
	slices.SortStableFunc(s.Logs, func(a, b Log) int {
		return cmp.Or(byName(a.Namespace, a.Pod, b.Namespace, b.Pod), cmp.Compare(a.Container, b.Container))
	})
	slices.SortStableFunc(s.Unreadable, func(a, b ReadError) int { return cmp.Compare(a.What, b.What) })
	slices.Sort(s.Read)
}
