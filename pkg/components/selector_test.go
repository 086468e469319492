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
			SignOut   string            `json:"signOut"`
		}
		const (
			first   = "kubeflow-user-example-com"
			other   = "kubeflow-other-example-com"
			key     = "kubectl-jupyter/namespace/"
			signOut = "/oauth2/sign_out?rd=%2Fjupyter%2F"
		)
		all := []string{"kube-system", first, "default", other}
		sorted := []string{"default", "kube-system", other, first}
		asked := []string{"/api/namespaces"}
		script := selectorScript(t, render(t, release, components.Options{}, "jupyter-web-app"))

		for _, test := range []struct {
			name  string
			given page
			want  seen
		}{
			{
				"the page starts in the person's own namespace",
				page{User: "Other@example.com", Namespaces: all, Status: 200},
				seen{[]string{other}, asked, sorted, map[string]string{key + "Other@example.com": other}, signOut},
			},
			{
				"a choice is passed on and remembered",
				page{User: "user@example.com", Namespaces: all, Status: 200, Pick: "default"},
				seen{[]string{first, "default"}, asked, sorted, map[string]string{key + "user@example.com": "default"}, signOut},
			},
			{
				"the last choice comes back",
				page{User: "user@example.com", Namespaces: all, Status: 200, Stored: map[string]string{key + "user@example.com": "default"}},
				seen{[]string{"default"}, asked, sorted, map[string]string{key + "user@example.com": "default"}, signOut},
			},
			{
				"a remembered namespace that is gone is forgotten",
				page{User: "user@example.com", Namespaces: all, Status: 200, Stored: map[string]string{key + "user@example.com": "gone"}},
				seen{[]string{first}, asked, sorted, map[string]string{key + "user@example.com": first}, signOut},
			},
			{
				"what somebody else chose in the same browser does not matter",
				page{User: "user@example.com", Namespaces: all, Status: 200, Stored: map[string]string{key + "other@example.com": "default"}},
				seen{[]string{first}, asked, sorted, map[string]string{key + "other@example.com": "default", key + "user@example.com": first}, signOut},
			},
			{
				"somebody without a Profile of that name starts where the first user is",
				page{User: "guest@example.com", Namespaces: all, Status: 200},
				seen{[]string{first}, asked, sorted, map[string]string{key + "guest@example.com": first}, signOut},
			},
			{
				"who may not see the list still reaches the first user's namespace",
				page{Status: 403},
				seen{[]string{first}, asked, []string{}, map[string]string{}, ""},
			},
			{
				"a browser that stores nothing shows the page all the same",
				page{User: "user@example.com", Namespaces: all, Status: 200, StorageBroken: true},
				seen{[]string{first}, asked, sorted, map[string]string{}, signOut},
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
