package notebook

import (
	"net/http/httptest"
	"testing"
)

func TestHandlerAnswersBelowItsPrefixOnly(t *testing.T) {
	for path, want := range map[string]int{
		"/notebook/jane/n1/": 200, "/notebook/jane/n1/lab": 200, "/notebook/jane/n1/api/kernels": 200,
		"/notebook/jane/n1/echo": 200, "/notebook/jane/n1/nothing": 404, "/": 404, "/api/kernels": 404,
	} {
		w := httptest.NewRecorder()
		Handler("/notebook/jane/n1").ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != want {
			t.Errorf("GET %s = %d, want %d", path, w.Code, want)
		}
	}
}
