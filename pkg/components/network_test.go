package components

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// rendered is everything that a release consists of, as text, but for definitions.
func rendered(t *testing.T, release string, o Options) string {
	t.Helper()
	source, err := NewEmbedded(release)
	if err != nil {
		t.Fatal(err)
	}
	o.Outlines = true
	all, err := source.Render(t.Context(), source.Release().Names(), o)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, u := range ObjectsOf(all) {
		if u.GetKind() == crdKind {
			continue
		}
		text, err := yaml.Marshal(u.Object)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "---\n# %s %s/%s\n%s", u.GetKind(), u.GetNamespace(), u.GetName(), text)
	}
	return b.String()
}

// trustDomain is where the mesh's own domain stands: identities begin with it, and it has
// nothing to do with names.
var trustDomain = regexp.MustCompile(`cluster\.local/ns/|trustDomain: cluster\.local|(?s)name: (TRUST_DOMAIN|ISTIO_META_MESH_ID)\s+value: cluster\.local|value: cluster\.local\s+name: (TRUST_DOMAIN|ISTIO_META_MESH_ID)|TrustDomain \| default "cluster\.local"|meshId"?: "?cluster\.local`)

func TestEverythingIsRenderedWithTheClustersDomain(t *testing.T) {
	for _, release := range ReleaseNames() {
		for _, profile := range Profiles() {
			t.Run(release+" "+profile, func(t *testing.T) {
				o := Options{Profile: profile, ClusterDomain: "corp.example", NotebookOrigin: NotebookOrigin{Host: "notebooks.corp.example"}, TLS: TLS{Secret: "s", Hosts: []string{"corp.example"}}}
				if err := o.Validate(); err != nil {
					o.NotebookOrigin, o.TLS = NotebookOrigin{}, TLS{}
				}
				text := rendered(t, release, o)
				rest := trustDomain.ReplaceAllString(text, "")
				for _, line := range strings.Split(rest, "\n") {
					if strings.Contains(line, "cluster.local") {
						t.Errorf("the default domain is left: %s", strings.TrimSpace(line))
					}
				}
				for _, want := range []string{
					"http://dex.auth.svc.corp.example:5556/dex", "JWA_CLUSTER_DOMAIN: corp.example", "\n  CLUSTER_DOMAIN: corp.example",
					`"clusterDomain": "corp.example"`, "jupyter-web-app-service.kubeflow.svc.corp.example", "cluster.local/ns/istio-system/sa/istio-ingressgateway-service-account",
				} {
					if !strings.Contains(text, want) {
						t.Errorf("%q is not in it", want)
					}
				}
				if same := rendered(t, release, Options{Profile: profile, ClusterDomain: DefaultDomain}); same != rendered(t, release, Options{Profile: profile}) {
					t.Error("the default domain changes something")
				}
			})
		}
	}
}

func TestOnIPv6NothingListensOnIPv4Alone(t *testing.T) {
	for _, release := range ReleaseNames() {
		text := rendered(t, release, Options{IPv6: true})
		if i := strings.Index(text, "0.0.0.0:"); i >= 0 {
			t.Errorf("release %s: %s", release, text[max(0, i-80):i+20])
		}
		// In YAML brackets without quotes begin a list.
		for _, want := range []string{`http: "[::]:5556"`, "--http-address=[::]:4180", "'[::]:5000'", "name: notebooks-on-both-families"} {
			if !strings.Contains(text, want) {
				t.Errorf("release %s: %q is not in it", release, want)
			}
		}
	}
}

func TestADomainThatIsNoneIsRefused(t *testing.T) {
	for domain, ok := range map[string]bool{"": true, "corp.example": true, "cluster.local": true, "corp.example.": false, "Corp": false, "a b": false} {
		if err := (Options{ClusterDomain: domain}).Validate(); (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "--cluster-domain") {
			t.Errorf("domain %q: %v", domain, err)
		}
	}
}

func TestAClonesArgumentsAreInTheDomainToo(t *testing.T) {
	u := &unstructured.Unstructured{Object: map[string]any{"kind": "Deployment", "spec": map[string]any{"template": map[string]any{"spec": map[string]any{"containers": []any{map[string]any{
		"args": []any{"discovery", "--domain", "cluster.local", "--domain=cluster.local", "cluster.local"},
		"env":  []any{map[string]any{"name": "CLUSTER_DOMAIN", "value": "cluster.local"}, map[string]any{"name": "TRUST_DOMAIN", "value": "cluster.local"}},
	}}}}}}}
	inDomain(u, "corp.example")
	c := u.Object["spec"].(map[string]any)["template"].(map[string]any)["spec"].(map[string]any)["containers"].([]any)[0].(map[string]any)
	if want := []any{"discovery", "--domain", "corp.example", "--domain=corp.example", "cluster.local"}; !slices.Equal(c["args"].([]any), want) {
		t.Errorf("args = %v, want %v", c["args"], want)
	}
	if env := fmt.Sprint(c["env"]); env != "[map[name:CLUSTER_DOMAIN value:corp.example] map[name:TRUST_DOMAIN value:cluster.local]]" {
		t.Errorf("env = %s", env)
	}
}
