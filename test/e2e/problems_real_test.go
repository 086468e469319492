//go:build e2e_real

package e2e

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/bedkit"
)

// token is signed by nobody.
func token(issuer, key string) string {
	part := func(v map[string]any) string {
		text, _ := json.Marshal(v)
		return base64.RawURLEncoding.EncodeToString(text)
	}
	return part(map[string]any{"alg": "RS256", "typ": "JWT", "kid": key}) + "." +
		part(map[string]any{"iss": issuer, "sub": "me", "aud": "kubeflow-oidc-authservice", "exp": 4102444800}) + "." +
		base64.RawURLEncoding.EncodeToString([]byte("signed by nobody"))
}

// Dex, oauth2-proxy, istiod and the gateway's Envoy are the real ones here, and so are
// their logs.
func TestWhatTheLogsOfRealProgramsTell(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("a real node needs root")
	}
	b := newBed(t, "--nodes", "real", "--network-policies")
	b.must("install", "--timeout", "10m")
	b.apply(`{apiVersion: v1, kind: Secret, metadata: {name: planted, namespace: kubeflow}, stringData: {anything: ` + plantedSecret + `}}`)

	w := b.browser(t)
	bearer := func(token string) {
		w.do("GET", "/jupyter/", "", map[string]string{"Authorization": "Bearer " + token})
	}
	// Each is what a program sees when the fault is there.
	bearer(token("http://dex.auth.svc.cluster.local:5556/dex", "unknown"))
	bearer(token("http://elsewhere.example.com/dex", "unknown"))
	w.get("/dex/auth/local?client_id=kubeflow-oidc-authservice&response_type=code&scope=openid&redirect_uri=https%3A%2F%2Felsewhere.example.com%2Fcb")
	w.get("/oauth2/callback?code=" + plantedEvent + "&state=nonce%3A%2Fjupyter%2F")
	w.get("/jupyter/" + plantedSecret)

	t.Run("status names what was refused and why", func(t *testing.T) {
		b := b.in(t)
		for name, says := range map[string]string{
			diagnose.JWKSKeyMissing:   "Jwks_doesn't_have_key_to_match_kid",
			diagnose.JWTIssuerUnknown: "Jwt_issuer_is_not_configured",
			// Dex v2.45.1 does not log which URI it was.
			diagnose.RedirectURIUnregistered: "Unregistered redirect_uri",
			diagnose.LoginLoop:               "CSRF cookie",
		} {
			var out report.Report
			eventually(t, name+" says "+says, func() bool {
				r := b.jupyter("status", "-o", "json")
				if err := json.Unmarshal([]byte(r.Stdout), &out); err != nil {
					t.Fatalf("status: %v\n%s", err, r)
				}
				for _, c := range out.Causes {
					if c.Name == name && strings.Contains(strings.Join(c.Evidence, "\n"), says) {
						if c.Severity != report.Warning {
							t.Errorf("%s: severity %s: a stranger's request must not fail the stack", name, c.Severity)
						}
						return true
					}
				}
				return false
			})
		}
	})

	t.Run("a support bundle has the logs without credentials", func(t *testing.T) {
		b := b.in(t)
		files, _ := b.bundle()
		b.wantNoSecrets(files)
		wants := map[string]string{
			"logs/auth/dex-": "Unregistered redirect_uri", "logs/oauth2-proxy/oauth2-proxy-": "CSRF cookie",
			"logs/istio-system/istio-ingressgateway-": "/jupyter/[redacted]", "logs/istio-system/istiod-": "info",
		}
		for prefix, text := range wants {
			found := false
			for name, content := range files {
				found = found || strings.HasPrefix(name, prefix) && strings.Contains(content, text)
			}
			if !found {
				t.Errorf("no log of %s says %q", prefix, text)
			}
		}
		if t.Failed() {
			t.Log(bedkit.Tail(files["manifest.yaml"]))
		}
	})
}
