package user

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/users"
)

// UserRemoveFlags are what was typed.
type UserRemoveFlags struct {
	changeFlags
	deleteNamespace bool
	yes             bool
}

// UserRemoveOptions are what is meant.
type UserRemoveOptions struct {
	base            *plugin.Base
	Email           string
	DeleteNamespace bool
	Yes             bool
	Kustomization   string
	Timeout         time.Duration
}

func newUserRemoveCommand(b *plugin.Base) *cobra.Command {
	f := &UserRemoveFlags{}
	cmd := &cobra.Command{
		Use:   "remove EMAIL",
		Short: "Take a person's password away; notebooks and volumes stay",
		Long: `Take a person's password away, so that nobody signs in with it any more.

The Profile, its namespace, and in it the notebooks and volumes stay, unless
--delete-namespace is given. Then what would be lost is named first.

A session that is open goes on until its cookie ends, 24 hours after the login.`,
		Example: plugin.Examples(`
			# No more logins; everything else stays
			kubectl jupyter user remove ada@example.com

			# With the namespace, its notebooks and its volumes, after a question
			kubectl jupyter user remove ada@example.com --delete-namespace

			# Without the question
			kubectl jupyter user remove ada@example.com --delete-namespace --yes`),
		Args: oneEmail,
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.ToOptions(b, args[0])
			return plugin.Run(cmd, o, err)
		},
		ValidArgsFunction: b.CompleteUsers,
	}
	fs := cmd.Flags()
	fs.BoolVar(&f.deleteNamespace, "delete-namespace", false, "Delete the Profile too, and with it the namespace, every notebook and every volume in it")
	fs.BoolVarP(&f.yes, "yes", "y", false, "Do not ask")
	f.addKustomize(cmd)
	f.addTimeout(cmd, "until the namespace is gone")
	return cmd
}

// ToOptions checks what was typed.
func (f *UserRemoveFlags) ToOptions(b *plugin.Base, email string) (*UserRemoveOptions, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	return &UserRemoveOptions{base: b, Email: email, DeleteNamespace: f.deleteNamespace, Yes: f.yes, Kustomization: f.kustomization, Timeout: f.timeout}, nil
}

// Run removes.
func (o *UserRemoveOptions) Run(ctx context.Context) error {
	p, err := o.base.People(ctx, o.Timeout)
	if err != nil {
		return err
	}
	if err := p.ToChange(); err != nil {
		return err
	}
	user, err := p.Find(ctx, o.Email)
	if err != nil {
		return err
	}
	switch {
	case user == nil || !user.Password && !o.DeleteNamespace && !user.First:
		return fmt.Errorf("nobody signs in as %s in %s: `kubectl jupyter user list` shows who does", o.Email, p.Cluster.Where())
	case p.First.Is(o.Email):
		return o.lockFirst(ctx, p, user)
	case o.DeleteNamespace && user.Profile == "":
		return fmt.Errorf("--delete-namespace: %s has no Profile, and no namespace: leave the flag out", o.Email)
	}
	w := o.base.ErrOut
	profile := ""
	if o.DeleteNamespace {
		profile = user.Profile
		lost, err := p.Belongings(ctx, profile)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "This deletes from %s the namespace %s of %s, with everything in it:\n", p.Cluster.Where(), profile, o.Email)
		fmt.Fprintf(w, "  notebooks: %s\n  volumes:   %s\n", plugin.List(lost.Notebooks), plugin.List(lost.Volumes))
		if !o.Yes {
			if err := o.base.Confirm(ctx, "--yes to delete it"); err != nil {
				return err
			}
		}
	} else {
		fmt.Fprintf(w, "Taking the password of %s away in %s.\n", o.Email, p.Cluster.Where())
	}
	ctx, cancel := rollout.Bounded(ctx, o.Timeout)
	defer cancel()
	if err := p.Remove(ctx, o.Email, profile); err != nil {
		return err
	}
	if profile != "" {
		if err := p.AwaitGone(ctx, profile); err != nil {
			return fmt.Errorf("%s cannot sign in any more, but %w", o.Email, err)
		}
	}
	if _, err := fmt.Fprintf(o.base.Out, "%s removed\n", o.Email); err != nil {
		return err
	}
	o.after(user.Profile, profile != "")
	return nil
}

// after says what is left.
func (o *UserRemoveOptions) after(profile string, deleted bool) {
	w := o.base.ErrOut
	if profile != "" && !deleted {
		fmt.Fprintf(w, "Kept: namespace %s with its notebooks and volumes; `kubectl jupyter user add %s` gives the way back in.\n", profile, o.Email)
	}
	fmt.Fprintln(w, "A session that is open goes on until its cookie ends, at most 24 hours after the login.")
}

// lockFirst takes the first user's password away. The installation names that person, and
// so would every later run: the namespace has to stay.
func (o *UserRemoveOptions) lockFirst(ctx context.Context, p *users.Installation, user *users.User) error {
	if o.DeleteNamespace {
		return fmt.Errorf("--delete-namespace: %s is the first user, whose namespace the next install would make again: leave the flag out to take the password away", o.Email)
	}
	if p.First.Locked {
		return fmt.Errorf("nobody signs in as %s: the password was taken away already", o.Email)
	}
	fmt.Fprintf(o.base.ErrOut, "Taking the password of %s away in %s.\n", o.Email, p.Cluster.Where())
	ctx, cancel := rollout.Bounded(ctx, o.Timeout)
	defer cancel()
	nobodyKnows := users.GeneratePassword()
	engine, done := o.base.Engine(p.Cluster, rollout.Options{Timeout: o.Timeout})
	err := p.ReplaceFirst(ctx, engine, o.Kustomization, nobodyKnows, true, func() error { return nil })
	done()
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(o.base.Out, "%s removed\n", o.Email); err != nil {
		return err
	}
	if user.Profile != "" {
		fmt.Fprintf(o.base.ErrOut, "Kept: namespace %s with its notebooks and volumes; `kubectl jupyter user set-password %s` gives the way back in.\n", user.Profile, o.Email)
	}
	fmt.Fprintln(o.base.ErrOut, "A session that is open goes on until its cookie ends, at most 24 hours after the login.")
	return nil
}
