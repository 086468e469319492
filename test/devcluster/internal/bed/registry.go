package bed

import (
	"context"
	"fmt"
	"os"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/node"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/registry"
)

// startRegistry starts the registry that the real node pulls its images from.
func (r *runner) startRegistry(parts context.Context) error {
	_, have, err := r.archives()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(r.dir.Log("registry"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	context.AfterFunc(parts, func() { _ = log.Close() })
	dir, cfg := r.dir.Path("registry"), r.cfg.Registry
	reg, err := registry.Listen(registry.Config{
		Archives: have, Dir: dir, Bandwidth: int64(cfg.Bandwidth), ConnectionBandwidth: int64(cfg.ConnectionBandwidth), Login: cfg.Login, Log: log,
	})
	if err != nil {
		return fmt.Errorf("registry: %w", err)
	}
	r.goRun(parts, "registry", reg.Run)
	files, err := reg.Configure(r.dir.Path("node"), registry.CA(dir), cfg.Scheme)
	if err != nil {
		return fmt.Errorf("registry: %w", err)
	}
	r.names, r.registry = reg.Names(), &node.Registry{Certs: files.Certs, Hosts: files.Hosts, CA: registry.CA(dir), Disk: cfg.Disk}
	r.state.Registry = &RegistryState{
		URL: cfg.Scheme + "://" + registry.Name, Mirror: cfg.Scheme + "://" + registry.Mirror, CA: registry.CA(dir), Faults: registry.Faults,
	}
	limit := "as fast as the machine"
	if cfg.Bandwidth > 0 {
		limit = "at most " + cfg.Bandwidth.String()
	}
	if cfg.ConnectionBandwidth > 0 {
		limit += ", each connection at most " + cfg.ConnectionBandwidth.String()
	}
	r.part("registry", Real, "go-containerregistry", "stands for the registries of all images, "+limit+"; layers are not compressed, and one machine holds registry and node")
	r.say("a registry with %d images, %s", len(have), limit)
	return nil
}
