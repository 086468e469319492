package identity

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/identity"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/users"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// addOptions are what is meant.
type addOptions struct {
	base        *plugin.Base
	Connector   *identity.Connector
	SecretStdin bool
	FromSecret  *identity.SecretRef
	Try         string
	Replace     bool
	Anyone      bool
	SkipCheck   bool
	// Only is the choice about local passwords; nil leaves it as it is.
	Only          *bool
	Kustomization string
	DryRun        string
	Timeout       time.Duration
	Format        string
}

func newAddCommand(b *plugin.Base) *cobra.Command {
	f := &addFlags{}
	cmd := &cobra.Command{
		Use:   "add {" + strings.Join(identity.Types(), "|") + " | -f FILE}",
		Short: "Add an identity provider, after it has been asked whether it works",
		Long: `Add an identity provider: a connector of Dex.

ldap and ad are directories: users enter their name and password in a form of Dex, which
binds to the directory with them. ad has the attributes of Active Directory. -f reads a
connector of any type in Dex's own format: an object with type, id, name and config.

The other types redirect browsers to the provider, which sends them back to a callback of
this installation; it is printed, and has to be registered at the provider. The gateway
needs HTTPS and a host name ("kubectl jupyter expose --tls self-signed --host NAME").
Dex's issuer moves to that URL if it has not yet, which restarts Dex and oauth2-proxy one
pod at a time: users who are logged in stay logged in.

The secret (the password of --bind-dn, or the client secret) is read from standard input or
from a Secret, and is never an argument. It is stored in the connector's object, in
namespace auth: anyone who may read connectors.dex.coreos.com there can read it.

Before anything is written, the provider is asked from this machine, or through the API
server if it is a Service of the cluster. --try looks for one person, and shows the e-mail
address, the groups and the Profile of a login. Afterwards Dex is asked from inside the
cluster; if it cannot use the provider, the connector is removed again.

Local passwords continue to work: the first user is the way back. With --only, Dex takes
no local passwords any more; --only=false turns them on again.`,
		Example: plugin.Examples(`
			# LDAP: look for one person before anything is written
			kubectl jupyter identity add ldap --host ldap.example.com --bind-dn cn=dex,dc=example,dc=com --user-base ou=people,dc=example,dc=com --secret-stdin --try ada@example.com < password.txt

			# Active Directory with a private certificate authority and groups, and the password in Secret auth/ad
			kubectl jupyter identity add ad --host dc1.corp.example.com --bind-dn dex@corp.example.com --user-base dc=corp,dc=example,dc=com --group-base dc=corp,dc=example,dc=com --ca-file corp-ca.pem --from-secret ad

			# GitHub: the members of a team of an organization
			kubectl jupyter identity add github --client-id 1a2b3c --secret-stdin --org example/data < secret.txt

			# OpenID Connect, such as Keycloak
			kubectl jupyter identity add oidc --url https://keycloak.example.com/realms/main --client-id jupyter --from-secret keycloak --name Keycloak

			# A connector in Dex's own format
			kubectl jupyter identity add -f connector.yaml --secret-stdin < password.txt

			# Only ask the provider
			kubectl jupyter identity add -f connector.yaml --dry-run=server`),
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return plugin.UsageError(cmd, fmt.Errorf("%s takes one type, but also got %q", cmd.CommandPath(), args[1]))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.ToOptions(b, args, cmd.Flags().Changed)
			return plugin.Run(cmd, o, err)
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return identity.Types(), cobra.ShellCompDirectiveNoFileComp
		},
	}
	f.add(cmd)
	return cmd
}

// Run asks, writes, and has Dex ask.
func (o *addOptions) Run(ctx context.Context) error {
	p, store, err := toChange(ctx, o.base, o.Timeout)
	if err != nil {
		return err
	}
	before, err := o.before(ctx, store)
	if err != nil {
		return err
	}
	if anyone, limit := o.Connector.Anyone(); anyone && !o.Anyone {
		return fmt.Errorf("anyone in the world who has an account with %s could log in: %s; --anyone allows it", o.Connector.Name, limit)
	}
	if err := o.suits(p); err != nil {
		return err
	}
	secret, err := o.secret(ctx, store)
	if err != nil {
		return err
	}
	ctx, cancel := plugin.Within(ctx, o.Timeout)
	defer cancel()
	move, err := o.move(ctx, p)
	if err != nil {
		return err
	}
	if err := o.Connector.Fill(secret, components.Issuer{URL: move.To}.Callback()); err != nil {
		return err
	}
	w := o.base.ErrOut
	fmt.Fprintf(w, "Adding identity provider %s (%s, %s) to %s.\n", o.Connector.ID, o.Connector.Type, o.Connector.Server(), p.Cluster.Where())
	if callback := o.Connector.Callback(); callback != "" {
		fmt.Fprintf(w, "Callback to register at the provider:  %s\n", callback)
	}
	if err := o.ask(ctx, p); err != nil {
		return err
	}
	if err := o.announce(ctx, p, move); err != nil {
		return err
	}
	if o.DryRun != plugin.DryRunNone {
		if o.DryRun == plugin.DryRunServer {
			if err := store.Put(ctx, o.Connector, before, true); err != nil {
				return err
			}
		}
		_, err := fmt.Fprintf(o.base.Out, "%s added (%s dry run)\n", o.Connector.ID, o.DryRun)
		return err
	}
	if o.Connector.Redirects() {
		if err := apply(ctx, o.base, p, move, o.Timeout); err != nil {
			return err
		}
	}
	if err := store.Put(ctx, o.Connector, before, false); err != nil {
		return err
	}
	if err := o.verify(ctx, store, before); err != nil {
		return err
	}
	// Not before there is another way in that Dex can use.
	if move.ProvidersOnly = o.Only; o.Only != nil {
		if err := apply(ctx, o.base, p, move, o.Timeout); err != nil {
			return err
		}
	}
	return o.end(p)
}

