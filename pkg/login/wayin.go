package login

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// StatusPort is where the gateway's own health is asked.
const StatusPort = 15021

// WayInOf is the URL that leads to the web app, as far as the objects tell. Service or
// gateway are nil where they do not exist. Nodes matter for the type NodePort only.
func WayInOf(service *corev1.Service, gateway *Gateway, nodes []corev1.Node, users []string) report.WayIn {
	in := report.WayIn{Users: users}
	if service == nil {
		in.Missing = "there is no " + GatewayRef.String() + ": the gateway is not installed"
		return in
	}
	in.Via = string(cmp.Or(service.Spec.Type, corev1.ServiceTypeClusterIP))
	if gateway == nil {
		in.Missing = fmt.Sprintf("Gateway %s/%s does not exist: nothing listens on the address", stackNamespace, gatewayName)
		return in
	}
	server := gateway.door()
	if server == nil {
		in.Missing = fmt.Sprintf("Gateway %s/%s has no HTTP or HTTPS server", stackNamespace, gatewayName)
		return in
	}
	in.Scheme = server.scheme() // also where there is no address yet
	port := servicePort(service, server.Port.Number)
	if port == nil {
		in.Missing = fmt.Sprintf("%s has no port %d, which Gateway %s/%s listens on", GatewayRef, server.Port.Number, stackNamespace, gatewayName)
		return in
	}
	address, number, missing := addressOf(service, port, nodes)
	if missing != "" {
		in.Missing = missing
		return in
	}
	in.Address, in.Port = cmp.Or(server.host(), address), number
	in.URL = URL(in.Scheme, in.Address, in.Port)
	return in
}

// URL of the web app at an address. The scheme's own port is left out, and IPv6
// addresses are put in brackets.
func URL(scheme, address string, port int) string {
	u := url.URL{Scheme: scheme, Host: address, Path: webAppPath}
	if strings.Contains(address, ":") {
		u.Host = "[" + address + "]"
	}
	if port != 0 && port != defaultPort(scheme) {
		u.Host = net.JoinHostPort(address, strconv.Itoa(port))
	}
	return u.String()
}

func defaultPort(scheme string) int {
	if scheme == "https" {
		return 443
	}
	return 80
}

func servicePort(s *corev1.Service, number int) *corev1.ServicePort {
	for i := range s.Spec.Ports {
		if int(s.Spec.Ports[i].Port) == number {
			return &s.Spec.Ports[i]
		}
	}
	return nil
}

// addressOf is where a port of the Service is reached from outside, or why nowhere.
func addressOf(s *corev1.Service, port *corev1.ServicePort, nodes []corev1.Node) (address string, number int, missing string) {
	for _, i := range s.Status.LoadBalancer.Ingress {
		if a := cmp.Or(i.IP, i.Hostname); a != "" {
			return a, int(port.Port), ""
		}
	}
	for _, a := range s.Spec.ExternalIPs {
		return a, int(port.Port), ""
	}
	switch s.Spec.Type {
	case corev1.ServiceTypeLoadBalancer:
		return "", 0, GatewayRef.String() + " is of type LoadBalancer and has no address yet"
	case corev1.ServiceTypeNodePort:
		if port.NodePort == 0 {
			return "", 0, fmt.Sprintf("%s is of type NodePort but has no node port for port %d", GatewayRef, port.Port)
		}
		if a := NodeAddress(nodes); a != "" {
			return a, int(port.NodePort), ""
		}
		return "", 0, GatewayRef.String() + " is of type NodePort but no node has an address"
	}
	return "", 0, fmt.Sprintf("%s is of type %s: not reachable from outside the cluster", GatewayRef, cmp.Or(s.Spec.Type, corev1.ServiceTypeClusterIP))
}

// outside is the number under which people reach a port of the gateway's Service; 0 where
// they do not.
func (g *Ground) outside(port int) int {
	p := servicePort(g.Service, port)
	if p == nil {
		return 0
	}
	_, number, _ := addressOf(g.Service, p, g.Nodes)
	return number
}

// NodeAddress is the node's that people are sent to with a node port: that of one which is
// ready, and one that is meant for the outside, where there are such; empty without nodes.
func NodeAddress(nodes []corev1.Node) string {
	ready := func(n corev1.Node) bool {
		return slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
			return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
		})
	}
	sorted := slices.Clone(nodes)
	slices.SortFunc(sorted, func(a, b corev1.Node) int { return strings.Compare(a.Name, b.Name) })
	for _, mustBeReady := range []bool{true, false} {
		for _, kind := range []corev1.NodeAddressType{corev1.NodeExternalIP, corev1.NodeInternalIP} {
			for _, n := range sorted {
				if mustBeReady && !ready(n) {
					continue
				}
				for _, a := range n.Status.Addresses {
					if a.Type == kind && a.Address != "" {
						return a.Address
					}
				}
			}
		}
	}
	return ""
}

