// Package admission answers the API server's admission reviews.
package admission

import (
	"encoding/json"
	"fmt"
	"net/http"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Operation is one operation of a JSON patch, RFC 6902.
type Operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// Review decides about one request. An error refuses it with the error's text.
type Review func(*admissionv1.AdmissionRequest) ([]Operation, error)

// Handler serves reviews.
func Handler(review Review) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in admissionv1.AdmissionReview
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Request == nil {
			http.Error(w, fmt.Sprintf("not an AdmissionReview: %v", err), http.StatusBadRequest)
			return
		}
		response := &admissionv1.AdmissionResponse{UID: in.Request.UID, Allowed: true}
		ops, err := review(in.Request)
		if err == nil && len(ops) > 0 {
			response.Patch, err = json.Marshal(ops)
			t := admissionv1.PatchTypeJSONPatch
			response.PatchType = &t
		}
		if err != nil {
			response = &admissionv1.AdmissionResponse{UID: in.Request.UID, Result: &metav1.Status{
				Status: metav1.StatusFailure, Code: http.StatusBadRequest, Reason: metav1.StatusReasonBadRequest, Message: err.Error(),
			}}
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(admissionv1.AdmissionReview{
			// The answer has the version of the question: a configuration may ask
			// for v1beta1, whose fields are the same.
			TypeMeta: in.TypeMeta, Response: response,
		})
	})
}
