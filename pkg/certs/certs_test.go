package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// pair makes a certificate that change has changed, and its key.
func pair(t testing.TB, change func(*x509.Certificate)) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, BasicConstraintsValid: true,
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"notebooks.example.com", "*.lab.example.com"}, IPAddresses: []net.IP{net.ParseIP("192.0.2.7"), net.ParseIP("2001:db8::7")},
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
}

func TestASecretIsRefusedThatNoServerCouldPresent(t *testing.T) {
	good, key := pair(t, nil)
	_, other := pair(t, nil)
	of := func(change func(*x509.Certificate)) map[string][]byte {
		c, k := pair(t, change)
		return map[string][]byte{CertificateKey: c, PrivateKeyKey: k}
	}
	for name, c := range map[string]struct {
		data map[string][]byte
		want string // empty: taken
	}{
		"a pair":                               {map[string][]byte{CertificateKey: good, PrivateKeyKey: key}, ""},
		"no certificate":                       {map[string][]byte{PrivateKeyKey: key}, "no tls.crt"},
		"no key":                               {map[string][]byte{CertificateKey: good}, "no tls.key"},
		"somebody else's key":                  {map[string][]byte{CertificateKey: good, PrivateKeyKey: other}, "do not match"},
		"text that is no certificate":          {map[string][]byte{CertificateKey: []byte("hello"), PrivateKeyKey: key}, "do not match"},
		"one that has expired":                 {of(func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Minute) }), "expired on 2026-06-01"},
		"one of tomorrow":                      {of(func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.Add(24*time.Hour), now.Add(48*time.Hour) }), "not valid before 2026-06-02"},
		"an authority's":                       {of(func(c *x509.Certificate) { c.IsCA, c.DNSNames, c.IPAddresses = true, nil, nil }), "a CA certificate"},
		"for a common name alone":              {of(func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = nil, nil }), "has no host"},
		"its own authority":                    {of(func(c *x509.Certificate) { c.IsCA = true }), ""},
		"a client's":                           {of(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), "serverAuth"},
		"one that says nothing about its uses": {of(func(c *x509.Certificate) { c.ExtKeyUsage = nil }), ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse(c.data, now)
			if c.want == "" && err != nil {
				t.Errorf("refused: %v", err)
			}
			if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error = %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestACertificateCoversItsHostsAndNoOthers(t *testing.T) {
	crt, key := pair(t, nil)
	c, err := Parse(map[string][]byte{CertificateKey: crt, PrivateKeyKey: key}, now)
	if err != nil {
		t.Fatal(err)
	}
	hosts := []string{"notebooks.example.com", "a.lab.example.com", "*.lab.example.com", "192.0.2.7", "2001:db8::7"}
	others := []string{"example.com", "a.b.lab.example.com", "*.example.com", "192.0.2.8", "2001:db8::8"}
	if got := c.Missing(append(slices.Clone(hosts), others...)); !slices.Equal(got, others) {
		t.Errorf("Missing = %q, want %q", got, others)
	}
}

func TestTheFingerprintIsTheOneThatBrowsersShow(t *testing.T) {
	crt, _ := pair(t, nil)
	c, err := Authority(crt)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(crt)
	sum := sha256.Sum256(block.Bytes)
	if got, want := strings.ReplaceAll(c.Fingerprint, ":", ""), strings.ToUpper(hex.EncodeToString(sum[:])); got != want || strings.Count(c.Fingerprint, ":") != 31 {
		t.Errorf("fingerprint %s, want %s in pairs", c.Fingerprint, want)
	}
	if _, err := Authority([]byte("nothing")); err == nil {
		t.Error("text that is no certificate was taken for one")
	}
}
