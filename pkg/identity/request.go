package identity

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
)

// AD is a directory with the attributes of Active Directory; for Dex it is of type ldap.
const AD = "ad"

// Types that have flags, in the order in which they are named to people.
func Types() []string { return []string{LDAP, AD, OIDC, GitHub, Google, Microsoft, GitLab} }

// Request is what is asked for with flags instead of a file.
type Request struct {
	Type, ID, Name string

	// Directories.
	Host, BindDN              string
	UserBase, UserFilter      string
	LoginAttribute, EmailAttr string
	GroupBase, GroupFilter    string
	MemberAttribute           string
	StartTLS, NoTLS           bool

	// Others.
	URL, ClientID, Tenant string
	Orgs, Domains, Groups []string

	// CA is the certificate of the authority that has signed the provider's, in PEM.
	CA []byte
}

// Fields are the flags that a request of a type takes, beside those of all types.
func Fields(kind string) []string {
	switch kind {
	case LDAP, AD:
		return []string{"host", "bind-dn", "user-base", "user-filter", "login-attribute", "email-attribute", "group-base", "group-filter", "member-attribute", "start-tls", "insecure-no-tls", "ca-file"}
	case OIDC:
		return []string{"url", "client-id", "group", "ca-file"}
	case GitHub:
		return []string{"url", "client-id", "org"}
	case Google:
		return []string{"client-id", "domain"}
	case Microsoft:
		return []string{"client-id", "tenant", "group"}
	case GitLab:
		return []string{"url", "client-id", "group", "ca-file"}
	}
	return nil
}

// preset is what directories of a kind call things.
type preset struct{ person, login, email, name, group string }

var presets = map[string]preset{
	LDAP: {"(objectClass=person)", "mail", "mail", "cn", "(objectClass=groupOfNames)"},
	AD:   {"(&(objectCategory=person)(objectClass=user))", "sAMAccountName", "mail", "cn", "(objectClass=group)"},
}

// Connector makes what Dex understands of a request, without the secret.
func (r *Request) Connector() (*Connector, error) {
	c := &Connector{ID: cmp.Or(r.ID, r.Type), Type: r.Type, Name: r.Name}
	switch r.Type {
	case LDAP, AD:
		c.Type = LDAP
		c.Config = r.directory()
	case OIDC:
		// Dex does not pass on groups of OIDC unless it is told to: a token of old could be
		// refreshed without a look at them. No token is refreshed here.
		c.Config = map[string]any{"issuer": r.URL, "clientID": r.ClientID, "insecureEnableGroups": true}
		if len(r.Groups) > 0 {
			c.Config["scopes"], c.Config["allowedGroups"] = []any{"profile", "email", "groups"}, anyOf(r.Groups)
		}
		if len(r.CA) > 0 {
			c.Config["rootCAs"] = []any{base64.StdEncoding.EncodeToString(r.CA)}
		}
	case GitHub:
		c.Config = map[string]any{"clientID": r.ClientID, "loadAllGroups": false, "teamNameField": "slug"}
		if r.URL != "" {
			c.Config["hostName"] = hostOnly(r.URL)
		}
		if orgs := orgsOf(r.Orgs); len(orgs) > 0 {
			c.Config["orgs"] = orgs
		}
	case Google:
		c.Config = map[string]any{"clientID": r.ClientID}
		if len(r.Domains) > 0 {
			c.Config["hostedDomains"] = anyOf(r.Domains)
		}
	case Microsoft:
		c.Config = map[string]any{"clientID": r.ClientID, "tenant": cmp.Or(r.Tenant, "common"), "emailToLowercase": true}
		if len(r.Groups) > 0 {
			c.Config["groups"], c.Config["useGroupsAsWhitelist"] = anyOf(r.Groups), true
		}
	case GitLab:
		c.Config = map[string]any{"clientID": r.ClientID}
		if r.URL != "" {
			c.Config["baseURL"] = strings.TrimSuffix(r.URL, "/")
		}
		if len(r.Groups) > 0 {
			c.Config["groups"] = anyOf(r.Groups)
		}
		if len(r.CA) > 0 {
			c.Config["rootCAData"] = base64.StdEncoding.EncodeToString(r.CA)
		}
	default:
		return nil, fmt.Errorf("unknown type %q: must be one of %s; -f takes the other types of Dex", r.Type, strings.Join(Types(), ", "))
	}
	if c.Name == "" {
		c.Name = map[string]string{AD: "Active Directory"}[r.Type]
	}
	c.Name = cmp.Or(c.Name, known[c.Type].name)
	return c, nil
}

