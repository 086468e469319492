package identity

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// standIn answers as the documented endpoints of a provider do: it stands in for Keycloak,
// GitHub, Microsoft and GitLab, which cannot be asked from a test. A second real Dex is the
// provider in the end-to-end test of identity providers.
type standIn struct {
	issuer string // empty: its own URL
	scopes []string
	date   time.Time
	client func(http.ResponseWriter, *http.Request)
}

func (s standIn) serve(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	var server *httptest.Server
	describe := func(w http.ResponseWriter, r *http.Request) {
		issuer := s.issuer
		if issuer == "" {
			issuer = server.URL + strings.TrimSuffix(r.URL.Path, "/.well-known/openid-configuration")
		}
		if !s.date.IsZero() {
			w.Header().Set("Date", s.date.UTC().Format(http.TimeFormat))
		}
		_ = json.NewEncoder(w).Encode(document{Issuer: issuer, Authorize: server.URL + "/authorize", Token: server.URL + "/token", Keys: server.URL + "/keys", Scopes: s.scopes})
	}
	for _, path := range []string{"/realm", "/tenant/v2.0", ""} {
		mux.HandleFunc("GET "+path+"/.well-known/openid-configuration", describe)
	}
	client := s.client
	if client == nil {
		client = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) }
	}
	mux.HandleFunc("GET /authorize", client)
	mux.HandleFunc("GET /login/oauth/authorize", client) // GitHub's
	server = httptest.NewTLSServer(mux)
	t.Cleanup(server.Close)
	return server
}

// connectorFor is one of a type for a stand-in, that trusts its certificate.
func connectorFor(kind string, s *httptest.Server) *Connector {
	authority := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	config := map[string]any{"clientID": "jupyter", "clientSecret": "s3cret", "redirectURI": "https://jupyter.example.com/dex/callback", "rootCAs": []any{authority}}
	switch kind {
	case OIDC:
		config["issuer"] = s.URL + "/realm"
	case GitHub:
		config["hostName"] = strings.TrimPrefix(s.URL, "https://")
	case Microsoft:
		config["apiURL"], config["tenant"] = s.URL, "tenant"
	case GitLab:
		config["baseURL"] = s.URL
	}
	return &Connector{ID: kind, Type: kind, Name: kind, Config: config}
}

func TestAProviderIsAskedWhatItSaysOfItself(t *testing.T) {
	answer := func(code int, text string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code); _, _ = w.Write([]byte(text)) }
	}
	redirect := func(to string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }
	}
	for name, c := range map[string]struct {
		kind            string
		provider        standIn
		change          func(*Connector)
		outcomes, cause string
		severity        report.Severity
	}{
		"OpenID Connect":                       {OIDC, standIn{}, nil, "PPSPP", "", 0},
		"with a list of scopes":                {OIDC, standIn{scopes: []string{"openid", "profile", "email"}}, nil, "PPPPP", "", 0},
		"another issuer":                       {OIDC, standIn{issuer: "https://idp.example.com/realm/"}, nil, "PFSPP", "IssuerMismatch", report.Error},
		"no scope for addresses":               {OIDC, standIn{scopes: []string{"openid", "profile"}}, nil, "PPPPP", "EmailClaimEmpty", report.Warning},
		"no scope for groups":                  {OIDC, standIn{scopes: []string{"openid", "profile", "email"}}, func(c *Connector) { c.Config["scopes"] = []any{"email", "groups"} }, "PPPPP", "GroupMissing", report.Warning},
		"a clock that is wrong":                {OIDC, standIn{date: time.Now().Add(-time.Hour)}, nil, "PPSPP", "ClockSkew", report.Warning},
		"another path":                         {OIDC, standIn{}, func(c *Connector) { c.Config["issuer"] = c.text("issuer") + "s" }, "F", "ProviderUnreachable", report.Error},
		"a certificate that nobody has signed": {OIDC, standIn{}, func(c *Connector) { delete(c.Config, "rootCAs") }, "F", "ProviderUntrusted", report.Error},
		"a host where nothing listens":         {OIDC, standIn{}, func(c *Connector) { c.Config["issuer"] = "https://127.0.0.1:1/realm" }, "F", "ProviderUnreachable", report.Error},
		"a callback that Keycloak refuses":     {OIDC, standIn{client: answer(400, "<p>Invalid parameter: redirect_uri</p>")}, nil, "PPSPF", "CallbackUnregistered", report.Error},
		"a callback that Dex refuses":          {OIDC, standIn{client: answer(400, "<h2>Bad Request</h2>Unregistered redirect_uri (\"x\").")}, nil, "PPSPF", "CallbackUnregistered", report.Error},
		"a client that is unknown":             {OIDC, standIn{client: answer(404, "Client not found")}, nil, "PPSPF", "ProviderRefuses", report.Error},
		"a client that may not do this":        {OIDC, standIn{client: redirect("https://jupyter.example.com/dex/callback?error=unauthorized_client")}, nil, "PPSPF", "ProviderRefuses", report.Error},
		"GitHub's endpoints":                   {GitHub, standIn{}, nil, "P", "", 0},
		"GitHub without the client":            {GitHub, standIn{client: answer(404, "Not Found")}, nil, "F", "ProviderRefuses", report.Error},
		"Microsoft's endpoints":                {Microsoft, standIn{issuer: "https://login.microsoftonline.com/6ba7b810/v2.0", scopes: []string{"openid"}}, nil, "PSSPP", "", 0},
		"a callback that Microsoft refuses":    {Microsoft, standIn{client: answer(200, "AADSTS50011: The redirect URI specified in the request does not match")}, nil, "PSSPF", "CallbackUnregistered", report.Error},
		"GitLab's endpoints":                   {GitLab, standIn{}, nil, "PSSPP", "", 0},
		"a callback that GitLab refuses":       {GitLab, standIn{client: answer(401, "The redirect URI included is not valid.")}, nil, "PSSPF", "CallbackUnregistered", report.Error},
	} {
		t.Run(name, func(t *testing.T) {
			connector := connectorFor(c.kind, c.provider.serve(t))
			if c.change != nil {
				c.change(connector)
			}
			f, err := here().Provider(t.Context(), connector, "", nil)
			if err != nil {
				t.Fatal(err)
			}
			outcomes := ""
			for _, p := range f.Probes {
				outcomes += string(p.Outcome)[:1]
				if strings.Contains(p.Came+p.Request, "s3cret") {
					t.Errorf("the secret is in %+v", p)
				}
			}
			if outcomes != c.outcomes {
				t.Errorf("outcomes %s, want %s: %+v", outcomes, c.outcomes, f.Probes)
			}
			found := slices.ContainsFunc(f.Causes, func(r report.Cause) bool { return r.Name == c.cause && r.Severity == c.severity })
			if c.cause == "" && len(f.Causes) > 0 || c.cause != "" && (!found || len(f.Causes) != 1) {
				t.Errorf("causes %+v, want %q", f.Causes, c.cause)
			}
		})
	}
}
