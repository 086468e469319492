package view

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// WayIn prints a way in as a table of one row.
func WayIn(w io.Writer, in report.WayIn) error {
	return Table(w, []string{"URL", "VIA", "ADDRESS", "USERS"},
		[][]string{{in.URL, in.Via, in.Address, strings.Join(in.Users, ",")}})
}

// usersNamed bounds a list that a person reads.
const usersNamed = 5

// Users prints who can log in, in one line.
func Users(w io.Writer, in report.WayIn) {
	if len(in.Users) == 0 {
		return
	}
	named := in.Users[:min(len(in.Users), usersNamed)]
	more := ""
	if n := len(in.Users) - len(named); n > 0 {
		more = fmt.Sprintf(" and %d more (kubectl jupyter user list)", n)
	}
	fmt.Fprintf(w, "User: %s%s\n", strings.Join(named, ", "), more)
}

// Links prints the objects on the way in, each with what it stands behind.
func Links(w io.Writer, links []report.Link, style Style) error {
	width := 0
	for _, l := range links {
		width = max(width, len(label(l)))
	}
	var b strings.Builder
	for _, l := range links {
		mark := map[report.State]string{report.Ready: "ok", report.Unknown: "?"}[l.State]
		mark = fmt.Sprintf("%-8s", cmp.Or(mark, strings.ToLower(string(l.State))))
		says := joined("; ", l.Problem, l.Says)
		line := fmt.Sprintf("%s  %s%s   %s", style.State(l.State, mark), label(l), strings.Repeat(" ", width-len(label(l))), says)
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func label(l report.Link) string { return strings.Repeat("  ", l.Depth) + l.Object.String() }

func joined(separator string, parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, separator)
}

// Probes prints the steps of a check. Wide adds the requests and how long they took.
func Probes(w io.Writer, probes []report.Probe, wide bool) error {
	headers := []string{"STEP", "HOP", "RESULT", "EXPECTED", "CAME", "CAUSE"}
	if wide {
		headers = append(headers, "REQUESTS", "TIME")
	}
	rows := make([][]string, 0, len(probes))
	for _, p := range probes {
		row := []string{fmt.Sprint(p.Step), p.Hop, string(p.Outcome), p.Expected, p.Came, p.Cause}
		if wide {
			row = append(row, p.Request, fmt.Sprintf("%.0fms", p.Elapsed*1000))
		}
		rows = append(rows, row)
	}
	return Table(w, headers, rows)
}
