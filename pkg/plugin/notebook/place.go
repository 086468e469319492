package notebook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
)

// Place is where a verb works: a namespace of a cluster.
type Place struct {
	*cluster.Cluster
	Namespace string
}

// Find connects and chooses the namespace: that of -n, that of the kubeconfig's context
// where it belongs to a Profile, or the only one that the user may use.
func Find(ctx context.Context, b *plugin.Base) (*Place, error) { return FindFor(ctx, b, b.ErrOut) }

// FindFor is Find for a verb that writes warnings of the API server to w; nil drops them.
func FindFor(ctx context.Context, b *plugin.Base, w io.Writer) (*Place, error) {
	c, err := b.Connect(ctx, w)
	if err != nil {
		return nil, err
	}
	namespace, err := namespaceOf(ctx, b, c)
	if err != nil {
		return nil, err
	}
	return &Place{Cluster: c, Namespace: namespace}, nil
}

// namespaceOf is the one that a verb works in.
func namespaceOf(ctx context.Context, b *plugin.Base, c *cluster.Cluster) (string, error) {
	current, _, err := b.Config.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return "", fmt.Errorf("kubeconfig: %w", err)
	}
	return notebooks.Namespace(ctx, c, *b.Config.Namespace, current)
}

// FindAll is Find for a verb that can also work in all namespaces: then that of the place is
// empty. It takes no longer than timeout, unless that is 0.
func FindAll(ctx context.Context, b *plugin.Base, timeout time.Duration, all bool) (*Place, error) {
	ctx, cancel := plugin.Within(ctx, timeout)
	defer cancel()
	if !all {
		return Find(ctx, b)
	}
	c, err := b.Connect(ctx, b.ErrOut)
	return &Place{Cluster: c}, err
}

// String is how messages name it.
func (p *Place) String() string { return fmt.Sprintf("namespace %s of %s", p.Namespace, p.Where()) }

// OneName takes the name of one notebook.
func OneName(cmd *cobra.Command, args []string) error {
	switch len(args) {
	case 1:
		return Names(cmd, args)
	case 0:
		return plugin.UsageError(cmd, fmt.Errorf("%s requires the name of a notebook", cmd.CommandPath()))
	}
	return plugin.UsageError(cmd, fmt.Errorf("%s takes the name of one notebook, but also got %q", cmd.CommandPath(), args[1]))
}

// Names takes the names of one notebook or more, each once.
func Names(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return plugin.UsageError(cmd, fmt.Errorf("%s requires the name of a notebook, or several", cmd.CommandPath()))
	}
	seen := map[string]bool{}
	for _, name := range args {
		if name == "" || strings.Contains(name, "/") {
			return plugin.UsageError(cmd, fmt.Errorf("%q is not the name of a notebook: specify the namespace with -n", name))
		}
		if seen[name] {
			return plugin.UsageError(cmd, fmt.Errorf("%q is specified twice", name))
		}
		seen[name] = true
	}
	return nil
}

// completionTime is how long somebody waits for a completion.
const completionTime = 3 * time.Second

// CompleteNames offers the notebooks of the namespace that the verb would work in, up to
// as many as it takes; 0 is any number.
func CompleteNames(b *plugin.Base, most int) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		ctx := cmd.Context()
		if ctx == nil || most > 0 && len(args) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(ctx, completionTime)
		defer cancel()
		place, err := Find(ctx, b)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		all, err := notebooks.Names(ctx, place.Cluster, place.Namespace)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return plugin.Without(all, args), cobra.ShellCompDirectiveNoFileComp
	}
}

// Each does something to several notebooks, one after the other. One that fails does not
// keep the others from their turn.
func Each(all []*notebooks.Notebook, do func(*notebooks.Notebook) error) error {
	var failed []error
	for _, n := range all {
		if err := do(n); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}
