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

// UserIsolateFlags are what was typed.
type UserIsolateFlags struct {
	changeFlags
	undo bool
}

// UserIsolateOptions are what is meant.
type UserIsolateOptions struct {
	base    *plugin.Base
	Email   string
	Undo    bool
	Timeout time.Duration
}

func newUserIsolateCommand(b *plugin.Base) *cobra.Command {
	f := &UserIsolateFlags{}
	cmd := &cobra.Command{
		Use:   "isolate EMAIL",
		Short: "Isolate the namespace of a user, or undo that",
		Long: `Isolate the namespace of a user with NetworkPolicy ` + users.IsolationPolicy + `.

Its pods then reach DNS, each other and the internet, and their sidecars reach istiod. They
do not reach the pods of other namespaces, the nodes, the API server and private networks,
nor the metadata address of a cloud. The gateway and the notebook controller reach them,
and no other pod does.

The policy belongs to the Profile and is deleted with it. It has an effect only if the
network of the cluster enforces network policies; "kubectl jupyter preflight
--isolate-namespaces" shows what is known about that. Other policies of the namespace are
kept, and can allow more. Run the command again after adding nodes with public addresses.`,
		Example: plugin.Examples(`
			# Isolate the namespace of a user
			kubectl jupyter user isolate ada@example.com

			# Show which namespaces are isolated
			kubectl jupyter user list -o wide

			# Undo the isolation
			kubectl jupyter user isolate ada@example.com --undo`),
		Args: oneEmail,
		RunE: func(cmd *cobra.Command, args []string) error {
			err := f.check()
			return plugin.Run(cmd, &UserIsolateOptions{base: b, Email: args[0], Undo: f.undo, Timeout: f.timeout}, err)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Flags().BoolVar(&f.undo, "undo", false, "If true, delete the policy")
	f.addTimeout(cmd, "for the cluster")
	return cmd
}

// Run closes or opens the namespaces of the person.
func (o *UserIsolateOptions) Run(ctx context.Context) error {
	p, err := people.Open(ctx, o.base, o.Timeout)
	if err != nil {
		return err
	}
	ctx, cancel := rollout.Bounded(ctx, o.Timeout)
	defer cancel()
	person, err := p.Find(ctx, o.Email)
	switch {
	case err != nil:
		return err
	case person == nil:
		return fmt.Errorf("%s is not a user of %s: `kubectl jupyter user list` lists them", o.Email, p.Cluster.Where())
	case person.Profile == "":
		return fmt.Errorf("%s has no Profile, and so no namespace", o.Email)
	}
	fmt.Fprintf(o.base.ErrOut, "Changing namespace %s in %s.\n", person.Profile, p.Cluster.Where())
	if !o.Undo {
		if err := isolate(ctx, o.base, p, person.Profile); err != nil {
			return err
		}
		_, err = fmt.Fprintf(o.base.Out, "namespace %s isolated\n", person.Profile)
		return err
	}
	was, err := p.Unisolate(ctx, person.Profile)
	if err != nil {
		return err
	}
	said := "no longer isolated"
	if !was {
		said = "is not isolated"
	}
	_, err = fmt.Fprintf(o.base.Out, "namespace %s %s\n", person.Profile, said)
	return err
}

// isolate closes a namespace, and says what that is worth here.
func isolate(ctx context.Context, b *plugin.Base, p *users.Installation, profile string) error {
	if err := p.Isolate(ctx, profile); err != nil {
		return err
	}
	people.WarnUnenforced(ctx, b, p.Cluster)
	return nil
}