func (r *Request) directory() map[string]any {
	p := presets[r.Type]
	login := cmp.Or(r.LoginAttribute, p.login)
	out := map[string]any{
		"host": r.Host,
		"userSearch": map[string]any{
			"baseDN": r.UserBase, "filter": cmp.Or(r.UserFilter, p.person), "username": login,
			"idAttr": "DN", "emailAttr": cmp.Or(r.EmailAttr, p.email), "nameAttr": p.name,
		},
	}
	// What the form asks for.
	out["usernamePrompt"] = "User name"
	if login == "mail" || login == "userPrincipalName" {
		out["usernamePrompt"] = "E-mail address"
	}
	if r.BindDN != "" {
		out["bindDN"] = r.BindDN
	}
	if r.GroupBase != "" {
		out["groupSearch"] = map[string]any{
			"baseDN": r.GroupBase, "filter": cmp.Or(r.GroupFilter, p.group), "nameAttr": "cn",
			"userMatchers": []any{map[string]any{"userAttr": "DN", "groupAttr": cmp.Or(r.MemberAttribute, "member")}},
		}
	}
	for field, set := range map[string]bool{"startTLS": r.StartTLS, "insecureNoSSL": r.NoTLS} {
		if set {
			out[field] = true
		}
	}
	if len(r.CA) > 0 {
		out["rootCAData"] = base64.StdEncoding.EncodeToString(r.CA)
	}
	return out
}

// orgsOf reads ORG and ORG/TEAM; an organization without teams admits all of its members.
func orgsOf(all []string) []any {
	var names []string
	teams := map[string][]string{}
	whole := map[string]bool{}
	for _, o := range all {
		org, team, one := strings.Cut(o, "/")
		if !slices.Contains(names, org) {
			names = append(names, org)
		}
		if one {
			teams[org] = append(teams[org], team)
		} else {
			whole[org] = true
		}
	}
	var out []any
	for _, n := range names {
		org := map[string]any{"name": n}
		if !whole[n] {
			org["teams"] = anyOf(teams[n])
		}
		out = append(out, org)
	}
	return out
}

func anyOf(all []string) []any {
	out := make([]any, len(all))
	for i, s := range all {
		out[i] = s
	}
	return out
}

// hostOnly is what GitHub Enterprise is named by.
func hostOnly(u string) string {
	_, rest, found := strings.Cut(u, "://")
	if !found {
		rest = u
	}
	return strings.TrimSuffix(rest, "/")
}

// Fill puts in the secret, and the callback of a connector that redirects. One that says
// something else was made for another installation.
func (c *Connector) Fill(secret, callback string) error {
	if field := c.SecretField(); secret != "" {
		if field == "" {
			return fmt.Errorf("a connector of type %s has no secret", c.Type)
		}
		c.set(field, secret)
	}
	if !c.Redirects() {
		return nil
	}
	if own := c.text("redirectURI"); own != "" && own != callback {
		return fmt.Errorf("config.redirectURI is %s, and the callback of this installation is %s: leave it out, and register %s at the provider", own, callback, callback)
	}
	c.set("redirectURI", callback)
	return nil
}

// set a field, whatever the case of a name that is there.
func (c *Connector) set(field, value string) {
	for name := range c.Config {
		if strings.EqualFold(name, field) {
			delete(c.Config, name)
		}
	}
	c.Config[field] = value
}
