// Package bed is the life of one bed: started in the background, found again,
// ended, and cleaned up after whatever killed it.
package bed

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/enforcer"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/kubeversion"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/kwok"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/network"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/registry"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/servicelb"
)

// NodesMode says what the nodes of a bed are.
type NodesMode string

// The nodes of a bed are simulated, or there is one real node, beside which
// simulated ones may stand.
const (
	SimulatedNodes NodesMode = "simulated"
	RealNodes      NodesMode = "real"
)

// APIPort is where the API server listens in a bed's network.
const APIPort = 6443

// Config is what a person can choose about a bed.
type Config struct {
	Nodes NodesMode `json:"nodes"`
	// NodeCount is the number of simulated nodes, GPUNodes how many of them
	// have GPUs.
	NodeCount int `json:"nodeCount"`
	GPUNodes  int `json:"gpuNodes"`
	// PodDelay is the time that a simulated pod needs to become Ready once its
	// volumes are there.
	PodDelay time.Duration `json:"podDelay"`
	// MetricsServer tells whether to start metrics-server.
	MetricsServer bool `json:"metricsServer"`
	// StandIns tells whether processes answer for simulated pods.
	StandIns bool `json:"standIns"`
	// Controllers is kube-controller-manager's flag of that name; its default when empty.
	// Nodes that nobody keeps alive, written by a test, are marked and emptied otherwise.
	Controllers []string `json:"controllers,omitempty"`
	// EmulatedVersion, FeatureGates and RuntimeConfig are the flags of those names;
	// Kubernetes' defaults when empty.
	EmulatedVersion string   `json:"emulatedVersion,omitempty"`
	FeatureGates    []string `json:"featureGates,omitempty"`
	RuntimeConfig   []string `json:"runtimeConfig,omitempty"`
	// Server is a directory with the programs of another version of the control plane.
	Server string `json:"server,omitempty"`
	// CertManager is the binary of the real cert-manager; without it, its
	// pods have nobody who acts for them.
	CertManager string `json:"certManager,omitempty"`
	// APIPort is the port of the API server on 127.0.0.1, any free one when 0.
	APIPort int `json:"apiPort,omitempty"`
	// ProxyPort is the port of the HTTP proxy on 127.0.0.1, any free one when 0.
	ProxyPort int `json:"proxyPort,omitempty"`
	// GPUs is the number of GPUs that a real node says it has.
	GPUs int `json:"gpus,omitempty"`
	// Images is the directory of the images that a real node gets.
	Images string `json:"images,omitempty"`
	// Release is the release of the stack that the images are those of, or several with
	// commas between them.
	Release string `json:"release,omitempty"`
	// NetworkPolicies is the program that enforces them on a real node; nobody does when empty.
	NetworkPolicies string `json:"networkPolicies,omitempty"`

	// What follows makes the cluster like one of somebody else's.
	network.Options
	// PodSecurity is the level of Pod Security of namespaces without labels; none when empty.
	PodSecurity string `json:"podSecurity,omitempty"`
	// Enforcer is whose enforcer changes webhook configurations; nobody's when empty.
	Enforcer string `json:"enforcer,omitempty"`
	// LoadBalancer is what gives Services of that type addresses; nothing when empty.
	LoadBalancer string `json:"loadBalancer,omitempty"`
	// Unprovisioned makes the default StorageClass one whose provisioner is not there.
	Unprovisioned bool `json:"unprovisioned,omitempty"`
	// SecondClass adds a StorageClass that is not the default.
	SecondClass bool `json:"secondClass,omitempty"`
	// Registry, when set, is where a real node gets its images from: none is put there beforehand.
	Registry *Registry `json:"registry,omitempty"`
}

// Registry is what a person can choose about a bed's registry.
type Registry struct {
	// Scheme is how the node speaks with it, one of registry.Schemes.
	Scheme string `json:"scheme"`
	// Bandwidth and ConnectionBandwidth are what it sends at most, in all and on each connection.
	Bandwidth           registry.Bandwidth `json:"bandwidth,omitempty"`
	ConnectionBandwidth registry.Bandwidth `json:"connectionBandwidth,omitempty"`
	// Login is USER:PASSWORD, which the mirror asks for.
	Login string `json:"login,omitempty"`
	// Disk is how much the node has room for in images, in bytes; as much as the machine when 0.
	Disk int64 `json:"disk,omitempty"`
}

// Validate finds choices that cannot be.
func (c Config) Validate() error {
	switch c.Nodes {
	case SimulatedNodes:
		if c.NodeCount < 1 {
			return fmt.Errorf("--node-count %d: a bed without a real node needs at least one simulated one", c.NodeCount)
		}
	case RealNodes:
		if c.Server != "" {
			return fmt.Errorf("--server %s: the kubelet of a real node is that of this program, and may not be newer than the server; take --nodes simulated", c.Server)
		}
	default:
		return fmt.Errorf("--nodes %q: must be %s or %s", c.Nodes, SimulatedNodes, RealNodes)
	}
	if r := c.Registry; r != nil {
		if c.Nodes != RealNodes {
			return errors.New("--registry: simulated nodes pull nothing; take --nodes real")
		}
		if !slices.Contains(registry.Schemes, r.Scheme) {
			return fmt.Errorf("--registry-scheme %q: must be %s", r.Scheme, strings.Join(registry.Schemes, " or "))
		}
		if user, password, ok := strings.Cut(r.Login, ":"); r.Login != "" && (!ok || user == "" || password == "") {
			return errors.New("--registry-login: must be USER:PASSWORD")
		}
	}
	if c.PodDelay < 0 {
		return fmt.Errorf("--pod-delay %s: must not be negative", c.PodDelay)
	}
	n, err := network.Choose(c.Options)
	if err != nil {
		return err
	}
	if c.NetworkPolicies != "" && n.HasIPv6() {
		return fmt.Errorf("--network-policies: only packets of IPv4 are decided on, and --ip-family is %s", c.IPFamily)
	}
	if c.PodSecurity != "" && !slices.Contains([]string{"baseline", "restricted"}, c.PodSecurity) {
		return fmt.Errorf("--pod-security %q: must be baseline or restricted", c.PodSecurity)
	}
	if c.Enforcer != "" && c.Enforcer != enforcer.AKS {
		return fmt.Errorf("--enforcer %q: must be %s", c.Enforcer, enforcer.AKS)
	}
	if c.LoadBalancer != "" && c.LoadBalancer != servicelb.Name {
		return fmt.Errorf("--load-balancer %q: must be %s", c.LoadBalancer, servicelb.Name)
	}
	if _, err := kwok.Nodes(c.simulated(n)); err != nil {
		return err
	}
	return n.CheckRoom(c.NodeCount)
}

// simulated are the simulated nodes of the bed.
func (c Config) simulated(n *network.Network) kwok.NodeOptions {
	o := kwok.NodeOptions{Count: c.NodeCount, GPUs: c.GPUNodes, Tainted: c.Nodes == RealNodes, Addresses: n.NodeAddresses}
	if c.LoadBalancer == servicelb.Name {
		o.KubeletVersion = kubeversion.Of(kubeversion.Kubernetes) + "+k3s1" // it is part of k3s
	}
	return o
}
