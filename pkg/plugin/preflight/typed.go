package preflight

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
)

// typed are the command's own flags that were set, but for some, for another command that
// has them too: with a space before each, to be pasted.
func typed(cmd *cobra.Command, without ...string) string {
	var out strings.Builder
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if !f.Changed || slices.Contains(without, f.Name) {
			return
		}
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		for _, value := range values {
			switch {
			case f.Value.Type() != "bool":
				out.WriteString(" --" + f.Name + " " + plugin.Quote(value))
			case value == "true":
				out.WriteString(" --" + f.Name)
			default:
				out.WriteString(" --" + f.Name + "=" + value)
			}
		}
	})
	return out.String()
}
