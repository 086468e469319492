package components_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// selectorScript is what the gateway answers where the web app looks for the
// dashboard's library.
func selectorScript(t *testing.T, objects []*unstructured.Unstructured) string {
	t.Helper()
	routes := typed[virtualService](t, find(t, objects, "VirtualService", "kubeflow", "jupyter-web-app-jupyter-web-app"))
	for _, rule := range routes.Spec.HTTP {
		if rule.Name == "namespace-selector" {
			return rule.DirectResponse.Body.String
		}
	}
	t.Fatal("no route named namespace-selector")
	return ""
}

func TestTheNamespaceSelectorFitsIntoADirectResponse(t *testing.T) {
	forEachRelease(t, func(t *testing.T, release string) {
		// Envoy's default of max_direct_response_body_size_bytes. Istio's releases raise it;
		// where none does, Envoy refuses the whole route table and serves nothing new.
		const envoyLimit = 4096
		// The longest name that a namespace can have.
		longest := strings.Repeat("a", 50) + "@x.y"
		script := selectorScript(t, render(t, release, components.Options{UserEmail: longest}, "jupyter-web-app"))
		if len(script) > envoyLimit {
			t.Errorf("the script has %d bytes, Envoy may answer no more than %d", len(script), envoyLimit)
		}
	})
}

func TestTheNamespaceSelector(t *testing.T) {
	forEachRelease(t, func(t *testing.T, release string) {
		node, err := exec.LookPath("node")
		if err != nil {
			t.Skip("needs node, which runs the script as a browser would")
		}
		type page struct {
			User          string            `json:"user"`
			Namespaces    []string          `json:"namespaces"`
			Shared        []string          `json:"shared"`
			Empty         bool              `json:"empty"`
			Made          []string          `json:"made,omitempty"`
			Status        int               `json:"status"`
			Stored        map[string]string `json:"stored,omitempty"`
			StorageBroken bool              `json:"storageBroken,omitempty"`
			Pick          string            `json:"pick,omitempty"`
			Script        string            `json:"script"`
		}
		type seen struct {
			Selected  []string          `json:"selected"`
			Requested []string          `json:"requested"`
			Offered   []string          `json:"offered"`
			Stored    map[string]string `json:"stored"`
			Said      string            `json:"said"`
			SignOut   string            `json:"signOut"`
		}
		const (
			ada     = "ada@example.com"
			own     = "kubeflow-ada-example-com"
			chosen  = "lab"
			key     = "kubectl-jupyter/namespace/"
			signOut = "/oauth2/sign_out?rd=%2Fjupyter%2F"
			nowhere = "ada@example.com has no namespace. Ask who runs this cluster: kubectl jupyter user add ada@example.com "
		)
		hers, shared := []string{own}, []string{"bobs", "zoes"}
		sorted := []string{"bobs", own, "zoes"}
		asked := []string{"/api/namespaces"}
		script := selectorScript(t, render(t, release, components.Options{}, "jupyter-web-app"))

		for _, test := range []struct {
			name  string
			given page
			want  seen
		}{
			{
				"the page starts in the person's own namespace",
				page{User: ada, Namespaces: hers, Shared: shared, Status: 200},
				seen{[]string{own}, asked, sorted, map[string]string{key + ada: own}, "", signOut},
			},
			{
				"in one of another name too, before those that are shared",
				page{User: ada, Namespaces: []string{chosen}, Shared: shared, Status: 200},
				seen{[]string{chosen}, asked, []string{"bobs", chosen, "zoes"}, map[string]string{key + ada: chosen}, "", signOut},
			},
			{
				"and in one that is shared, where the person has none",
				page{User: ada, Shared: shared, Status: 200},
				seen{[]string{"bobs"}, asked, shared, map[string]string{key + ada: "bobs"}, "", signOut},
			},
			{
				"a namespace that was shared in two roles is offered once",
				page{User: ada, Namespaces: hers, Shared: []string{"bobs", "bobs"}, Status: 200},
				seen{[]string{own}, asked, []string{"bobs", own}, map[string]string{key + ada: own}, "", signOut},
			},
			{
				"a choice is passed on and remembered",
				page{User: ada, Namespaces: hers, Shared: shared, Status: 200, Pick: "zoes"},
				seen{[]string{own, "zoes"}, asked, sorted, map[string]string{key + ada: "zoes"}, "", signOut},
			},
			{
				"the last choice comes back",
				page{User: ada, Namespaces: hers, Shared: shared, Status: 200, Stored: map[string]string{key + ada: "bobs"}},
				seen{[]string{"bobs"}, asked, sorted, map[string]string{key + ada: "bobs"}, "", signOut},
			},
			{
				"a remembered namespace that is no longer shared is forgotten",
				page{User: ada, Namespaces: hers, Status: 200, Stored: map[string]string{key + ada: "bobs"}},
				seen{[]string{own}, asked, hers, map[string]string{key + ada: own}, "", signOut},
			},
			{
				"what somebody else chose in the same browser does not matter",
				page{User: ada, Namespaces: hers, Shared: shared, Status: 200, Stored: map[string]string{key + "eve@example.com": "bobs"}},
				seen{[]string{own}, asked, sorted, map[string]string{key + "eve@example.com": "bobs", key + ada: own}, "", signOut},
			},
			{
				"somebody without a namespace is told whom to ask, and what for",
				page{User: ada, Status: 200},
				seen{[]string{}, []string{"/api/namespaces", "POST /api/namespaces", "/oauth2/userinfo"}, []string{}, map[string]string{}, nowhere, signOut},
			},
			{
				"so they are where the list is empty, and not absent",
				page{User: ada, Status: 200, Empty: true},
				seen{[]string{}, []string{"/api/namespaces", "POST /api/namespaces", "/oauth2/userinfo"}, []string{}, map[string]string{}, nowhere, signOut},
			},
			{
				"somebody without a namespace gets one, where that is allowed",
				page{User: ada, Status: 200, Made: hers},
				seen{[]string{own}, []string{"/api/namespaces", "POST /api/namespaces", "/api/namespaces"}, hers, map[string]string{key + ada: own}, "", signOut},
			},
			{
				"where the list cannot be had, the first user's namespace is tried",
				page{Status: 503},
				seen{[]string{"kubeflow-user-example-com"}, asked, []string{}, map[string]string{}, "", ""},
			},
			{
				"a browser that stores nothing shows the page all the same",
				page{User: ada, Namespaces: hers, Shared: shared, Status: 200, StorageBroken: true},
				seen{[]string{own}, asked, sorted, map[string]string{}, "", signOut},
			},
		} {
			t.Run(test.name, func(t *testing.T) {
				test.given.Script = script
				input, err := json.Marshal(test.given)
				if err != nil {
					t.Fatal(err)
				}
				command := exec.CommandContext(t.Context(), node, filepath.Join("testdata", "selector-page.js"))
				command.Stdin = bytes.NewReader(input)
				output, err := command.Output()
				if err != nil {
					t.Fatalf("the script failed: %v", err)
				}
				var got seen
				if err := json.Unmarshal(output, &got); err != nil {
					t.Fatalf("%v: %s", err, output)
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	})
}
