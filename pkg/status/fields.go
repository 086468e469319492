package status

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// owned is a set of fields as the API server keeps it for each manager: "f:NAME" is a
// field, "k:KEYS" an item of a list by its keys, and an empty set all that is below.
type owned map[string]any

// writer is who set some fields of an object.
type writer struct {
	name, operation string
	time            time.Time
	fields          owned
}

func writers(u *unstructured.Unstructured) []writer {
	var out []writer
	for _, f := range u.GetManagedFields() {
		w := writer{name: f.Manager, operation: string(f.Operation)}
		if f.FieldsV1 == nil || f.Subresource != "" || json.Unmarshal(f.FieldsV1.GetRawBytes(), &w.fields) != nil {
			continue
		}
		if f.Time != nil {
			w.time = f.Time.UTC()
		}
		out = append(out, w)
	}
	return out
}

// ours tells that an installation wrote it.
func (w writer) ours() bool { return w.name == rollout.FieldManager && w.operation == "Apply" }

// String is how evidence names a writer.
func (w writer) String() string {
	return fmt.Sprintf("%s (%s, %s)", w.name, w.operation, w.time.Format(time.RFC3339))
}

// step is one part of a field's path: a field, or an item of a list.
type step struct {
	field string
	item  map[string]any
}

// owns tells whether a set holds a path.
func (o owned) owns(path []step) bool {
	set := o
	for _, s := range path {
		if len(set) == 0 {
			return set != nil // the whole of it
		}
		next := set.below(s)
		if next == nil {
			return false
		}
		set = next
	}
	return true
}

func (o owned) below(s step) owned {
	if s.item == nil {
		next, ok := o["f:"+s.field].(map[string]any)
		if !ok {
			return nil
		}
		return next
	}
	for k, v := range o {
		keys, isItem := strings.CutPrefix(k, "k:")
		var want map[string]any
		if !isItem || json.Unmarshal([]byte(keys), &want) != nil {
			continue
		}
		matches := true
		for name, value := range want {
			have, ok := s.item[name]
			// A key that is not given has its default, which only the server knows.
			matches = matches && (!ok || fmt.Sprint(have) == fmt.Sprint(value))
		}
		if next, ok := v.(map[string]any); ok && matches {
			return next
		}
	}
	return nil
}

// difference is a field whose value is not the one that was sent.
type difference struct {
	path       []step
	sent, live any
}

// String is the path as kubectl explain writes it, items by their names.
func (d difference) String() string {
	var b strings.Builder
	for _, s := range d.path {
		switch {
		case s.item != nil:
			fmt.Fprintf(&b, "[%s]", nameOf(s.item))
		case strings.ContainsAny(s.field, "./"):
			fmt.Fprintf(&b, "[%s]", s.field)
		default:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(s.field)
		}
	}
	return b.String()
}

func nameOf(item map[string]any) string {
	for _, key := range []string{"name", "containerPort", "port", "mountPath", "ip"} {
		if v, ok := item[key]; ok {
			return fmt.Sprint(v)
		}
	}
	return "?"
}

// differences lists the fields of what was sent that have another value now, down to
// single values. What the server or others have added is none.
func differences(sent, live any, path []step, out []difference) []difference {
	switch sent := sent.(type) {
	case map[string]any:
		there, ok := live.(map[string]any)
		if !ok {
			return append(out, difference{path, sent, live})
		}
		for k, v := range sent {
			out = differences(v, there[k], append(path[:len(path):len(path)], step{field: k}), out)
		}
		return out
	case []any:
		there, _ := live.([]any)
		if pairs, ok := byKey(sent, there); ok {
			for _, p := range pairs {
				out = differences(p[0], p[1], append(path[:len(path):len(path)], step{item: p[0].(map[string]any)}), out)
			}
			return out
		}
		if len(sent) == len(there) {
			var below []difference
			for i := range sent {
				below = differences(sent[i], there[i], path, below)
			}
			if len(below) == 0 {
				return out
			}
		}
		return append(out, difference{path, sent, live})
	}
	if same(sent, live) {
		return out
	}
	return append(out, difference{path, sent, live})
}

// byKey pairs the items of two lists whose items have names.
func byKey(sent, live []any) ([][2]any, bool) {
	var out [][2]any
	for _, s := range sent {
		item, ok := s.(map[string]any)
		if !ok || item["name"] == nil {
			return nil, false
		}
		pair := [2]any{item, nil}
		for _, l := range live {
			if other, ok := l.(map[string]any); ok && other["name"] == item["name"] {
				pair[1] = other
			}
		}
		out = append(out, pair)
	}
	return out, len(out) > 0
}

// same compares single values; quantities may be written in several ways, and the
// server drops what is empty.
func same(a, b any) bool {
	if reflect.DeepEqual(a, b) || fmt.Sprint(a) == fmt.Sprint(b) {
		return true
	}
	if b == nil {
		return a == nil || a == "" || a == false
	}
	x, err := resource.ParseQuantity(fmt.Sprint(a))
	if err != nil {
		return false
	}
	y, err := resource.ParseQuantity(fmt.Sprint(b))
	return err == nil && x.Cmp(y) == 0
}