// FindWayIn reads what WayInOf needs: five requests side by side, and the nodes where
// the Service is of type NodePort. Users are those
// that can be read; that somebody may not read them is no error here.
func FindWayIn(ctx context.Context, c *cluster.Cluster) (report.WayIn, error) {
	return findWayIn(ctx, c, (*reader).wayIn)
}

// FindAddress is FindWayIn without the users, which not everybody may read.
func FindAddress(ctx context.Context, c *cluster.Cluster) (report.WayIn, error) {
	return findWayIn(ctx, c, (*reader).address)
}

func findWayIn(ctx context.Context, c *cluster.Cluster, plan func(*reader, *Ground)) (report.WayIn, error) {
	r := newReader(c)
	g := &Ground{}
	plan(r, g)
	if err := r.run(ctx); err != nil {
		return report.WayIn{}, err
	}
	r.nodes(g)
	if err := r.run(ctx); err != nil {
		return report.WayIn{}, err
	}
	if err := g.Unread(); err != nil {
		return report.WayIn{}, err
	}
	return g.WayIn(), nil
}

// WayIn of the ground. A certificate that was made for a name is of no use at an address, and
// notebooks that have a host of their own belong to the web app's host.
func (g *Ground) WayIn() report.WayIn {
	in := WayInOf(g.Service, g.Gateway, g.Nodes, g.Users())
	if in.URL == "" {
		return in
	}
	name := ""
	if g.separate() && g.Notebooks.Host != "" {
		name = g.Notebooks.AppHost()
	} else if in.Scheme == "https" {
		if i := slices.IndexFunc(g.Hosts, func(h string) bool { return net.ParseIP(h) == nil && !strings.Contains(h, "*") }); i >= 0 {
			name = g.Hosts[i]
		}
	}
	if name != "" {
		in.Address, in.URL = name, URL(in.Scheme, name, in.Port)
	}
	in.Notebooks = g.notebooksURL(in)
	return in
}

// Users who can log in, by e-mail address, as Dex's configuration, its Password objects
// and the installation's settings name them. Hashes are not looked at.
func (g *Ground) Users() []string {
	users := sets.New(g.Passwords...)
	if g.Dex != nil {
		for _, p := range g.Dex.StaticPasswords {
			users.Insert(p.Email)
		}
	} else if g.FirstUser != "" {
		users.Insert(g.FirstUser)
	}
	users.Delete("")
	return sets.List(users)
}

// Door is the scheme and the Service's port that people are sent to; 0 where there is none.
func (g *Ground) Door() (scheme string, port int) {
	if g.Service == nil || g.Gateway == nil {
		return "", 0
	}
	d := g.Gateway.door()
	if d == nil || servicePort(g.Service, d.Port.Number) == nil {
		return "", 0
	}
	return d.scheme(), d.Port.Number
}

// HealthURL is where the gateway tells of itself, at the address of the way in; empty
// where its port is not shown.
func (g *Ground) HealthURL() string {
	in := g.WayIn()
	if in.Address == "" {
		return ""
	}
	port := g.outside(StatusPort)
	if port == 0 {
		return ""
	}
	return Health(net.JoinHostPort(in.Address, strconv.Itoa(port)))
}

// Health is the URL at which a gateway at HOST:PORT tells of itself.
func Health(address string) string { return "http://" + address + "/healthz/ready" }

// ServerName is a name or address that the gateway's certificate in the cluster is for;
// empty where there is none.
func (g *Ground) ServerName() string {
	block, _ := pem.Decode(bytes.TrimSpace(g.Leaf))
	if block == nil {
		return ""
	}
	c, err := x509.ParseCertificate(block.Bytes)
	switch {
	case err != nil:
		return ""
	case len(c.DNSNames) > 0:
		return strings.Replace(c.DNSNames[0], "*", "any", 1)
	case len(c.IPAddresses) > 0:
		return c.IPAddresses[0].String()
	}
	return ""
}

// Unread is why the gateway's own objects could not be read; nil when they were, or are
// not there.
func (g *Ground) Unread() error {
	for _, what := range []report.Ref{GatewayRef, gatewayRef} {
		switch err := g.unread(what); {
		case apierrors.IsForbidden(err):
			return fmt.Errorf("%s: cannot read it: request permission to get it, or choose another --context or --as: %w", what, err)
		case err != nil:
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	return nil
}
