package identity

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFlagsMakeWhatDexUnderstands(t *testing.T) {
	for name, c := range map[string]struct {
		request Request
		want    Connector
	}{
		"a directory": {
			Request{Type: LDAP, Host: "ldap.example.com", BindDN: "cn=dex", UserBase: "ou=people"},
			Connector{ID: "ldap", Type: LDAP, Name: "LDAP", Config: map[string]any{
				"host": "ldap.example.com", "bindDN": "cn=dex", "usernamePrompt": "E-mail address",
				"userSearch": map[string]any{"baseDN": "ou=people", "filter": "(objectClass=person)", "username": "mail", "idAttr": "DN", "emailAttr": "mail", "nameAttr": "cn"},
			}},
		},
		"Active Directory with groups": {
			Request{Type: AD, ID: "corp", Name: "Corp", Host: "dc1", UserBase: "dc=corp", GroupBase: "ou=g,dc=corp", StartTLS: true, CA: []byte("pem")},
			Connector{ID: "corp", Type: LDAP, Name: "Corp", Config: map[string]any{
				"host": "dc1", "usernamePrompt": "User name", "startTLS": true, "rootCAData": "cGVt",
				"userSearch":  map[string]any{"baseDN": "dc=corp", "filter": "(&(objectCategory=person)(objectClass=user))", "username": "sAMAccountName", "idAttr": "DN", "emailAttr": "mail", "nameAttr": "cn"},
				"groupSearch": map[string]any{"baseDN": "ou=g,dc=corp", "filter": "(objectClass=group)", "nameAttr": "cn", "userMatchers": []any{map[string]any{"userAttr": "DN", "groupAttr": "member"}}},
			}},
		},
		"OpenID Connect with groups": {
			Request{Type: OIDC, URL: "https://idp", ClientID: "c", Groups: []string{"data"}},
			Connector{ID: "oidc", Type: OIDC, Name: "OpenID Connect", Config: map[string]any{
				"issuer": "https://idp", "clientID": "c", "insecureEnableGroups": true, "scopes": []any{"profile", "email", "groups"}, "allowedGroups": []any{"data"},
			}},
		},
		"teams of organizations": {
			Request{Type: GitHub, ClientID: "c", Orgs: []string{"a/x", "b", "a/y"}},
			Connector{ID: "github", Type: GitHub, Name: "GitHub", Config: map[string]any{
				"clientID": "c", "loadAllGroups": false, "teamNameField": "slug",
				"orgs": []any{map[string]any{"name": "a", "teams": []any{"x", "y"}}, map[string]any{"name": "b"}},
			}},
		},
		"a domain of Google": {
			Request{Type: Google, ClientID: "c", Domains: []string{"example.com"}},
			Connector{ID: "google", Type: Google, Name: "Google", Config: map[string]any{"clientID": "c", "hostedDomains": []any{"example.com"}}},
		},
		"a tenant of Microsoft": {
			Request{Type: Microsoft, ClientID: "c", Tenant: "t", Groups: []string{"g"}},
			Connector{ID: "microsoft", Type: Microsoft, Name: "Microsoft", Config: map[string]any{"clientID": "c", "tenant": "t", "emailToLowercase": true, "groups": []any{"g"}, "useGroupsAsWhitelist": true}},
		},
		"a GitLab of one's own": {
			Request{Type: GitLab, URL: "https://gitlab.example.com/", ClientID: "c"},
			Connector{ID: "gitlab", Type: GitLab, Name: "GitLab", Config: map[string]any{"clientID": "c", "baseURL": "https://gitlab.example.com"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.request.Connector()
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(&c.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestWhoMayLogInIsLimitedWhereAnyoneHasAnAccount(t *testing.T) {
	for name, c := range map[string]struct {
		request Request
		anyone  bool
		limits  string
	}{
		"GitHub":                          {Request{Type: GitHub}, true, ""},
		"GitHub with a team":              {Request{Type: GitHub, Orgs: []string{"a/x"}}, false, "organization a"},
		"GitHub Enterprise":               {Request{Type: GitHub, URL: "https://github.example.com"}, false, ""},
		"Google":                          {Request{Type: Google}, true, ""},
		"Google with a domain":            {Request{Type: Google, Domains: []string{"example.com"}}, false, "domain example.com"},
		"Microsoft":                       {Request{Type: Microsoft}, true, "tenant common"},
		"Microsoft with any organization": {Request{Type: Microsoft, Tenant: "organizations"}, true, "tenant organizations"},
		"Microsoft with a tenant":         {Request{Type: Microsoft, Tenant: "example.com"}, false, "tenant example.com"},
		"gitlab.com":                      {Request{Type: GitLab}, true, ""},
		"gitlab.com with a group":         {Request{Type: GitLab, Groups: []string{"g"}}, false, "group g"},
		"a GitLab of one's own":           {Request{Type: GitLab, URL: "https://gitlab.example.com"}, false, ""},
		"a directory":                     {Request{Type: LDAP, UserFilter: "(ou=x)"}, false, "filter (ou=x)"},
		"a provider of OpenID Connect":    {Request{Type: OIDC, URL: "https://idp"}, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.request.Connector()
			if err != nil {
				t.Fatal(err)
			}
			if anyone, says := got.Anyone(); anyone != c.anyone || anyone && !strings.Contains(says, "--") {
				t.Errorf("anyone: %t (%s), want %t", anyone, says, c.anyone)
			}
			if l := got.Limits(); l != c.limits {
				t.Errorf("limits %q, want %q", l, c.limits)
			}
		})
	}
}

func TestADexThatCannotDoItIsTold(t *testing.T) {
	private := &Connector{ID: "x", Type: OIDC, Name: "x", Config: map[string]any{"rootCAs": []any{"pem"}}}
	public := &Connector{ID: "x", Type: OIDC, Name: "x", Config: map[string]any{"issuer": "https://idp"}}
	for name, c := range map[string]struct {
		connector    *Connector
		dex          string
		warns, fails bool
	}{
		"a private authority with the newer Dex": {private, "v2.45.1", false, false},
		"a private authority with the older Dex": {private, "v2.41.1", false, true},
		"a public one with the newer Dex":        {public, "v2.45.1", false, false},
		"a public one with the older Dex":        {public, "v2.41.1", true, false},
		"a directory with the older Dex":         {connector("ldap", nil), "v2.41.1", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			if warning, err := c.connector.For(c.dex); (err != nil) != c.fails || (warning != "") != c.warns {
				t.Errorf("%q, %v", warning, err)
			}
		})
	}
}

func TestTheCallbackIsThatOfThisInstallation(t *testing.T) {
	const callback = "https://jupyter.example.com/dex/callback"
	c := &Connector{ID: "x", Type: OIDC, Name: "x", Config: map[string]any{"ClientSecret": "old"}}
	if err := c.Fill("new", callback); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]any{"clientSecret": "new", "redirectURI": callback}, c.Config); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if err := c.Fill("", callback); err != nil || c.Callback() != callback {
		t.Errorf("again: %v", err)
	}
	if err := c.Fill("", "https://other.example.com/dex/callback"); err == nil || !strings.Contains(err.Error(), "register https://other.example.com") {
		t.Errorf("one for another installation: %v", err)
	}
	directory := connector("ldap", nil)
	if err := directory.Fill("", callback); err != nil || directory.Callback() != "" {
		t.Errorf("a directory has the callback %q, %v", directory.Callback(), err)
	}
}

func TestASecretIsNamedAsPeopleWriteIt(t *testing.T) {
	for text, want := range map[string]SecretRef{
		"ad": {"auth", "ad", ""}, "ad:password": {"auth", "ad", "password"}, "team/ad": {"team", "ad", ""}, "team/ad:key": {"team", "ad", "key"},
	} {
		if got, err := ParseSecretRef(text); err != nil || *got != want {
			t.Errorf("%q is %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "a b", "a/b/c", "/x", "x/"} {
		if got, err := ParseSecretRef(text); err == nil {
			t.Errorf("%q is %+v", text, got)
		}
	}
}

func TestTheServiceOfAHostIsFound(t *testing.T) {
	for host, want := range map[string]string{
		"ldap.directory.svc:636": "directory/ldap", "https://idp.login.svc.cluster.local:5554/dex": "login/idp",
		"ldap.example.com": "", "ldap.svc": "", "10.0.0.1:636": "", "[::1]:636": "",
	} {
		namespace, name, ok := serviceOf(hostOf(host))
		if got := namespace + "/" + name; ok != (want != "") || ok && got != want {
			t.Errorf("%s is %s, want %s", host, got, want)
		}
	}
}
