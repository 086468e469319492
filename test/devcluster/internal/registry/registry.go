// Package registry is the container registry of a bed: a real one, which holds the images
// that the bed's nodes are made with. To the bed it is docker.io, ghcr.io and all other
// registries, and a mirror beside them that images can be pushed to. Connections can be
// held to a bandwidth. Some of its names fail in a known way each, see Faults.
package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/images"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/netns"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/pki"
)

const (
	// Address is the registry's in every bed, whatever name it is asked by.
	Address = "10.0.0.5"
	// Name is the registry to which a node goes instead of all those of the world: an
	// image of ghcr.io is at Name/ghcr.io/REPOSITORY too.
	Name = "registry.devcluster.test"
	// Mirror is an empty registry that images can be pushed to.
	Mirror = "mirror.devcluster.test"
	// nowhere is an address that no route leads to.
	nowhere = "192.0.2.1"
)

// Schemes are the ways to speak with the registry.
var Schemes = []string{"https", "http"}

// The ports of plain HTTP: the usual one, and one for names that are asked by HTTPS there.
var plainPorts = []string{"80", "5000"}

// Config says what the registry holds and how fast it is.
type Config struct {
	// Archives are what the registries of the world hold.
	Archives []images.Archive
	// Dir is where certificates are written, and what is pushed.
	Dir string
	// Bandwidth and ConnectionBandwidth are the most bytes a second that are sent in all
	// and on each connection; 0 for no limit.
	Bandwidth, ConnectionBandwidth int64
	// Login is USER:PASSWORD, which the mirror asks for; nothing when empty.
	Login string
	// Log takes a line for each request.
	Log io.Writer
}

// Registry is a registry that listens.
type Registry struct {
	handler   *sites
	listeners []net.Listener
	names     map[string]string
}

// CA is the file with the certificate of the authority of a registry in dir.
func CA(dir string) string { return pki.Dir(dir).Cert("ca") }

// Listen opens the registry's ports in the network of this process. Run serves them.
func Listen(cfg Config) (*Registry, error) {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, err
	}
	handler, err := newSites(cfg)
	if err != nil {
		return nil, err
	}
	r := &Registry{handler: handler, names: map[string]string{Unreachable: nowhere}}
	world := slices.Concat(handler.world, slices.Collect(maps.Keys(aliases)))
	for _, name := range slices.Concat([]string{Name, Mirror, WantsLogin, WantsToken, Limited, Untrusted, Plain}, world) {
		r.names[name] = Address
	}
	certificates, err := certificates(cfg.Dir, world)
	if err != nil {
		return nil, err
	}
	if err := netns.AddLocal(netip.MustParsePrefix(Address + "/32")); err != nil {
		return nil, err
	}
	l := newLimits(cfg.Bandwidth, cfg.ConnectionBandwidth)
	for _, port := range append([]string{"443"}, plainPorts...) {
		in, err := net.Listen("tcp", net.JoinHostPort(Address, port))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("port %s of the registry: %w", port, err), r.close())
		}
		in = l.listener(in, &handler.sent)
		if port == "443" {
			// HTTP/1.1, since a limit of each connection says little where one carries all.
			in = tls.NewListener(in, &tls.Config{GetCertificate: certificates, NextProtos: []string{"http/1.1"}})
		}
		r.listeners = append(r.listeners, in)
	}
	return r, nil
}

// Run serves until ctx ends.
func (r *Registry) Run(ctx context.Context) error {
	server := &http.Server{Handler: r.handler, ReadHeaderTimeout: 30 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	failed := make(chan error, len(r.listeners))
	for _, l := range r.listeners {
		go func() { failed <- server.Serve(l) }()
	}
	return <-failed
}

// Names are the addresses of the hosts that exist in the network of a bed with a registry,
// by name.
func (r *Registry) Names() map[string]string { return r.names }

func (r *Registry) close() error {
	var errs []error
	for _, l := range r.listeners {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// certificates writes the authority of all names and returns what picks the certificate of
// a name; that of Untrusted is signed by an authority that nobody has.
func certificates(dir string, world []string) (func(*tls.ClientHelloInfo) (*tls.Certificate, error), error) {
	pair := func(ca *pki.Pair, names ...string) (*tls.Certificate, error) {
		p, err := ca.Issue(pki.Template{CommonName: names[0], Names: names})
		if err != nil {
			return nil, err
		}
		return &tls.Certificate{Certificate: [][]byte{p.Cert.Raw}, PrivateKey: p.Key}, nil
	}
	ca, err := pki.NewCA("devcluster-registry-ca")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(CA(dir), ca.CertPEM(), 0o644); err != nil {
		return nil, err
	}
	known, err := pair(ca, append([]string{Name, Mirror, WantsLogin, WantsToken, Limited, Plain}, world...)...)
	if err != nil {
		return nil, err
	}
	stranger, err := pki.NewCA("a stranger's CA")
	if err != nil {
		return nil, err
	}
	unknown, err := pair(stranger, Untrusted)
	if err != nil {
		return nil, err
	}
	return func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if h.ServerName == Untrusted {
			return unknown, nil
		}
		return known, nil
	}, nil
}

// Node is what a node has to know to pull from the registry.
type Node struct {
	// Certs is containerd's directory of hosts configurations, Hosts the file of host names.
	Certs, Hosts string
}

// Configure writes a node's files into dir: as on a real node, one directory for each
// registry that needs to be spoken with in a special way, and _default for all others.
func (r *Registry) Configure(dir, ca, scheme string) (Node, error) {
	n := Node{Certs: filepath.Join(dir, "certs.d"), Hosts: filepath.Join(dir, "hosts")}
	// containerd asks the server once more after the host.
	server := func(name string) string {
		trust := ""
		if scheme == "https" {
			trust = fmt.Sprintf("ca = %q\n", ca)
		}
		return fmt.Sprintf("server = %q\n%s[host.%q]\ncapabilities = [\"pull\", \"resolve\"]\n%s", scheme+"://"+name, trust, scheme+"://"+name, trust)
	}
	files := map[string]string{"_default": server(Name)}
	for _, name := range []string{Mirror, WantsLogin, WantsToken, Limited} {
		files[name] = server(name)
	}
	// Nobody has told the node how to speak with these.
	for _, name := range []string{Untrusted, Unreachable, Plain + ":5000"} {
		files[name] = fmt.Sprintf("server = %q\n[host.%q]\n", "https://"+name, "https://"+name)
	}
	for name, text := range files {
		d := filepath.Join(n.Certs, name)
		if err := os.MkdirAll(d, 0o755); err != nil {
			return n, err
		}
		if err := os.WriteFile(filepath.Join(d, "hosts.toml"), []byte(text), 0o644); err != nil {
			return n, err
		}
	}
	hosts := "127.0.0.1 localhost\n"
	for _, name := range slices.Sorted(maps.Keys(r.names)) {
		if strings.HasSuffix(name, ".devcluster.test") { // the node is sent to Name for all others
			hosts += r.names[name] + " " + name + "\n"
		}
	}
	return n, os.WriteFile(n.Hosts, []byte(hosts), 0o644)
}