// suits refuses what the installed Dex cannot do.
func (o *addOptions) suits(p *users.Installation) error {
	dex, err := p.Source.Release().Component(components.PasswordComponent)
	if err != nil {
		return err
	}
	warning, err := o.Connector.For(dex.Version)
	if warning != "" {
		fmt.Fprintf(o.base.ErrOut, "warning: %s\n", warning)
	}
	return err
}

// before is the connector that has the ID already.
func (o *addOptions) before(ctx context.Context, store *identity.Store) (*identity.Stored, error) {
	before, err := store.Get(ctx, o.Connector.ID)
	switch {
	case errors.Is(err, identity.ErrMissing):
		return nil, nil
	case err != nil:
		return nil, err
	case !o.Replace:
		return nil, fmt.Errorf("%s already exists: --replace replaces it, --id chooses another ID", identity.Ref(o.Connector.ID))
	}
	return before, nil
}

func (o *addOptions) secret(ctx context.Context, store *identity.Store) (string, error) {
	if o.FromSecret != nil {
		return store.Secret(ctx, o.FromSecret, o.Connector.SecretField())
	}
	if !o.SecretStdin {
		return "", nil
	}
	secret, err := plugin.ReadSecret(ctx, o.base.IOStreams, o.Connector.Name)
	return string(secret), err
}

// ask the provider from here; nothing is written where it does not work.
func (o *addOptions) ask(ctx context.Context, p *users.Installation) error {
	if o.SkipCheck {
		fmt.Fprintln(o.base.ErrOut, "The provider is not asked from this machine (--skip-provider-check).")
		return o.Connector.Check()
	}
	profiles, err := profilesOf(ctx, p)
	if err != nil {
		return err
	}
	f, err := identity.FromHere(ctx, p.Cluster, o.Connector).Provider(ctx, o.Connector, o.Try, profiles)
	if err != nil {
		return err
	}
	if err := found(o.base, f, false); err != nil {
		return err
	}
	if !f.Passed() {
		return errors.New("the provider does not work with these settings: nothing was changed")
	}
	return nil
}

// verify has Dex use the connector, and takes it back where Dex cannot.
func (o *addOptions) verify(ctx context.Context, store *identity.Store, before *identity.Stored) error {
	f, err := store.ThroughDex(ctx, o.Connector)
	if err != nil {
		fmt.Fprintf(o.base.ErrOut, "warning: the provider is added, but it could not be verified: %v\n", err)
		return nil
	}
	if err := found(o.base, f, false); err != nil {
		return err
	}
	if f.Passed() {
		return nil
	}
	if err := store.Restore(context.WithoutCancel(ctx), o.Connector.ID, before); err != nil {
		return fmt.Errorf("Dex cannot use the provider, and the connector could not be taken back: %w", err)
	}
	return errors.New("Dex cannot use the provider: the connector was taken back, nothing was changed")
}

// end says what is there now, and where the secret is.
func (o *addOptions) end(p *users.Installation) error {
	w := o.base.ErrOut
	if field := o.Connector.SecretField(); field != "" {
		fmt.Fprintf(w, "The secret is stored in %s: anyone who may read connectors.dex.coreos.com in namespace %s can read it.\n", identity.Ref(o.Connector.ID), identity.Namespace)
	}
	switch only := o.Only; {
	case only != nil && *only, only == nil && p.Settings.ProvidersOnly:
		fmt.Fprintln(w, "warning: Dex takes no local passwords, not even that of the first user: if no provider answers, nobody can log in.")
	default:
		fmt.Fprintln(w, "Local passwords continue to work.")
	}
	if view.IsDocument(o.Format) {
		return view.Document(o.base.Out, o.Format, providerOf(&identity.Stored{Connector: *o.Connector}))
	}
	line := o.Connector.ID + " added"
	if o.Format == view.Name {
		line = o.Connector.ID
	}
	_, err := fmt.Fprintln(o.base.Out, line)
	return err
}
