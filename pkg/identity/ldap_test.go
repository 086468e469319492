package identity

import (
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// fakeDirectory stands in for an LDAP server: it takes one account and answers searches by
// the text of their filters. A real one is in the end-to-end test of identity providers.
type fakeDirectory struct {
	account, password string
	// answers by a part of the filter: DNs with their attributes.
	answers map[string]map[string]map[string]string

	mu    sync.Mutex
	asked []string
}

func (d *fakeDirectory) serve(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go d.talk(c)
		}
	}()
	return l.Addr().String()
}

func (d *fakeDirectory) talk(c net.Conn) {
	defer func() { _ = c.Close() }()
	for {
		p, err := ber.ReadPacket(c)
		if err != nil || len(p.Children) < 2 {
			return
		}
		id, op := p.Children[0].Value.(int64), p.Children[1]
		send := func(tag ber.Tag, code int64, more ...*ber.Packet) {
			out := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
			out.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, ""))
			body := ber.Encode(ber.ClassApplication, ber.TypeConstructed, tag, nil, "")
			if more == nil {
				body.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, code, ""))
				for range 2 {
					body.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "", ""))
				}
			}
			for _, m := range more {
				body.AppendChild(m)
			}
			out.AppendChild(body)
			_, _ = c.Write(out.Bytes())
		}
		switch op.Tag {
		case ldap.ApplicationBindRequest:
			name, password := op.Children[1].Value.(string), op.Children[2].Data.String()
			if name != d.account || password != d.password {
				send(ldap.ApplicationBindResponse, ldap.LDAPResultInvalidCredentials)
				continue
			}
			send(ldap.ApplicationBindResponse, 0)
		case ldap.ApplicationSearchRequest:
			filter, err := ldap.DecompileFilter(op.Children[6])
			if err != nil {
				return
			}
			d.mu.Lock()
			d.asked = append(d.asked, filter)
			d.mu.Unlock()
			for part, entries := range d.answers {
				if !strings.Contains(filter, part) {
					continue
				}
				for dn, attributes := range entries {
					all := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
					for name, value := range attributes {
						one := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
						one.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, name, ""))
						set := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "")
						set.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, value, ""))
						one.AppendChild(set)
						all.AppendChild(one)
					}
					send(ldap.ApplicationSearchResultEntry, 0, ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, dn, ""), all)
				}
			}
			send(ldap.ApplicationSearchResultDone, 0)
		default:
			return
		}
	}
}

// here asks from this machine.
func here() *Asker {
	return &Asker{Dial: (&net.Dialer{}).DialContext, Says: "from this machine", Timeout: 5 * time.Second}
}

// company is a directory with two people, one without an address, and a group in a group.
func company() *fakeDirectory {
	return &fakeDirectory{
		account: "cn=dex,dc=example,dc=com", password: "s3cret",
		answers: map[string]map[string]map[string]string{
			"(uid=*)":                         {"uid=ada,ou=people,dc=example,dc=com": nil},
			"(uid=ada)":                       {"uid=ada,ou=people,dc=example,dc=com": {"uid": "ada", "mail": "Ada@example.com", "cn": "Ada"}},
			"(uid=bob)":                       {"uid=bob,ou=people,dc=example,dc=com": {"uid": "bob", "cn": "Bob"}},
			"(uid=twin)":                      {"uid=twin,ou=a": {"mail": "a@example.com"}, "uid=twin,ou=b": {"mail": "b@example.com"}},
			"(member=uid=ada,ou=people":       {"cn=data,ou=groups,dc=example,dc=com": {"cn": "data"}},
			"(memberOf=cn=data,ou=groups,dc=": {"cn=staff,ou=groups,dc=example,dc=com": {"cn": "staff"}},
		},
	}
}

func connector(host string, change func(map[string]any)) *Connector {
	config := map[string]any{
		"host": host, "insecureNoSSL": true, "bindDN": "cn=dex,dc=example,dc=com", "bindPW": "s3cret",
		"userSearch":  map[string]any{"baseDN": "ou=people,dc=example,dc=com", "username": "uid", "idAttr": "uid", "emailAttr": "mail", "nameAttr": "cn"},
		"groupSearch": map[string]any{"baseDN": "ou=groups,dc=example,dc=com", "nameAttr": "cn", "userMatchers": []any{map[string]any{"userAttr": "DN", "groupAttr": "member", "recursionGroupAttr": "memberOf"}}},
	}
	if change != nil {
		change(config)
	}
	return &Connector{ID: "ldap", Type: LDAP, Name: "LDAP", Config: config}
}

