package status

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/redact"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// sign is a line of a program's log that tells of one fault.
type sign struct {
	container string
	line      *regexp.Regexp
	cause     string
	object    report.Ref
	summary   string
	remedy    string
}

var (
	gateway = report.Ref{Group: "apps", Kind: "Deployment", Namespace: "istio-system", Name: "istio-ingressgateway"}
	proxy   = report.Ref{Group: "apps", Kind: "Deployment", Namespace: "oauth2-proxy", Name: "oauth2-proxy"}
	istiod  = report.Ref{Group: "apps", Kind: "Deployment", Namespace: "istio-system", Name: "istiod"}
	dex     = report.Ref{Group: "apps", Kind: "Deployment", Namespace: "auth", Name: "dex"}
)

const restartIstiod = "when Dex is ready: kubectl -n istio-system rollout restart deployment istiod"

// signs are what Envoy 1.3x, istiod, oauth2-proxy 7 and Dex 2 write. Envoy's details
// stand in its access log, which the mesh's settings turn on.
var signs = []sign{
	{
		container: "istio-proxy", line: regexp.MustCompile(`jwt_authn_access_denied\{Jw(?:ks_doesn't_have_key|t_verification_fails|ks_remote_fetch_is_failed|ks_has_no_valid_keys|ks_doesn't_have_any)`),
		cause: diagnose.JWKSKeyMissing, object: gateway,
		summary: "the gateway rejects tokens: its keys do not match, or it has none",
		remedy:  restartIstiod + "; then log out and log in again to get a token signed with the new keys",
	},
	{
		container: "discovery", line: regexp.MustCompile(`JWKS fetch failed for issuer|Failed to fetch public key from|Failed to fetch jwks_uri from|Failed to get jwks URI from issuer|Failed to refresh JWT public key`),
		cause: diagnose.JWKSKeyMissing, object: istiod,
		summary: "istiod could not fetch Dex's keys, and uses keys that match no token until it retries",
		remedy:  restartIstiod,
	},
	{
		container: "istio-proxy", line: regexp.MustCompile(`jwt_authn_access_denied\{Jwt_issuer_is_not_configured`),
		cause: diagnose.JWTIssuerUnknown, object: gateway,
		summary: "the gateway rejects tokens from an unknown issuer",
		remedy:  "kubectl -n istio-system get requestauthentication -o yaml; the issuer must be Dex's: kubectl -n auth get configmap dex -o yaml",
	},
	{
		container: "istio-proxy", line: regexp.MustCompile(`jwt_authn_access_denied\{Jwt_not_yet_valid`),
		cause: diagnose.ClockSkew, object: gateway,
		summary: "the gateway takes tokens for not valid yet: its node's clock is behind that of Dex's node",
		remedy:  "synchronize the clocks of the nodes (NTP), and log in again",
	},
	{
		container: "istio-proxy", line: regexp.MustCompile(`jwt_authn_access_denied\{Jwt_is_expired`),
		cause: diagnose.ClockSkew, object: gateway,
		summary: "the gateway takes tokens for expired: sessions are older than their tokens, or clocks of nodes differ",
		remedy:  "log in again; if it happens right after a login, synchronize the clocks of the nodes (NTP): kubectl jupyter login-url --check",
	},
	{
		container: "istio-proxy", line: regexp.MustCompile(`ext_authz_error`),
		cause: diagnose.OAuth2ProxyUnreachable, object: gateway,
		summary: "the gateway gets no answer from oauth2-proxy when it checks requests",
		remedy:  "kubectl -n oauth2-proxy get pods,endpointslices",
	},
	// A kernel's channels are a WebSocket: 101 is the only good answer. 401 and 403 are
	// the login's, 404 is a kernel that has ended, and 5xx a notebook that does not answer,
	// which checkSilent tells.
	{
		container: "istio-proxy", line: regexp.MustCompile(`"GET /notebook/\S*/api/kernels/\S+/channels\S* \S+" (?:400|426) `),
		cause: diagnose.WebSocketDropped, object: gateway,
		summary: "connections to kernels reach the gateway, but not as WebSockets",
		remedy:  "configure the proxy in front of the gateway to pass Upgrade and Connection and to use HTTP/1.1; to bypass it: kubectl jupyter port-forward",
	},
	{
		container: "dex", line: regexp.MustCompile(`Unregistered redirect_uri`),
		cause: diagnose.RedirectURIUnregistered, object: dex,
		summary: "Dex does not know the redirect URI of the login",
		remedy:  "kubectl jupyter install --only dex,oauth2-proxy --adopt",
	},
	{
		container: "dex", line: regexp.MustCompile(`invalid client_secret on token request`),
		cause: diagnose.OIDCClientMismatch, object: dex,
		summary: "Dex does not accept oauth2-proxy's client secret",
		remedy:  "kubectl -n auth rollout restart deployment dex; kubectl -n oauth2-proxy rollout restart deployment oauth2-proxy",
	},
	{
		container: "oauth2-proxy", line: regexp.MustCompile(`unable to obtain CSRF cookie|cookie signature not valid|cookie failed validation`),
		cause: diagnose.LoginLoop, object: proxy,
		summary: "browsers return from Dex without the login's cookies, or with cookies that oauth2-proxy cannot read",
		remedy:  "check for cookies that are Secure over http, for another domain, or older than the cookie secret: kubectl jupyter login-url --check",
	},
	{
		container: "oauth2-proxy", line: regexp.MustCompile(`Error redeeming code.*(?:invalid_client|unauthorized_client)`),
		cause: diagnose.OIDCClientMismatch, object: proxy,
		summary: "Dex does not accept oauth2-proxy's client ID or secret",
		remedy:  "kubectl -n auth rollout restart deployment dex; kubectl -n oauth2-proxy rollout restart deployment oauth2-proxy",
	},
}

