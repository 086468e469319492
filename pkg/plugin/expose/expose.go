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
	origin         string
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
	origin  *exposure.Origin
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
		Short:   "Assign an external address to the gateway, and print the URL",
		Long: `Assign an address to the ingress gateway that is reachable from outside the cluster, and
print the URL of the web app. Standard output has only the URL.

The provider of LoadBalancer addresses is detected: MetalLB (configured by custom
resources or by a ConfigMap), ServiceLB, Cilium, or a cloud controller manager. If there is
none, MetalLB is installed. Its addresses come from an existing pool, from --address-pool,
or, on minikube and kind, from a proposed range. What is not specified by a flag has to be
confirmed on a terminal, or with --yes.

A later install keeps these settings, and running expose again changes only what differs.
--undo restores the gateway's Service and deletes the pool that expose created. --tls off
disables HTTPS.

--notebook-origin serves notebooks at an origin (scheme, host and port) other than that of
the web app. Browsers then keep scripts of a notebook's page from acting in the web app as
whoever opens the notebook.

Exit codes:
  0  the URL answers from this machine (with --probe=false: the gateway has an address)
  1  the request was rejected, no address was assigned, or the address does not answer; the
     cause says which`,
		Example: plugin.Examples(`
			# On minikube and kind: use a proposed range, and install MetalLB if there is no other provider
			kubectl jupyter expose

			# The same in a script, without a prompt
			open $(kubectl jupyter expose --yes)

			# On bare metal: specify unused addresses of the network of the nodes
			kubectl jupyter expose --install-metallb --address-pool 192.168.10.240-192.168.10.250

			# Request a specific address, and enable HTTPS
			kubectl jupyter expose --load-balancer-ip 192.168.10.245 --tls self-signed

			# Serve notebooks at a port of their own
			kubectl jupyter expose --notebook-origin port

			# Use a NodePort instead of a load balancer
			kubectl jupyter expose --type NodePort

			# Show what would change, using server-side dry run
			kubectl jupyter expose --yes --dry-run=server

			# Revert all changes
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
	fs.StringSliceVar(&f.addressPool, "address-pool", nil, "Addresses for MetalLB to assign, as START-END or a CIDR, IPv4 or IPv6; can be repeated. They replace those of an earlier run")
	fs.BoolVar(&f.installMetalLB, "install-metallb", false, "If true, install MetalLB if there is no provider of addresses, or complete an installation of it; if false, do not install it, and wait for an external provider")
	fs.StringVar(&f.kind, "type", "", "Type of the gateway's Service: LoadBalancer, NodePort or ClusterIP (default LoadBalancer)")
	fs.StringSliceVar(&f.loadBalancerIP, "load-balancer-ip", nil, "IP address to assign to the gateway; can be repeated for the other IP family")
	fs.BoolVar(&f.undo, "undo", false, "If true, revert the changes made by expose")
	fs.BoolVar(&f.removeMetalLB, "remove-metallb", false, "If true, --undo also removes MetalLB, provided that expose installed it and nothing else uses its pools and addresses")
	fs.BoolVar(&f.portForward, "port-forward", false, "If true, do not change anything, and forward port 8080 of this machine to the gateway until Ctrl-C, as kubectl jupyter port-forward does")
	fs.BoolVar(&f.probe, "probe", true, "If true, check that the address answers; set it to false if this machine cannot reach the address")
	fs.BoolVarP(&f.yes, "yes", "y", false, "If true, do not prompt for confirmation: install MetalLB if it is missing, and use the proposed range")
	fs.DurationVar(&f.timeout, "timeout", defaultExposeTimeout, "The length of time to wait before giving up on the run, such as 90s or 20m; 0 means no timeout")
	fs.StringVar(&f.dryRun, "dry-run", plugin.DryRunNone, `Must be "none", "client" or "server". If client, read the cluster and print what would be changed; if server, also submit server-side requests without persisting the objects`)
	fs.StringVarP(&f.output, "output", "o", "", "Output format. One of: (json, yaml, jsonpath=TEMPLATE)")
	plugin.Complete(cmd, "type", func() []string { return serviceTypes })
	plugin.Complete(cmd, "dry-run", func() []string { return []string{plugin.DryRunNone, plugin.DryRunClient, plugin.DryRunServer} })
	plugin.Complete(cmd, "output", func() []string { return []string{view.JSON, view.YAML, view.JSONPath + "="} })
	f.tls.add(cmd)
	addOrigin(cmd, &f.origin)
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
		return nil, fmt.Errorf("--remove-metallb can only be used with --undo")
	}
	for _, flag := range []string{"address-pool", "install-metallb", "type", "load-balancer-ip", "tls", "notebook-origin"} {
		if f.undo && given(flag) {
			return nil, fmt.Errorf("--undo and --%s cannot be used together", flag)
		}
	}
	if f.kind != "" {
		if !slices.Contains(serviceTypes, f.kind) {
			return nil, fmt.Errorf("--type: unknown value %q: must be one of %s", f.kind, strings.Join(serviceTypes, ", "))
		}
		o.Request.Type = corev1.ServiceType(f.kind)
	}
	if given("install-metallb") {
		o.Request.InstallMetalLB = &f.installMetalLB
	}
	if given("address-pool") && len(f.addressPool) == 0 {
		return nil, fmt.Errorf("--address-pool: the range is empty: specify START-END or a CIDR")
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
	o.origin, err = originOptions(f.origin, given("notebook-origin"), o.tls)
	return o, err
}
