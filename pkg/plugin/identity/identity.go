package identity

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/identity"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/people"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/users"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// defaultTimeout leaves room for what Dex and a provider take to answer.
const defaultTimeout = 2 * time.Minute

func New(b *plugin.Base) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "identity",
		GroupID: plugin.GroupAccess,
		Short:   "Let users log in with accounts of an identity provider",
		Long: `Let users log in with the accounts that they have already, in addition to the passwords of
"kubectl jupyter user".

A provider is a connector of Dex, an object in namespace auth. Dex reads it at every login,
so nothing is restarted. The provider is asked whether it works before anything is written,
and Dex afterwards, from inside the cluster.

A login opens the namespace of the Profile whose owner is the e-mail address that the
provider reports; see "kubectl jupyter user".`,
		Example: plugin.Examples(`
			# Use an LDAP directory, and look for one person in it; the password of the account is read from standard input
			kubectl jupyter identity add ldap --host ldap.example.com --bind-dn cn=dex,dc=example,dc=com --user-base ou=people,dc=example,dc=com --secret-stdin --try ada@example.com < password.txt

			# List the providers
			kubectl jupyter identity list

			# Check a provider, from this machine and from inside the cluster
			kubectl jupyter identity test ldap --try ada@example.com

			# Remove a provider
			kubectl jupyter identity remove ldap`),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return plugin.UnknownCommand(cmd, args[0])
		},
	}
	cmd.AddCommand(newAddCommand(b), newListCommand(b), newTestCommand(b), newRemoveCommand(b))
	return cmd
}

// oneID takes the provider that a command is about.
func oneID(cmd *cobra.Command, args []string) error {
	switch len(args) {
	case 1:
		return nil
	case 0:
		return plugin.UsageError(cmd, fmt.Errorf("%s requires the ID of an identity provider", cmd.CommandPath()))
	}
	return plugin.UsageError(cmd, fmt.Errorf("%s takes one ID, but also got %q", cmd.CommandPath(), args[1]))
}

// open finds the installation and its providers.
func open(ctx context.Context, b *plugin.Base, timeout time.Duration) (*users.Installation, *identity.Store, error) {
	p, err := people.Open(ctx, b, timeout)
	if err != nil {
		return nil, nil, err
	}
	return p, &identity.Store{Cluster: p.Cluster}, nil
}

// toChange is open for what writes.
func toChange(ctx context.Context, b *plugin.Base, timeout time.Duration) (*users.Installation, *identity.Store, error) {
	p, s, err := open(ctx, b, timeout)
	if err != nil {
		return nil, nil, err
	}
	return p, s, p.ToChange()
}

// profilesOf are the names of Profiles by their owners.
func profilesOf(ctx context.Context, p *users.Installation) (map[string]string, error) {
	all, err := p.List(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, u := range all {
		if u.Profile != "" {
			out[u.Email] = u.Profile
		}
	}
	return out, nil
}

// found shows what asking a provider has brought.
func found(b *plugin.Base, f *identity.Findings, wide bool) error {
	w, style := b.ErrOut, plugin.StyleFor(b.ErrOut)
	fmt.Fprintf(w, "Asked %s:\n", f.Asked)
	if err := view.Probes(w, f.Probes, wide); err != nil {
		return err
	}
	if c := f.Claims; c != nil && c.Email != "" {
		profile := c.Profile
		if profile == "" {
			profile = "none"
		}
		fmt.Fprintf(w, "\nE-mail:    %s (%s)\nGroups:    %s\nProfile:   %s\n", c.Email, map[bool]string{true: "verified", false: "not verified"}[c.Verified], plugin.List(c.Groups), profile)
	}
	if len(f.Causes) > 0 {
		fmt.Fprintln(w)
		if err := view.Causes(w, f.Causes, style); err != nil {
			return err
		}
	}
	fmt.Fprintln(w)
	return nil
}

// provider is the machine-readable form of a connector, without its secret.
type provider struct {
	ID        string    `json:"id"`
	Type      string    `json:"type"`
	Name      string    `json:"name"`
	Server    string    `json:"server,omitempty"`
	Limits    string    `json:"limits,omitempty"`
	Redirects bool      `json:"redirects"`
	Callback  string    `json:"callback,omitempty"`
	Since     time.Time `json:"since,omitzero"`
	Broken    string    `json:"broken,omitempty"`
}

func providerOf(s *identity.Stored) provider {
	out := provider{ID: s.ID, Type: s.Type, Name: s.Name, Server: s.Server(), Limits: s.Limits(), Redirects: s.Redirects(), Callback: s.Callback(), Since: s.Since}
	if s.Broken != nil {
		out.Broken = s.Broken.Error()
	}
	return out
}

// complete offers the IDs of providers.
func complete(b *plugin.Base) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), 3*time.Second)
		defer cancel()
		c, err := b.Connect(ctx, b.ErrOut)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		all, err := (&identity.Store{Cluster: c}).List(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var ids []string
		for i := range all {
			ids = append(ids, all[i].ID)
		}
		return ids, cobra.ShellCompDirectiveNoFileComp
	}
}
