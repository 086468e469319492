package identity

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/forward"
)

// askTimeout bounds one request to a provider.
const askTimeout = 10 * time.Second

// FromHere asks from this machine: through the API server where the provider is a Service of
// the cluster, which no other network leads to, and directly otherwise. What it asks through
// lasts as long as ctx.
func FromHere(ctx context.Context, c *cluster.Cluster, connector *Connector) *Asker {
	direct := &net.Dialer{Timeout: askTimeout}
	a := &Asker{Dial: direct.DialContext, Says: "from this machine", Proxy: http.ProxyFromEnvironment, Timeout: askTimeout}
	if namespace, service, ok := serviceOf(hostOf(connector.Server())); ok {
		a.Says, a.Proxy = fmt.Sprintf("through the API server, as Service %s/%s", namespace, service), nil
		a.Dial = func(_ context.Context, _, address string) (net.Conn, error) {
			_, text, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			port, err := strconv.ParseInt(text, 10, 32)
			if err != nil {
				return nil, err
			}
			tunnel, err := forward.Start(ctx, c, forward.Target{Namespace: namespace, Service: service, Port: int32(port)}, forward.Options{})
			if err != nil {
				return nil, err
			}
			return direct.DialContext(ctx, "tcp", tunnel.Address)
		}
	}
	return a
}

// hostOf is the host of a server's address or URL.
func hostOf(server string) string {
	if _, rest, found := strings.Cut(server, "://"); found {
		server = rest
	}
	server, _, _ = strings.Cut(server, "/")
	if host, _, err := net.SplitHostPort(server); err == nil {
		return host
	}
	return server
}

// serviceOf reads NAME.NAMESPACE.svc and what may come behind it.
func serviceOf(host string) (namespace, service string, ok bool) {
	parts := strings.SplitN(strings.TrimSuffix(host, "."), ".", 4)
	if len(parts) < 3 || parts[2] != "svc" {
		return "", "", false
	}
	return parts[1], parts[0], true
}

// Provider asks a provider whether it works with the connector: a directory with a bind and a
// search, and with login for somebody in it; others for what they say of themselves. Nothing
// is changed. Profiles are names of Profiles by their owners. The error is that of a
// configuration that Dex could not use.
func (a *Asker) Provider(ctx context.Context, c *Connector, login string, profiles map[string]string) (*Findings, error) {
	f := &Findings{Asked: a.Says}
	var err error
	switch {
	case c.Type == LDAP:
		f, err = a.directory(ctx, c, login)
	case login != "":
		return nil, fmt.Errorf("--try: only directories (%s) can be searched; `kubectl jupyter login-url --check` follows a login to other providers", LDAP)
	case discovers(c):
		f, err = a.discovery(ctx, c)
	default:
		f.skip("provider", "an answer", "connectors of type "+c.Type+" are not checked from here; Dex is asked once it has the connector")
	}
	if err != nil {
		return nil, err
	}
	f.opens(c, profiles)
	return f, nil
}
