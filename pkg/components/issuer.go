package components

import (
	"fmt"
	"net/url"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// InnerIssuer is what Dex calls itself where browsers need not know it.
const InnerIssuer = "http://dex.auth.svc." + DefaultDomain + ":5556/dex"

// Issuer is what Dex calls itself in its tokens. The zero value is InnerIssuer.
type Issuer struct {
	// URL of Dex for browsers: identity providers send them back there.
	URL string `json:"url,omitempty"`
	// Former is what Dex has called itself before. People who logged in then stay logged in.
	Former string `json:"former,omitempty"`
}

// IssuerAt is Dex's issuer at a URL of the web app.
func IssuerAt(u *url.URL) string { return u.Scheme + "://" + u.Host + "/dex" }

// Callback is where identity providers send browsers to.
func (i Issuer) Callback() string {
	if i.URL == "" {
		return ""
	}
	return i.URL + "/callback"
}

// Moved is the issuer after Dex has got another URL; empty for InnerIssuer.
func (i Issuer) Moved(to string) Issuer {
	if to == i.URL {
		return i
	}
	// The inner name is taken all the same.
	former := i.URL
	if former == "" {
		former = i.Former
	}
	if former == to {
		former = ""
	}
	return Issuer{URL: to, Former: former}
}

func (i Issuer) validate() error {
	for _, text := range []string{i.URL, i.Former} {
		if u, err := url.Parse(text); text != "" && (err != nil || u.Scheme != "https" || u.Host == "" || strings.ContainsAny(text, "$()\"\n ")) {
			return fmt.Errorf("issuer %q: not an https URL", text)
		}
	}
	return nil
}

// enabled are the options that go with it.
func (i Issuer) enabled() []string {
	var names []string
	if i.URL != "" {
		names = append(names, "outer-issuer")
	}
	if i.Former != "" {
		names = append(names, "former-issuer")
	}
	if i != (Issuer{}) {
		names = append(names, "inner-keys")
	}
	return names
}

const (
	issuerToken       = "$(ISSUER)"
	outerIssuerToken  = "$(OUTER_ISSUER)"
	formerIssuerToken = "$(FORMER_ISSUER)"
)

// tokens are pairs of a token and what it stands for.
func (i Issuer) tokens() []string {
	issuer := i.URL
	if issuer == "" {
		issuer = InnerIssuer
	}
	return []string{issuerToken, issuer, outerIssuerToken, i.URL, formerIssuerToken, i.Former}
}

// withoutPasswords takes the passwords that Dex keeps itself out of its configuration, which
// is a text: no patch of a manifest reaches into it.
func withoutPasswords(u *unstructured.Unstructured) error {
	if u.GetKind() != "ConfigMap" || u.GetNamespace() != "auth" || u.GetName() != "dex" {
		return nil
	}
	text, _, _ := unstructured.NestedString(u.Object, "data", "config.yaml")
	var config map[string]any
	if err := yaml.Unmarshal([]byte(text), &config); err != nil {
		return fmt.Errorf("ConfigMap auth/dex: config.yaml: %w", err)
	}
	delete(config, "staticPasswords")
	config["enablePasswordDB"] = false
	out, err := yaml.Marshal(config)
	if err != nil {
		return err
	}
	return unstructured.SetNestedField(u.Object, string(out), "data", "config.yaml")
}
