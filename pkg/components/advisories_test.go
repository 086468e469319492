package components_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// TestTheTableOfAdvisoriesIsAboutTheVersionsThatAreInstalled: whoever changes a version
// reads docs/security.md again, where it says which advisories apply to it.
func TestTheTableOfAdvisoriesIsAboutTheVersionsThatAreInstalled(t *testing.T) {
	text, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "## Published vulnerabilities of what is installed")
	section, _, _ = strings.Cut(section, "\n## ")
	row := func(name string) []string {
		m := regexp.MustCompile(`(?m)^\| ` + name + `[^|\n]*\|([^|\n]*)\|([^|\n]*)\|`).FindStringSubmatch(section)
		if m == nil {
			t.Fatalf("the table has no row %s", name)
		}
		return []string{strings.TrimSpace(m[1]), strings.TrimSpace(m[2])}
	}
	releases := []string{"1.10", "26.03"}
	if got := components.ReleaseNames(); !sameSet(got, releases) {
		t.Fatalf("the releases are %v, the table is about %v", got, releases)
	}
	for component, name := range map[string]string{"oauth2-proxy": "oauth2-proxy", "istio": "Istio, with its Envoy", "dex": "Dex", "cert-manager": "cert-manager"} {
		for i, release := range releases {
			r, err := components.ReleaseNamed(release)
			if err != nil {
				t.Fatal(err)
			}
			c, err := r.Component(component)
			if err != nil {
				t.Fatal(err)
			}
			if got := row(name)[i]; got != c.Version {
				t.Errorf("release %s has %s %s, docs/security.md %q: go through its advisories for the new version", release, component, c.Version, got)
			}
		}
	}
}

func sameSet(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}

// TestWhatTheTableOfAdvisoriesRestsOn: settings that would make an advisory apply.
func TestWhatTheTableOfAdvisoriesRestsOn(t *testing.T) {
	for _, release := range components.ReleaseNames() {
		t.Run(release, func(t *testing.T) {
			objects := render(t, release, components.Options{})
			for _, u := range ofKind(objects, "RequestAuthentication") {
				rules, _, _ := unstructured.NestedSlice(u.Object, "spec", "jwtRules")
				for _, rule := range rules {
					// istiod's key for want of one is made of this URL (CVE-2026-31837): without, it is too
					// short for a signature.
					if uri := rule.(map[string]any)["jwksUri"]; uri != nil {
						t.Errorf("RequestAuthentication %s: jwksUri %v", u.GetName(), uri)
					}
				}
			}
			for _, u := range ofKind(objects, "ConfigMap") {
				config, found, _ := unstructured.NestedString(u.Object, "data", "oauth2_proxy.cfg")
				if !found {
					continue
				}
				for _, setting := range []string{"reverse_proxy", "ping_user_agent", "gcp_healthchecks", "skip_auth_regex", "trusted_ip", "skip_jwt_bearer_tokens"} {
					if regexp.MustCompile(`(?m)^\s*` + setting + `\w*\s*=`).MatchString(config) {
						t.Errorf("oauth2-proxy is configured with %s", setting)
					}
				}
				if !strings.Contains(config, `skip_auth_routes = [ "^/dex/" ]`) {
					t.Errorf("oauth2-proxy lets other paths in than Dex's:\n%s", config)
				}
			}
		})
	}
}
