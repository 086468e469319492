package identity

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// directory is the configuration of a connector of type ldap, with the fields that Dex has.
type directory struct {
	Host               string `json:"host"`
	InsecureNoSSL      bool   `json:"insecureNoSSL"`
	InsecureSkipVerify bool   `json:"insecureSkipVerify"`
	StartTLS           bool   `json:"startTLS"`
	RootCA             string `json:"rootCA"`
	ClientCert         string `json:"clientCert"`
	ClientKey          string `json:"clientKey"`
	RootCAData         []byte `json:"rootCAData"`
	BindDN             string `json:"bindDN"`
	BindPW             string `json:"bindPW"`
	UsernamePrompt     string `json:"usernamePrompt"`
	UserSearch         struct {
		BaseDN                string `json:"baseDN"`
		Filter                string `json:"filter"`
		Username              string `json:"username"`
		Scope                 string `json:"scope"`
		IDAttr                string `json:"idAttr"`
		EmailAttr             string `json:"emailAttr"`
		NameAttr              string `json:"nameAttr"`
		PreferredUsernameAttr string `json:"preferredUsernameAttr"`
		EmailSuffix           string `json:"emailSuffix"`
	} `json:"userSearch"`
	GroupSearch struct {
		BaseDN             string    `json:"baseDN"`
		Filter             string    `json:"filter"`
		Scope              string    `json:"scope"`
		UserAttr           string    `json:"userAttr"`
		GroupAttr          string    `json:"groupAttr"`
		RecursionGroupAttr string    `json:"recursionGroupAttr"`
		UserMatchers       []matcher `json:"userMatchers"`
		NameAttr           string    `json:"nameAttr"`
	} `json:"groupSearch"`
}

// matcher is how a group names its members.
type matcher struct {
	UserAttr           string `json:"userAttr"`
	GroupAttr          string `json:"groupAttr"`
	RecursionGroupAttr string `json:"recursionGroupAttr"`
}

// directoryOf reads the configuration as Dex does, but for fields that Dex would not heed: it
// ignores a name that is misspelt.
func directoryOf(c *Connector) (*directory, error) {
	data, err := json.Marshal(c.Config)
	if err != nil {
		return nil, err
	}
	d := &directory{}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(d); err != nil {
		return nil, fmt.Errorf("config: %s: not what Dex's LDAP connector takes", strings.TrimPrefix(err.Error(), "json: "))
	}
	return d, d.check()
}

// check refuses what Dex would refuse at the first login.
func (d *directory) check() error {
	for _, field := range []struct{ name, value string }{
		{"host", d.Host},
		{"userSearch.baseDN", d.UserSearch.BaseDN},
		{"userSearch.username", d.UserSearch.Username},
		{"userSearch.idAttr", d.UserSearch.IDAttr},
		{"userSearch.emailAttr", d.UserSearch.EmailAttr + d.UserSearch.EmailSuffix},
	} {
		if field.value == "" {
			return fmt.Errorf("config.%s is empty", field.name)
		}
	}
	if _, _, err := d.address(); err != nil {
		return fmt.Errorf("config.host: %w", err)
	}
	for _, base := range []struct{ name, dn string }{{"userSearch.baseDN", d.UserSearch.BaseDN}, {"groupSearch.baseDN", d.GroupSearch.BaseDN}, {"bindDN", d.BindDN}} {
		// Active Directory takes user@domain and DOMAIN\user for an account, too.
		if base.name == "bindDN" && !strings.Contains(base.dn, "=") {
			continue
		}
		if _, err := ldap.ParseDN(base.dn); err != nil {
			return fmt.Errorf("config.%s: %q is not a distinguished name such as ou=people,dc=example,dc=com: %w", base.name, base.dn, err)
		}
	}
	for _, f := range []struct{ name, filter string }{{"userSearch.filter", d.UserSearch.Filter}, {"groupSearch.filter", d.GroupSearch.Filter}} {
		if f.filter == "" {
			continue
		}
		if _, err := ldap.CompileFilter(f.filter); err != nil {
			return fmt.Errorf("config.%s: %q is not an LDAP filter such as (objectClass=person): %w", f.name, f.filter, err)
		}
	}
	for _, s := range []struct{ name, scope string }{{"userSearch.scope", d.UserSearch.Scope}, {"groupSearch.scope", d.GroupSearch.Scope}} {
		if s.scope != "" && s.scope != "sub" && s.scope != "one" {
			return fmt.Errorf("config.%s: %q must be sub or one", s.name, s.scope)
		}
	}
	if d.BindDN == "" && d.BindPW != "" || d.BindDN != "" && d.BindPW == "" {
		return errors.New("config.bindDN and config.bindPW belong together: the account with which Dex searches the directory, and its password")
	}
	if d.GroupSearch.BaseDN != "" && d.GroupSearch.NameAttr == "" {
		return errors.New("config.groupSearch.nameAttr is empty: the attribute of a group that is its name, such as cn")
	}
	for _, file := range []struct{ name, path string }{{"rootCA", d.RootCA}, {"clientCert", d.ClientCert}, {"clientKey", d.ClientKey}} {
		if file.path != "" {
			return fmt.Errorf("config.%s: a file would have to be in Dex's pod: use --ca-file, or rootCAData with the certificate in base64", file.name)
		}
	}
	if len(d.RootCAData) > 0 && !x509.NewCertPool().AppendCertsFromPEM(d.RootCAData) {
		return errors.New("config.rootCAData: no certificate in PEM format in it")
	}
	return nil
}

