package options

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
)

func New(b *plugin.Base) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "options",
		GroupID: plugin.GroupOther,
		Short:   "Print the flags that every command takes",
		Long: `Print the flags that every command takes: kubectl's own, which choose the cluster,
the user and the time a request may take.`,
		Example: plugin.Examples(`
			# Which flags choose the cluster and the user?
			kubectl jupyter options

			# Such as another context of the kubeconfig
			kubectl jupyter status --context minikube

			# Or somebody else's eyes
			kubectl jupyter top --as ada@example.com`),
		Args:                  plugin.NoArgs,
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(b.Out, "The following flags can be passed to any command:\n\n%s", cmd.InheritedFlags().FlagUsages())
			return err
		},
	}
	return cmd
}
