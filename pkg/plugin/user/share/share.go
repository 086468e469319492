// Package share is the commands that share a namespace with somebody, and take that back.
package share

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/people"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/users"
)

// timeout bounds a few requests.
const timeout = time.Minute

// UserShareOptions are what is meant.
type UserShareOptions struct {
	base      *plugin.Base
	Namespace string
	With      users.Contributor
	// Undo takes every role away.
	Undo bool
}

// NewShare is the command that shares.
func NewShare(b *plugin.Base) *cobra.Command {
	role := ""
	cmd := &cobra.Command{
		Use:   "share NAMESPACE EMAIL --role edit|view",
		Short: "Share the namespace of a user with somebody else",
		Long: `Share the namespace of a user with somebody else, who then finds it in the namespace selector of
the web app. The command creates the objects that KFAM, Kubeflow's API for contributors, would
create: a RoleBinding and an AuthorizationPolicy.

With the role edit, the person uses, creates, stops and deletes notebooks, as the owner does. With
the role view, the web app shows the notebooks and does not change them, and Jupyter servers show
files and run nothing: kernels, terminals, changes of files, VS Code and RStudio are refused. A
person has one role: another one replaces it.`,
		Example: plugin.Examples(`
			# Let somebody work in the namespace of a user
			kubectl jupyter user share kubeflow-ada-example-com bob@example.com --role edit

			# Let somebody look at it only
			kubectl jupyter user share kubeflow-ada-example-com bob@example.com --role view

			# List whom namespaces are shared with
			kubectl jupyter user list -o wide`),
		Args: namespaceAndEmail,
		RunE: func(cmd *cobra.Command, args []string) error {
			o := &UserShareOptions{base: b, Namespace: args[0], With: users.Contributor{Email: args[1], Role: users.Role(role)}}
			err := o.With.Validate()
			if role == "" {
				err = errors.New("specify --role edit or --role view")
			}
			return plugin.Run(cmd, o, err)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Flags().StringVar(&role, "role", "", "What the person may do. One of: (edit, view)")
	plugin.Complete(cmd, "role", func() []string { return []string{string(users.Edit), string(users.View)} })
	return cmd
}

// NewUnshare is the command that takes it back.
func NewUnshare(b *plugin.Base) *cobra.Command {
	return &cobra.Command{
		Use:   "unshare NAMESPACE EMAIL",
		Short: "Stop sharing the namespace of a user with somebody",
		Long: `Stop sharing the namespace of a user with somebody, whoever has shared it: the RoleBinding and the
AuthorizationPolicy are deleted.

New requests of the person are refused within seconds. A connection that is open, such as that of a
running kernel, remains open until the page is closed or the notebook restarts.`,
		Example: plugin.Examples(`
			# Stop sharing a namespace with somebody
			kubectl jupyter user unshare kubeflow-ada-example-com bob@example.com

			# Also end connections that are open, by restarting a notebook
			kubectl jupyter notebook restart lab -n kubeflow-ada-example-com

			# List whom namespaces are shared with
			kubectl jupyter user list -o wide`),
		Args: namespaceAndEmail,
		RunE: func(cmd *cobra.Command, args []string) error {
			return plugin.Run(cmd, &UserShareOptions{base: b, Namespace: args[0], With: users.Contributor{Email: args[1]}, Undo: true}, nil)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
}

// namespaceAndEmail takes the two that both commands are about.
func namespaceAndEmail(cmd *cobra.Command, args []string) error {
	if len(args) != 2 {
		return plugin.UsageError(cmd, fmt.Errorf("%s requires a namespace and an e-mail address", cmd.CommandPath()))
	}
	if strings.Contains(args[0], "@") {
		return plugin.UsageError(cmd, fmt.Errorf("%q is an e-mail address: the namespace comes first, and `kubectl jupyter user list` lists both", args[0]))
	}
	return nil
}

// Run shares, or no longer.
func (o *UserShareOptions) Run(ctx context.Context) error {
	p, err := people.Open(ctx, o.base, timeout)
	if err != nil {
		return err
	}
	ctx, cancel := rollout.Bounded(ctx, timeout)
	defer cancel()
	owner, err := p.Owner(ctx, o.Namespace)
	if err != nil {
		return err
	}
	if strings.EqualFold(owner, o.With.Email) {
		return fmt.Errorf("%s owns namespace %s", owner, o.Namespace)
	}
	fmt.Fprintf(o.base.ErrOut, "Changing namespace %s of %s in %s.\n", o.Namespace, owner, p.Cluster.Where())
	if o.Undo {
		return o.unshare(ctx, p)
	}
	sharing, err := p.Sharing(ctx)
	if err != nil {
		return err
	}
	if err := sharing.Share(ctx, o.Namespace, o.With); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(o.base.Out, "namespace %s shared with %s (%s)\n", o.Namespace, o.With.Email, o.With.Role); err != nil {
		return err
	}
	// Who comes through an identity provider is not known before the first login.
	if known, err := p.Find(ctx, o.With.Email); err == nil && known == nil {
		fmt.Fprintf(o.base.ErrOut, "%s has neither a password nor a Profile: check the address if the person does not log in through an identity provider.\n", o.With.Email)
	}
	return nil
}

func (o *UserShareOptions) unshare(ctx context.Context, p *users.Installation) error {
	taken, err := p.Unshare(ctx, o.Namespace, o.With.Email)
	if err != nil {
		return err
	}
	if len(taken) == 0 {
		return fmt.Errorf("namespace %s is not shared with %s: `kubectl jupyter user list -o wide` lists whom it is shared with", o.Namespace, o.With.Email)
	}
	_, err = fmt.Fprintf(o.base.Out, "namespace %s no longer shared with %s\n", o.Namespace, o.With.Email)
	return err
}
