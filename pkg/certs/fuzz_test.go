package certs

import (
	"strings"
	"testing"
)

// FuzzParse checks that a Secret that is taken for a certificate is one for the hosts that
// it names, and that an error repeats nothing of a key.
func FuzzParse(f *testing.F) {
	certificate, key := pair(f, nil)
	other, _ := pair(f, nil)
	const planted = "pl4ntedSecretOfNobody"
	f.Add(certificate, key)
	f.Add(other, key)
	f.Add(append(other, certificate...), key)
	f.Add(certificate, []byte("-----BEGIN PRIVATE KEY-----\n"+planted+"\n-----END PRIVATE KEY-----\n"))
	f.Add(key, certificate)
	f.Add([]byte{}, []byte(planted))
	f.Fuzz(func(t *testing.T, certificate, key []byte) {
		c, err := Parse(map[string][]byte{CertificateKey: certificate, PrivateKeyKey: key}, now)
		if err != nil {
			if strings.Contains(string(key), planted) && strings.Contains(err.Error(), planted) {
				t.Errorf("the planted value is in the error %q", err)
			}
			return
		}
		if len(c.Hosts) == 0 || len(c.Fingerprint) != 95 || now.After(c.NotAfter) {
			t.Errorf("a certificate for %q until %s with the fingerprint %s", c.Hosts, c.NotAfter, c.Fingerprint)
		}
		for _, h := range c.Missing(c.Hosts) {
			// A name that no host can have is in it for nobody.
			if !strings.ContainsAny(h, " _*") && strings.Contains(h, ".") && c.leaf.VerifyHostname(h) == nil {
				t.Errorf("%q is missing from %q", h, c.Hosts)
			}
		}
	})
}
