package user

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/people"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// UserSetPasswordFlags are what was typed.
type UserSetPasswordFlags struct{ changeFlags }

// UserSetPasswordOptions are what is meant.
type UserSetPasswordOptions struct {
	base          *plugin.Base
	Email         string
	PasswordStdin bool
	Kustomization string
	Timeout       time.Duration
	Format        string
}

func newUserSetPasswordCommand(b *plugin.Base) *cobra.Command {
	f := &UserSetPasswordFlags{}
	cmd := &cobra.Command{
		Use:   "set-password EMAIL",
		Short: "Set a new password for a user",
		Long: `Set a new password for a user, and verify that Dex accepts it.

Dex reads passwords at every login, so nothing is restarted. The exception is the first
user, who is part of the installation: that password is in a Secret that Dex reads when
its pod starts. The pod is replaced, without downtime.

Open sessions remain valid until their cookie expires, 24 hours after the login.`,
		Example: plugin.Examples(`
			# Set a generated password, which is printed once
			kubectl jupyter user set-password ada@example.com

			# Enter the password at a prompt, without echo
			kubectl jupyter user set-password ada@example.com --password-stdin

			# Read the password from a file
			kubectl jupyter user set-password ada@example.com --password-stdin < password.txt`),
		Args: oneEmail,
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.ToOptions(b, args[0])
			return plugin.Run(cmd, o, err)
		},
		ValidArgsFunction: people.Complete(b),
	}
	f.addPassword(cmd)
	f.addKustomize(cmd)
	f.addTimeout(cmd, "for Dex")
	return cmd
}

// ToOptions checks what was typed.
func (f *UserSetPasswordFlags) ToOptions(b *plugin.Base, email string) (*UserSetPasswordOptions, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	return &UserSetPasswordOptions{
		base: b, Email: email, PasswordStdin: f.passwordStdin, Kustomization: f.kustomization, Timeout: f.timeout, Format: f.output,
	}, nil
}

// Run sets the password.
func (o *UserSetPasswordOptions) Run(ctx context.Context) error {
	p, err := toChange(ctx, o.base, o.Timeout)
	if err != nil {
		return err
	}
	first := p.First.Is(o.Email)
	if !first {
		if has, err := p.HasPassword(ctx, o.Email); err != nil {
			return err
		} else if !has {
			return fmt.Errorf("%s has no password: run `kubectl jupyter user add %s` to add the user with a password and a namespace", o.Email, o.Email)
		}
	}
	password, generated, err := newPassword(ctx, o.base, o.PasswordStdin, o.Email)
	if err != nil {
		return err
	}
	ctx, cancel := rollout.Bounded(ctx, o.Timeout)
	defer cancel()
	fmt.Fprintf(o.base.ErrOut, "Changing the password of %s in %s.\n", o.Email, p.Cluster.Where())
	changed := changedPerson{Email: o.Email}
	if generated {
		changed.Password = string(password)
	}
	show := func() error { return printPerson(o.base, o.Format, changed, "has a new password") }
	if first {
		engine, done := o.base.Engine(p.Cluster, rollout.Options{Timeout: o.Timeout})
		err = p.ReplaceFirst(ctx, engine, o.Kustomization, password, false, show)
		done()
	} else if err = p.SetPassword(ctx, o.Email, password); err == nil {
		err = show()
	}
	if err != nil {
		return err
	}
	return verified(ctx, o.base, p, o.Email, password)
}
