package login

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

func TestAVisitorIsAnsweredByTheNotebookItself(t *testing.T) {
	const notebook = "GET /notebook/ada/lab/"
	served := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(upstreamTime, "3")
			w.WriteHeader(code)
		}
	}
	tests := []struct {
		name     string
		password string
		answer   http.HandlerFunc
		// entering and asking are what the errors say; empty is none.
		entering, asking string
	}{
		{"its page", "right", served(200), "", ""},
		{"its redirect to its page", "right", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set(upstreamTime, "3")
			leads(302, "/notebook/ada/lab/lab")(w, r)
		}, "", ""},
		{"its own error for a path that it does not have", "right", served(404), "", ""},
		{"a server that fails", "right", served(500), "", "the gateway returned 500"},
		{"a gateway without a route to it", "right", says(404, ""), "", "the gateway returned 404"},
		{"a gateway that does not reach it", "right", says(503, "no healthy upstream"), "", "the gateway returned 503, no healthy upstream"},
		{"a policy that refuses the visitor", "right", says(403, denied), "", "403: user@example.com may not open it"},
		{"a gateway that asks for a login again", "right", says(403, signInPage), "", "403: the session of user@example.com is not accepted"},
		{"a wrong password", "wrong", served(200), "cannot log in as user@example.com at", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(pretence{instead: map[string]http.HandlerFunc{notebook: tt.answer}})
			defer server.Close()
			v, err := Enter(t.Context(), report.WayIn{URL: server.URL + "/jupyter/"}, person, tt.password)
			wantError(t, err, tt.entering)
			if err == nil {
				wantError(t, v.Answers(t.Context(), server.URL+"/notebook/ada/lab/"), tt.asking)
			}
		})
	}
}

func TestAVisitorSendsNoPasswordToAServerThatIsNotTrusted(t *testing.T) {
	asked := false
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer server.Close()
	_, err := Enter(t.Context(), report.WayIn{URL: server.URL + "/jupyter/"}, person, "right")
	wantError(t, err, "certificate")
	if asked {
		t.Error("the server got a request")
	}
}

func wantError(t *testing.T, err error, says string) {
	t.Helper()
	switch {
	case says == "" && err != nil:
		t.Fatal(err)
	case says != "" && (err == nil || !strings.Contains(err.Error(), says)):
		t.Fatalf("error %v does not say %q", err, says)
	}
}
