package plugin

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// usageTemplate is kubectl's order: examples, commands, flags, usage. Flags that
// every command has are left to `kubectl jupyter options`.
const usageTemplate = `{{if .HasExample}}Examples:
{{.Example}}

{{end}}{{if .HasAvailableSubCommands}}{{$cmds := .Commands}}{{range $group := .Groups}}{{.Title}}{{range $cmds}}{{if and (eq .GroupID $group.ID) .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}

{{end}}{{end}}{{if and .HasParent .HasAvailableLocalFlags}}Options:
{{.LocalNonPersistentFlags.FlagUsages | trimTrailingWhitespaces}}

{{end}}Usage:
  {{if .HasAvailableSubCommands}}{{if .ValidArgsFunction}}{{.UseLine}}
  {{end}}{{.CommandPath}} COMMAND [flags]{{else}}{{.UseLine}}{{end}}

{{if .HasAvailableSubCommands}}Use "{{.CommandPath}} COMMAND --help" for more information about a given command.
{{end}}Use "{{.Root.CommandPath}} options" for a list of global command-line options (applies to all commands).
`

const helpTemplate = `{{with (or .Long .Short)}}{{. | trimTrailingWhitespaces}}

{{end}}{{.UsageString}}`

func setUsage(root *cobra.Command) {
	root.SetUsageTemplate(usageTemplate)
	root.SetHelpTemplate(helpTemplate)
	root.InitDefaultHelpCmd()
}

// Examples indents a block of examples by two columns, as help shows them.
func Examples(s string) string {
	lines := strings.Split(strings.Trim(s, "\n"), "\n")
	for i, l := range lines {
		if l = strings.TrimSpace(l); l != "" {
			l = "  " + l
		}
		lines[i] = l
	}
	return strings.Join(lines, "\n")
}

// List is a sorted enumeration for messages.
func List(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	names = slices.Clone(names)
	slices.Sort(names)
	return strings.Join(names, ", ")
}
