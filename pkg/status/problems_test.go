package status

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// embedded are the manifests, rendered once.
var embedded = sync.OnceValues(func() ([]components.Rendered, error) {
	source, err := components.NewEmbedded(components.DefaultRelease)
	if err != nil {
		return nil, err
	}
	return source.Render(context.Background(), source.Release().Names(), components.Options{})
})

// lookedAt is a snapshot of the embedded manifests as if they were in a cluster, with
// further objects that were recorded, or replace those of the same name.
func lookedAt(t *testing.T, recorded string) *Snapshot {
	t.Helper()
	expected, err := embedded()
	if err != nil {
		t.Fatal(err)
	}
	release, err := components.ReleaseNamed(components.DefaultRelease)
	if err != nil {
		t.Fatal(err)
	}
	s := &Snapshot{Time: metav1.NewTime(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)), Release: release, Expected: expected}
	known := map[report.Ref]int{}
	add := func(u *unstructured.Unstructured) {
		if i, replaced := known[cluster.RefOf(u)]; replaced {
			s.Objects[i] = u
			return
		}
		known[cluster.RefOf(u)] = len(s.Objects)
		s.Objects = append(s.Objects, u)
	}
	for _, r := range expected {
		for _, u := range r.Objects {
			if u.GetKind() != definition {
				add(u.DeepCopy())
			}
		}
	}
	for _, doc := range strings.Split(recorded, "\n---\n") {
		u := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(doc), &u.Object); err != nil {
			t.Fatalf("%v\n%s", err, doc)
		}
		if len(u.Object) > 0 {
			add(u)
		}
	}
	return s
}

func causeOf(causes []report.Cause, name string) *report.Cause {
	for i := range causes {
		if causes[i].Name == name {
			return &causes[i]
		}
	}
	return nil
}

func wantCause(t *testing.T, causes []report.Cause, name string, severity report.Severity, says ...string) {
	t.Helper()
	c := causeOf(causes, name)
	if c == nil {
		t.Fatalf("causes %+v: want %s", causes, name)
	}
	text := strings.Join(append([]string{c.Summary, c.Remedy}, c.Evidence...), "\n")
	for _, w := range says {
		if !strings.Contains(text, w) {
			t.Errorf("%s does not say %q:\n%s", name, w, text)
		}
	}
	if c.Severity != severity || c.Component == "" || len(c.Evidence) == 0 {
		t.Errorf("%s: severity %s, component %q, want %s and one, with evidence", name, c.Severity, c.Component, severity)
	}
}

