// Package fakeserver stands in for API servers with faults that a real one cannot
// be made to show in a test: too old, not Kubernetes at all, silent. Everything
// else is tested against real API servers.
package fakeserver

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"
)

var faults = map[string]http.HandlerFunc{
	"too-old": func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/version":
			answer(w, http.StatusOK, `{"major":"1","minor":"20","gitVersion":"v1.20.15"}`)
		case "/api":
			answer(w, http.StatusOK, `{"kind":"APIVersions","versions":["v1"]}`)
		case "/apis":
			answer(w, http.StatusOK, `{"kind":"APIGroupList","apiVersion":"v1","groups":[]}`)
		case "/api/v1":
			answer(w, http.StatusOK, `{"kind":"APIResourceList","groupVersion":"v1","resources":[{"name":"configmaps","namespaced":true,"kind":"ConfigMap","verbs":["get"]}]}`)
		default:
			answer(w, http.StatusNotFound, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`)
		}
	},
	"unauthorized": func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusUnauthorized, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}`)
	},
	"web-page": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html><body>Please log in to the hotel's network</body></html>")
	},
	"silent": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
}

func answer(w http.ResponseWriter, code int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	fmt.Fprint(w, body)
}

// Command is the script command `faulty-server FAULT`: it starts a server with that
// fault and writes ./kubeconfig for it.
func Command(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 || faults[args[0]] == nil {
		ts.Fatalf("usage: faulty-server too-old|unauthorized|web-page|silent")
	}
	server := httptest.NewServer(faults[args[0]])
	ts.Defer(func() {
		server.CloseClientConnections()
		server.Close()
	})
	config := fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: stand-in
contexts:
- name: stand-in
  context: {cluster: stand-in, user: nobody}
clusters:
- name: stand-in
  cluster: {server: %q}
users:
- name: nobody
  user: {token: none}
`, server.URL)
	ts.Check(os.WriteFile(filepath.Join(ts.Getenv("WORK"), "kubeconfig"), []byte(config), 0o600))
}
