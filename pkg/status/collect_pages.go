package status

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// metadataOf lists objects of which only the metadata is known.
func (k *collector) metadataOf(ctx context.Context, gvk schema.GroupVersionKind, list lister[*metav1.PartialObjectMetadataList], o metav1.ListOptions) ([]*unstructured.Unstructured, bool, error) {
	var objects []*unstructured.Unstructured
	var wrong error
	cut, err := paged(ctx, o, list, func(l *metav1.PartialObjectMetadataList) {
		for i := range l.Items {
			u, err := bare(&l.Items[i], gvk)
			if err != nil {
				wrong = err
				return
			}
			objects = append(objects, u)
		}
	})
	if err == nil {
		err = wrong
	}
	return objects, cut, err
}

type lister[L metav1.ListInterface] func(context.Context, metav1.ListOptions) (L, error)

// paged takes a list page by page, maxPages at most; cut tells that there are more. Of nodes
// a few are enough.
func paged[L metav1.ListInterface](ctx context.Context, o metav1.ListOptions, list lister[L], take func(L)) (cut bool, err error) {
	for page := 1; ; page++ {
		l, err := list(ctx, o)
		if err != nil {
			return false, err
		}
		take(l)
		if o.Continue = l.GetContinue(); o.Continue == "" {
			return false, nil
		}
		if page == maxPages || o.Limit < maxItems {
			return true, nil
		}
	}
}

func pointers(items []unstructured.Unstructured) []*unstructured.Unstructured {
	out := make([]*unstructured.Unstructured, len(items))
	for i := range items {
		out[i] = &items[i]
	}
	return out
}

// bare is an object of which only the metadata is known.
func bare(m *metav1.PartialObjectMetadata, gvk schema.GroupVersionKind) (*unstructured.Unstructured, error) {
	m.SetGroupVersionKind(gvk)
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(m)
	if err != nil {
		return nil, err
	}
	return &unstructured.Unstructured{Object: content}, nil
}