// What the programs really wrote, with names and addresses of documentation.
const (
	gatewayLine = `[2026-03-01T11:58:00.000Z] "GET /jupyter/ HTTP/1.1" 401 - jwt_authn_access_denied{Jwks_doesn't_have_key_to_match_kid_or_alg_from_Jwt} - "-" 0 65 1 - "192.0.2.7" "curl/8.5.0" "-" "203.0.113.5" "-" outbound|80||jupyter-web-app-service.kubeflow.svc.cluster.local - 10.0.0.9:8080 192.0.2.7:51842 - -`
	issuerLine  = `[2026-03-01T11:58:00.000Z] "GET /jupyter/ HTTP/1.1" 401 - jwt_authn_access_denied{Jwt_issuer_is_not_configured} - "-" 0 28 0 - "192.0.2.7" "curl/8.5.0" "-" "203.0.113.5" "-" - - 10.0.0.9:8080 192.0.2.7:51842 - -`
	kernelLine  = `[2026-03-01T11:58:00.000Z] "GET /notebook/team/nb/api/kernels/0f5/channels?session_id=8a1&token=pl4nted HTTP/1.1" 400 - via_upstream - "-" 0 34 2 2 "192.0.2.7" "Mozilla/5.0" "-" "203.0.113.5" "10.0.0.12:8888" outbound|80||nb.team.svc.cluster.local - 10.0.0.9:8080 192.0.2.7:51842 - -`
	kernelGood  = `[2026-03-01T11:58:00.000Z] "GET /notebook/team/nb/api/kernels/0f5/channels?session_id=8a1 HTTP/1.1" 101 - via_upstream - "-" 900 1200 60000 - "192.0.2.7" "Mozilla/5.0" "-" "203.0.113.5" "10.0.0.12:8888" outbound|80||nb.team.svc.cluster.local - 10.0.0.9:8080 192.0.2.7:51842 - -`
	signInLine  = `[2026-03-01T11:58:00.000Z] "GET /jupyter/ HTTP/1.1" 403 UAEX ext_authz_denied - "-" 0 8242 3 - "192.0.2.7" "Mozilla/5.0" "-" "203.0.113.5" "-" - - 10.0.0.9:8080 192.0.2.7:51842 - -`
	checkLine   = `[2026-03-01T11:58:00.000Z] "GET /jupyter/ HTTP/1.1" 403 UAEX ext_authz_error - "-" 0 0 200 - "192.0.2.7" "Mozilla/5.0" "-" "203.0.113.5" "-" - - 10.0.0.9:8080 192.0.2.7:51842 - -`
	istiodLine  = "2026-03-01T11:58:00.000000Z\twarn\tmodel\tJWKS fetch failed for issuer http://dex.auth.svc.cluster.local:5556/dex (), using public-only JWKS with discarded private key - JWT requests will be rejected"
	dexLine     = `time=2026-03-01T11:58:00.000Z level=ERROR msg="failed to parse authorization request" err="Unregistered redirect_uri (\"https://example.com/oauth2/callback\")."`
	clientLine  = `time=2026-03-01T11:58:00.000Z level=INFO msg="invalid client_secret on token request" client_id=kubeflow-oidc-authservice`
	cookieLine  = `[2026/03/01 11:58:00] [oauthproxy.go:890] &{GET /oauth2/callback?code=pl4nted&state=nonce%3A%2Fjupyter%2F HTTP/1.1 1 1 map[Accept:[*/*] Accept-Encoding:[gzip] User-Agent:[Mozilla/5.0] X-Envoy-Attempt-Count:[1] X-Envoy-Decorator-Operation:[oauth2-proxy.oauth2-proxy.svc.cluster.local:80/oauth2/*] X-Envoy-External-Address:[192.0.2.7] X-Forwarded-Proto:[http]] {} <nil> 0 [] false 203.0.113.5 map[code:[pl4nted] state:[nonce:/jupyter/]] map[] <nil> map[] 10.0.0.9:42902} AuthFailure Invalid authentication via OAuth2: unable to obtain CSRF cookie: CSRF cookie with name 'oauth2_proxy_kubeflow_csrf' was not found (state=pl4nted)`
)