// excerpt is what a line says around its sign, without credentials.
func excerpt(line string, sign *regexp.Regexp) string {
	line = strings.Join(strings.Fields(redact.Log(line)), " ")
	if len(line) <= maxEvidence {
		return line
	}
	before := ""
	if at := sign.FindStringIndex(line); at != nil && at[1] > maxEvidence {
		line, before = line[max(0, min(at[0]-maxEvidence/4, len(line)-maxEvidence)):], "..."
	}
	after := ""
	if len(line) > maxEvidence {
		line, after = line[:maxEvidence], "..."
	}
	return before + strings.ToValidUTF8(line, "") + after
}

// maxEvidence is the length at which a log's line is cut, in bytes.
const maxEvidence = 300

// checkLogs: what only the logs of the last quarter of an hour tell. A single request
// of a stranger can be refused rightly, so that this warns and does not fail the stack.
func checkLogs(s *Snapshot) []report.Cause {
	var causes []report.Cause
	strange := slices.ContainsFunc(checkFilters(s), func(c report.Cause) bool { return c.Severity >= report.Error })
	for _, sign := range signs {
		// Whom the gateway gets no answer from is somebody else, who is named.
		if strange && sign.cause == diagnose.OAuth2ProxyUnreachable {
			continue
		}
		n, last, pod := 0, "", ""
		for _, l := range s.Logs {
			if l.Container != sign.container || l.Namespace != sign.object.Namespace {
				continue
			}
			for _, line := range l.Lines {
				if sign.line.MatchString(line) {
					n, last, pod = n+1, line, l.Pod
				}
			}
		}
		if n == 0 {
			continue
		}
		causes = append(causes, report.Cause{
			Name: sign.cause, Severity: report.Warning, Component: s.Owner(sign.object), Object: sign.object,
			Summary:  sign.summary,
			Evidence: []string{fmt.Sprintf("log of %s, last %s: %d times, most recently: %s", pod, logSince, n, excerpt(last, sign.line))},
			Remedy:   sign.remedy,
		})
	}
	return causes
}