// address is the host's name, and where it is reached.
func (d *directory) address() (name, address string, err error) {
	if strings.Contains(d.Host, "/") {
		return "", "", fmt.Errorf("%q: HOST or HOST:PORT, without a scheme", d.Host)
	}
	if name, _, err = net.SplitHostPort(d.Host); err == nil {
		return name, d.Host, nil
	}
	port := "636"
	if d.InsecureNoSSL {
		port = "389"
	}
	return d.Host, net.JoinHostPort(d.Host, port), nil
}

// trust is how the directory's certificate is verified, as Dex does it.
func (d *directory) trust(name string) *tls.Config {
	t := &tls.Config{ServerName: name, InsecureSkipVerify: d.InsecureSkipVerify, MinVersion: tls.VersionTLS12} //nolint:gosec // as configured
	if len(d.RootCAData) > 0 {
		t.RootCAs = x509.NewCertPool()
		t.RootCAs.AppendCertsFromPEM(d.RootCAData)
	}
	return t
}

// personFilter finds the entry of who types login into Dex's form.
func (d *directory) personFilter(login string) string {
	return and(d.UserSearch.Filter, d.UserSearch.Username, ldap.EscapeFilter(login))
}

func and(filter, attribute, value string) string {
	f := fmt.Sprintf("(%s=%s)", attribute, value)
	if filter == "" {
		return f
	}
	return "(&" + filter + f + ")"
}

func scopeOf(s string) int {
	if s == "one" {
		return ldap.ScopeSingleLevel
	}
	return ldap.ScopeWholeSubtree
}

// matchers are how groups name their members; older configurations have one without a list.
func (d *directory) matchers() []matcher {
	g := d.GroupSearch
	if len(g.UserMatchers) > 0 && g.UserMatchers[0].UserAttr != "" {
		return g.UserMatchers
	}
	return []matcher{{g.UserAttr, g.GroupAttr, g.RecursionGroupAttr}}
}

// attributes of people that a login needs.
func (d *directory) attributes() []string {
	u := d.UserSearch
	var all []string
	for _, a := range []string{u.IDAttr, u.EmailAttr, u.NameAttr, u.PreferredUsernameAttr} {
		if a != "" {
			all = append(all, a)
		}
	}
	for _, m := range d.matchers() {
		if m.UserAttr != "" {
			all = append(all, m.UserAttr)
		}
	}
	return all
}

// values of an attribute. Dex compares names of attributes letter by letter.
func values(e *ldap.Entry, name string) []string {
	for _, a := range e.Attributes {
		if a.Name == name {
			return a.Values
		}
	}
	if strings.EqualFold(name, "dn") {
		return []string{e.DN}
	}
	return nil
}
