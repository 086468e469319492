package login

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// What Envoy says of a token that it does not take. Everything else that it may say of one
// is quoted.
const (
	tokenExpired  = "jwt is expired"
	tokenTooEarly = "jwt not yet valid"
	tokenMissing  = "jwt is missing"
)

// tokenRefused names why the gateway does not take the token that Dex has just issued; false
// where that is not what it says.
func (w *walk) tokenRefused(a answer) (report.Cause, bool) {
	said := strings.ToLower(a.body)
	if a.code != http.StatusUnauthorized || !strings.Contains(said, "jw") {
		return report.Cause{}, false
	}
	c := report.Cause{
		Severity: report.Error, Component: istioComponent, Evidence: []string{a.evidence()},
		Object: report.Ref{Group: securityGroup, Kind: "RequestAuthentication", Namespace: istioNamespace, Name: tokenPolicy},
	}
	switch {
	case strings.Contains(a.body, unknownIssuer):
		return w.g.issuerCause(a.evidence()), true
	case strings.Contains(said, tokenExpired), strings.Contains(said, tokenTooEarly):
		c.Name = diagnose.ClockSkew
		c.Summary = "the gateway does not take a token of this minute for valid: its node's clock differs from that of Dex's node"
		c.Evidence = append(c.Evidence, w.clocks(a)...)
		c.Remedy = "synchronize the clocks of the nodes (NTP), and log in again\nkubectl get pods -A -o wide -l 'app in (dex,istio-ingressgateway)'   shows the nodes"
	case strings.Contains(said, "jwks"), strings.Contains(said, "verification fails"):
		c.Name, c.Summary = diagnose.JWKSKeyMissing, "the gateway does not have the key that Dex signed the token with"
		c.Remedy = "kubectl -n istio-system rollout restart deployment istiod"
	case strings.Contains(said, tokenMissing):
		c.Name, c.Summary = diagnose.TokenRejected, "oauth2-proxy knows the user, but the gateway gets no token from it"
		c.Remedy = "oauth2-proxy must pass it on (set_authorization_header), and the mesh's extension provider must let the header authorization through\nkubectl jupyter install --only istio,oauth2-proxy --adopt"
	default:
		c.Name, c.Summary = diagnose.TokenRejected, "the gateway rejects the token of the login"
		c.Remedy = fmt.Sprintf("kubectl -n %s get requestauthentication %s -o yaml", istioNamespace, tokenPolicy)
	}
	return c, true
}

// clocks are those of Dex and of the gateway, as far as their answers tell, and what lies
// between them beside the time that has passed.
func (w *walk) clocks(a answer) []string {
	theirs, err := http.ParseTime(a.header.Get("Date"))
	if err != nil {
		return nil
	}
	lines := []string{fmt.Sprintf("clock of the gateway: %s; of this machine: %s", theirs.UTC().Format(time.RFC3339), a.when.UTC().Format(time.RFC3339))}
	dex, err := http.ParseTime(w.dexAnswer.header.Get("Date"))
	if err != nil || !strings.HasPrefix(w.dexAnswer.at.Path, "/dex/") {
		return lines
	}
	apart := theirs.Sub(dex) - a.when.Sub(w.dexAnswer.when)
	// The header has whole seconds.
	if apart = apart.Round(time.Second); cmp.Compare(apart.Abs(), 2*time.Second) > 0 {
		lines = append(lines, fmt.Sprintf("clock of Dex: %s, %s apart from the gateway's", dex.UTC().Format(time.RFC3339), apart.Abs()))
	}
	return lines
}
