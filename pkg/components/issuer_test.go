package components

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func TestAnIssuerThatMovesLeavesPeopleLoggedIn(t *testing.T) {
	const a, b = "https://a.example.com/dex", "https://b.example.com/dex"
	for name, c := range map[string]struct {
		was  Issuer
		to   string
		want Issuer
	}{
		"out":                            {Issuer{}, a, Issuer{URL: a}},
		"to another host":                {Issuer{URL: a}, b, Issuer{URL: b, Former: a}},
		"in":                             {Issuer{URL: a}, "", Issuer{Former: a}},
		"out again":                      {Issuer{Former: a}, a, Issuer{URL: a}},
		"out to another host":            {Issuer{Former: a}, b, Issuer{URL: b, Former: a}},
		"nowhere, as a run that goes on": {Issuer{URL: b, Former: a}, b, Issuer{URL: b, Former: a}},
		"back to where it has come from": {Issuer{URL: b, Former: a}, a, Issuer{URL: a, Former: b}},
	} {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(c.want, c.was.Moved(c.to)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// What has to agree on the issuer, in both releases.
func TestAllPlacesAgreeOnTheIssuer(t *testing.T) {
	const outer, former = "https://jupyter.example.com/dex", "https://old.example.com/dex"
	for _, release := range ReleaseNames() {
		for name, c := range map[string]struct {
			issuer Issuer
			domain string
			own    string
			taken  []string
			keys   string
			skips  bool
		}{
			"inside":         {Issuer{}, "", InnerIssuer, []string{InnerIssuer}, "", false},
			"outside":        {Issuer{URL: outer}, "", outer, []string{InnerIssuer, outer}, InnerIssuer + "/keys", true},
			"moved":          {Issuer{URL: outer, Former: former}, "", outer, []string{InnerIssuer, outer, former}, InnerIssuer + "/keys", true},
			"inside again":   {Issuer{Former: outer}, "", InnerIssuer, []string{InnerIssuer, outer}, InnerIssuer + "/keys", false},
			"another domain": {Issuer{URL: outer}, "example.internal", outer, []string{strings.Replace(InnerIssuer, DefaultDomain, "example.internal", 1), outer}, "http://dex.auth.svc.example.internal:5556/dex/keys", true},
		} {
			t.Run(release+" "+name, func(t *testing.T) {
				source, err := NewEmbedded(release)
				if err != nil {
					t.Fatal(err)
				}
				rendered, err := source.Render(t.Context(), []string{"dex", "oauth2-proxy"}, Options{Issuer: c.issuer, ClusterDomain: c.domain})
				if err != nil {
					t.Fatal(err)
				}
				seen := 0
				for _, u := range ObjectsOf(rendered) {
					switch u.GetKind() + " " + u.GetName() {
					case "ConfigMap dex":
						seen++
						if text := textOf(u, "config.yaml"); !strings.Contains(text, "\nissuer: "+c.own+"\n") {
							t.Errorf("Dex: %s", text)
						}
					case "ConfigMap oauth2-proxy":
						seen++
						if text := textOf(u, "oauth2_proxy.cfg"); !strings.Contains(text, fmt.Sprintf("oidc_issuer_url = %q\n", c.own)) {
							t.Errorf("oauth2-proxy: %s", text)
						}
					case "Deployment oauth2-proxy":
						seen++
						if text, _ := yaml.Marshal(u.Object); strings.Contains(string(text), "SKIP_ISSUER_VERIFICATION") != c.skips {
							t.Errorf("oauth2-proxy skips the issuer: %t, want %t", !c.skips, c.skips)
						}
					case "RequestAuthentication dex-jwt":
						seen++
						rules, _, _ := unstructured.NestedSlice(u.Object, "spec", "jwtRules")
						var taken []string
						for _, r := range rules {
							rule, _ := r.(map[string]any)
							taken = append(taken, fmt.Sprint(rule["issuer"]))
							if keys, _ := rule["jwksUri"].(string); keys != c.keys {
								t.Errorf("keys of %s at %q, want %q", rule["issuer"], keys, c.keys)
							}
							if rule["outputClaimToHeaders"] == nil || rule["fromHeaders"] == nil {
								t.Errorf("a token of %s says nothing of who it is for: a forged header would be believed", rule["issuer"])
							}
						}
						if d := cmp.Diff(c.taken, taken); d != "" {
							t.Errorf("issuers (-want +got):\n%s", d)
						}
					}
				}
				if seen != 4 {
					t.Errorf("%d places, want 4", seen)
				}
			})
		}
	}
}

func textOf(u *unstructured.Unstructured, key string) string {
	text, _, _ := unstructured.NestedString(u.Object, "data", key)
	return "\n" + text
}

func TestWithoutLocalPasswordsDexHasNone(t *testing.T) {
	for _, release := range ReleaseNames() {
		t.Run(release, func(t *testing.T) {
			source, err := NewEmbedded(release)
			if err != nil {
				t.Fatal(err)
			}
			rendered, err := source.Render(t.Context(), []string{"dex"}, Options{ProvidersOnly: true})
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range ObjectsOf(rendered) {
				if u.GetKind() != "ConfigMap" {
					continue
				}
				var config map[string]any
				if err := yaml.Unmarshal([]byte(textOf(u, "config.yaml")), &config); err != nil {
					t.Fatal(err)
				}
				if config["enablePasswordDB"] != false || config["staticPasswords"] != nil || config["issuer"] != InnerIssuer || config["staticClients"] == nil {
					t.Errorf("%+v", config)
				}
				return
			}
			t.Error("there is no configuration of Dex")
		})
	}
}

func TestAnIssuerIsRefusedThatIsNoURL(t *testing.T) {
	for text, ok := range map[string]bool{"": true, "https://a.example.com/dex": true, "http://a.example.com/dex": false, "a.example.com": false, "https://a\"b/dex": false, "https://$(X)/dex": false} {
		if err := (Options{Issuer: Issuer{URL: text}}).Validate(); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}
