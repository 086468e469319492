package pki

import (
	"fmt"
	"os"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// WriteKubeconfig writes a kubeconfig for the cluster's administrator to
// file. Keys and certificates are inside it, so that it can be copied.
func (d Dir) WriteKubeconfig(file, server string) error {
	read := func(path string) []byte {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		return b
	}
	ca, cert, key := read(d.Cert(CA)), read(d.Cert(Admin)), read(d.Key(Admin))
	if ca == nil || cert == nil || key == nil {
		return fmt.Errorf("kubeconfig %s: the certificates in %s cannot be read", file, d)
	}
	const name = "devcluster"
	c := clientcmdapi.NewConfig()
	c.Clusters[name] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: ca}
	c.AuthInfos["admin"] = &clientcmdapi.AuthInfo{ClientCertificateData: cert, ClientKeyData: key}
	c.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: "admin"}
	c.CurrentContext = name
	if err := clientcmd.WriteToFile(*c, file); err != nil {
		return fmt.Errorf("kubeconfig %s: %w", file, err)
	}
	return nil
}
