package notebook

import (
	"net/http"
	"net/http/httptest"
	"strings"
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

func TestWhatIsPutToMemoryIsThereUntilTheProcessEnds(t *testing.T) {
	const path = "/notebook/jane/n1/memory"
	h := Handler("/notebook/jane/n1")
	ask := func(method, body string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
		return w
	}
	for _, state := range []string{"x = 1", "x = 2"} {
		if w := ask(http.MethodPut, state); w.Code != http.StatusOK {
			t.Errorf("PUT %q = %d", state, w.Code)
		}
		if got := ask(http.MethodGet, "").Body.String(); got != state {
			t.Errorf("GET = %q, want %q", got, state)
		}
	}
	if w := ask(http.MethodPut, strings.Repeat("x", memoryBytes+1)); w.Code != http.StatusBadRequest {
		t.Errorf("more than it remembers = %d, want 400", w.Code)
	}
	h = Handler("/notebook/jane/n1")
	if got := ask(http.MethodGet, "").Body.String(); got != "" {
		t.Errorf("another process remembers %q", got)
	}
}
