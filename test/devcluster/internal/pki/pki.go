// Package pki makes the keys and certificates of one bed: a cluster CA, a
// front-proxy CA for the aggregation layer, and what each of them signs.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// validity is how long the certificates of a bed last; a bed is thrown away
// long before.
const validity = 365 * 24 * time.Hour

// The base names under which Dir keeps a certificate (.crt) and its key (.key).
const (
	CA               = "ca"
	FrontProxyCA     = "front-proxy-ca"
	APIServer        = "apiserver"
	Admin            = "admin"
	KubeletClient    = "kubelet-client"
	FrontProxyClient = "front-proxy-client"
	ServiceAccounts  = "sa"
)

// Dir is a directory that holds the files of one bed.
type Dir string

// Cert returns the path of the PEM certificate called name.
func (d Dir) Cert(name string) string { return filepath.Join(string(d), name+".crt") }

// Key returns the path of the PEM key called name.
func (d Dir) Key(name string) string { return filepath.Join(string(d), name+".key") }

// Pair is a certificate and its private key.
type Pair struct {
	Cert *x509.Certificate
	Key  *ecdsa.PrivateKey
}

// Template says what a certificate is for.
type Template struct {
	CommonName string
	// Groups become the organizations, which the API server reads as groups.
	Groups []string
	IPs    []net.IP
	Names  []string
}

// NewCA makes a self-signed certificate authority.
func NewCA(commonName string) (*Pair, error) {
	return sign(Template{CommonName: commonName}, nil)
}

// Issue makes a certificate that ca signs, good for clients and for servers.
func (ca *Pair) Issue(t Template) (*Pair, error) { return sign(t, ca) }

func sign(t Template, ca *Pair) (*Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("key for %s: %w", t.CommonName, err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("serial number for %s: %w", t.CommonName, err)
	}
	c := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: t.CommonName, Organization: t.Groups},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(validity),
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		IPAddresses:  t.IPs,
		DNSNames:     t.Names,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	parent, signer := c, key
	if ca == nil {
		// An authority begins when it is made, as istiod's does: what has started before has no
		// certificate of it.
		c.NotBefore = time.Now()
		c.IsCA, c.BasicConstraintsValid, c.ExtKeyUsage = true, true, nil
		c.KeyUsage |= x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	} else {
		parent, signer = ca.Cert, ca.Key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		return nil, fmt.Errorf("certificate for %s: %w", t.CommonName, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("certificate for %s: %w", t.CommonName, err)
	}
	return &Pair{Cert: cert, Key: key}, nil
}

// CertPEM returns the certificate in PEM.
func (p *Pair) CertPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Cert.Raw})
}

// KeyPEM returns the private key in PEM.
func (p *Pair) KeyPEM() ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(p.Key)
	if err != nil {
		return nil, fmt.Errorf("key of %s: %w", p.Cert.Subject.CommonName, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}

func (d Dir) write(name string, p *Pair) error {
	key, err := p.KeyPEM()
	if err != nil {
		return err
	}
	if err := os.WriteFile(d.Cert(name), p.CertPEM(), 0o644); err != nil {
		return err
	}
	return os.WriteFile(d.Key(name), key, 0o600)
}

// Create makes all keys and certificates of a bed in dir. The API server's
// certificate is good for serverIPs and for the names under which pods know it, in the cluster's domain.
func Create(dir, domain string, serverIPs []net.IP) (Dir, error) {
	d := Dir(dir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	ca, err := NewCA("devcluster-ca")
	if err != nil {
		return "", err
	}
	front, err := NewCA("devcluster-front-proxy-ca")
	if err != nil {
		return "", err
	}
	if err := d.write(CA, ca); err != nil {
		return "", err
	}
	if err := d.write(FrontProxyCA, front); err != nil {
		return "", err
	}
	for _, e := range []struct {
		name string
		ca   *Pair
		t    Template
	}{
		{APIServer, ca, Template{CommonName: "kube-apiserver", IPs: serverIPs, Names: []string{
			"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc." + domain,
		}}},
		{Admin, ca, Template{CommonName: "kubernetes-admin", Groups: []string{"system:masters"}}},
		{KubeletClient, ca, Template{CommonName: "kube-apiserver-kubelet-client", Groups: []string{"system:masters"}}},
		{FrontProxyClient, front, Template{CommonName: "front-proxy-client"}},
		{ServiceAccounts, ca, Template{CommonName: "service-accounts"}},
	} {
		p, err := e.ca.Issue(e.t)
		if err != nil {
			return "", err
		}
		if err := d.write(e.name, p); err != nil {
			return "", err
		}
	}
	return d, nil
}
