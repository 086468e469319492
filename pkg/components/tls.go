package components

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// PasswordComponent keeps the first user's password.
const PasswordComponent = "dex"

// CertificateComponent makes the gateway's own certificate. It is on demand: `expose
// --tls self-signed` brings it.
const CertificateComponent = "gateway-certificate"

// Names of what the gateway presents, all in the gateway's own namespace, where Istio
// looks for it.
const (
	// GatewaySecret is what cert-manager writes the self-signed certificate into.
	GatewaySecret = "jupyter-gateway-tls"
	// GatewayCASecret holds the authority that has signed it.
	GatewayCASecret = "jupyter-gateway-ca"
)

// TLS is how the gateway serves HTTPS.
type TLS struct {
	// Secret of type kubernetes.io/tls, in the gateway's namespace, that the gateway
	// presents; empty: plain HTTP.
	Secret string `json:"secret,omitempty"`
	// Hosts that people use: names, also with a wildcard, and IP addresses. A self-signed
	// certificate is for them; requests over HTTP for them are redirected.
	Hosts []string `json:"hosts,omitempty"`
}

// On tells whether the gateway serves HTTPS.
func (t TLS) On() bool { return t.Secret != "" }

// SelfSigned tells whether the certificate is the installation's own.
func (t TLS) SelfSigned() bool { return t.Secret == GatewaySecret }

// CookiesSecure tells whether cookies are marked Secure: with TLS they always are.
func (o Options) CookiesSecure() bool { return o.SecureCookies || o.TLS.On() }

func (t TLS) validate() error {
	if len(t.Hosts) > 0 && !t.On() {
		return errors.New("--host: it can only be used with --tls")
	}
	if t.On() && len(validation.IsDNS1123Subdomain(t.Secret)) > 0 {
		return fmt.Errorf("--tls: %q must be self-signed, off or the name of a Secret", t.Secret)
	}
	for _, h := range t.Hosts {
		if err := ValidHost(h); err != nil {
			return err
		}
	}
	return nil
}

// ValidHost refuses what no certificate can be made for.
func ValidHost(host string) error {
	if net.ParseIP(host) != nil {
		return nil
	}
	if len(validation.IsDNS1123Subdomain(strings.TrimPrefix(host, "*."))) > 0 {
		return fmt.Errorf("--host: %q is neither an IP address nor a host name such as notebooks.example.com", host)
	}
	return nil
}

// hosts of a kind, each once: names or addresses.
func (t TLS) hosts(addresses bool) []string {
	var out []string
	for _, h := range t.Hosts {
		if (net.ParseIP(h) != nil) == addresses && !slices.Contains(out, h) {
			out = append(out, h)
		}
	}
	return out
}

// Tokens of what a person chooses about TLS. Those of hosts stand as items of a list and
// are replaced by as many as there are.
const (
	tlsSecretToken     = "$(TLS_SECRET)"
	tlsHostsToken      = "$(TLS_HOSTS)"
	hostNamesToken     = "$(TLS_HOST_NAMES)"
	hostAddressesToken = "$(TLS_HOST_ADDRESSES)"
)

// expandLists replaces list tokens everywhere below v.
func expandLists(v any, items map[string][]string) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			v[k] = expandLists(e, items)
		}
	case []any:
		out := make([]any, 0, len(v))
		for _, e := range v {
			token, isText := e.(string)
			replacement, known := items[token]
			if !isText || !known {
				out = append(out, expandLists(e, items))
				continue
			}
			for _, r := range replacement {
				if !slices.Contains(out, any(r)) {
					out = append(out, r)
				}
			}
		}
		return out
	}
	return v
}
