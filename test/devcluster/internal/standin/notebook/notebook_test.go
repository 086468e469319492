package notebook

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
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

func TestANotebookTellsWhatItReaches(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	gone := server.URL
	h := Handler("/notebook/jane/n1")
	ask := func(query string) Reached {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/notebook/jane/n1/reach?"+query, nil))
		var out Reached
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
			t.Fatalf("%v: %s", err, w.Body)
		}
		return out
	}
	if got := ask("url=" + url.QueryEscape(gone)); got.Code != http.StatusTeapot || got.Error != "" {
		t.Errorf("a server that is there: %+v", got)
	}
	server.Close()
	if got := ask("url=" + url.QueryEscape(gone)); got.Code != 0 || got.Error == "" {
		t.Errorf("a server that is gone: %+v", got)
	}
	if got := ask("host=127.0.0.1"); len(got.Addresses) != 1 {
		t.Errorf("an address: %+v", got)
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

func TestAKernelHasTheStateThatIsPut(t *testing.T) {
	h := Handler("/notebook/jane/n1")
	kernels := func() []struct {
		State string `json:"execution_state"`
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/notebook/jane/n1/api/kernels", nil))
		var out []struct {
			State string `json:"execution_state"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
			t.Fatalf("%v: %s", err, w.Body)
		}
		return out
	}
	if got := kernels(); len(got) != 0 {
		t.Errorf("before: %v, want no kernel", got)
	}
	for _, state := range []string{"busy", "idle"} {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPut, "/notebook/jane/n1/kernel", strings.NewReader(state)))
		if got := kernels(); len(got) != 1 || got[0].State != state {
			t.Errorf("%v, want one kernel that is %s", got, state)
		}
	}
}
