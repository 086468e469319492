package create

import (
	"context"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/form"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
)

// completionTime is how long somebody waits for a completion.
const completionTime = 3 * time.Second

// complete offers what the cluster's form has.
func (f *Flags) complete(b *plugin.Base, cmd *cobra.Command) {
	for flag, names := range map[string]func(*form.Form) []string{
		"image": func(s *form.Form) []string {
			var out []string
			for _, t := range notebooks.Types() {
				if f.kind == "" || f.kind == string(t) {
					out = append(out, s.ShortNames(t)...)
				}
			}
			return out
		},
		"toleration-group": func(s *form.Form) []string {
			return keys(s.Tolerations, func(t form.Tolerations) string { return t.Key })
		},
		"affinity": func(s *form.Form) []string { return keys(s.Affinity, func(a form.Affinity) string { return a.Key }) },
	} {
		completeFlag(cmd, flag, func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
			ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
			defer cancel()
			c, err := b.Connect(ctx, nil)
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			spawner, _, err := form.Read(ctx, c)
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return names(spawner), cobra.ShellCompDirectiveNoFileComp
		})
	}
	completeFlag(cmd, "volume", b.CompleteNames(schema.GroupVersionResource{Version: "v1", Resource: "persistentvolumeclaims"}, true))
	completeFlag(cmd, "config", b.CompleteNames(schema.GroupVersionResource{Group: "kubeflow.org", Version: "v1alpha1", Resource: "poddefaults"}, true))
}

func keys[T any](c form.Choice[T], key func(T) string) []string {
	out := []string{"none"}
	for _, o := range c.Options {
		out = append(out, key(o))
	}
	return out
}

func completeFlag(cmd *cobra.Command, flag string, f cobra.CompletionFunc) {
	// The only error is a flag that does not exist: a mistake in the program.
	if err := cmd.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic(err)
	}
}
