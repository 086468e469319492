package pki

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
)

func TestTheServersCertificateIsGoodForItsAddressesAndNames(t *testing.T) {
	d, err := Create(filepath.Join(t.TempDir(), "pki"), "corp.example", []net.IP{net.ParseIP("127.0.0.1")})
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(d.Cert(APIServer), d.Key(APIServer))
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(d.Cert(CA))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	for name, good := range map[string]bool{"127.0.0.1": true, "localhost": true, "kubernetes.default.svc": true, "kubernetes.default.svc.corp.example": true, "10.9.9.9": false, "example.com": false} {
		_, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name})
		if (err == nil) != good {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, f := range []string{d.Key(CA), d.Key(Admin), d.Key(ServiceAccounts)} {
		if s, err := os.Stat(f); err != nil || s.Mode().Perm() != 0o600 {
			t.Errorf("key %s can be read by others (%v)", f, err)
		}
	}
}

func TestTheKubeconfigNeedsNoOtherFile(t *testing.T) {
	dir := t.TempDir()
	d, err := Create(filepath.Join(dir, "pki"), "cluster.local", nil)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "kubeconfig")
	if err := d.WriteKubeconfig(file, "https://127.0.0.1:7"); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(string(d)); err != nil {
		t.Fatal(err)
	}
	c, err := clientcmd.BuildConfigFromFlags("", file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tls.X509KeyPair(c.CertData, c.KeyData); err != nil || c.Host != "https://127.0.0.1:7" || len(c.CAData) == 0 {
		t.Errorf("%s: %v", c.Host, err)
	}
	if err := d.WriteKubeconfig(file, "https://127.0.0.1:7"); err == nil {
		t.Error("without certificates there is no error")
	}
}
