package user

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/people"
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
		Short: "Remove the password of a user; notebooks and volumes are kept",
		Long: `Remove the password of a user, who can then no longer log in.

The Profile, its namespace, and the notebooks and volumes in it are kept, and listed, unless
--delete-namespace is set. With it, the objects that would be deleted are listed first.

Open sessions remain valid until their cookie expires, 24 hours after the login.`,
		Example: plugin.Examples(`
			# Prevent new logins, and keep everything else
			kubectl jupyter user remove ada@example.com

			# Also delete the namespace, its notebooks and its volumes, after a confirmation
			kubectl jupyter user remove ada@example.com --delete-namespace

			# The same, without the prompt for confirmation
			kubectl jupyter user remove ada@example.com --delete-namespace --yes`),
		Args: oneEmail,
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.ToOptions(b, args[0])
			return plugin.Run(cmd, o, err)
		},
		ValidArgsFunction: people.Complete(b),
	}
	fs := cmd.Flags()
	fs.BoolVar(&f.deleteNamespace, "delete-namespace", false, "If true, also delete the Profile and its namespace, with all notebooks and volumes in it")
	fs.BoolVarP(&f.yes, "yes", "y", false, "If true, do not prompt for confirmation")
	f.addKustomize(cmd)
	f.addTimeout(cmd, "until the namespace is deleted")
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
	p, err := toChange(ctx, o.base, o.Timeout)
	if err != nil {
		return err
	}
	user, err := p.Find(ctx, o.Email)
	if err != nil {
		return err
	}
	switch {
	case user == nil || !user.Password && !o.DeleteNamespace && !user.First:
		return fmt.Errorf("there is no user %s with a password in %s: run `kubectl jupyter user list` to list the users", o.Email, p.Cluster.Where())
	case p.First.Is(o.Email):
		return o.lockFirst(ctx, p, user)
	case o.DeleteNamespace && user.Profile == "":
		return fmt.Errorf("--delete-namespace: %s has no Profile and no namespace: omit the flag", o.Email)
	}
	w := o.base.ErrOut
	profile := ""
	if o.DeleteNamespace {
		profile = user.Profile
		lost, err := p.Belongings(ctx, profile)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "The namespace %s of %s will be deleted from %s, with everything in it:\n", profile, o.Email, p.Cluster.Where())
		fmt.Fprintf(w, "  notebooks: %s\n  volumes:   %s\n", plugin.List(lost.Notebooks), plugin.List(lost.Volumes))
		if !o.Yes {
			if err := o.base.Confirm(ctx, "--yes to delete it"); err != nil {
				return err
			}
		}
	} else {
		fmt.Fprintf(w, "Removing the password of %s from %s.\n", o.Email, p.Cluster.Where())
	}
	ctx, cancel := rollout.Bounded(ctx, o.Timeout)
	defer cancel()
	if err := p.Remove(ctx, o.Email, profile); err != nil {
		return err
	}
	if profile != "" {
		if err := p.AwaitGone(ctx, profile); err != nil {
			return fmt.Errorf("%s can no longer log in, but %w", o.Email, err)
		}
	}
	kept := user.Profile
	if profile != "" {
		kept = ""
	}
	return o.end(ctx, p, kept, "add")
}

// end says what is left: the namespace, if it is kept, with what is in it and whom it is
// shared with, the subcommand that restores access, and what others share with the person.
func (o *UserRemoveOptions) end(ctx context.Context, p *users.Installation, kept, restores string) error {
	if _, err := fmt.Fprintf(o.base.Out, "%s removed\n", o.Email); err != nil {
		return err
	}
	w := o.base.ErrOut
	if kept != "" {
		fmt.Fprintf(w, "Kept: namespace %s; run `kubectl jupyter user %s %s` to restore access.\n", kept, restores, o.Email)
		// The person is removed, whatever can be said of the rest.
		if there, err := p.Belongings(ctx, kept); err == nil {
			fmt.Fprintf(w, "  notebooks:   %s\n  volumes:     %s\n", plugin.List(there.Notebooks), plugin.List(there.Volumes))
		}
		if with, err := p.Contributors(ctx, kept); err == nil && len(with[kept]) > 0 {
			fmt.Fprintf(w, "  shared with: %s\n", sharedWith(with[kept]))
		}
	}
	if shared, err := p.Shared(ctx, o.Email); err == nil && len(shared) > 0 {
		fmt.Fprintf(w, "Still shared with %s: %s; `kubectl jupyter user unshare NAMESPACE %s` ends that.\n", o.Email, plugin.List(shared), o.Email)
	}
	fmt.Fprintln(w, "Open sessions remain valid until their cookie expires, at most 24 hours after the login.")
	return nil
}

// lockFirst takes the first user's password away. The installation names that person, and
// so would every later run: the namespace has to stay.
func (o *UserRemoveOptions) lockFirst(ctx context.Context, p *users.Installation, user *users.User) error {
	if o.DeleteNamespace {
		return fmt.Errorf("--delete-namespace: %s is the first user, whose namespace the next install would create again: omit the flag to remove only the password", o.Email)
	}
	if p.First.Locked {
		return fmt.Errorf("%s cannot log in: the password was already removed", o.Email)
	}
	fmt.Fprintf(o.base.ErrOut, "Removing the password of %s from %s.\n", o.Email, p.Cluster.Where())
	ctx, cancel := rollout.Bounded(ctx, o.Timeout)
	defer cancel()
	nobodyKnows := users.GeneratePassword()
	engine, done := o.base.Engine(p.Cluster, rollout.Options{Timeout: o.Timeout})
	err := p.ReplaceFirst(ctx, engine, o.Kustomization, nobodyKnows, true, func() error { return nil })
	done()
	if err != nil {
		return err
	}
	return o.end(ctx, p, user.Profile, "set-password")
}
