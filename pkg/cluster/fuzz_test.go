package cluster

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// loaded is a kubeconfig that has been read.
type loaded struct{ config clientcmd.ClientConfig }

func (l loaded) ToRESTConfig() (*rest.Config, error)           { return l.config.ClientConfig() }
func (l loaded) ToRawKubeConfigLoader() clientcmd.ClientConfig { return l.config }

// FuzzKubeconfig checks that what is said of a kubeconfig, be it right or wrong, repeats no
// token, no password and no key of it. No request is sent, and no program is run.
func FuzzKubeconfig(f *testing.F) {
	for _, server := range []string{"https://10.0.0.1:6443", "https://ada:%s@10.0.0.1:6443/path", "%s@host", "https://%s@host", "http://a:%s@ho st", "://ada:%s@", "https://10.0.0.1:99999", "", "https://[::1]:6443?x=%s"} {
		f.Add(server, "", "ctx", "cluster", []byte("not PEM"))
	}
	f.Add("https://h", "http://u:%s@proxy:3128", "ctx", "cluster", []byte{})
	f.Add("https://h", "http://u:%s@pro xy", "", "cluster", []byte{})
	f.Add("https://h", "ftp://u:%s@proxy", "c", "", []byte{})
	f.Fuzz(func(t *testing.T, address, proxy, name, cluster string, authority []byte) {
		const planted = "pl4ntedSecretOfNobody"
		address, proxy = strings.ReplaceAll(address, "%s", planted), strings.ReplaceAll(proxy, "%s", planted)
		config := clientcmdapi.NewConfig()
		config.Clusters[cluster] = &clientcmdapi.Cluster{Server: address, ProxyURL: proxy, CertificateAuthorityData: authority}
		config.AuthInfos["person"] = &clientcmdapi.AuthInfo{
			Token: planted, Username: "ada", Password: planted, ClientKeyData: []byte(planted), ClientCertificateData: authority,
		}
		config.Contexts[name] = &clientcmdapi.Context{Cluster: cluster, AuthInfo: "person"}
		config.CurrentContext = name
		said := ""
		c, err := clients(loaded{clientcmd.NewDefaultClientConfig(*config, nil)}, Options{UserAgent: "test"})
		if err != nil {
			said = err.Error()
		} else {
			said = c.Where()
		}
		// A password belongs before the @ of an address; elsewhere it cannot be known as one.
		known := func(s string) bool {
			return strings.Contains(strings.ToValidUTF8(s, ""), "@") || !strings.Contains(s, planted)
		}
		if known(address) && known(proxy) && strings.Contains(said, planted) {
			t.Errorf("the planted value is in %q", said)
		}
	})
}

// FuzzKubeconfigFile reads a file that somebody else has written.
func FuzzKubeconfigFile(f *testing.F) {
	f.Add([]byte("apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{name: a, context: {cluster: b, user: c}}]\nclusters: [{name: b, cluster: {server: 'https://h'}}]\nusers: [{name: c, user: {token: T}}]\n"))
	f.Add([]byte("users: [{name: c, user: {token: [T]}}]"))
	f.Add([]byte("users: [{name: c, user: {client-key-data: T}}]"))
	f.Add([]byte("users: [{name: c, user: {exec: {command: x, args: [T], env: [{name: a, value: T}]}}}]"))
	f.Add([]byte("{"))
	f.Fuzz(func(t *testing.T, text []byte) {
		const planted = "pl4ntedSecretOfNobody"
		// T becomes the value of a token, a password or a key.
		text = bytes.ReplaceAll(text, []byte("token: T"), []byte("token: "+planted))
		text = bytes.ReplaceAll(text, []byte("password: T"), []byte("password: "+planted))
		text = bytes.ReplaceAll(text, []byte("client-key-data: T"), []byte("client-key-data: "+base64.StdEncoding.EncodeToString([]byte(planted))))
		config, err := clientcmd.Load(text)
		if err != nil {
			return
		}
		// A program that gives tokens is not run before the first request.
		c, err := clients(loaded{clientcmd.NewDefaultClientConfig(*config, &clientcmd.ConfigOverrides{})}, Options{UserAgent: "test"})
		said := ""
		if err != nil {
			said = err.Error()
		} else {
			said = c.Where()
		}
		if strings.Contains(said, planted) {
			t.Errorf("the planted value is in %q", said)
		}
	})
}
