package identity

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

const (
	googleIssuer = "https://accounts.google.com"
	// maxAnswer bounds what is read of a provider.
	maxAnswer = 256 << 10
	// maxSkew is how far clocks may be apart: tokens are checked by theirs.
	maxSkew = time.Minute
)

// Steps of asking a provider that browsers are redirected to.
const (
	hopDiscovery = "discovery"
	hopIssuer    = "issuer"
	hopScopes    = "scopes"
	hopClock     = "clock"
	hopClient    = "client"
)

// document is what a provider says of itself (OpenID Connect Discovery 1.0).
type document struct {
	Issuer    string   `json:"issuer"`
	Authorize string   `json:"authorization_endpoint"`
	Token     string   `json:"token_endpoint"`
	Keys      string   `json:"jwks_uri"`
	Scopes    []string `json:"scopes_supported"`
}

// discovers tells that a connector is for a provider that is asked over HTTP.
func discovers(c *Connector) bool {
	return slices.Contains([]string{OIDC, GitHub, Google, Microsoft, GitLab}, c.Type)
}

func tenantOf(c *Connector) string {
	if t := c.text("tenant"); t != "" {
		return t
	}
	return "common"
}

func microsoftURL(c *Connector) string {
	if u := c.text("apiURL"); u != "" {
		return strings.TrimSuffix(u, "/")
	}
	return "https://login.microsoftonline.com"
}

// documentURL is where a provider describes itself; empty where it has no such document.
func documentURL(c *Connector) string {
	base := c.Server()
	switch c.Type {
	case GitHub:
		return ""
	case Microsoft:
		base += "/v2.0"
	}
	return strings.TrimSuffix(base, "/") + "/.well-known/openid-configuration"
}

// wanted are the scopes that Dex asks for.
func wanted(c *Connector) []string {
	switch c.Type {
	case GitHub:
		return []string{"user:email", "read:org"}
	case GitLab:
		return []string{"openid"}
	case Microsoft:
		return nil // Dex asks for a scope of Graph, which the document does not list
	}
	scopes := []string{"openid", "profile", "email"}
	if own := c.list("scopes"); len(own) > 0 {
		scopes = append([]string{"openid"}, own...)
	}
	return scopes
}

// discovery asks a provider for its document, and what it says to the client's request.
func (a *Asker) discovery(ctx context.Context, c *Connector) (*Findings, error) {
	f := &Findings{Asked: a.Says}
	server, err := url.Parse(c.Server())
	if err != nil || server.Host == "" || server.Scheme != "https" && server.Scheme != "http" {
		return nil, fmt.Errorf("%q is not the URL of a provider such as https://login.example.com", c.Server())
	}
	for _, field := range []string{"clientID", c.SecretField()} {
		if c.text(field) == "" {
			return nil, fmt.Errorf("config.%s is empty: the provider issues it for a client (an OAuth app)", field)
		}
	}
	client, err := a.client(c)
	if err != nil {
		return nil, err
	}
	doc := document{Authorize: c.Server() + "/login/oauth/authorize"}
	if at := documentURL(c); at != "" {
		if doc, err = a.describe(ctx, c, client, at, f); err != nil {
			return f, nil //nolint:nilerr // it is among the findings
		}
	}
	a.atLogin(ctx, c, client, doc, f)
	return f, nil
}

// client trusts what Dex trusts.
func (a *Asker) client(c *Connector) (*http.Client, error) {
	trust := &tls.Config{MinVersion: tls.VersionTLS12}
	if pems := c.Authorities(); len(pems) > 0 {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(pems) {
			return nil, errors.New("the certificate of the authority is not in PEM format: a file would have to be in Dex's pod")
		}
		trust.RootCAs = pool
	}
	return &http.Client{
		Timeout:       a.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{Proxy: a.Proxy, DialContext: a.Dial, TLSClientConfig: trust, DisableKeepAlives: true},
	}, nil
}

// Authorities are the certificates that the connector trusts beside those of the machine, in PEM.
func (c *Connector) Authorities() []byte {
	pems := c.list("rootCAs")
	if data := c.text("rootCAData"); data != "" {
		pems = append(pems, data)
	}
	var out []byte
	for _, p := range pems {
		text := []byte(p)
		if decoded, err := base64.StdEncoding.DecodeString(p); err == nil {
			text = decoded
		}
		out = append(append(out, text...), '\n')
	}
	return out
}

// reply is what came.
type reply struct {
	code     int
	header   http.Header
	location *url.URL // nil where it redirects nowhere
	body     []byte
}

func fetch(ctx context.Context, client *http.Client, address string) (*reply, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	answer, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	to, none := answer.Location()
	if none != nil {
		to = nil
	}
	return &reply{answer.StatusCode, answer.Header, to, body}, err
}

