// Package volume is `notebook volume` and its subcommands.
package volume

import (
	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/notebook"
)

// New is `notebook volume`.
func New(b *plugin.Base) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "volume",
		Aliases: []string{"volumes"},
		GroupID: notebook.GroupManage,
		Short:   "List volumes with what uses them, and delete those that nothing uses",
		Long: `List volumes with their owners, what uses them, since when nothing does, and how full they
are; and delete those that nothing uses.

A volume is a PersistentVolumeClaim. It stays when the notebook that it was created with is
deleted.`,
		Example: plugin.Examples(`
			# List the volumes of your namespace
			kubectl jupyter notebook volume list

			# List the volumes of all namespaces that nothing has used for 90 days
			kubectl jupyter notebook volume list -A --unused 90d

			# Delete a volume after a confirmation
			kubectl jupyter notebook volume delete old-workspace`),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return plugin.UnknownCommand(cmd, args[0])
		},
	}
	cmd.AddCommand(newListCommand(b), newDeleteCommand(b))
	return cmd
}
