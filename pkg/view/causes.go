package view

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// also is how many further objects of one cause are named before the rest is counted.
const alsoNamed = 3

// Causes prints why something does not work, the worst first.
func Causes(w io.Writer, causes []report.Cause, style Style) error {
	sorted := slices.Clone(causes)
	slices.SortStableFunc(sorted, func(a, b report.Cause) int { return cmp.Compare(b.Severity, a.Severity) })
	var b strings.Builder
	for i, c := range sorted {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s: %s", style.Severity(c.Severity), style.Bold(c.Name))
		if c.Object.Kind != "" {
			fmt.Fprintf(&b, ": %s", c.Object)
		}
		if c.Component != "" {
			fmt.Fprintf(&b, " (%s)", c.Component)
		}
		fmt.Fprintf(&b, "\n  %s\n", c.Summary)
		for _, e := range c.Evidence {
			for line := range strings.Lines(strings.TrimRight(e, "\n")) {
				fmt.Fprintf(&b, "    %s\n", style.Dim("| "+strings.TrimRight(line, "\n")))
			}
		}
		if len(c.Also) > 0 {
			named := make([]string, 0, alsoNamed)
			for _, r := range c.Also[:min(len(c.Also), alsoNamed)] {
				named = append(named, r.String())
			}
			more := ""
			if n := len(c.Also) - alsoNamed; n > 0 {
				more = fmt.Sprintf(" and %d more", n)
			}
			fmt.Fprintf(&b, "  also: %s%s\n", strings.Join(named, ", "), more)
		}
		if c.Remedy != "" {
			for i, line := range strings.Split(strings.TrimRight(c.Remedy, "\n"), "\n") {
				if i == 0 {
					line = "what to do: " + line
				} else {
					line = "            " + line
				}
				fmt.Fprintf(&b, "  %s\n", line)
			}
		}
		if c.Docs != "" {
			fmt.Fprintf(&b, "  more: %s\n", style.Dim(c.Docs))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
