package rollout

import (
	"encoding/json"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestTheRecordFitsOnlyWhatStillHolds(t *testing.T) {
	desired := func() *unstructured.Unstructured {
		return object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {namespace: auth, name: dex}, data: {a: "1"}}`)
	}
	live := func(manager, subresource, fields string) *metav1.PartialObjectMetadata {
		m := &metav1.PartialObjectMetadata{}
		m.ManagedFields = []metav1.ManagedFieldsEntry{
			{Manager: manager, Operation: metav1.ManagedFieldsOperationApply, Subresource: subresource, FieldsV1: metav1.NewFieldsV1(fields)},
			{Manager: "somebody", Operation: metav1.ManagedFieldsOperationUpdate, FieldsV1: metav1.NewFieldsV1(`{"f:status":{}}`)},
		}
		return m
	}
	const ours = `{"f:data":{"f:a":{}}}`
	r := record{}
	r.add(desired(), live(FieldManager, "", ours))
	// The record goes through the inventory as JSON.
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	parent := &unstructured.Unstructured{Object: map[string]any{"data": map[string]any{recordKey: string(text)}}}
	r = readRecord(parent)

	changed := desired()
	changed.Object["data"] = map[string]any{"a": "2"}
	other := desired()
	other.SetName("other")
	tests := []struct {
		name    string
		desired *unstructured.Unstructured
		live    metav1.Object
		want    bool
	}{
		{"the same object with the same fields of ours", desired(), live(FieldManager, "", ours), true},
		{"what would be sent has changed", changed, live(FieldManager, "", ours), false},
		{"somebody took a field over, so that it is not ours any more", desired(), live(FieldManager, "", `{"f:data":{}}`), false},
		{"somebody took all of them", desired(), live("kubectl-edit", "", ours), false},
		{"a status is nobody's claim on the object", desired(), live(FieldManager, "status", ours), false},
		{"an object that was never applied", other, live(FieldManager, "", ours), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := r.fits(tt.desired, tt.live); got != tt.want {
				t.Errorf("fits = %v, want %v", got, tt.want)
			}
		})
	}
	broken := &unstructured.Unstructured{Object: map[string]any{"data": map[string]any{recordKey: "{"}}}
	if len(readRecord(broken)) != 0 || len(readRecord(nil)) != 0 {
		t.Error("an unreadable record is not empty")
	}
}

// istiod sets its validator's failurePolicy when it likes, often after the run that
// installed it: the next run must find the record as it was and write nothing.
func TestWhatOthersTakeOverOnPurposeDoesNotSpoilTheRecord(t *testing.T) {
	desired := object(t, `{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration,
		metadata: {name: v, annotations: {kubectl-jupyter/create-only-fields: "webhooks[*].failurePolicy"}},
		webhooks: [{name: a, failurePolicy: Ignore, sideEffects: None}]}`)
	live := func(fields string) *metav1.PartialObjectMetadata {
		m := &metav1.PartialObjectMetadata{}
		m.ManagedFields = []metav1.ManagedFieldsEntry{{
			Manager: FieldManager, Operation: metav1.ManagedFieldsOperationApply,
			FieldsV1: metav1.NewFieldsV1(fields),
		}}
		return m
	}
	r := record{}
	r.add(desired, live(`{"f:webhooks":{"k:{\"name\":\"a\"}":{".":{},"f:failurePolicy":{},"f:sideEffects":{}}}}`))
	if !r.fits(desired, live(`{"f:webhooks":{"k:{\"name\":\"a\"}":{".":{},"f:sideEffects":{}}}}`)) {
		t.Error("the record does not fit once istiod owns failurePolicy")
	}
	if r.fits(desired, live(`{"f:webhooks":{"k:{\"name\":\"a\"}":{".":{}}}}`)) {
		t.Error("the record still fits when a field is lost that is ours alone")
	}
}