func TestADirectoryIsAskedWhatDexAsksAtALogin(t *testing.T) {
	profiles := map[string]string{"Ada@example.com": "ada"}
	for name, c := range map[string]struct {
		login    string
		change   func(map[string]any)
		profiles map[string]string
		// outcomes of the steps, by their first letters, and the cause.
		outcomes, cause string
		groups          []string
	}{
		"a bind and a search":                       {"", nil, profiles, "PSPPS", "", nil},
		"somebody with groups, and groups of those": {"ada", nil, profiles, "PSPPPP", "", []string{"data", "staff"}},
		"groups that are not configured":            {"ada", func(c map[string]any) { delete(c, "groupSearch") }, profiles, "PSPPPS", "", []string{}},
		"a wrong password":                          {"", func(c map[string]any) { c["bindPW"] = "wrong" }, profiles, "PSF", "ProviderRefuses", nil},
		"nobody where people are looked for":        {"", func(c map[string]any) { c["userSearch"].(map[string]any)["username"] = "mail" }, profiles, "PSPF", "ProviderRefuses", nil},
		"nobody of that name":                       {"eve", nil, profiles, "PSPPF", "LoginRefused", nil},
		"two of that name":                          {"twin", nil, profiles, "PSPPF", "LoginRefused", nil},
		"somebody without an address":               {"bob", nil, profiles, "PSPPF", "EmailClaimEmpty", nil},
		"a Profile in other letters":                {"ada", nil, map[string]string{"ada@example.com": "ada"}, "PSPPPP", "OwnerCaseDiffers", []string{"data", "staff"}},
		"nobody's Profile":                          {"ada", nil, nil, "PSPPPP", "ProfileMissing", []string{"data", "staff"}},
		"a host where nothing listens":              {"", func(c map[string]any) { c["host"] = "127.0.0.1:1" }, profiles, "F", "ProviderUnreachable", nil},
		"a server that speaks no TLS":               {"", func(c map[string]any) { delete(c, "insecureNoSSL") }, profiles, "PF", "ProviderUntrusted", nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := company()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			f, err := here().Provider(ctx, connector(d.serve(t), c.change), c.login, c.profiles)
			if err != nil {
				t.Fatal(err)
			}
			outcomes := ""
			for _, p := range f.Probes {
				outcomes += string(p.Outcome)[:1]
			}
			if outcomes != c.outcomes {
				t.Errorf("outcomes %s, want %s: %+v", outcomes, c.outcomes, f.Probes)
			}
			names := func(s report.Severity) (out []string) {
				for _, c := range f.Causes {
					if c.Severity >= s && c.Summary != "" {
						out = append(out, c.Name)
					}
				}
				return out
			}
			if all := names(report.Info); c.cause != "" && !slices.Contains(all, c.cause) || c.cause == "" && len(names(report.Error)) > 0 {
				t.Errorf("causes %v, want %q", all, c.cause)
			}
			if c.groups != nil {
				if d := cmp.Diff(c.groups, f.Claims.Groups); d != "" {
					t.Errorf("groups (-want +got):\n%s", d)
				}
			}
			if f.Passed() != (len(names(report.Error)) == 0) {
				t.Errorf("passed: %t, with %v", f.Passed(), names(report.Error))
			}
			for _, p := range f.Probes {
				if strings.Contains(p.Came+p.Request, "s3cret") {
					t.Errorf("the secret is in %+v", p)
				}
			}
		})
	}
}

func TestALoginCannotChangeTheFilterThatItIsLookedForWith(t *testing.T) {
	d := company()
	f, err := here().Provider(t.Context(), connector(d.serve(t), nil), "*)(uid=ada", nil)
	if err != nil || f.Passed() {
		t.Errorf("found somebody: %+v, %v", f, err)
	}
	if last := d.asked[len(d.asked)-1]; last != `(uid=\2a\29\28uid=ada)` {
		t.Errorf("the filter is %s", last)
	}
}

func TestADirectoryIsRefusedThatDexCouldNotUse(t *testing.T) {
	for name, c := range map[string]struct {
		change func(map[string]any)
		want   string
	}{
		"a misspelt field":             {func(c map[string]any) { c["bindPasswort"] = "x" }, `unknown field "bindPasswort"`},
		"no base":                      {func(c map[string]any) { delete(c["userSearch"].(map[string]any), "baseDN") }, "config.userSearch.baseDN is empty"},
		"no attribute for the address": {func(c map[string]any) { delete(c["userSearch"].(map[string]any), "emailAttr") }, "config.userSearch.emailAttr is empty"},
		"a URL in place of a host":     {func(c map[string]any) { c["host"] = "ldap://x" }, "without a scheme"},
		"a base that is no name":       {func(c map[string]any) { c["userSearch"].(map[string]any)["baseDN"] = "people" }, "not a distinguished name"},
		"a filter that is none":        {func(c map[string]any) { c["userSearch"].(map[string]any)["filter"] = "objectClass=person" }, "not an LDAP filter"},
		"an account without password":  {func(c map[string]any) { delete(c, "bindPW") }, "belong together"},
		"a file of Dex's pod":          {func(c map[string]any) { c["rootCA"] = "/etc/ca.pem" }, "--ca-file"},
		"a scope that is none":         {func(c map[string]any) { c["userSearch"].(map[string]any)["scope"] = "all" }, "must be sub or one"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := connector("ldap.example.com", c.change).Check(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want one about %q", err, c.want)
			}
		})
	}
	// Active Directory takes other names for accounts.
	if err := connector("ldap.example.com", func(c map[string]any) { c["bindDN"] = "dex@corp.example.com" }).Check(); err != nil {
		t.Error(err)
	}
}
