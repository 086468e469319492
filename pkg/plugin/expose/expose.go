package expose

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/exposure"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// defaultExposeTimeout leaves room for MetalLB's images to be pulled.
const defaultExposeTimeout = 5 * time.Minute

// serviceTypes are the values of --type.
var serviceTypes = []string{string(corev1.ServiceTypeLoadBalancer), string(corev1.ServiceTypeNodePort), string(corev1.ServiceTypeClusterIP)}

// ExposeFlags are what was typed.
type ExposeFlags struct {
	tls            tlsFlags
	addressPool    []string
	installMetalLB bool
	kind           string
	loadBalancerIP []string
	undo           bool
	removeMetalLB  bool
	portForward    bool
	probe          bool
	yes            bool
	timeout        time.Duration
	dryRun         string
	output         string
}

// ExposeOptions are what is meant.
type ExposeOptions struct {
	base    *plugin.Base
	source  components.Source
	tls     *exposure.HTTPS
	Request exposure.Request
	// Undo takes back what earlier runs have done, RemoveMetalLB with MetalLB itself.
	Undo          bool
	RemoveMetalLB bool
	// Probe asks the address whether it answers.
	Probe   bool
	Yes     bool
	Timeout time.Duration
	DryRun  string
	Format  string
}

func New(b *plugin.Base) *cobra.Command {
	f := &ExposeFlags{}
	cmd := &cobra.Command{
		Use:     "expose",
		GroupID: plugin.GroupAccess,
		Short:   "Give the gateway an address, and print the URL",
		Long: `Give the ingress gateway an address that answers from outside of the cluster, and
print the URL of the web app: on standard output that and nothing else.

What assigns LoadBalancer addresses here is found out: MetalLB of either kind of
configuration, ServiceLB, Cilium, a cloud's own controller. Where there is nothing,
MetalLB is installed. Its addresses are those of a pool that is there, of
--address-pool, or, on minikube and kind, of a range that is proposed. What nobody
has decided by a flag is asked on a terminal; elsewhere --yes answers.

A later install keeps what this has set, and another run changes only what differs.
--undo puts the gateway's Service back as it was, and removes the pool that was made;
--tls off ends HTTPS.

Exit code 0: the URL answers from this machine (with --probe=false: the gateway has
an address). Exit code 1: it was refused, or no address came, or it does not answer;
the cause says which.`,
		Example: plugin.Examples(`
			# On minikube and kind: a range is proposed, and MetalLB installed where nothing else is
			kubectl jupyter expose

			# The same from a script
			open $(kubectl jupyter expose --yes)

			# On machines of your own: name addresses of their network that nobody uses
			kubectl jupyter expose --install-metallb --address-pool 192.168.10.240-192.168.10.250

			# One particular address, and HTTPS
			kubectl jupyter expose --load-balancer-ip 192.168.10.245 --tls self-signed

			# Without a load balancer
			kubectl jupyter expose --type NodePort

			# What would happen, as far as the server can tell
			kubectl jupyter expose --yes --dry-run=server

			# Back to how it was
			kubectl jupyter expose --undo`),
		Args: plugin.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.portForward {
				o, err := f.toPortForward(b, cmd.Flags().Changed)
				return plugin.Run(cmd, o, err)
			}
			o, err := f.ToOptions(b, cmd.Flags().Changed)
			return plugin.Run(cmd, o, err)
		},
	}
	fs := cmd.Flags()
	fs.StringSliceVar(&f.addressPool, "address-pool", nil, "Addresses for MetalLB to give, as START-END or a CIDR, of IPv4 or IPv6; can be repeated. They replace those of an earlier run")
	fs.BoolVar(&f.installMetalLB, "install-metallb", false, "Install MetalLB where nothing gives addresses, or complete the one that was; with false, do not, and wait for who gives them from outside")
	fs.StringVar(&f.kind, "type", "", "Type of the gateway's Service: LoadBalancer, NodePort or ClusterIP (default LoadBalancer)")
	fs.StringSliceVar(&f.loadBalancerIP, "load-balancer-ip", nil, "`Address` that the gateway is to have; can be repeated for one of the other family")
	fs.BoolVar(&f.undo, "undo", false, "Take back what expose has changed")
	fs.BoolVar(&f.removeMetalLB, "remove-metallb", false, "With --undo: remove MetalLB too, if expose has installed it and nobody else has an address of it")
	fs.BoolVar(&f.portForward, "port-forward", false, "Change nothing, and bring the gateway to port 8080 of this machine until Ctrl-C, as `kubectl jupyter port-forward` does")
	fs.BoolVar(&f.probe, "probe", true, "Ask the address whether it answers; with false, as where this machine is not meant to reach it, do not")
	fs.BoolVarP(&f.yes, "yes", "y", false, "Do not ask: install MetalLB where it is missing, and take the range that is proposed")
	fs.DurationVar(&f.timeout, "timeout", defaultExposeTimeout, "How long the whole run may take, such as 90s or 20m; 0 for no bound")
	fs.StringVar(&f.dryRun, "dry-run", plugin.DryRunNone, "client: read the cluster and print what would be changed; server: have the server check it too; `none`")
	fs.StringVarP(&f.output, "output", "o", "", "Output format: json, yaml or jsonpath=TEMPLATE")
	plugin.Complete(cmd, "type", func() []string { return serviceTypes })
	plugin.Complete(cmd, "dry-run", func() []string { return []string{plugin.DryRunNone, plugin.DryRunClient, plugin.DryRunServer} })
	plugin.Complete(cmd, "output", func() []string { return []string{view.JSON, view.YAML, view.JSONPath + "="} })
	f.tls.add(cmd)
	return cmd
}

