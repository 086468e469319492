package identity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/identity"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/users"
)

// removeFlags are what was typed.
type removeFlags struct {
	custom  string
	timeout time.Duration
}

// removeOptions are what is meant.
type removeOptions struct {
	base          *plugin.Base
	ID            string
	Kustomization string
	Timeout       time.Duration
}

func newRemoveCommand(b *plugin.Base) *cobra.Command {
	f := &removeFlags{}
	cmd := &cobra.Command{
		Use:   "remove ID",
		Short: "Remove an identity provider; namespaces and notebooks are kept",
		Long: `Remove an identity provider. Its secret is deleted with it.

New logins by the provider are refused at once. Open sessions remain valid until their
cookie expires, 24 hours after the login. Profiles, namespaces and notebooks are kept. If
Dex takes no local passwords (--only) and this is the last provider, it takes them again.`,
		Example: plugin.Examples(`
			# Remove the provider with the ID ldap
			kubectl jupyter identity remove ldap

			# Give up after ten seconds
			kubectl jupyter identity remove github --timeout 10s

			# The last provider of an installation that was made with a kustomization, and takes no local passwords
			kubectl jupyter identity remove ldap -k overlays/ours`),
		Args: oneID,
		RunE: func(cmd *cobra.Command, args []string) error {
			o := &removeOptions{base: b, ID: args[0], Kustomization: f.custom, Timeout: f.timeout}
			return plugin.Run(cmd, o, errors.Join(plugin.CheckTimeout(f.timeout), plugin.CheckDirectory(f.custom)))
		},
		ValidArgsFunction: complete(b),
	}
	cmd.Flags().StringVarP(&f.custom, "kustomize", "k", "", "Kustomization `directory` that was used for the installation; required for the last provider if Dex takes no local passwords")
	cmd.Flags().DurationVar(&f.timeout, "timeout", defaultTimeout, "The length of time to wait before giving up on the run; 0 means no timeout")
	return cmd
}

// Run removes.
func (o *removeOptions) Run(ctx context.Context) error {
	p, store, err := toChange(ctx, o.base, o.Timeout)
	if err != nil {
		return err
	}
	ctx, cancel := plugin.Within(ctx, o.Timeout)
	defer cancel()
	if _, err := store.Get(ctx, o.ID); err != nil {
		return err
	}
	if err := o.wayBack(ctx, p, store); err != nil {
		return err
	}
	fmt.Fprintf(o.base.ErrOut, "Removing identity provider %s from %s.\n", o.ID, p.Cluster.Where())
	if err := store.Remove(ctx, o.ID); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(o.base.Out, "%s removed\n", o.ID); err != nil {
		return err
	}
	fmt.Fprintln(o.base.ErrOut, "Open sessions remain valid until their cookie expires, at most 24 hours after the login.")
	return nil
}

// wayBack has Dex take local passwords again before the last provider goes, where it takes
// those of providers only: nobody could log in.
func (o *removeOptions) wayBack(ctx context.Context, p *users.Installation, store *identity.Store) error {
	all, err := store.List(ctx)
	if err != nil || !p.Settings.ProvidersOnly || len(all) > 1 {
		return err
	}
	fmt.Fprintf(o.base.ErrOut, "%s is the last provider: Dex takes local passwords again.\n", o.ID)
	no := false
	return apply(ctx, o.base, p, &identity.Move{Cluster: p.Cluster, Source: p.Source, Kustomization: o.Kustomization, To: p.Settings.Issuer.URL, ProvidersOnly: &no}, o.Timeout)
}
