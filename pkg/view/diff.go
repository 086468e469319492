package view

import (
	"fmt"
	"io"
	"reflect"

	"github.com/rogpeppe/go-internal/diff"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// Cleaned is an object without what the server keeps for itself.
func Cleaned(u *unstructured.Unstructured) *unstructured.Unstructured {
	out := u.DeepCopy()
	unstructured.RemoveNestedField(out.Object, "metadata", "managedFields")
	return out
}

// Redacted is a cleaned object whose values are hidden where it is a Secret.
func Redacted(u *unstructured.Unstructured) *unstructured.Unstructured {
	out := Cleaned(u)
	if out.GetKind() == "Secret" && out.GroupVersionKind().Group == "" {
		mask(nil, map[string]any{"data": out.Object["data"]})
	}
	return out
}

// Diff prints what a change does to one object, as unified diff. Before is nil for
// an object that would be created, after is nil for one that would be deleted.
// Values of Secrets are never printed, only that they differ.
func Diff(w io.Writer, ref report.Ref, before, after *unstructured.Unstructured) error {
	name := ref.Kind
	if ref.Group != "" {
		name += "." + ref.Group
	}
	if ref.Namespace != "" {
		name += "/" + ref.Namespace
	}
	name += "/" + ref.Name
	b, a := comparable(before), comparable(after)
	if ref.Kind == "Secret" && ref.Group == "" {
		mask(b, a)
	}
	old, err := document(b)
	if err != nil {
		return fmt.Errorf("%s: %w", ref, err)
	}
	changed, err := document(a)
	if err != nil {
		return fmt.Errorf("%s: %w", ref, err)
	}
	_, err = w.Write(diff.Diff("live/"+name, old, "new/"+name, changed))
	return err
}

// comparable leaves out what differs between any two reads or writes.
func comparable(u *unstructured.Unstructured) map[string]any {
	if u == nil {
		return nil
	}
	out := Cleaned(u)
	for _, field := range []string{"resourceVersion", "generation", "uid", "creationTimestamp"} {
		unstructured.RemoveNestedField(out.Object, "metadata", field)
	}
	unstructured.RemoveNestedField(out.Object, "status")
	return out.Object
}

func document(object map[string]any) ([]byte, error) {
	if object == nil {
		return nil, nil
	}
	return appendYAML(nil, object)
}

// mask hides the values of a Secret on both sides and keeps visible whether they differ.
func mask(before, after map[string]any) {
	for _, field := range []string{"data", "stringData"} {
		b, _ := before[field].(map[string]any)
		a, _ := after[field].(map[string]any)
		for k, v := range b {
			w, both := a[k]
			switch {
			case both && reflect.DeepEqual(v, w):
				b[k], a[k] = "***", "***"
			case both:
				b[k], a[k] = "*** (before)", "*** (after)"
			default:
				b[k] = "***"
			}
		}
		for k := range a {
			if _, both := b[k]; !both {
				a[k] = "***"
			}
		}
	}
}