// ToOptions checks everything that can be checked without a cluster.
func (f *ExposeFlags) ToOptions(b *plugin.Base, given func(string) bool) (*ExposeOptions, error) {
	o := &ExposeOptions{base: b, Undo: f.undo, RemoveMetalLB: f.removeMetalLB, Probe: f.probe, Yes: f.yes, Timeout: f.timeout, DryRun: f.dryRun, Format: f.output}
	if err := plugin.CheckTimeout(f.timeout); err != nil {
		return nil, err
	}
	if err := plugin.CheckDryRun(f.dryRun); err != nil {
		return nil, err
	}
	if f.output != "" {
		if err := view.CheckOutput(f.output); err != nil {
			return nil, err
		}
	}
	if f.removeMetalLB && !f.undo {
		return nil, fmt.Errorf("--remove-metallb: it goes with --undo only")
	}
	for _, flag := range []string{"address-pool", "install-metallb", "type", "load-balancer-ip", "tls"} {
		if f.undo && given(flag) {
			return nil, fmt.Errorf("--undo takes back, and --%s asks for something: leave out one", flag)
		}
	}
	if f.kind != "" {
		if !slices.Contains(serviceTypes, f.kind) {
			return nil, fmt.Errorf("--type: unknown value %q: choose %s", f.kind, strings.Join(serviceTypes, ", "))
		}
		o.Request.Type = corev1.ServiceType(f.kind)
	}
	if given("install-metallb") {
		o.Request.InstallMetalLB = &f.installMetalLB
	}
	if given("address-pool") && len(f.addressPool) == 0 {
		return nil, fmt.Errorf("--address-pool: the range is empty: write START-END or a CIDR")
	}
	for _, text := range f.addressPool {
		r, err := exposure.ParseRange(text)
		if err != nil {
			return nil, fmt.Errorf("--address-pool: %w", err)
		}
		o.Request.Ranges = append(o.Request.Ranges, r)
	}
	for _, text := range f.loadBalancerIP {
		a, err := netip.ParseAddr(strings.TrimSpace(text))
		if err != nil || a.Zone() != "" || a.Is4In6() {
			return nil, fmt.Errorf("--load-balancer-ip: %q is not an IP address", text)
		}
		o.Request.Addresses = append(o.Request.Addresses, a)
	}
	var err error
	if o.tls, err = f.tls.options(b.Kubectl(), f.timeout); err != nil {
		return nil, err
	}
	o.source, err = b.Source()
	return o, err
}
