// Package people is what commands share that are about users.
package people

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/users"
)

// Open connects and finds out who the first user is, within the time that the command
// has for whatever it waits for.
func Open(ctx context.Context, b *plugin.Base, timeout time.Duration) (*users.Installation, error) {
	ctx, cancel := rollout.Bounded(ctx, timeout)
	defer cancel()
	c, err := b.Connect(ctx, b.ErrOut)
	if err != nil {
		return nil, err
	}
	return users.Open(ctx, c)
}

// WarnUnenforced says where an isolated namespace is not, or may not be, since the
// cluster's network does not do what policies say.
func WarnUnenforced(ctx context.Context, b *plugin.Base, c *cluster.Cluster) {
	e, by, err := users.EnforcementOf(ctx, c)
	if w := users.EnforcementWarning(e, by); err == nil && w != "" {
		fmt.Fprintf(b.ErrOut, "warning: %s\n", w)
	}
}

// completionTime is how long somebody waits for a completion.
const completionTime = 3 * time.Second

// Complete offers the addresses that the cluster knows.
func Complete(b *plugin.Base) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
		defer cancel()
		p, err := Open(ctx, b, 0)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		all, err := p.List(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var emails []string
		for _, u := range all {
			emails = append(emails, u.Email)
		}
		return emails, cobra.ShellCompDirectiveNoFileComp
	}
}
