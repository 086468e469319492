package rollout

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// record remembers, for every object that was applied, what was sent and which fields
// the server then said are ours. It spares the next run the question what would
// change: whoever changes or removes a field of ours by any means takes it out of our
// managed fields, so an object whose managed fields are the recorded ones still has
// every value that was sent. It is a shortcut and no more: without it, or where it
// does not fit, the server is asked.
type record map[string]string

const recordKey = "applied.json"

func (k key) recordName() string {
	return k.kind + "." + k.group + "/" + k.namespace + "/" + k.name
}

// fits tells whether what would be sent has been sent before and still holds.
func (r record) fits(desired *unstructured.Unstructured, live metav1.Object) bool {
	was, ok := r[keyOf(desired).recordName()]
	return ok && was == entry(desired, live)
}

// add remembers an object after the server has answered.
func (r record) add(desired *unstructured.Unstructured, answer metav1.Object) {
	r[keyOf(desired).recordName()] = entry(desired, answer)
}

// entry is a hash of what is sent, and one of the fields that the server says are ours.
func entry(desired *unstructured.Unstructured, live metav1.Object) string {
	sent, err := json.Marshal(desired.Object)
	if err != nil {
		return "" // fits nothing: the server will be asked, and will say what is wrong
	}
	return short(sent) + ownedHash(desired, live)
}

// ownedHash is a hash of the fields that the server says are ours.
func ownedHash(desired *unstructured.Unstructured, live metav1.Object) string {
	ours := []byte{}
	for _, f := range live.GetManagedFields() {
		if f.Manager == FieldManager && f.Operation == metav1.ManagedFieldsOperationApply && f.Subresource == "" && f.FieldsV1 != nil {
			ours = append(ours, withoutCreateOnly(f.FieldsV1.GetRawBytes(), desired)...)
		}
	}
	return short(ours)
}

// withoutCreateOnly leaves out of a set of fields those that others may take over at
// any moment, as istiod does after an installation has ended: to lose one of them is
// no reason to ask again, let alone to write another record.
func withoutCreateOnly(fields []byte, desired *unstructured.Unstructured) []byte {
	paths := desired.GetAnnotations()[CreateOnlyAnnotation]
	var set map[string]any
	if paths == "" || json.Unmarshal(fields, &set) != nil {
		return fields
	}
	for _, p := range strings.Split(paths, ",") {
		dropOwned(set, strings.Split(strings.TrimSpace(p), "."))
	}
	out, err := json.Marshal(set) // with sorted keys
	if err != nil {
		return fields
	}
	return out
}

// dropOwned removes a path from a set of fields: "f:NAME" is a field, "k:KEYS" an item.
func dropOwned(set map[string]any, path []string) {
	name, each := strings.CutSuffix(path[0], "[*]")
	field := "f:" + name
	if len(path) == 1 {
		delete(set, field)
		return
	}
	below, _ := set[field].(map[string]any)
	if !each {
		dropOwned(below, path[1:])
		return
	}
	for k, item := range below {
		if item, ok := item.(map[string]any); ok && strings.HasPrefix(k, "k:") {
			dropOwned(item, path[1:])
		}
	}
}

func short(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// readRecord reads the inventory's record; an unreadable one is none.
func readRecord(parent *unstructured.Unstructured) record {
	out := record{}
	if parent != nil {
		text, _, _ := unstructured.NestedString(parent.Object, "data", recordKey)
		if err := json.Unmarshal([]byte(text), &out); err != nil {
			return record{}
		}
	}
	return out
}

// needsLive tells whether an object's readiness shows only in its status.
func needsLive(u *unstructured.Unstructured) bool {
	gvk := u.GroupVersionKind()
	_, says := mustSay[gvk.GroupKind()]
	return says || isWorkload(gvk.Kind) || gvk.Kind == "Profile" || gvk.Kind == "PersistentVolumeClaim" ||
		components.Generated(u) != nil
}
