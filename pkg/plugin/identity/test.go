package identity

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/identity"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// testFlags are what was typed.
type testFlags struct {
	try     string
	timeout time.Duration
	output  string
}

// testOptions are what is meant.
type testOptions struct {
	base    *plugin.Base
	ID      string
	Try     string
	Timeout time.Duration
	Format  string
}

func newTestCommand(b *plugin.Base) *cobra.Command {
	f := &testFlags{}
	cmd := &cobra.Command{
		Use:   "test ID",
		Short: "Check an identity provider, from this machine and from inside the cluster",
		Long: `Check an identity provider with the settings that it was added with. Nothing is changed.

It is asked twice. From this machine, or through the API server if it is a Service of the
cluster: a directory with a bind and a search; other providers for their discovery
document, its issuer, scopes and clock, and for their answer to the client's request. By
Dex, from inside the cluster: what counts at a login.

--try shows the e-mail address and the groups of somebody in a directory, and which Profile
the address opens.

Exit codes:
  0  the provider works
  1  it does not; the cause says why
  2  the result could not be determined`,
		Example: plugin.Examples(`
			# Check the provider with the ID ldap
			kubectl jupyter identity test ldap

			# Show what a login of one person would bring
			kubectl jupyter identity test ldap --try ada@example.com

			# Print the groups of a person, for use by programs
			kubectl jupyter identity test ldap --try ada -o 'jsonpath={.findings[0].claims.groups}'`),
		Args: oneID,
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.ToOptions(b, args[0])
			return plugin.Run(cmd, o, err)
		},
		ValidArgsFunction: complete(b),
	}
	fs := cmd.Flags()
	fs.StringVar(&f.try, "try", "", "`Login` of somebody to look for in the directory, as they would type it into the login form")
	fs.DurationVar(&f.timeout, "timeout", defaultTimeout, "The length of time to wait before giving up on the run; 0 means no timeout")
	fs.StringVarP(&f.output, "output", "o", "", "Output format. One of: (wide, json, yaml, jsonpath=TEMPLATE)")
	plugin.Complete(cmd, "output", func() []string { return []string{view.FormatWide, view.JSON, view.YAML, view.JSONPath + "="} })
	return cmd
}

// ToOptions checks what was typed.
func (f *testFlags) ToOptions(b *plugin.Base, id string) (*testOptions, error) {
	if err := plugin.CheckTimeout(f.timeout); err != nil {
		return nil, err
	}
	if f.output != "" {
		if err := view.CheckOutput(f.output, view.FormatWide); err != nil {
			return nil, err
		}
	}
	return &testOptions{base: b, ID: id, Try: f.try, Timeout: f.timeout, Format: f.output}, nil
}

// tested is the machine-readable form.
type tested struct {
	APIVersion string               `json:"apiVersion"`
	Kind       string               `json:"kind"`
	Target     report.Target        `json:"target"`
	Provider   provider             `json:"provider"`
	Findings   []*identity.Findings `json:"findings"`
}

// Run asks the provider from here, and has Dex ask it.
func (o *testOptions) Run(ctx context.Context) error {
	p, store, err := open(ctx, o.base, o.Timeout)
	if err != nil {
		return plugin.Unclear(err)
	}
	ctx, cancel := plugin.Within(ctx, o.Timeout)
	defer cancel()
	stored, err := store.Get(ctx, o.ID)
	if errors.Is(err, identity.ErrMissing) {
		return err
	} else if err != nil {
		return plugin.Unclear(err)
	}
	if stored.Broken != nil {
		return stored.Broken
	}
	profiles, err := profilesOf(ctx, p)
	if err != nil {
		return plugin.Unclear(err)
	}
	here, err := identity.FromHere(ctx, p.Cluster, &stored.Connector).Provider(ctx, &stored.Connector, o.Try, profiles)
	if err != nil {
		return err
	}
	out := tested{report.APIVersion, "IdentityTest", p.Cluster.Target, providerOf(stored), []*identity.Findings{here}}
	inside, unasked := store.ThroughDex(ctx, &stored.Connector)
	if unasked == nil {
		out.Findings = append(out.Findings, inside)
	}
	if view.IsDocument(o.Format) {
		if err := view.Document(o.base.Out, o.Format, out); err != nil {
			return err
		}
	} else {
		for _, f := range out.Findings {
			if err := found(o.base, f, o.Format == view.FormatWide); err != nil {
				return err
			}
		}
	}
	switch {
	case inside != nil && !inside.Passed(), !here.Passed() && !(here.Unreached() && inside != nil):
		return plugin.ErrSilent
	case unasked != nil:
		return plugin.Unclear(unasked)
	}
	return nil
}
