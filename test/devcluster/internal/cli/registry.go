package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/bed"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/registry"
)

// registryFlags choose a registry that the real node pulls its images from.
type registryFlags struct {
	on     bool
	disk   string
	config bed.Registry
}

func (f *registryFlags) add(fs *pflag.FlagSet) {
	fs.BoolVar(&f.on, "registry", false, "start a registry that a real node pulls its images from, instead of importing them")
	fs.StringVar(&f.config.Scheme, "registry-scheme", registry.Schemes[0], "how the node connects to the registry: "+strings.Join(registry.Schemes, " (with a CA of its own) or "))
	fs.Var(&f.config.Bandwidth, "registry-bandwidth", "limit of what the registry sends to all, such as 25MB/s")
	fs.Var(&f.config.ConnectionBandwidth, "registry-connection-bandwidth", "limit of what the registry sends on each connection")
	fs.StringVar(&f.config.Login, "registry-login", "", "USER:PASSWORD that "+registry.Mirror+" requires")
	fs.StringVar(&f.disk, "node-disk", "", "size of the real node's disk for images, such as 1Gi; with --registry")
}

// options are what the flags say, nil without a registry.
func (f *registryFlags) options(fs *pflag.FlagSet) (*bed.Registry, error) {
	if !f.on {
		for _, name := range []string{"registry-scheme", "registry-bandwidth", "registry-connection-bandwidth", "registry-login", "node-disk"} {
			if fs.Changed(name) {
				return nil, fmt.Errorf("--%s: needs --registry", name)
			}
		}
		return nil, nil
	}
	if f.disk != "" {
		q, err := resource.ParseQuantity(f.disk)
		if err != nil || q.Value() <= 0 {
			return nil, fmt.Errorf("--node-disk %q: must be a size such as 1Gi", f.disk)
		}
		f.config.Disk = q.Value()
	}
	return &f.config, nil
}
