// Package token is the command that prints a token for programs.
package token

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/people"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// timeout bounds a login.
const timeout = time.Minute

// UserTokenOptions are what is meant.
type UserTokenOptions struct {
	base          *plugin.Base
	Email         string
	PasswordStdin bool
	Format        string
}

// New is the command.
func New(b *plugin.Base) *cobra.Command {
	o := &UserTokenOptions{base: b}
	cmd := &cobra.Command{
		Use:   "token EMAIL --password-stdin",
		Short: "Print a bearer token for programs that use the web app's API",
		Long: `Print a bearer token that the gateway accepts from programs, as "Authorization: Bearer TOKEN". The
command logs the user in at Dex with the password, as a browser would, and prints the token that the
session would contain.

Only the token is printed to standard output; until when it is valid is printed to standard error, and
with -o json it is in the output. Dex's tokens are valid for 24 hours. They cannot be revoked before:
treat a token as a password.

The command forwards a port to Dex and reads Secret auth/dex-oidc-client, so that it is for
administrators of the stack. For a program, add a user of its own, and share namespaces with it:
"kubectl jupyter user share". Users of an identity provider have no password in Dex, and so no token.`,
		Example: plugin.Examples(`
			# Print a token for a user; at a terminal, the command prompts for the password
			kubectl jupyter user token robot@example.com --password-stdin

			# List notebooks with it
			curl -H "Authorization: Bearer $(kubectl jupyter user token robot@example.com --password-stdin < password.txt)" http://192.0.2.10/jupyter/api/namespaces/lab/notebooks

			# Print it with the time until which it is valid
			kubectl jupyter user token robot@example.com --password-stdin -o json < password.txt`),
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return plugin.UsageError(cmd, fmt.Errorf("%s requires one e-mail address", cmd.CommandPath()))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Email = args[0]
			return plugin.Run(cmd, o, o.check())
		},
		ValidArgsFunction: people.Complete(b),
	}
	fs := cmd.Flags()
	fs.BoolVar(&o.PasswordStdin, "password-stdin", false, "Read the password from standard input; required, since it is never an argument")
	fs.StringVarP(&o.Format, "output", "o", "", "Output format. One of: (json, yaml, jsonpath=TEMPLATE)")
	plugin.Complete(cmd, "output", func() []string { return []string{view.JSON, view.YAML, view.JSONPath + "="} })
	return cmd
}

// check refuses what makes no sense.
func (o *UserTokenOptions) check() error {
	if !o.PasswordStdin {
		return errors.New("specify --password-stdin: the password is read from standard input, or at a prompt")
	}
	if o.Format == "" {
		return nil
	}
	return view.CheckOutput(o.Format)
}

// Run prints the token.
func (o *UserTokenOptions) Run(ctx context.Context) error {
	password, err := plugin.ReadPassword(ctx, o.base.IOStreams, o.Email)
	if err != nil {
		return err
	}
	p, err := people.Open(ctx, o.base, timeout)
	if err != nil {
		return err
	}
	if err := p.ToChange(); err != nil {
		return err
	}
	ctx, cancel := rollout.Bounded(ctx, timeout)
	defer cancel()
	token, err := p.Token(ctx, o.Email, password)
	if err != nil {
		return err
	}
	if o.Format != "" {
		return view.Document(o.base.Out, o.Format, token)
	}
	if _, err := fmt.Fprintln(o.base.Out, token.Token); err != nil {
		return err
	}
	fmt.Fprintf(o.base.ErrOut, "The token of %s for %s is valid until %s (%s).\n", token.Email, p.Cluster.Where(),
		token.Expires.Format(time.RFC3339), time.Until(token.Expires).Round(time.Minute))
	return nil
}
