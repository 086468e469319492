// Package controlplane runs etcd, kube-apiserver, kube-controller-manager and
// kube-scheduler, the real ones, in this process.
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

	"github.com/spf13/pflag"
	"k8s.io/apiserver/pkg/util/compatibility"
	"k8s.io/client-go/rest"
	cliflag "k8s.io/component-base/cli/flag"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	apiserveropts "k8s.io/kubernetes/cmd/kube-apiserver/app/options"
	kcm "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	kcmopts "k8s.io/kubernetes/cmd/kube-controller-manager/app/options"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	scheduleropts "k8s.io/kubernetes/cmd/kube-scheduler/app/options"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/pki"
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
}

// Address returns host:port of the API server inside the namespace.
func (c Config) Address() string { return net.JoinHostPort(c.Advertise, strconv.Itoa(c.Port)) }

func (c Config) path(f string) string { return filepath.Join(c.Dir, f) }

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

	// All flags are parsed before the shared registry of feature gates is set,
	// once. The components' own cobra commands are not used: each installs the
	// process-wide signal handler, which panics the second time.
	as := apiserveropts.NewServerRunOptions()
	if err := parse("kube-apiserver", as.Flags(), cfg.apiserverFlags()); err != nil {
		return nil, err
	}
	cm, err := kcmopts.NewKubeControllerManagerOptions()
	if err != nil {
		return nil, fmt.Errorf("kube-controller-manager: %w", err)
	}
	cmFlags := cm.Flags(kcm.KnownControllers(), kcm.ControllersDisabledByDefault(), kcm.ControllerAliases())
	cm.ParsedFlags = &cmFlags
	if err := parse("kube-controller-manager", cmFlags, cfg.controllerManagerFlags()); err != nil {
		return nil, err
	}
	sc := scheduleropts.NewOptions()
	if err := parse("kube-scheduler", *sc.Flags, cfg.schedulerFlags()); err != nil {
		return nil, err
	}
	if err := compatibility.DefaultComponentGlobalsRegistry.Set(); err != nil {
		return nil, fmt.Errorf("feature gates: %w", err)
	}

	cp.run(ctx, "kube-apiserver", func() error {
		c, err := as.Complete(ctx)
		if err != nil {
			return err
		}
		if errs := c.Validate(); len(errs) != 0 {
			return errors.Join(errs...)
		}
		return apiserver.Run(ctx, c)
	})
	if err := cp.waitReady(ctx, cluster); err != nil {
		return nil, err
	}
	cp.run(ctx, "kube-controller-manager", func() error {
		c, err := cm.Config(ctx, kcm.KnownControllers(), kcm.ControllersDisabledByDefault(), kcm.ControllerAliases())
		if err != nil {
			return err
		}
		return kcm.Run(ctx, c.Complete())
	})
	cp.run(ctx, "kube-scheduler", func() error {
		c, s, err := scheduler.Setup(ctx, sc)
		if err != nil {
			return err
		}
		return scheduler.Run(ctx, c, s)
	})
	return cp, nil
}

func (c *ControlPlane) run(ctx context.Context, name string, f func() error) {
	go func() {
		err := f()
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errors.New("ended without an error")
		}
		c.failed <- fmt.Errorf("%s stopped: %w", name, err)
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

func parse(name string, nfs cliflag.NamedFlagSets, args []string) error {
	all := pflag.NewFlagSet(name, pflag.ContinueOnError)
	for _, f := range nfs.FlagSets {
		all.AddFlagSet(f)
	}
	if err := all.Parse(args); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
