package istiod

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/pki"
)

// caSecret is where istiod keeps the CA that it made, over restarts.
const caSecret = "istio-ca-secret"

// ca returns the mesh's CA, making it when there is none.
func (s *server) ca(ctx context.Context) (*pki.Pair, error) {
	secrets := s.client.CoreV1().Secrets(s.namespace)
	old, err := secrets.Get(ctx, caSecret, metav1.GetOptions{})
	if err == nil {
		return parsePair(old.Data["ca-cert.pem"], old.Data["ca-key.pem"])
	}
	if !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("secret %s/%s: %w", s.namespace, caSecret, err)
	}
	ca, err := pki.NewCA("cluster.local (devcluster stand-in)")
	if err != nil {
		return nil, err
	}
	key, err := ca.KeyPEM()
	if err != nil {
		return nil, err
	}
	_, err = secrets.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: caSecret, Namespace: s.namespace},
		Type:       "istio.io/ca-root",
		Data:       map[string][]byte{"ca-cert.pem": ca.CertPEM(), "ca-key.pem": key},
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("secret %s/%s: %w", s.namespace, caSecret, err)
	}
	return ca, nil
}

func parsePair(certPEM, keyPEM []byte) (*pki.Pair, error) {
	c, k := firstBlock(certPEM), firstBlock(keyPEM)
	cert, err := x509.ParseCertificate(c)
	if err != nil {
		return nil, fmt.Errorf("certificate in secret %s: %w", caSecret, err)
	}
	key, err := x509.ParseECPrivateKey(k)
	if err != nil {
		return nil, fmt.Errorf("key in secret %s: %w", caSecret, err)
	}
	return &pki.Pair{Cert: cert, Key: key}, nil
}

func firstBlock(b []byte) []byte {
	block, _ := pem.Decode(b)
	if block == nil {
		return nil
	}
	return block.Bytes
}

func (s *server) servingCertificate(ca *pki.Pair) (tls.Certificate, error) {
	p, err := ca.Issue(pki.Template{CommonName: "istiod", Names: []string{
		"istiod." + s.namespace + ".svc", "istiod." + s.namespace + ".svc.cluster.local", "istiod." + s.namespace,
	}})
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := p.KeyPEM()
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(p.CertPEM(), key)
}
