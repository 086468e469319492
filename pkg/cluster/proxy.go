package cluster

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Proxy is the proxy that requests to a URL go through, without its password, and what names
// it; empty where they go there directly. Of is a kubeconfig's choice, nil where it has none.
func Proxy(address string, of func(*http.Request) (*url.URL, error)) (proxy, by string) {
	u, err := url.Parse(address)
	if err != nil {
		return "", ""
	}
	by = "proxy-url of the kubeconfig"
	if of == nil {
		of, by = http.ProxyFromEnvironment, map[bool]string{true: "HTTPS_PROXY", false: "HTTP_PROXY"}[u.Scheme == "https"]
	}
	p, err := of(&http.Request{Method: http.MethodGet, URL: u})
	if err != nil || p == nil {
		return "", ""
	}
	return p.Redacted(), by
}

// proxied tells of an error that a proxy is to blame for: it cannot be reached, or it does not
// pass requests on. The words of its refusal are those of any server's.
func (c *Cluster) proxied(err error) error {
	proxy, by := Proxy(c.Config.Host, c.Config.Proxy)
	var network *net.OpError
	var failed *url.Error
	var status apierrors.APIStatus
	if proxy == "" || !errors.As(err, &failed) || failed.Timeout() || errors.As(err, &status) {
		return nil
	}
	where := fmt.Sprintf("cluster %q (context %q, %s)", c.Target.Cluster, c.Target.Context, c.Target.Server)
	host := c.Target.Server
	if u, e := url.Parse(host); e == nil && u.Hostname() != "" {
		host = u.Hostname()
	}
	direct := fmt.Sprintf("if the cluster is reachable without it, add %s to NO_PROXY", host)
	if c.Config.Proxy != nil {
		direct = "if the cluster is reachable without it, remove proxy-url from the kubeconfig"
	}
	if errors.As(failed.Err, &network) {
		if network.Op != "proxyconnect" {
			return nil
		}
		return fmt.Errorf("%s: the proxy %s (%s) cannot be reached: %s: %w", where, proxy, by, direct, err)
	}
	return fmt.Errorf("%s: the proxy %s (%s) does not pass requests on to it: %s: %w", where, proxy, by, direct, err)
}
