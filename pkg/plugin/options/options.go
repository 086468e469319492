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
		Short:   "Print the list of flags inherited by all commands",
		Long: `Print the list of flags inherited by all commands. They are those of kubectl, and select
the cluster, the user and the timeout of requests.`,
		Example: plugin.Examples(`
			# Print flags inherited by all commands
			kubectl jupyter options

			# Use another context of the kubeconfig
			kubectl jupyter status --context minikube

			# Impersonate another user
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
