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
const plainHTTP = "The gateway speaks plain HTTP and cookies are not marked Secure: whoever is on the way can read passwords and sessions."

// tlsFlags are what was typed about HTTPS.
type tlsFlags struct {
	tls           string
	hosts         []string
	kustomization string
}

func (f *tlsFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.tls, "tls", "", "HTTPS at the gateway: self-signed, the name of a `Secret` in "+exposure.Namespace+", or off; without it what was chosen before stays")
	fs.StringSliceVar(&f.hosts, "host", nil, "Host `name` that people use, for the certificate beside the gateway's address; can be repeated")
	fs.StringVarP(&f.kustomization, "kustomize", "k", "", "`Directory` that the installation was made with; needed for --tls where there is one")
	plugin.Complete(cmd, "tls", func() []string { return []string{exposure.TLSSelfSigned, exposure.TLSOff} })
}

// options checks what was typed.
func (f *tlsFlags) options(kubectl string, timeout time.Duration) (*exposure.HTTPS, error) {
	if len(f.hosts) > 0 && (f.tls == "" || f.tls == exposure.TLSOff) {
		return nil, errors.New("--host: only a certificate is for a host: give --tls self-signed or --tls SECRET with it")
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
			fmt.Fprintf(w, "warning: it is not for %s: open the gateway by one of its names, which has to lead there\n", address)
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
	fmt.Fprintf(w, "HTTPS with a certificate of its own, for %s. Browsers warn once, and show the certificate:\n  SHA-256  %s\n",
		strings.Join(leaf.Hosts, ", "), leaf.Fingerprint)
	if authority, err := certs.Authority(data[certs.AuthorityKey]); err == nil {
		fmt.Fprintf(w, "Signed by the installation's own authority, which stays the same when the address changes:\n  SHA-256  %s\n"+
			"  %s -n %s get secret %s -o jsonpath='{.data.ca\\.crt}' | base64 -d > jupyter-ca.crt\n",
			authority.Fingerprint, o.Kubectl, exposure.Namespace, components.GatewaySecret)
	}
	if address == "" {
		fmt.Fprintln(w, "The gateway has no address yet: the certificate is for localhost; `kubectl jupyter expose --tls self-signed` again makes one for the address.")
	}
	return nil
}
