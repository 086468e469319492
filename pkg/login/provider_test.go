package login

import (
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWhatProvidersAnswerIsUnderstood(t *testing.T) {
	for name, tt := range map[string]struct {
		code           int
		location, body string
		want           string
	}{
		"a login":                          {302, "https://accounts.google.com/v3/signin/identifier", "", ""},
		"a page":                           {200, "", "<form action=/login>", ""},
		"Google's word for a callback":     {400, "", "Error 400: redirect_uri_mismatch", "CallbackUnregistered"},
		"Microsoft's number for it":        {200, "", "AADSTS50011: The redirect URI specified in the request does not match", "CallbackUnregistered"},
		"Dex's words for it":               {400, "", `<h2>Bad Request</h2>Unregistered redirect_uri (&#34;https://x/callback&#34;).`, "CallbackUnregistered"},
		"Keycloak's words for it":          {400, "", "Invalid parameter: redirect_uri", "CallbackUnregistered"},
		"GitLab's words for it":            {401, "", "The redirect URI included is not valid.", "CallbackUnregistered"},
		"RFC 6749's word for a client":     {302, "https://x/?error=invalid_client", "", "ProviderRefuses"},
		"a login page that has the words":  {200, "", "<input name=redirect_uri value=x>", ""},
		"a server that is out of order":    {502, "", "Bad Gateway", "ProviderRefuses"},
		"a redirect with other parameters": {302, "https://x/login?state=error", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var to *url.URL
			if tt.location != "" {
				to, _ = url.Parse(tt.location)
			}
			if says, cause := ProviderAnswer(tt.code, to, tt.body); cause != tt.want || says == "" {
				t.Errorf("%q, cause %q, want %q", says, cause, tt.want)
			}
		})
	}
}

// The lines are those of Dex 2.45 and oauth2-proxy 7.15 in their sources.
func TestLogsTellWhyALoginIsRefused(t *testing.T) {
	for line, want := range map[string]string{
		`time=2026-11-27T22:00:00Z level=ERROR msg="failed to authenticate" err="oidc: missing \"email_verified\" claim"`:                                                "EmailNotVerified",
		`[2026/11/27 22:00:00] [oauthproxy.go:900] Error creating session during OAuth2 callback: email in id_token (a@example.com) isn't verified`:                      "EmailNotVerified",
		`time=2026-11-27T22:00:00Z level=ERROR msg="failed to authenticate" err="missing \"email\" claim"`:                                                               "EmailClaimEmpty",
		`time=2026-11-27T22:00:00Z level=ERROR msg="failed to login user" err="ldap: entry \"uid=b\" missing following required attribute(s): [\"mail\"]"`:               "EmailClaimEmpty",
		`time=2026-11-27T22:00:00Z level=ERROR msg="failed to authenticate" err="user not a member of allowed groups"`:                                                   "GroupMissing",
		`time=2026-11-27T22:00:00Z level=ERROR msg="failed to authenticate" err="github: user \"ada\" not in required orgs or teams"`:                                    "GroupMissing",
		`time=2026-11-27T22:00:00Z level=ERROR msg="Failed to get connector" err="oidc: issuer did not match the issuer returned by provider, expected \"a\" got \"b\""`: "IssuerMismatch",
		`time=2026-11-27T22:00:00Z level=INFO msg="login successful" email=a@example.com`:                                                                                "",
		`time=2026-11-27T22:00:00Z level=ERROR msg="failed login attempt: Invalid credentials." user=email_verified`:                                                     "",
	} {
		if got := ClaimCause(complaint(line)); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

func TestAPasswordGoesIntoAFormThatAsksForOneAndNowhereElse(t *testing.T) {
	at, _ := url.Parse("https://idp.example.com/login?x=1")
	for name, c := range map[string]struct {
		body, action string
		fields       url.Values
	}{
		"Dex's form": {
			`<form method="post" action="/dex/auth/local/login?state=a&amp;back="><input required name="login" type="text"/><input name="password" type="password"/></form>`,
			"https://idp.example.com/dex/auth/local/login?state=a&back=",
			url.Values{"login": {"ada"}, "password": {"pw"}},
		},
		"Keycloak's form, behind one without a password": {
			`<form action="/lang"><input name="l" type="text"></form><form id="kc" action="https://idp.example.com/auth"><input name="username" type="text"><input type="hidden" name="credentialId" value=""><input type="password" name="password"></form>`,
			"https://idp.example.com/auth",
			url.Values{"username": {"ada"}, "password": {"pw"}, "credentialId": {""}},
		},
		"no form with a password": {`<form action="/next"><input name="identifier" type="email"></form>`, "", nil},
		"a page":                  {"<p>hello</p>", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			action, fields := passwordForm(answer{at: at, body: c.body}, "ada", "pw")
			if action == nil && c.action != "" || action != nil && action.String() != c.action {
				t.Errorf("sends to %v, want %s", action, c.action)
			}
			if d := cmp.Diff(c.fields, fields); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
	to, _ := url.Parse("https://idp.example.com/authorize")
	for server, want := range map[string]bool{
		"https://idp.example.com/realms/main": true, "http://idp.example.com": false, "https://other.example.com": false, "https://idp.example.com:8443": false, "": false,
	} {
		if got := sameServer(server, to); got != want {
			t.Errorf("%s: %t, want %t", server, got, want)
		}
	}
}