func TestLogLinesThatWereRecordedName(t *testing.T) {
	for _, c := range []struct {
		name, namespace, container string
		lines                      []string
		// want is empty where nothing is wrong.
		want string
		says []string
	}{
		{
			"tokens that were signed with keys the gateway does not have", "istio-system", "istio-proxy",
			[]string{gatewayLine, signInLine, gatewayLine},
			diagnose.JWKSKeyMissing,
			[]string{"2 times", "Jwks_doesn't_have_key", "restart deployment istiod"},
		},
		{
			"keys that istiod could not fetch while Dex was down", "istio-system", "discovery",
			[]string{istiodLine},
			diagnose.JWKSKeyMissing,
			[]string{"dex.auth.svc", "when Dex is ready"},
		},
		{"tokens of an issuer that is not configured", "istio-system", "istio-proxy", []string{issuerLine}, diagnose.JWTIssuerUnknown, []string{"Jwt_issuer_is_not_configured"}},
		{
			"tokens that the gateway's clock takes for those of the future", "istio-system", "istio-proxy",
			[]string{strings.ReplaceAll(issuerLine, "Jwt_issuer_is_not_configured", "Jwt_not_yet_valid")},
			diagnose.ClockSkew,
			[]string{"Jwt_not_yet_valid", "NTP"},
		},
		{
			"tokens that have expired, by the gateway's clock", "istio-system", "istio-proxy",
			[]string{strings.ReplaceAll(issuerLine, "Jwt_issuer_is_not_configured", "Jwt_is_expired")},
			diagnose.ClockSkew,
			[]string{"Jwt_is_expired", "log in again"},
		},
		{"a kernel of a notebook that does not answer, which no proxy has dropped", "istio-system", "istio-proxy", []string{strings.ReplaceAll(kernelLine, " 400 ", " 503 ")}, "", nil},
		{"a check at oauth2-proxy that gets no answer", "istio-system", "istio-proxy", []string{checkLine}, diagnose.OAuth2ProxyUnreachable, []string{"ext_authz_error"}},
		{
			"a kernel whose WebSocket a proxy has dropped", "istio-system", "istio-proxy",
			[]string{kernelLine},
			diagnose.WebSocketDropped,
			[]string{"/channels", "Upgrade", "kubectl jupyter port-forward"},
		},
		{"an address to return to that Dex does not know", "auth", "dex", []string{dexLine}, diagnose.RedirectURIUnregistered, []string{"https://example.com/oauth2/callback"}},
		{"a client secret that Dex does not know", "auth", "dex", []string{clientLine}, diagnose.OIDCClientMismatch, []string{"kubeflow-oidc-authservice"}},
		{"a browser that comes back without its cookie", "oauth2-proxy", "oauth2-proxy", []string{cookieLine}, diagnose.LoginLoop, []string{"was not found"}},
		{"people who are shown the sign-in page, and kernels that connect", "istio-system", "istio-proxy", []string{signInLine, kernelGood}, "", nil},
		{"a gateway's line that istiod quotes", "istio-system", "discovery", []string{gatewayLine}, "", nil},
		{"a notebook's sidecar, which is nobody's gateway", "kubeflow", "istio-proxy", []string{gatewayLine}, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := lookedAt(t, "")
			s.Logs = []Log{{Namespace: c.namespace, Pod: "pod-1", Container: c.container, Lines: c.lines}}
			causes := checkLogs(s)
			if c.want == "" {
				if len(causes) > 0 {
					t.Errorf("nothing is wrong, and yet: %+v", causes)
				}
				return
			}
			// A stranger's requests can be refused rightly: no line alone fails the stack.
			wantCause(t, causes, c.want, report.Warning, c.says...)
			if len(causes) != 1 || strings.Contains(causes[0].Evidence[0], "pl4nted") {
				t.Errorf("want one cause, without tokens: %+v", causes)
			}
		})
	}
}

