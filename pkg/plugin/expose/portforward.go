package expose

import (
	"context"
	"fmt"
	"net"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/exposure"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/forward"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/login"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/listen"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// PortForwardFlags are what was typed.
type PortForwardFlags struct {
	listen listen.Flags
	output string
}

// PortForwardOptions are what is meant.
type PortForwardOptions struct {
	base   *plugin.Base
	Listen forward.Options
	Format string
}

func NewPortForward(b *plugin.Base) *cobra.Command {
	f := &PortForwardFlags{}
	cmd := &cobra.Command{
		Use:     "port-forward",
		GroupID: plugin.GroupAccess,
		Short:   "Forward a local port to the gateway",
		Long: `Forward a local port to the gateway, through the API server.

Use it if the cluster network is not reachable from this machine, such as with Docker on
macOS and Windows, or behind a VPN that only allows connections to the API server. The URL
is written to standard output, everything else to standard error. The command runs until
Ctrl-C, and reconnects when the gateway's pod is replaced. If notebooks have a port of
their own (expose --notebook-origin port), it is forwarded to the next local port.

The exit code is 0 after Ctrl-C, and 1 if the connection could not be established or
re-established.`,
		Example: plugin.Examples(`
			# Forward http://localhost:8080/jupyter/ until Ctrl-C
			kubectl jupyter port-forward

			# Use any free port, and print only the URL, for use by programs
			kubectl jupyter port-forward --port 0 -o jsonpath={.url}

			# Listen on all addresses: anyone who can reach this machine can reach the sign-in page
			kubectl jupyter port-forward --address 0.0.0.0 --port 8888`),
		Args: plugin.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := f.ToOptions(b)
			return plugin.Run(cmd, o, err)
		},
	}
	f.add(cmd)
	return cmd
}

func (f *PortForwardFlags) add(cmd *cobra.Command) {
	f.listen.Add(cmd, defaultLocalPort, "Port of this machine to listen on; 0 selects a free port")
	cmd.Flags().StringVarP(&f.output, "output", "o", "", "Output format. One of: (json, yaml, jsonpath=TEMPLATE), with the URL, the local address and the pod")
	plugin.Complete(cmd, "output", func() []string { return []string{view.JSON, view.YAML, view.JSONPath + "="} })
}

// ToOptions checks what was typed.
func (f *PortForwardFlags) ToOptions(b *plugin.Base) (*PortForwardOptions, error) {
	at, err := f.listen.Options()
	if err != nil {
		return nil, err
	}
	return toPortForward(b, at, f.output)
}

func toPortForward(b *plugin.Base, at forward.Options, format string) (*PortForwardOptions, error) {
	if format != "" {
		if err := view.CheckOutput(format); err != nil {
			return nil, err
		}
	}
	at.Notice = listen.Tell(b.ErrOut)
	return &PortForwardOptions{base: b, Listen: at, Format: format}, nil
}

// defaultLocalPort is above those that only root may listen on.
const defaultLocalPort = 8080

// toPortForward is `expose --port-forward`. It changes nothing in the cluster, so that a
// flag which asks for a change makes no sense with it.
func (f *ExposeFlags) toPortForward(b *plugin.Base, given func(string) bool) (*PortForwardOptions, error) {
	for _, flag := range []string{"address-pool", "install-metallb", "type", "load-balancer-ip", "undo", "remove-metallb", "tls", "host", "notebook-origin", "dry-run"} {
		if given(flag) {
			return nil, fmt.Errorf("--port-forward and --%s cannot be used together: --port-forward changes nothing in the cluster", flag)
		}
	}
	return toPortForward(b, forward.Options{Address: "127.0.0.1", Port: defaultLocalPort}, f.output)
}

// forwarded is the machine-readable form.
type forwarded struct {
	URL     string `json:"url"`
	Address string `json:"address"`
	Pod     string `json:"pod"`
	// Notebooks is their origin, where they have one of their own.
	Notebooks string `json:"notebooks,omitempty"`
}

// Run forwards until it is interrupted, which is how it is meant to end.
func (o *PortForwardOptions) Run(ctx context.Context) error {
	c, err := o.base.Connect(ctx, o.base.ErrOut)
	if err != nil {
		return err
	}
	return o.forward(ctx, c)
}

func (o *PortForwardOptions) forward(ctx context.Context, c *cluster.Cluster) error {
	scheme, port := "http", int32(80)
	// Who may not read the Gateway is taken to the plain port: the answer there says more.
	if in, err := login.FindWayIn(ctx, c); err == nil && in.Scheme == "https" {
		scheme, port = "https", 443
	}
	target := forward.Target{Namespace: exposure.Namespace, Service: exposure.ServiceName, Port: port}
	w := o.base.ErrOut
	f, err := forward.Start(ctx, c, target, o.Listen)
	if err != nil {
		return err
	}
	out := forwarded{URL: localURL(scheme, f.Address), Address: f.Address, Pod: f.Pod}
	if out.Notebooks, err = o.forwardNotebooks(ctx, c, scheme, f.Address); err != nil {
		return err
	}
	fmt.Fprintf(w, "Forwarding %s to port %d of %s in %s. Press Ctrl-C to stop.\n", f.Address, port, target, c.Where())
	listen.WarnOpen(w, f.Address, "the sign-in page")
	return listen.Serve(f, o.base.Out, o.Format, out.URL, out)
}

// forwardNotebooks forwards the port that notebooks have of their own, to the port after the
// web app's: the gateway leads there. It returns their origin, empty where they have none.
func (o *PortForwardOptions) forwardNotebooks(ctx context.Context, c *cluster.Cluster, scheme, address string) (string, error) {
	// Who may not read the settings gets the web app alone.
	settings, err := rollout.ReadSettings(ctx, c)
	if err != nil || settings == nil || !settings.NotebookOrigin.Port {
		return "", nil
	}
	port, origin := login.NextPort(localURL(scheme, address))
	target := forward.Target{Namespace: exposure.Namespace, Service: exposure.ServiceName, Port: components.NotebookPort}
	if _, err := forward.Start(ctx, c, target, forward.Options{Address: o.Listen.Address, Port: port}); err != nil {
		return "", fmt.Errorf("notebooks have a port of their own, which is forwarded to the port after that of the web app: %w", err)
	}
	fmt.Fprintf(o.base.ErrOut, "Forwarding port %d of this machine to port %d, for notebooks.\n", port, target.Port)
	return origin, nil
}

// localURL is what a browser of this machine is given: localhost, which browsers trust
// with secure cookies, where that is the same.
func localURL(scheme, address string) string {
	host, port, _ := net.SplitHostPort(address)
	if ip := net.ParseIP(host); ip.IsUnspecified() || host == "127.0.0.1" {
		host = "localhost"
	}
	number, _ := strconv.Atoi(port)
	return login.URL(scheme, host, number)
}
