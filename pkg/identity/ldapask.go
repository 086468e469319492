package identity

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// Steps of asking a directory.
const (
	hopConnection = "connection"
	hopTLS        = "TLS"
	hopBind       = "bind"
	hopSearch     = "search"
	hopPerson     = "person"
	hopGroups     = "groups"
)

// directory asks an LDAP server what Dex asks at each login: a bind as the account, a search
// for people, and, where somebody is named, their entry and their groups.
func (a *Asker) directory(ctx context.Context, c *Connector, login string) (*Findings, error) {
	d, err := directoryOf(c)
	if err != nil {
		return nil, err
	}
	f := &Findings{Asked: a.Says}
	conn := a.open(ctx, c, d, f)
	if conn == nil {
		return f, nil
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	if !a.bind(c, d, conn, f) || !a.search(c, d, conn, f) {
		return f, nil
	}
	if login == "" {
		f.skip(hopPerson, "one entry", "nobody is named: --try LOGIN looks for somebody")
		return f, nil
	}
	if e := a.person(c, d, conn, login, f); e != nil {
		a.groups(c, d, conn, e, f)
	}
	return f, nil
}

// open connects as the configuration says; nil where that failed.
func (a *Asker) open(ctx context.Context, c *Connector, d *directory, f *Findings) *ldap.Conn {
	name, address, _ := d.address() // checked before
	ctx, cancel := context.WithTimeout(ctx, a.Timeout)
	defer cancel()
	start := time.Now()
	raw, err := a.Dial(ctx, "tcp", address)
	if err != nil {
		f.add(hopConnection, "connect to "+address, "an answer", gist(err), start, c.unreachable(a.Says, address, err))
		return nil
	}
	f.add(hopConnection, "connect to "+address, "an answer", "connected "+a.Says, start, nil)
	start = time.Now()
	if d.InsecureNoSSL {
		conn := a.start(raw, false)
		f.skip(hopTLS, "a certificate that Dex trusts", "not used: passwords cross the network readable")
		f.Causes = append(f.Causes, report.Cause{
			Name: diagnose.ProviderUntrusted, Severity: report.Warning, Component: component, Object: Ref(c.ID),
			Summary: "the connection to the directory is not encrypted: anyone on the network path can read the passwords of all who log in",
			Remedy:  "use port 636, or --start-tls",
		})
		return conn
	}
	trust := d.trust(name)
	if d.StartTLS {
		conn := a.start(raw, false)
		if err = conn.StartTLS(trust); err == nil {
			f.add(hopTLS, "StartTLS", "a certificate that Dex trusts", tlsGist(conn), start, nil)
			return conn
		}
		_ = conn.Close()
	} else {
		secured := tls.Client(raw, trust)
		if err = secured.HandshakeContext(ctx); err == nil {
			f.add(hopTLS, "TLS handshake", "a certificate that Dex trusts", certificateGist(secured.ConnectionState()), start, nil)
			return a.start(secured, true)
		}
		_ = raw.Close()
	}
	f.add(hopTLS, "TLS handshake", "a certificate that Dex trusts", gist(err), start, causeOf(c, diagnose.ProviderUntrusted,
		fmt.Sprintf("the certificate of %s is not trusted, so no password is sent", address),
		"--ca-file FILE   with the certificate of the authority that has signed it\nthe host must be one that the certificate is for", err.Error()))
	return nil
}

func (a *Asker) start(raw net.Conn, secured bool) *ldap.Conn {
	conn := ldap.NewConn(raw, secured)
	conn.Start()
	conn.SetTimeout(a.Timeout)
	return conn
}

func tlsGist(conn *ldap.Conn) string {
	if state, ok := conn.TLSConnectionState(); ok {
		return certificateGist(state)
	}
	return "encrypted"
}

func certificateGist(state tls.ConnectionState) string {
	if len(state.PeerCertificates) == 0 {
		return "encrypted"
	}
	return "valid until " + state.PeerCertificates[0].NotAfter.UTC().Format(time.DateOnly)
}

func (a *Asker) bind(c *Connector, d *directory, conn *ldap.Conn, f *Findings) bool {
	start := time.Now()
	who, err := d.BindDN, error(nil)
	if who == "" {
		who = "nobody"
		err = conn.UnauthenticatedBind("")
	} else {
		err = conn.Bind(d.BindDN, d.BindPW)
	}
	if err == nil {
		f.add(hopBind, "bind as "+who, "accepted", "accepted", start, nil)
		return true
	}
	summary := fmt.Sprintf("the directory refuses the bind as %s", who)
	if ldap.IsErrorWithCode(err, ldap.LDAPResultInvalidCredentials) {
		summary += ": there is no such account, or the password is wrong"
	}
	f.add(hopBind, "bind as "+who, "accepted", gist(err), start, causeOf(c, diagnose.ProviderRefuses, summary, "check --bind-dn and the password; Dex logs nobody in without it", gist(err)))
	return false
}

// search looks whether there is anybody where people are looked for.
func (a *Asker) search(c *Connector, d *directory, conn *ldap.Conn, f *Findings) bool {
	start := time.Now()
	filter := and(d.UserSearch.Filter, d.UserSearch.Username, "*")
	found, err := conn.Search(ldap.NewSearchRequest(d.UserSearch.BaseDN, scopeOf(d.UserSearch.Scope), ldap.NeverDerefAliases, 1, 0, false, filter, []string{"1.1"}, nil))
	// That there are more than one was asked for is the usual answer.
	if ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded) {
		err = nil
	}
	request := fmt.Sprintf("search %s below %s", filter, d.UserSearch.BaseDN)
	if err == nil && found != nil && len(found.Entries) > 0 {
		f.add(hopSearch, request, "at least one entry", "found entries", start, nil)
		return true
	}
	summary := fmt.Sprintf("nobody below %s matches %s, or the account may not see them", d.UserSearch.BaseDN, filter)
	came := "no entries"
	if err != nil {
		came = gist(err)
		summary = fmt.Sprintf("the directory does not search below %s", d.UserSearch.BaseDN)
	}
	f.add(hopSearch, request, "at least one entry", came, start, causeOf(c, diagnose.ProviderRefuses, summary,
		"check --user-base, --user-filter and --login-attribute, and what the account of --bind-dn may read", came))
	return false
}

