package expose

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/certs"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/exposure"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
)

// plainHTTP is what somebody chooses who chooses no TLS.
const plainHTTP = "The gateway serves plain HTTP, so cookies are not marked Secure: anyone on the network path can read passwords and sessions."

// tlsFlags are what was typed about HTTPS.
type tlsFlags struct {
	tls           string
	hosts         []string
	kustomization string
}

func (f *tlsFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.tls, "tls", "", "HTTPS at the gateway: self-signed, the name of a Secret in "+exposure.Namespace+", or off; by default, the current setting is kept")
	fs.StringSliceVar(&f.hosts, "host", nil, "Host `name` to include in the certificate in addition to the gateway's address; can be repeated")
	fs.StringVarP(&f.kustomization, "kustomize", "k", "", "Kustomization `directory` that was used for the installation; required for --tls and --notebook-origin if there is one")
	plugin.Complete(cmd, "tls", func() []string { return []string{exposure.TLSSelfSigned, exposure.TLSOff} })
}

// options checks what was typed.
func (f *tlsFlags) options(kubectl string, timeout time.Duration) (*exposure.HTTPS, error) {
	if len(f.hosts) > 0 && (f.tls == "" || f.tls == exposure.TLSOff) {
		return nil, errors.New("--host: it can only be used with --tls self-signed or --tls SECRET")
	}
	for _, h := range f.hosts {
		if err := components.ValidHost(h); err != nil {
			return nil, err
		}
	}
	if f.tls != "" && f.tls != exposure.TLSSelfSigned && f.tls != exposure.TLSOff {
		if err := (components.Options{TLS: components.TLS{Secret: f.tls}}).Validate(); err != nil {
			return nil, err
		}
	}
	if err := plugin.CheckDirectory(f.kustomization); err != nil {
		return nil, err
	}
	return &exposure.HTTPS{Mode: f.tls, Hosts: f.hosts, Kustomization: f.kustomization, Timeout: timeout, Kubectl: kubectl}, nil
}

// announceTLS says in a dry run what would be done. Its objects are not asked about: what
// they are depends on the address.
func announceTLS(w io.Writer, o *exposure.HTTPS) {
	switch o.Mode {
	case "":
	case exposure.TLSOff:
		fmt.Fprintln(w, "HTTPS would be turned off, if it is on. "+plainHTTP)
	default:
		fmt.Fprintf(w, "HTTPS would be turned on (--tls %s), HTTP redirected to it, and cookies marked Secure.\n", o.Mode)
		if len(o.Hosts) > 0 {
			fmt.Fprintln(w, "Dex's issuer would move to the host name, where identity providers can send browsers back to.")
		}
	}
}

// sayTLS tells a person what a browser will show, and how to compare it. Address is where
// the gateway is, empty where it has no address.
func sayTLS(ctx context.Context, w io.Writer, o *exposure.HTTPS, c *cluster.Cluster, address string) error {
	switch o.Mode {
	case "":
		return nil
	case exposure.TLSOff:
		_, err := fmt.Fprintln(w, plainHTTP)
		return err
	case exposure.TLSSelfSigned, components.GatewaySecret:
	default:
		fmt.Fprintf(w, "HTTPS with Secret %s/%s, for %s, valid until %s.\n  SHA-256  %s\n", exposure.Namespace, o.Mode,
			plugin.List(o.Certificate.Hosts), o.Certificate.NotAfter.UTC().Format(time.DateOnly), o.Certificate.Fingerprint)
		if address != "" && !o.Certificate.Covers(address) {
			fmt.Fprintf(w, "warning: the certificate is not valid for %s: use one of its host names, which must resolve to this address\n", address)
		}
		return nil
	}
	data, err := exposure.SecretData(ctx, c, components.GatewaySecret)
	if err != nil {
		return fmt.Errorf("Secret %s/%s: %w", exposure.Namespace, components.GatewaySecret, err)
	}
	leaf, err := certs.Parse(data, time.Now())
	if err != nil {
		return fmt.Errorf("Secret %s/%s: %w", exposure.Namespace, components.GatewaySecret, err)
	}
	fmt.Fprintf(w, "HTTPS with a generated certificate for %s. Browsers show a warning; compare the fingerprint of the certificate:\n  SHA-256  %s\n",
		strings.Join(leaf.Hosts, ", "), leaf.Fingerprint)
	if authority, err := certs.Authority(data[certs.AuthorityKey]); err == nil {
		fmt.Fprintf(w, "It is signed by the installation's own certificate authority, which stays the same when the address changes:\n  SHA-256  %s\n"+
			"  %s -n %s get secret %s -o jsonpath='{.data.ca\\.crt}' | base64 -d > jupyter-ca.crt\n",
			authority.Fingerprint, o.Kubectl, exposure.Namespace, components.GatewaySecret)
	}
	if address == "" {
		fmt.Fprintln(w, "The gateway has no address yet, so the certificate is for localhost. Run `kubectl jupyter expose --tls self-signed` again to issue one for the address.")
	}
	return nil
}
