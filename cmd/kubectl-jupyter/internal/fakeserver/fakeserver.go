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
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

var faults = map[string]http.HandlerFunc{
	"too-old": bare("20.15", nil),
	"older":   bare("30.2", nil),
	// Not a fault of the server's: release 1.10 is installed, as far as its inventory says.
	"installed": bare("35.0", map[string]string{
		"/api/v1/namespaces/" + rollout.InventoryNamespace + "/configmaps/" + rollout.InventoryName: inventory("1.10"),
	}),
	"unauthorized": func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusUnauthorized, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}`)
	},
	"web-page": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html><body>Please log in to the hotel's network</body></html>")
	},
	"silent": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
}

// bare is a server of version 1.MINOR that has nothing but the objects at these paths, and
// takes nothing.
func bare(minor string, objects map[string]string) http.HandlerFunc {
	number, _, _ := strings.Cut(minor, ".")
	return func(w http.ResponseWriter, r *http.Request) {
		object, found := objects[r.URL.Path]
		switch {
		case r.Method != http.MethodGet:
			answer(w, http.StatusTeapot, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"a write","code":418}`)
		case found:
			answer(w, http.StatusOK, object)
		case r.URL.Path == "/version":
			answer(w, http.StatusOK, fmt.Sprintf(`{"major":"1","minor":%q,"gitVersion":"v1.%s"}`, number, minor))
		case r.URL.Path == "/api":
			answer(w, http.StatusOK, `{"kind":"APIVersions","versions":["v1"]}`)
		case r.URL.Path == "/apis":
			answer(w, http.StatusOK, `{"kind":"APIGroupList","apiVersion":"v1","groups":[]}`)
		case r.URL.Path == "/api/v1":
			answer(w, http.StatusOK, `{"kind":"APIResourceList","groupVersion":"v1","resources":[{"name":"configmaps","namespaced":true,"kind":"ConfigMap","verbs":["get"]}]}`)
		default:
			answer(w, http.StatusNotFound, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`)
		}
	}
}

// inventory is what an installation of a release records of itself.
func inventory(release string) string {
	_, id, _ := strings.Cut(rollout.MemberSelector(), "=")
	return fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":%q,"namespace":%q,"labels":{"applyset.kubernetes.io/id":%q}},"data":{"settings.json":%q}}`,
		rollout.InventoryName, rollout.InventoryNamespace, id, fmt.Sprintf(`{"release":%q,"profile":"default","userEmail":"user@example.com"}`, release))
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
		ts.Fatalf("usage: faulty-server too-old|older|installed|unauthorized|web-page|silent")
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