// person finds the entry of a login, and what it would be known by.
func (a *Asker) person(c *Connector, d *directory, conn *ldap.Conn, login string, f *Findings) *ldap.Entry {
	start := time.Now()
	filter := d.personFilter(login)
	request := fmt.Sprintf("search %s below %s", filter, d.UserSearch.BaseDN)
	found, err := conn.Search(ldap.NewSearchRequest(d.UserSearch.BaseDN, scopeOf(d.UserSearch.Scope), ldap.NeverDerefAliases, 2, 0, false, filter, d.attributes(), nil))
	refuse := func(came, summary string) *ldap.Entry {
		f.add(hopPerson, request, "one entry", came, start, causeOf(c, diagnose.LoginRefused, summary,
			"Dex's form asks for the value of "+d.UserSearch.Username+"; check --user-base, --user-filter and --login-attribute", request+": "+came))
		return nil
	}
	switch {
	case ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded) || err == nil && len(found.Entries) > 1:
		return refuse("several entries", fmt.Sprintf("%s is several people, so Dex logs none of them in", login))
	case err != nil:
		return refuse(gist(err), "the directory does not search for "+login)
	case len(found.Entries) == 0:
		return refuse("no entry", fmt.Sprintf("the directory has nobody whose %s is %s", d.UserSearch.Username, login))
	}
	e := found.Entries[0]
	claims := &Claims{Entry: e.DN, Verified: true, Groups: []string{}}
	f.Claims = claims
	first := func(attribute string) string {
		if v := values(e, attribute); len(v) > 0 {
			return v[0]
		}
		return ""
	}
	claims.Email = first(d.UserSearch.EmailAttr)
	if d.UserSearch.EmailSuffix != "" {
		claims.Email = first(d.UserSearch.NameAttr) + "@" + d.UserSearch.EmailSuffix
	}
	var missing []string
	for _, needed := range []string{d.UserSearch.IDAttr, d.UserSearch.NameAttr, d.UserSearch.PreferredUsernameAttr} {
		if needed != "" && first(needed) == "" {
			missing = append(missing, needed)
		}
	}
	switch {
	case claims.Email == "":
		f.add(hopPerson, request, "one entry with an e-mail address", "without "+d.UserSearch.EmailAttr, start, causeOf(c, diagnose.EmailClaimEmpty,
			fmt.Sprintf("%s has no attribute %s, so Dex does not log %s in", e.DN, d.UserSearch.EmailAttr, login),
			"fill in the attribute in the directory, or choose another with --email-attribute"))
		return nil
	case len(missing) > 0:
		f.add(hopPerson, request, "one entry", "without "+strings.Join(missing, ", "), start, causeOf(c, diagnose.LoginRefused,
			fmt.Sprintf("%s has no attribute %s, so Dex does not log %s in", e.DN, strings.Join(missing, ", "), login), "fill in the attribute in the directory, or choose another in the connector's configuration"))
		return nil
	}
	f.add(hopPerson, request, "one entry", e.DN, start, nil)
	return e
}

