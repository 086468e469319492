// Package identity is about the providers by which people log in beside the passwords that
// Dex keeps itself: directories, and services that browsers are redirected to. A provider
// is a connector of Dex, an object in its store that it reads at every login.
package identity

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/version"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// Where Dex keeps connectors.
const (
	Namespace = "auth"
	// localID is the connector that Dex makes for its own passwords.
	localID = "local"
	// component that causes belong to.
	component = "dex"
)

// Types with flags of their own. A file may have others, see refusedTypes.
const (
	LDAP      = "ldap"
	OIDC      = "oidc"
	GitHub    = "github"
	Google    = "google"
	Microsoft = "microsoft"
	GitLab    = "gitlab"
)

// Kind of a connector's object. Dex creates the definition when it starts for the first time.
var Kind = schema.GroupKind{Group: "dex.coreos.com", Kind: "Connector"}

// Ref of the object that a connector is kept in.
func Ref(id string) report.Ref {
	return report.Ref{Group: Kind.Group, Kind: Kind.Kind, Namespace: Namespace, Name: id}
}

// Connector is a provider, in the words of Dex's own configuration.
type Connector struct {
	ID   string `json:"id"`
	Type string `json:"type"`
	// Name is what the login page shows.
	Name   string         `json:"name"`
	Config map[string]any `json:"config"`
}

// typeOf says what a type of connector is like.
type typeOf struct {
	name string
	// form tells that people enter their password in Dex's own form, and no browser is
	// redirected to the provider.
	form bool
	// secret is the field of the configuration that nobody else may see.
	secret string
}

// known are the types of connectors that Dex has and that can be used behind the gateway.
var known = map[string]typeOf{
	LDAP: {"LDAP", true, "bindPW"}, OIDC: {"OpenID Connect", false, "clientSecret"}, GitHub: {"GitHub", false, "clientSecret"},
	Google: {"Google", false, "clientSecret"}, Microsoft: {"Microsoft", false, "clientSecret"}, GitLab: {"GitLab", false, "clientSecret"},
	"gitea": {"Gitea", false, "clientSecret"}, "oauth": {"OAuth", false, "clientSecret"}, "saml": {"SAML", false, ""},
	"linkedin": {"LinkedIn", false, "clientSecret"}, "bitbucket-cloud": {"Bitbucket", false, "clientSecret"}, "openshift": {"OpenShift", false, "clientSecret"},
	"atlassian-crowd": {"Crowd", true, "clientSecret"}, "keystone": {"Keystone", true, "keystonePassword"},
}

// refusedTypes are those that would let in who is nobody.
var refusedTypes = map[string]string{
	"mockCallback": "it lets everyone in without asking",
	"mockPassword": "it is for tests: its password is in its configuration",
	"authproxy":    "it believes headers of the request, and the gateway passes on what a client sends to Dex",
}

// Redirects tells that browsers are redirected to the provider, which sends them back to
// the callback of Dex.
func (c *Connector) Redirects() bool { return !known[c.Type].form }

// SecretField is the field of the configuration with the secret; empty where there is none.
func (c *Connector) SecretField() string { return known[c.Type].secret }

// text is a string of the configuration; Go's JSON takes names in any case, and so does Dex.
func (c *Connector) text(field string) string {
	for name, v := range c.Config {
		if s, ok := v.(string); ok && strings.EqualFold(name, field) {
			return s
		}
	}
	return ""
}

// list is a list of strings of the configuration.
func (c *Connector) list(field string) []string {
	for name, v := range c.Config {
		all, ok := v.([]any)
		if !ok || !strings.EqualFold(name, field) {
			continue
		}
		var out []string
		for _, e := range all {
			out = append(out, fmt.Sprint(e))
		}
		return out
	}
	return nil
}

