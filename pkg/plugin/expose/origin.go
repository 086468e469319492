package expose

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/exposure"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

func addOrigin(cmd *cobra.Command, value *string) {
	cmd.Flags().StringVar(value, "notebook-origin", "", fmt.Sprintf("Where notebooks are served: port, for port %d of the gateway; host=NAME, for a host name one label below that of the web app, with * as that label for a host for each namespace; or shared, for the origin of the web app; by default, the current setting is kept", components.NotebookPort))
	plugin.Complete(cmd, "notebook-origin", func() []string { return []string{"port", "host=", "shared"} })
}

// originOptions checks what was typed, and tells it to the choice about the certificate.
func originOptions(value string, given bool, tls *exposure.HTTPS) (*exposure.Origin, error) {
	o := &exposure.Origin{Kustomization: tls.Kustomization, TLS: tls}
	if !given {
		return o, nil
	}
	wanted, err := components.ParseNotebookOrigin(value)
	if err != nil {
		return nil, err
	}
	o.Wanted, tls.Notebooks = &wanted, &wanted
	// A certificate of somebody's own has to be for both hosts.
	if wanted.Host != "" && tls.Mode != "" && tls.Mode != exposure.TLSOff && tls.Mode != exposure.TLSSelfSigned {
		tls.Hosts = append(tls.Hosts, wanted.AppHost(), wanted.Host)
	}
	return o, nil
}

// sharedOrigin is what somebody chooses who chooses shared.
const sharedOrigin = "Notebooks are served at the origin of the web app: scripts of a notebook's page can act in the web app as whoever opens the notebook."

// announceOrigin says in a dry run what would be done.
func announceOrigin(w io.Writer, o *exposure.Origin) {
	switch {
	case o.Wanted == nil:
	case o.Wanted.On():
		fmt.Fprintf(w, "Notebooks would be served at %s.\n", originText(*o.Wanted))
	default:
		fmt.Fprintln(w, sharedOrigin)
	}
}

func originText(n components.NotebookOrigin) string {
	if strings.HasPrefix(n.Host, "*.") {
		return fmt.Sprintf("hosts NAMESPACE.%[1]s, the web app at %[1]s", n.AppHost())
	}
	if n.Host != "" {
		return fmt.Sprintf("host %s, the web app at %s", n.Host, n.AppHost())
	}
	return fmt.Sprintf("port %d of the gateway", components.NotebookPort)
}

// serveNotebooks applies the choice.
func (o *ExposeOptions) serveNotebooks(ctx context.Context, c *cluster.Cluster, out *exposed) error {
	engine, done := o.base.Engine(c, rollout.Options{Timeout: o.Timeout})
	changes, err := o.origin.Apply(ctx, c, o.source, engine)
	done()
	if out.Changes = append(out.Changes, changes...); err != nil || o.origin.Wanted == nil {
		return err
	}
	if o.origin.Wanted.On() {
		fmt.Fprintf(o.base.ErrOut, "Notebooks are served at %s.\n", originText(*o.origin.Wanted))
	} else {
		fmt.Fprintln(o.base.ErrOut, sharedOrigin)
	}
	return nil
}
