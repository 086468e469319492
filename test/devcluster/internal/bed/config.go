// Package bed is the life of one bed: started in the background, found again,
// ended, and cleaned up after whatever killed it.
package bed

import (
	"fmt"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/kwok"
)

// NodesMode says what the nodes of a bed are.
type NodesMode string

// The nodes of a bed are simulated, or there is one real node, beside which
// simulated ones may stand.
const (
	SimulatedNodes NodesMode = "simulated"
	RealNodes      NodesMode = "real"
)

// The addresses of every bed. Each bed has a network of its own, so they
// never meet.
const (
	Address     = "10.0.0.1"
	APIPort     = 6443
	ServiceCIDR = "10.96.0.0/16"
	PodCIDR     = "10.244.0.0/16"
)

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
}

// Validate finds choices that cannot be.
func (c Config) Validate() error {
	switch c.Nodes {
	case SimulatedNodes:
		if c.NodeCount < 1 {
			return fmt.Errorf("--node-count %d: a bed without a real node needs at least one simulated one", c.NodeCount)
		}
	case RealNodes:
	default:
		return fmt.Errorf("--nodes %q: must be %s or %s", c.Nodes, SimulatedNodes, RealNodes)
	}
	if c.PodDelay < 0 {
		return fmt.Errorf("--pod-delay %s: must not be negative", c.PodDelay)
	}
	_, err := kwok.Nodes(c.NodeCount, c.GPUNodes, false)
	return err
}
