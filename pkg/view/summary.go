package view

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// Result is what an installation has to say at its end.
type Result struct {
	report.Report
	// User who can log in.
	User string `json:"user,omitempty"`
	// Password is set only in the run that generated it.
	Password string `json:"password,omitempty"`
	// Flags are those that reach the cluster, with a space before each.
	Flags         string `json:"-"`
	SecureCookies bool   `json:"-"`
}

// gatewayComponents have to be there before anybody can log in.
var gatewayComponents = []string{"istio", "dex", "oauth2-proxy", "jupyter-web-app"}

// Summary prints what is ready, who can log in, and how to go on.
func Summary(w io.Writer, r Result, style Style) {
	counts := Counts(r.Components)
	objects := 0
	installed, unready := 0, 0
	state := map[string]report.State{}
	for _, c := range r.Components {
		state[c.Name] = c.State
		switch c.State {
		case report.Removed:
			continue // only there to count what was pruned
		case report.Ready:
		default:
			unready++
		}
		installed++
	}
	// What controllers made is ready too, but it is not what was installed.
	for _, a := range []report.Action{report.Created, report.Configured, report.Replaced, report.Unchanged} {
		objects += counts[a]
	}
	elapsed := Elapsed(time.Duration(r.Elapsed * float64(time.Second)))
	changed := counts[report.Created] + counts[report.Configured] + counts[report.Replaced] + counts[report.Pruned]
	fmt.Fprintln(w)
	switch {
	case changed == 0 && unready == 0:
		fmt.Fprintf(w, "%s nothing to change. %s, %s, in %s.\n", style.State(report.Ready, "Ready:"),
			report.Count(installed, "component"), report.Count(objects, "object"), elapsed)
	case unready == 0:
		fmt.Fprintf(w, "%s %s, %s, in %s (%s).\n", style.State(report.Ready, "Ready:"),
			report.Count(installed, "component"), report.Count(objects, "object"), elapsed, CountsText(counts))
	default:
		fmt.Fprintf(w, "%s %s, %s, in %s (%s). Did not wait for readiness. To wait:\n  kubectl jupyter status --wait%s\n", style.State(report.Accepted, "Accepted:"),
			report.Count(installed, "component"), report.Count(objects, "object"), elapsed, CountsText(counts), r.Flags)
	}
	if r.User != "" && state["dex"] != "" {
		fmt.Fprintf(w, "\nUser:      %s\n", style.Bold(r.User))
		if r.Password != "" {
			fmt.Fprintf(w, "Password:  %s\n           Shown only once: the cluster keeps a hash.\n", style.Bold(r.Password))
		}
	}
	for _, name := range gatewayComponents {
		if state[name] == "" {
			return
		}
	}
	if r.WayIn != nil && r.WayIn.URL != "" {
		fmt.Fprintf(w, "URL:       %s\n", style.Bold(r.WayIn.URL))
	} else {
		fmt.Fprintf(w, `
Next steps:
  kubectl jupyter expose%[1]s          assign an address to the gateway
  kubectl jupyter port-forward%[1]s    access it from this machine, without an address
`, r.Flags)
	}
	if !r.SecureCookies {
		fmt.Fprintln(w, "\nThe gateway serves plain HTTP, so cookies are not marked Secure: anyone on the network path can read passwords and sessions.\nport-forward is encrypted; for HTTPS run `kubectl jupyter expose --tls self-signed`.")
	}
}

// Counts adds up what happened to the objects of all components.
func Counts(rows []report.Component) map[report.Action]int {
	counts := map[report.Action]int{}
	for _, c := range rows {
		for action, n := range c.Changes {
			counts[action] += n
		}
	}
	return counts
}

// CountsText is "178 created, 3 unchanged".
func CountsText(counts map[report.Action]int) string {
	var parts []string
	for _, a := range []report.Action{report.Created, report.Configured, report.Replaced, report.Pruned, report.Deleted, report.Unchanged, report.Kept} {
		if n := counts[a]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, a))
		}
	}
	if len(parts) == 0 {
		return "nothing changed"
	}
	return strings.Join(parts, ", ")
}