// groups of a person, with those that contain them where the configuration says so.
func (a *Asker) groups(c *Connector, d *directory, conn *ldap.Conn, person *ldap.Entry, f *Findings) {
	if d.GroupSearch.BaseDN == "" {
		f.skip(hopGroups, "groups by name", "not configured: --group-base says where groups are")
		return
	}
	start := time.Now()
	request := "search groups below " + d.GroupSearch.BaseDN
	names := []string{}
	for _, m := range d.matchers() {
		members := values(person, m.UserAttr)
		for attribute := m.GroupAttr; len(members) > 0; attribute = m.RecursionGroupAttr {
			var parents []string
			for _, member := range members {
				found, err := conn.Search(ldap.NewSearchRequest(d.GroupSearch.BaseDN, scopeOf(d.GroupSearch.Scope), ldap.NeverDerefAliases, 0, 0, false,
					and(d.GroupSearch.Filter, attribute, ldap.EscapeFilter(member)), []string{d.GroupSearch.NameAttr}, nil))
				if err != nil && !ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject) {
					f.add(hopGroups, request, "groups by name", gist(err), start, causeOf(c, diagnose.GroupMissing, "the directory does not search for groups, so Dex logs nobody in",
						"check --group-base and what the account of --bind-dn may read", gist(err)))
					return
				}
				if found == nil {
					continue
				}
				for _, g := range found.Entries {
					name := values(g, d.GroupSearch.NameAttr)
					if len(name) == 0 {
						f.add(hopGroups, request, "groups by name", g.DN+" has none", start, causeOf(c, diagnose.GroupMissing,
							fmt.Sprintf("group %s has no attribute %s, so Dex does not log its members in", g.DN, d.GroupSearch.NameAttr), "choose another attribute in groupSearch.nameAttr"))
						return
					}
					if !slices.Contains(names, name[0]) {
						names = append(names, name[0])
						parents = append(parents, g.DN)
					}
				}
			}
			if m.RecursionGroupAttr == "" {
				break
			}
			members = parents
		}
	}
	slices.Sort(names)
	f.Claims.Groups = names
	if len(names) == 0 {
		warning := causeOf(c, diagnose.GroupMissing, fmt.Sprintf("no group below %s has %s as a member", d.GroupSearch.BaseDN, person.DN), "check --group-base, --group-filter and --member-attribute")
		warning.Severity = report.Warning
		f.Causes = append(f.Causes, *warning)
	}
	f.add(hopGroups, request, "groups by name", cut(strings.Join(names, ", "), "none"), start, nil)
}

func cut(s, empty string) string {
	if s == "" {
		return empty
	}
	if r := []rune(s); len(r) > gistLength {
		return string(r[:gistLength]) + "..."
	}
	return s
}

// gistLength bounds what is quoted of others.
const gistLength = 160

// gist is what an error says, on one line.
func gist(err error) string {
	var code *ldap.Error
	if errors.As(err, &code) && code.Err != nil {
		return cut(strings.Join(strings.Fields(fmt.Sprintf("%s (%d): %v", ldap.LDAPResultCodeMap[code.ResultCode], code.ResultCode, code.Err)), " "), "no message")
	}
	return cut(strings.Join(strings.Fields(err.Error()), " "), "no message")
}