// describe reads the document and judges it.
func (a *Asker) describe(ctx context.Context, c *Connector, client *http.Client, at string, f *Findings) (document, error) {
	const expected = "200 with the provider's endpoints"
	start := time.Now()
	var doc document
	r, err := fetch(ctx, client, at)
	came := time.Now()
	if err != nil {
		cause := c.unreachable(a.Says, at, err)
		var untrusted *tls.CertificateVerificationError
		if errors.As(err, &untrusted) {
			cause.Name, cause.Summary = diagnose.ProviderUntrusted, "the certificate of "+at+" is not trusted"
			cause.Remedy = "--ca-file FILE   with the certificate of the authority that has signed it"
		} else if proxy, by := cluster.Proxy(at, nil); a.Proxy != nil && proxy != "" {
			cause.Evidence = append(cause.Evidence, fmt.Sprintf("asked through the proxy %s (%s); Dex has no such variable", proxy, by))
		}
		f.add(hopDiscovery, "GET "+at, expected, gist(err), start, cause)
		return doc, err
	}
	if r.code != http.StatusOK || json.Unmarshal(r.body, &doc) != nil || doc.Issuer == "" || doc.Authorize == "" || doc.Token == "" {
		err := fmt.Errorf("%d, not a discovery document", r.code)
		f.add(hopDiscovery, "GET "+at, expected, err.Error(), start, causeOf(c, diagnose.ProviderUnreachable,
			at+" is not the discovery document of an OpenID Connect provider", "the issuer is the URL before /.well-known/openid-configuration, as the provider's own documentation names it", err.Error()))
		return doc, err
	}
	f.add(hopDiscovery, "GET "+at, expected, "200", start, nil)
	a.issuer(c, doc, f)
	a.scopes(c, doc, f)
	a.clock(c, r, came, f)
	return doc, nil
}

// issuer is compared as Dex does: letter by letter.
func (a *Asker) issuer(c *Connector, doc document, f *Findings) {
	want := c.Server()
	if alias := c.text("issuerAlias"); alias != "" {
		want = alias
	}
	switch {
	case c.Type == Microsoft:
		f.skip(hopIssuer, "that of the tenant", "not compared: Microsoft's has the tenant's ID in place of its name, and Dex does not compare it either")
	case c.Type == GitLab:
		f.skip(hopIssuer, "the URL", "not compared by Dex")
	case doc.Issuer == want:
		f.add(hopIssuer, "", want, doc.Issuer, time.Now(), nil)
	default:
		f.add(hopIssuer, "", want, doc.Issuer, time.Now(), causeOf(c, diagnose.IssuerMismatch,
			fmt.Sprintf("the provider calls itself %s, and the connector %s: Dex takes no token of it", doc.Issuer, want), "--issuer "+doc.Issuer,
			"issuer of the discovery document: "+doc.Issuer))
	}
}

func (a *Asker) scopes(c *Connector, doc document, f *Findings) {
	want := wanted(c)
	if len(doc.Scopes) == 0 || len(want) == 0 {
		f.skip(hopScopes, strings.Join(want, " "), "the provider does not list them")
		return
	}
	var missing []string
	for _, s := range want {
		if !slices.Contains(doc.Scopes, s) {
			missing = append(missing, s)
		}
	}
	if len(missing) == 0 {
		f.add(hopScopes, "", strings.Join(want, " "), "all of them", time.Now(), nil)
		return
	}
	// A list is a recommendation (OpenID Connect Discovery 1.0, section 3): a provider may
	// take more than it lists.
	name, severity := diagnose.GroupMissing, report.Warning
	if slices.Contains(missing, "email") || slices.Contains(missing, "openid") {
		name = diagnose.EmailClaimEmpty
	}
	cause := causeOf(c, name, fmt.Sprintf("the provider does not list the scope %s, so it may leave out what belongs to it", strings.Join(missing, ", ")),
		"check the client's scopes at the provider", "scopes_supported: "+cut(strings.Join(doc.Scopes, " "), "none"))
	cause.Severity = severity
	f.Causes = append(f.Causes, *cause)
	f.add(hopScopes, "", strings.Join(want, " "), "without "+strings.Join(missing, ", "), time.Now(), nil)
}

func (a *Asker) clock(c *Connector, r *reply, came time.Time, f *Findings) {
	theirs, err := http.ParseTime(r.header.Get("Date"))
	if err != nil {
		f.skip(hopClock, "within "+maxSkew.String(), "the provider does not tell its time")
		return
	}
	apart := theirs.Sub(came).Round(time.Second)
	says := fmt.Sprintf("%s apart from this machine's", apart.Abs())
	if apart.Abs() <= maxSkew {
		f.add(hopClock, "", "within "+maxSkew.String(), says, time.Now(), nil)
		return
	}
	cause := causeOf(c, diagnose.ClockSkew, "the provider's clock is "+says+": Dex rejects tokens of the future and expired ones, if its node's clock is this machine's",
		"synchronize the clocks (NTP)", "Date: "+r.header.Get("Date"))
	cause.Severity = report.Warning
	f.Causes = append(f.Causes, *cause)
	f.add(hopClock, "", "within "+maxSkew.String(), says, time.Now(), nil)
}

// atLogin sends the request that Dex sends browsers with, as far as a provider judges it
// before somebody has logged in.
func (a *Asker) atLogin(ctx context.Context, c *Connector, client *http.Client, doc document, f *Findings) {
	const expected = "the provider's login"
	scopes := wanted(c)
	if c.Type == Microsoft {
		scopes = []string{"user.read"}
	}
	at, err := url.Parse(doc.Authorize)
	if err != nil {
		f.skip(hopClient, expected, "the provider names no endpoint that could be asked")
		return
	}
	query := at.Query()
	for name, value := range map[string]string{
		"client_id": c.text("clientID"), "redirect_uri": c.text("redirectURI"), "response_type": "code", "scope": strings.Join(scopes, " "), "state": "kubectl-jupyter",
	} {
		query.Set(name, value)
	}
	at.RawQuery = query.Encode()
	start := time.Now()
	r, err := fetch(ctx, client, at.String())
	request := "GET " + doc.Authorize
	if err != nil {
		f.add(hopClient, request, expected, gist(err), start, c.unreachable(a.Says, doc.Authorize, err))
		return
	}
	came, cause := judge(c, r.code, r.location, string(r.body))
	f.add(hopClient, request, expected, came, start, cause)
}