func TestSettingsThatWereRecordedName(t *testing.T) {
	proxyWith := func(line string) string {
		return "{apiVersion: v1, kind: ConfigMap, metadata: {name: oauth2-proxy, namespace: oauth2-proxy}, data: {oauth2_proxy.cfg: '" +
			`oidc_issuer_url = "http://dex.auth.svc.cluster.local:5556/dex"` + "\n\n" + `redirect_url = "/oauth2/callback"` + "\n\n" + line + "\n'}}"
	}
	for _, c := range []struct {
		name, recorded, address string
		want                    string
		severity                report.Severity
		says                    []string
	}{
		{"nothing, when all is as it was installed", "", "http://192.0.2.10/", "", 0, nil},
		{
			"cookies for another domain", proxyWith(`cookie_domains = [ ".example.com" ]`), "http://192.0.2.10/", diagnose.LoginLoop, report.Error,
			[]string{"another domain", ".example.com", "http://192.0.2.10/"},
		},
		{"no loop, when the domain covers the host", proxyWith(`cookie_domains = [ ".example.com" ]`), "https://notebooks.example.com/", "", 0, nil},
		{
			"a login that comes back to another host", proxyWith(`redirect_url = "https://old.example.com/oauth2/callback"`), "https://notebooks.example.com/",
			diagnose.LoginLoop, report.Error,
			[]string{"https://old.example.com/oauth2/callback"},
		},
		{
			"an issuer that oauth2-proxy does not expect", proxyWith(`oidc_issuer_url = "http://elsewhere/dex"`), "http://192.0.2.10/",
			diagnose.JWTIssuerUnknown, report.Error,
			[]string{"http://elsewhere/dex"},
		},
		{
			"Secure cookies at a plain address", "{apiVersion: v1, kind: ConfigMap, metadata: {name: jupyter-web-app-parameters, namespace: kubeflow}, data: {JWA_APP_SECURE_COOKIES: 'true'}}",
			"http://192.0.2.10/", diagnose.SecureCookiesOverHTTP, report.Error,
			[]string{"JWA_APP_SECURE_COOKIES is true"},
		},
		{
			"a warning of them, while there is no address", "{apiVersion: v1, kind: ConfigMap, metadata: {name: jupyter-web-app-parameters, namespace: kubeflow}, data: {JWA_APP_SECURE_COOKIES: 'true'}}",
			"", diagnose.SecureCookiesOverHTTP, report.Warning,
			[]string{"no address yet"},
		},
		{
			"settings of Dex that nobody can read", "{apiVersion: v1, kind: ConfigMap, metadata: {name: dex, namespace: auth}, data: {config.yaml: '{'}}",
			"http://192.0.2.10/", diagnose.InvalidObject, report.Error,
			[]string{"config.yaml"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := lookedAt(t, c.recorded)
			if u, err := url.Parse(c.address); err == nil && u.Host != "" {
				s.WayIn = report.WayIn{URL: c.address, Scheme: u.Scheme, Address: u.Hostname()}
			}
			causes := checkLogin(s)
			if c.want == "" {
				if len(causes) > 0 {
					t.Errorf("nothing is wrong, and yet: %+v", causes)
				}
				return
			}
			wantCause(t, causes, c.want, c.severity, c.says...)
		})
	}
}

func TestSettingsWithAGeneratedNameAreTheNewestOnes(t *testing.T) {
	const generation = `{apiVersion: v1, kind: ConfigMap, metadata: {name: oauth2-proxy-parameters-HASH, namespace: oauth2-proxy, creationTimestamp: "TIME"}, data: {FORCE_HTTPS: "VALUE"}}`
	text := strings.NewReplacer("HASH", "aaaaaaaaaa", "TIME", "2026-01-01T00:00:00Z", "VALUE", "true").Replace(generation) + "\n---\n" +
		strings.NewReplacer("HASH", "bbbbbbbbbb", "TIME", "2026-02-01T00:00:00Z", "VALUE", "false").Replace(generation)
	s := lookedAt(t, text)
	ref := report.Ref{Kind: "ConfigMap", Namespace: "oauth2-proxy", Name: "oauth2-proxy-parameters"}
	if u := s.suffixed(ref); u == nil || !strings.HasSuffix(u.GetName(), "bbbbbbbbbb") {
		t.Errorf("suffixed: %v, want the newer one", u)
	}
}

func TestWhatAProgramReadBeforeItChangedIsNamed(t *testing.T) {
	const secret = `
apiVersion: v1
kind: Secret
metadata:
  name: dex-passwords
  namespace: auth
  creationTimestamp: "2026-03-01T10:00:00Z"
  managedFields:
  - {manager: kubectl-jupyter, operation: Update, time: "OURS", fieldsV1: {"f:data": {"f:DEX_USER_PASSWORD": {}}, "f:metadata": {}}}
  - {manager: kubectl-edit, operation: Update, time: "THEIRS", fieldsV1: {"f:data": {"f:DEX_USER_PASSWORD": {}}}}
---
apiVersion: v1
kind: Pod
metadata:
  name: dex-7c9d-x1
  namespace: auth
  labels: {pod-template-hash: 7c9d}
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: dex-7c9d, controller: true, uid: u}]
spec: {containers: [{name: dex}]}
status: {containerStatuses: [{name: dex, state: {running: {startedAt: "2026-03-01T10:05:00Z"}}}]}`
	for _, c := range []struct {
		name, ours, theirs string
		want               bool
	}{
		{"a password that somebody changed after Dex had started", "2026-03-01T10:00:00Z", "2026-03-01T11:00:00Z", true},
		{"no fault: the password was changed before Dex started", "2026-03-01T10:00:00Z", "2026-03-01T10:04:00Z", false},
		{"no fault: install itself noted that the password was shown", "2026-03-01T11:00:00Z", "2026-03-01T10:04:00Z", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := lookedAt(t, strings.NewReplacer("OURS", c.ours, "THEIRS", c.theirs).Replace(secret))
			causes := checkRestarts(s)
			if !c.want {
				if len(causes) > 0 {
					t.Errorf("causes %+v", causes)
				}
				return
			}
			wantCause(t, causes, diagnose.PasswordChangeIgnored, report.Error,
				"changed by kubectl-edit at 2026-03-01T11:00:00Z", "dex-7c9d-x1: started 2026-03-01T10:05:00Z", "kubectl -n auth rollout restart deployment dex")
		})
	}
}

