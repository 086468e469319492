// Package controlplane runs etcd, kube-apiserver, kube-controller-manager and
// kube-scheduler, the real ones: in this process or, but for etcd, as programs of another
// version.
package controlplane

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"time"

	"k8s.io/client-go/rest"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/pki"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/process"
)

// readyTimeout bounds the start of the API server; two busy cores need 6 s.
const readyTimeout = 2 * time.Minute

// Config says where a control plane keeps its files and which addresses it
// uses. It runs in a network namespace of its own: ports are fixed.
type Config struct {
	// Dir is the state directory of the bed.
	Dir string
	// PKI holds keys and certificates.
	PKI pki.Dir
	// Kubeconfig is the administrator's kubeconfig, used by the other components.
	Kubeconfig string
	// Advertise is the address under which pods reach the API server.
	Advertise string
	// Port is the API server's port.
	Port int
	// ServiceCIDR and PodCIDR are the ranges of cluster IPs and of pods, of each family one.
	ServiceCIDR, PodCIDR string
	// Domain ends the names of Services.
	Domain string
	// PodSecurity is the level that namespaces without labels enforce; none when empty.
	PodSecurity string
	// HostPathProvisioner lets the controller manager make host-path volumes.
	HostPathProvisioner bool
	// Controllers are those of the controller manager; its own choice when empty.
	Controllers []string
	// EmulatedVersion and FeatureGates are those of all components, RuntimeConfig is the API
	// server's choice of APIs.
	EmulatedVersion             string
	FeatureGates, RuntimeConfig []string
	// Programs, when set, are run in the place of the components in this binary; Book records
	// them, and their logs are written to the directory Logs.
	Programs Programs
	Book     process.Book
	Logs     string
}

// Address returns host:port of the API server inside the namespace.
func (c Config) Address() string { return net.JoinHostPort(c.Advertise, strconv.Itoa(c.Port)) }

func (c Config) path(f string) string { return filepath.Join(c.Dir, f) }

// The components beside etcd.
const (
	APIServer         = "kube-apiserver"
	ControllerManager = "kube-controller-manager"
	Scheduler         = "kube-scheduler"
)

// Names of the components, in the order in which they start.
var Names = []string{APIServer, ControllerManager, Scheduler}

// component runs until its context ends.
type component struct {
	name string
	run  func(context.Context) error
}

func (c Config) components() ([]component, error) {
	if c.Programs != "" {
		return c.programs(), nil
	}
	return c.embedded()
}

// ControlPlane is a running control plane.
type ControlPlane struct {
	failed chan error
}

// Failed yields the error of a component that stopped by itself.
func (c *ControlPlane) Failed() <-chan error { return c.failed }

// Start starts the components and returns once the API server is ready. They
// run until ctx ends; etcd runs as long as the process, since its data is
// thrown away with it and an orderly end would wait for its clients. It may be called once in a process: the components
// share process-wide registries.
func Start(ctx context.Context, cfg Config, cluster *rest.Config) (*ControlPlane, error) {
	if err := cfg.writePodSecurity(); err != nil {
		return nil, err
	}
	if err := startEtcd(ctx, cfg.path("etcd")); err != nil {
		return nil, fmt.Errorf("etcd: %w", err)
	}
	cp := &ControlPlane{failed: make(chan error, 8)}

	all, err := cfg.components()
	if err != nil {
		return nil, err
	}
	cp.run(ctx, all[0])
	if err := cp.waitReady(ctx, cluster); err != nil {
		return nil, err
	}
	for _, c := range all[1:] {
		cp.run(ctx, c)
	}
	return cp, nil
}

func (c *ControlPlane) run(ctx context.Context, part component) {
	go func() {
		err := part.run(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errors.New("ended without an error")
		}
		c.failed <- fmt.Errorf("%s stopped: %w", part.name, err)
	}()
}

// waitReady asks /readyz until it answers. The server cannot be watched
// before it serves, so this is the one place that polls.
func (c *ControlPlane) waitReady(ctx context.Context, cluster *rest.Config) error {
	client, err := rest.HTTPClientFor(cluster)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	last := errors.New("not asked yet")
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, cluster.Host+"/readyz", nil)
		if err != nil {
			return err
		}
		r, err := client.Do(req)
		if err == nil {
			_ = r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return nil
			}
			err = fmt.Errorf("GET /readyz: %s", r.Status)
		}
		last = err
		select {
		case err := <-c.failed:
			return err
		case <-ctx.Done():
			return fmt.Errorf("kube-apiserver is not ready: %w", last)
		case <-tick.C:
		}
	}
}
