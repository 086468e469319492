// Package certs looks at the certificates that a gateway presents: whether a browser
// could accept them, and what a person compares with what the browser shows.
package certs

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// Keys of a Secret of type kubernetes.io/tls, and the one that cert-manager adds.
const (
	CertificateKey = "tls.crt"
	PrivateKeyKey  = "tls.key"
	AuthorityKey   = "ca.crt"
)

// Certificate is what a browser would be shown.
type Certificate struct {
	// Hosts are the names and addresses that it is for.
	Hosts []string `json:"hosts"`
	// Fingerprint is the SHA-256 of the certificate as browsers show it: AB:CD:...
	Fingerprint string    `json:"fingerprintSHA256"`
	NotAfter    time.Time `json:"notAfter"`
	Issuer      string    `json:"issuer"`

	leaf *x509.Certificate
}

// Parse reads the data of a Secret and refuses what no server could present at the given
// time: missing keys, a key that is not the certificate's, a certificate that is not
// valid (yet, any more), for no host or not for servers.
func Parse(data map[string][]byte, now time.Time) (*Certificate, error) {
	for _, k := range []string{CertificateKey, PrivateKeyKey} {
		if len(data[k]) == 0 {
			return nil, fmt.Errorf("it has no %s: create it with `kubectl create secret tls`", k)
		}
	}
	pair, err := tls.X509KeyPair(data[CertificateKey], data[PrivateKeyKey])
	if err != nil {
		return nil, fmt.Errorf("%s and %s do not match: %w", CertificateKey, PrivateKeyKey, err)
	}
	leaf := pair.Leaf
	switch {
	case now.After(leaf.NotAfter):
		return nil, fmt.Errorf("the certificate expired on %s", day(leaf.NotAfter))
	case now.Before(leaf.NotBefore):
		return nil, fmt.Errorf("the certificate is not valid before %s", day(leaf.NotBefore))
	// One that names hosts may be its own authority, as those that openssl makes in one step.
	case len(leaf.DNSNames)+len(leaf.IPAddresses) == 0 && leaf.IsCA:
		return nil, errors.New("the first certificate is a CA certificate: put the server certificate first, then its issuers")
	case len(leaf.DNSNames)+len(leaf.IPAddresses) == 0:
		return nil, errors.New("the certificate has no host in its subject alternative names, and browsers ignore the common name")
	case len(leaf.ExtKeyUsage) > 0 && !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageServerAuth) && !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageAny):
		return nil, errors.New("the certificate is not a server certificate: it lacks the extended key usage serverAuth")
	}
	return of(leaf), nil
}

func of(c *x509.Certificate) *Certificate {
	hosts := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		hosts = append(hosts, ip.String())
	}
	return &Certificate{Hosts: hosts, Fingerprint: fingerprint(c.Raw), NotAfter: c.NotAfter, Issuer: c.Issuer.String(), leaf: c}
}

// Authority reads the first certificate of a PEM file.
func Authority(text []byte) (*Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("no PEM certificate")
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	return of(c), nil
}

// Covers tells whether a browser accepts the certificate for a host: a name, also by a
// wildcard, or an IP address.
func (c *Certificate) Covers(host string) bool {
	if net.ParseIP(host) != nil {
		host = "[" + host + "]" // how crypto/x509 is told that it is an address
	}
	return c.leaf.VerifyHostname(host) == nil
}

// Missing lists the hosts that the certificate is not for.
func (c *Certificate) Missing(hosts []string) []string {
	return slices.DeleteFunc(slices.Clone(hosts), func(h string) bool {
		// A wildcard is covered by itself alone.
		return strings.HasPrefix(h, "*.") && slices.Contains(c.Hosts, h) || c.Covers(h)
	})
}

func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	parts := make([]string, len(sum))
	for i, b := range sum {
		parts[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(parts, ":")
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