// Validate refuses what Dex would not take, or would take for something else.
func (c *Connector) Validate() error {
	if why, refused := refusedTypes[c.Type]; refused {
		return fmt.Errorf("connectors of type %s are not supported: %s", c.Type, why)
	}
	if _, ok := known[c.Type]; !ok {
		return fmt.Errorf("unknown type %q: must be one of %s", c.Type, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
	}
	if c.ID == localID {
		return fmt.Errorf("ID %q: Dex uses it for its own passwords: choose another one", c.ID)
	}
	// The ID is the name of an object.
	if problems := validation.IsDNS1123Subdomain(c.ID); len(problems) > 0 {
		return fmt.Errorf("ID %q: not a name of lower-case letters, digits and dashes", c.ID)
	}
	if c.Name == "" {
		return fmt.Errorf("connector %s has no name, which the login page shows", c.ID)
	}
	if len(c.Config) == 0 {
		return fmt.Errorf("connector %s has no configuration", c.ID)
	}
	return unexpanded("config", c.Config)
}

// unexpanded refuses variables: Dex fills them in only in its own file.
func unexpanded(path string, v any) error {
	switch v := v.(type) {
	case string:
		if strings.HasPrefix(v, "$") && len(v) > 1 && strings.Trim(strings.Trim(v[1:], "{}"), "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == "" {
			return fmt.Errorf("%s: Dex does not replace the variable %s in connectors that it keeps in the cluster: write the value, or use --secret-stdin or --from-secret", path, v)
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if err := unexpanded(path+"."+k, v[k]); err != nil {
				return err
			}
		}
	case []any:
		for i, e := range v {
			if err := unexpanded(fmt.Sprintf("%s[%d]", path, i), e); err != nil {
				return err
			}
		}
	}
	return nil
}

// Anyone tells that whoever has an account with the provider can log in, although that may
// be everybody in the world; says names the setting that limits it.
func (c *Connector) Anyone() (anyone bool, says string) {
	switch c.Type {
	case GitHub:
		orgs := c.text("org") != ""
		for name, v := range c.Config {
			if all, ok := v.([]any); ok && strings.EqualFold(name, "orgs") {
				orgs = orgs || len(all) > 0
			}
		}
		return !orgs && c.text("hostName") == "", "--org limits it to the members of an organization"
	case Google:
		return len(c.list("hostedDomains")) == 0, "--domain limits it to the accounts of a Workspace domain"
	case Microsoft:
		tenant := c.text("tenant")
		return tenant == "" || slices.Contains([]string{"common", "organizations", "consumers"}, tenant), "--tenant limits it to the accounts of a tenant, whose addresses the tenant has verified"
	case GitLab:
		base := strings.TrimSuffix(c.text("baseURL"), "/")
		return len(c.list("groups")) == 0 && (base == "" || base == "https://gitlab.com"), "--group limits it to the members of a group"
	}
	return false, ""
}

// Limits says who may log in, in a few words.
func (c *Connector) Limits() string {
	var out []string
	switch c.Type {
	case GitHub:
		if org := c.text("org"); org != "" {
			out = append(out, "organization "+org)
		}
		for name, v := range c.Config {
			if all, ok := v.([]any); ok && strings.EqualFold(name, "orgs") {
				for _, e := range all {
					if org, ok := e.(map[string]any); ok {
						out = append(out, fmt.Sprintf("organization %v", org["name"]))
					}
				}
			}
		}
	case Google:
		for _, d := range c.list("hostedDomains") {
			out = append(out, "domain "+d)
		}
	case Microsoft:
		if t := c.text("tenant"); t != "" {
			out = append(out, "tenant "+t)
		}
	}
	for _, field := range []string{"groups", "allowedGroups"} {
		for _, g := range c.list(field) {
			out = append(out, "group "+g)
		}
	}
	if f := nested(c.Config, "userSearch", "filter"); c.Type == LDAP && f != "" {
		out = append(out, "filter "+f)
	}
	return strings.Join(out, ", ")
}

// nested is a string below an object of the configuration.
func nested(config map[string]any, object, field string) string {
	for name, v := range config {
		if m, ok := v.(map[string]any); ok && strings.EqualFold(name, object) {
			return (&Connector{Config: m}).text(field)
		}
	}
	return ""
}

// Server is where the provider is: a host of a directory, a URL of others.
func (c *Connector) Server() string {
	switch c.Type {
	case LDAP:
		return c.text("host")
	case OIDC, "openshift":
		return c.text("issuer")
	case GitHub:
		if h := c.text("hostName"); h != "" {
			return "https://" + h
		}
		return "https://github.com"
	case Google:
		return googleIssuer
	case Microsoft:
		return microsoftURL(c) + "/" + tenantOf(c)
	case GitLab:
		if u := c.text("baseURL"); u != "" {
			return strings.TrimSuffix(u, "/")
		}
		return "https://gitlab.com"
	}
	for _, field := range []string{"baseURL", "keystoneHost", "ssoURL", "authorizationURL"} {
		if s := c.text(field); s != "" {
			return s
		}
	}
	return ""
}

// Callback is where the provider sends browsers back to; empty where it does not.
func (c *Connector) Callback() string {
	if !c.Redirects() {
		return ""
	}
	return c.text("redirectURI")
}

// For refuses what a version of Dex cannot do, and says what to know of it.
func (c *Connector) For(dex string) (warning string, err error) {
	v, err := version.ParseGeneric(dex)
	if err != nil || c.Type != OIDC || v.AtLeast(version.MustParseGeneric("2.45")) {
		return "", nil //nolint:nilerr // a version of somebody's own
	}
	if len(c.Authorities()) > 0 {
		return "", fmt.Errorf("Dex %s takes no certificate of an authority for a provider of type %s: it would have to be a file in Dex's image; release 26.03 takes it", dex, c.Type)
	}
	return fmt.Sprintf("Dex %s does not start while a provider of type %s does not answer: nobody could log in then; release 26.03 starts", dex, c.Type), nil
}

// Check refuses a configuration that Dex could not use, without asking anybody.
func (c *Connector) Check() error {
	if c.Type != LDAP {
		return nil
	}
	_, err := directoryOf(c)
	return err
}
