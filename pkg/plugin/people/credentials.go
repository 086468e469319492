package people

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
)

// Credentials are the flags of a user whom a command logs in.
type Credentials struct {
	// Email is empty where nobody is logged in.
	Email    string
	password bool
}

// AddFlags defines them; usage is that of --user-email.
func (c *Credentials) AddFlags(b *plugin.Base, cmd *cobra.Command, usage string) {
	fs := cmd.Flags()
	fs.StringVar(&c.Email, "user-email", "", usage+"; requires --password-stdin")
	fs.BoolVar(&c.password, "password-stdin", false, "If true, read the password of --user-email from standard input")
	if err := cmd.RegisterFlagCompletionFunc("user-email", Complete(b)); err != nil {
		panic(err) // the flag is defined above
	}
}

// Check what was typed.
func (c *Credentials) Check() error {
	if err := c.CheckLogin(); err != nil || c.Email == "" {
		return err
	}
	return components.Options{UserEmail: c.Email}.Validate()
}

// CheckLogin is Check where somebody may be known by another name than an address.
func (c *Credentials) CheckLogin() error {
	switch {
	case c.password && c.Email == "":
		return errors.New("--password-stdin requires --user-email")
	case c.Email != "" && !c.password:
		return errors.New("--user-email requires a password: use --password-stdin and pipe the password to standard input")
	}
	return nil
}

// Password reads that of the user; empty where nobody is logged in.
func (c *Credentials) Password(ctx context.Context, b *plugin.Base) (string, error) {
	if c.Email == "" {
		return "", nil
	}
	password, err := plugin.ReadPassword(ctx, b.IOStreams, c.Email)
	return string(password), err
}
