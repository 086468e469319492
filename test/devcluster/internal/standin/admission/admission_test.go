package admission

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
)

func review(t *testing.T, version string, r Review) admissionv1.AdmissionReview {
	t.Helper()
	body := `{"apiVersion":"` + version + `","kind":"AdmissionReview","request":{"uid":"42"}}`
	w := httptest.NewRecorder()
	Handler(r).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body)))
	var out admissionv1.AdmissionReview
	if err := json.NewDecoder(w.Body).Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTheAnswerHasTheVersionAndTheNumberOfTheQuestion(t *testing.T) {
	for _, v := range []string{"admission.k8s.io/v1", "admission.k8s.io/v1beta1"} {
		out := review(t, v, func(*admissionv1.AdmissionRequest) ([]Operation, error) { return nil, nil })
		if out.APIVersion != v || out.Response == nil || out.Response.UID != "42" || !out.Response.Allowed || out.Response.Patch != nil {
			t.Errorf("%s: %+v", v, out)
		}
	}
}

func TestOperationsBecomeAPatch(t *testing.T) {
	out := review(t, "admission.k8s.io/v1", func(*admissionv1.AdmissionRequest) ([]Operation, error) {
		return []Operation{{Op: "add", Path: "/metadata/labels", Value: map[string]string{"a": "b"}}}, nil
	})
	if got := string(out.Response.Patch); got != `[{"op":"add","path":"/metadata/labels","value":{"a":"b"}}]` {
		t.Errorf("patch %s", got)
	}
	if out.Response.PatchType == nil || *out.Response.PatchType != admissionv1.PatchTypeJSONPatch {
		t.Error("the patch has no type")
	}
}

func TestAnErrorRefusesWithItsText(t *testing.T) {
	out := review(t, "admission.k8s.io/v1", func(*admissionv1.AdmissionRequest) ([]Operation, error) { return nil, errors.New("no host") })
	if out.Response.Allowed || out.Response.Result == nil || out.Response.Result.Message != "no host" {
		t.Errorf("%+v", out.Response)
	}
}

func TestWhatIsNoReviewIsABadRequest(t *testing.T) {
	w := httptest.NewRecorder()
	Handler(func(*admissionv1.AdmissionRequest) ([]Operation, error) { return nil, nil }).
		ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader("{}")))
	if w.Code != http.StatusBadRequest {
		t.Errorf("code %d", w.Code)
	}
}
