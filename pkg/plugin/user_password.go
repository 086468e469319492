package plugin

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/users"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// UserSetPasswordFlags are what was typed.
type UserSetPasswordFlags struct {
	passwordStdin bool
	kustomization string
	timeout       time.Duration
	output        string
}

// UserSetPasswordOptions are what is meant.
type UserSetPasswordOptions struct {
	base          *base
	Email         string
	PasswordStdin bool
	Kustomization string
	Timeout       time.Duration
	Format        string
}

func newUserSetPasswordCommand(b *base) *cobra.Command {
	f := &UserSetPasswordFlags{}
	cmd := &cobra.Command{
		Use:   "set-password EMAIL",
		Short: "Give a person another password, and see that Dex takes it",
		Long: `Give a person another password, and see that Dex takes it.

Dex reads people's passwords at every login, so that nothing is restarted. The first
user's, whom the installation names, stands in a Secret that Dex reads when its pod
starts: that pod is replaced, the new one ready before the old one goes.

Sessions that are open stay open until their cookie ends, 24 hours after the login.`,
		Example: examples(`
			# A generated password, shown once
			kubectl jupyter user set-password ada@example.com

			# Typed in, without an echo
			kubectl jupyter user set-password ada@example.com --password-stdin

			# From a file
			kubectl jupyter user set-password ada@example.com --password-stdin < password.txt`),
		Args: oneEmail,
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.ToOptions(b, args[0])
			if err != nil {
				return usageError(cmd, err)
			}
			return o.Run(cmd.Context())
		},
		ValidArgsFunction: b.completeUsers,
	}
	fs := cmd.Flags()
	fs.BoolVar(&f.passwordStdin, "password-stdin", false, "Read the password from standard input; without it one is generated")
	fs.StringVarP(&f.kustomization, "kustomize", "k", "", "`Directory` that the installation was made with; needed for the first user only")
	fs.DurationVar(&f.timeout, "timeout", defaultUserTimeout, "How long to wait for Dex; 0 for no bound")
	fs.StringVarP(&f.output, "output", "o", "", "Output format: json, yaml or jsonpath=TEMPLATE, which then holds a generated password; or name")
	complete(cmd, "output", func() []string { return []string{view.Name, view.JSON, view.YAML, view.JSONPath + "="} })
	return cmd
}

// ToOptions checks what was typed.
func (f *UserSetPasswordFlags) ToOptions(b *base, email string) (*UserSetPasswordOptions, error) {
	if err := checkTimeout(f.timeout); err != nil {
		return nil, err
	}
	if err := checkDirectory(f.kustomization); err != nil {
		return nil, err
	}
	if f.output != "" {
		if err := view.CheckOutput(f.output, view.Name); err != nil {
			return nil, err
		}
	}
	return &UserSetPasswordOptions{
		base: b, Email: email, PasswordStdin: f.passwordStdin, Kustomization: f.kustomization, Timeout: f.timeout, Format: f.output,
	}, nil
}

// Run sets the password.
func (o *UserSetPasswordOptions) Run(ctx context.Context) error {
	p, err := o.base.people(ctx, o.Timeout)
	if err != nil {
		return err
	}
	if err := p.toChange(); err != nil {
		return err
	}
	first := p.First.Is(o.Email)
	if !first {
		if has, err := p.HasPassword(ctx, o.Email); err != nil {
			return err
		} else if !has {
			return fmt.Errorf("%s cannot sign in at all: `kubectl jupyter user add %s` gives a password and a namespace", o.Email, o.Email)
		}
	}
	password, generated, err := o.base.newPassword(ctx, o.PasswordStdin, o.Email)
	if err != nil {
		return err
	}
	ctx, cancel := someTime(ctx, o.Timeout)
	defer cancel()
	fmt.Fprintf(o.base.ErrOut, "Changing the password of %s in %s.\n", o.Email, where(p.cluster))
	changed := changedPerson{Email: o.Email}
	if generated {
		changed.Password = string(password)
	}
	show := func() error { return o.base.printPerson(o.Format, changed, "has a new password") }
	if first {
		err = p.replaceFirst(ctx, o.base, o.Kustomization, o.Timeout, password, false, show)
	} else if err = p.SetPassword(ctx, o.Email, password); err == nil {
		err = show()
	}
	if err != nil {
		return err
	}
	return p.verified(ctx, o.base, o.Email, password)
}

// replaceFirst changes the first user's password and has Dex read it. Written is called
// as soon as the cluster has the new password and not the old one.
func (p *people) replaceFirst(ctx context.Context, b *base, kustomization string, timeout time.Duration, password []byte, locked bool, written func() error) error {
	part := partial{base: b, cluster: p.cluster, source: p.source, settings: *p.settings, kustomization: kustomization, timeout: timeout}
	plan, err := part.plan(ctx, passwordKeeper)
	if err != nil {
		return err
	}
	engine, done := part.engine()
	defer done()
	if err := part.allowed(ctx, engine, plan); err != nil {
		return err
	}
	// What would keep Dex from being changed is found before the password is.
	if _, err := survey(ctx, engine, plan); err != nil {
		return err
	}
	hash, err := users.Hash(password)
	if err != nil {
		return err
	}
	if err := engine.ReplacePassword(ctx, plan, hash, locked); err != nil {
		return err
	}
	if err := written(); err != nil {
		return err
	}
	// The survey has marked the plan's objects with what it found: a fresh one is rendered.
	if plan, err = part.plan(ctx, passwordKeeper); err != nil {
		return err
	}
	_, err = part.apply(ctx, engine, plan)
	return err
}