func TestAProfileWhoseNamespaceLacksItsServiceAccountIsNamed(t *testing.T) {
	const profile = `
apiVersion: kubeflow.org/v1
kind: Profile
metadata: {name: team, creationTimestamp: "2026-03-01T10:00:00Z"}
spec: {owner: {kind: User, name: jane@example.com}}
status: {conditions: [{type: Failed, message: "namespace already exist, but not owned by profile creator"}]}`
	s := lookedAt(t, profile)
	s.Reads = []Read{{Kind: "ServiceAccount", Name: editor}}
	wantCause(t, checkProfiles(s), diagnose.ProfileMissing, report.Error, "ServiceAccount team/default-editor: not found", "not owned by profile creator")
	s = lookedAt(t, profile+"\n---\n"+strings.ReplaceAll(profile, "name: team,", "name: other,"))
	s.Reads = []Read{{Kind: "ServiceAccount", Name: editor}}
	wantCause(t, checkProfiles(s), diagnose.ProfileMissing, report.Error, "2 of 3 Profiles")
	if causes := checkProfiles(s); len(causes) != 1 || len(causes[0].Also) != 1 {
		t.Errorf("the same of many Profiles is told once: %+v", causes)
	}
	s = lookedAt(t, profile+"\n---\n{apiVersion: kubeflow.org/v1, kind: Profile, metadata: {name: other}}\n---\n{apiVersion: v1, kind: ServiceAccount, metadata: {namespace: other, name: default-editor}}")
	s.Reads = []Read{{Kind: "ServiceAccount", Name: editor}}
	wantCause(t, checkProfiles(s), diagnose.ProfileMissing, report.Warning, "namespace team")
	s.Reads[0].Cut = true
	if causes := checkProfiles(s); len(causes) > 0 {
		t.Errorf("what is beyond the end of a list is not missing: %+v", causes)
	}
	s = lookedAt(t, profile)
	if causes := checkProfiles(s); len(causes) > 0 {
		t.Errorf("what was not asked for is not missing: %+v", causes)
	}
}

func TestWithoutARouteToTheNamespacesThePageFallsBackToOneProfile(t *testing.T) {
	const route = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: jupyter-web-app-jupyter-web-app, namespace: kubeflow}
spec: {gateways: [kubeflow-gateway], http: [{match: [{uri: {prefix: /jupyter/}}], route: [{}]}]}`
	wantCause(t, checkNamespaces(lookedAt(t, route)), diagnose.NamespaceListFails, report.Error, "/api/namespaces")
	s := lookedAt(t, route+"\n---\n{apiVersion: kubeflow.org/v1, kind: Profile, metadata: {name: kubeflow-user}}")
	if causes := checkNamespaces(s); len(causes) > 0 {
		t.Errorf("the page finds the Profile that it falls back to: %+v", causes)
	}
	if causes := checkNamespaces(lookedAt(t, "")); len(causes) > 0 {
		t.Errorf("as installed: %+v", causes)
	}
}
