package show

import (
	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// AddListOutput adds -o to a command that lists something once.
func AddListOutput(cmd *cobra.Command, to *string) {
	cmd.Flags().StringVarP(to, "output", "o", view.FormatTable, "Output format. One of: (table, wide, name, json, yaml, jsonpath=TEMPLATE)")
	plugin.Complete(cmd, "output", func() []string {
		return []string{view.FormatTable, view.FormatWide, view.Name, view.JSON, view.YAML, view.JSONPath + "="}
	})
}

// CheckListOutput refuses what AddListOutput does not offer.
func CheckListOutput(format string) error {
	return view.CheckOutput(format, view.FormatTable, view.FormatWide, view.Name)
}
