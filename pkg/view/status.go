package view

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// forbidden is the name of the cause that a row shows in lower case: it is no fault of
// the component.
const forbidden = "Forbidden"

// Status prints the state of a stack: a row for each component, every cause, the way
// in, and in the last line the verdict. Ages are counted up to now.
func Status(w io.Writer, r *report.Report, wide bool, style Style, now time.Time) error {
	var b bytes.Buffer
	b.WriteString(heading(r) + "\n\n")
	headers := []string{"NAME", "STATE", "PODS", "VERSION", "RESTARTS", "CAUSE"}
	if wide {
		headers = []string{"NAME", "STATE", "PODS", "OBJECTS", "VERSION", "OFFERED", "RESTARTS", "CAUSE", "TITLE"}
	}
	var rows [][]string
	for _, c := range r.Components {
		pods, version := "-", c.Version
		if c.Pods != nil {
			pods = fmt.Sprintf("%d/%d", c.Pods.Ready, c.Pods.Wanted)
		}
		if !wide && c.Offered != "" {
			version = offered(c)
		}
		row := []string{c.Name, string(c.State), pods, dash(version), restarts(c, now), dash(causeCell(c))}
		if wide {
			row = []string{
				c.Name, string(c.State), pods, fmt.Sprintf("%d/%d", c.Ready, c.Objects), dash(version), dash(c.Offered),
				restarts(c, now), dash(causeCell(c)), c.Title,
			}
		}
		rows = append(rows, row)
	}
	var table bytes.Buffer
	if err := Table(&table, headers, rows); err != nil {
		return err
	}
	lines := strings.SplitAfter(table.String(), "\n")
	b.WriteString(lines[0])
	for i, c := range r.Components {
		// Painted after the columns are laid out: colours have no width.
		b.WriteString(strings.Replace(lines[i+1], string(c.State), style.State(c.State, string(c.State)), 1))
	}
	for _, c := range r.Components {
		if c.Details != nil {
			b.WriteByte('\n')
			if err := details(&b, c, now); err != nil {
				return err
			}
		}
	}
	if len(r.Causes) > 0 {
		b.WriteByte('\n')
		if err := Causes(&b, r.Causes, style); err != nil {
			return err
		}
	}
	b.WriteByte('\n')
	if installed(r) {
		wayIn(&b, r.WayIn)
	}
	if r.Culling != nil {
		fmt.Fprintf(&b, "Culling:  %s\n", culling(r.Culling))
	}
	if wide && r.People != nil {
		p := r.People
		fmt.Fprintf(&b, "People:   %s, %s (%d not ready, %d stopped), %s (%d unbound)\n", report.Count(p.Profiles, "Profile"),
			report.Count(p.Notebooks, "notebook"), p.NotReady, p.Stopped, report.Count(p.Volumes, "volume claim"), p.Unbound)
	}
	for i, what := range r.NotChecked {
		fmt.Fprintf(&b, "%-13s%s\n", map[bool]string{true: "Not checked:"}[i == 0], what)
	}
	if len(r.LeftOut) > 0 {
		fmt.Fprintf(&b, "Skipped:  %s\n", strings.Join(r.LeftOut, ", "))
	}
	if r.Newer != "" {
		fmt.Fprintf(&b, "Newer:    release %s (to replace release %s with it: kubectl jupyter upgrade)\n", r.Newer, r.Release)
	}
	b.WriteString(style.State(r.State, Verdict(r)) + "\n")
	_, err := w.Write(b.Bytes())
	return err
}

func heading(r *report.Report) string {
	where := fmt.Sprintf("Cluster %q (context %q, %s)", r.Target.Cluster, r.Target.Context, r.Target.Version)
	switch {
	case r.Foreign:
		return where + ": a stack that this plugin did not install, recognized by the names of its objects"
	case r.Profile == "":
		return where
	}
	return fmt.Sprintf("%s: release %s, profile %s", where, r.Release, r.Profile)
}

// installed tells whether anything of the stack is there, as far as could be seen.
func installed(r *report.Report) bool {
	return slices.ContainsFunc(r.Components, func(c report.Component) bool { return c.State != report.Missing })
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func offered(c report.Component) string {
	if c.Version == "" {
		return "? (offered: " + c.Offered + ")"
	}
	return c.Version + " (offered: " + c.Offered + ")"
}

func causeCell(c report.Component) string {
	if c.Cause == forbidden && c.State == report.Unknown {
		return strings.ToLower(forbidden)
	}
	return c.Cause
}

// restarts is their number, and how long ago the last one was.
func restarts(c report.Component, now time.Time) string {
	switch {
	case c.Pods == nil:
		return "-"
	case c.LastRestart == nil:
		return fmt.Sprint(c.Restarts)
	}
	return fmt.Sprintf("%d (%s ago)", c.Restarts, duration.HumanDuration(now.Sub(*c.LastRestart)))
}

// details prints the pods and events of one component.
func details(w io.Writer, c report.Component, now time.Time) error {
	age := func(t time.Time) string { return duration.HumanDuration(now.Sub(t)) }
	if len(c.Details.Pods) == 0 {
		fmt.Fprintf(w, "%s has no pods.\n", c.Name)
	} else {
		var rows [][]string
		for _, p := range c.Details.Pods {
			rows = append(rows, []string{p.Namespace + "/" + p.Name, fmt.Sprintf("%d/%d", p.Ready, p.Containers), p.Status, fmt.Sprint(p.Restarts), age(p.Created), p.Node})
		}
		if err := Table(w, []string{"POD", "READY", "STATUS", "RESTARTS", "AGE", "NODE"}, rows); err != nil {
			return err
		}
	}
	if len(c.Details.Events) == 0 {
		_, err := fmt.Fprintf(w, "\n%s has no events.\n", c.Name)
		return err
	}
	var rows [][]string
	for _, e := range c.Details.Events {
		count := ""
		if e.Count > 1 {
			count = fmt.Sprintf(" (%d times)", e.Count)
		}
		rows = append(rows, []string{age(e.Time), e.Type, e.Reason, e.Object.Kind + "/" + e.Object.Name, oneLine(e.Message) + count})
	}
	fmt.Fprintln(w)
	return Table(w, []string{"EVENT", "TYPE", "REASON", "OBJECT", "MESSAGE"}, rows)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// wayIn prints how a person gets to the web app.
func wayIn(w io.Writer, in *report.WayIn) {
	switch {
	case in == nil:
		return
	case in.URL == "" && in.Via == "":
		fmt.Fprintf(w, "URL:      unknown: %s\n", in.Missing)
	case in.URL != "":
		fmt.Fprintf(w, "URL:      %s (%s, address %s, %s)\n", in.URL, in.Via, in.Address, in.Scheme)
	default:
		fmt.Fprintf(w, "URL:      none: %s\n", in.Missing)
		fmt.Fprintln(w, "          kubectl jupyter expose assigns an address; kubectl jupyter port-forward works without one")
	}
	if in.Notebooks != "" {
		fmt.Fprintf(w, "Notebooks: %s (an origin of their own)\n", in.Notebooks)
	}
	if len(in.Users) > 0 {
		fmt.Fprintf(w, "Users:    %s\n", strings.Join(in.Users, ", "))
	}
}

// culling says when notebooks are stopped, and what counts for that.
func culling(c *report.Culling) string {
	if !c.Enabled {
		return "off: no notebook is stopped because it is idle"
	}
	idle := time.Duration(c.IdleSeconds * float64(time.Second))
	return fmt.Sprintf("notebooks are stopped %s after the last activity of a kernel; terminals, VS Code and RStudio do not count", duration.HumanDuration(idle))
}

// Verdict is one line: whether the stack works, and what to look at first.
func Verdict(r *report.Report) string {
	if !installed(r) {
		return "Nothing is installed: run kubectl jupyter install."
	}
	var bad, unknown []string
	for _, c := range r.Components {
		switch c.State {
		case report.Ready:
		case report.Unknown:
			unknown = append(unknown, c.Name)
		default:
			bad = append(bad, c.Name+" "+string(c.State))
		}
	}
	total := report.Count(len(r.Components), "component")
	switch {
	case len(bad) > 0:
		verdict := fmt.Sprintf("Not ready: %d of %s: %s.", len(bad), total, strings.Join(bad, ", "))
		if len(r.Causes) > 0 && r.Causes[0].Severity >= report.Delay {
			verdict += fmt.Sprintf(" First: %s.", r.Causes[0].Name)
		} else if missing(r) {
			verdict += " kubectl jupyter install creates what is missing."
		}
		return verdict
	case r.State == report.Failed && len(r.Causes) > 0:
		return fmt.Sprintf("Not ready: %s.", r.Causes[0].Name)
	case len(unknown) > 0:
		return fmt.Sprintf("Unknown: %d of %s cannot be read or did not answer: %s.", len(unknown), total, strings.Join(unknown, ", "))
	}
	warnings := 0
	for _, c := range r.Causes {
		if c.Severity == report.Warning {
			warnings++
		}
	}
	if warnings > 0 {
		return fmt.Sprintf("Ready: %s, %s.", total, report.Count(warnings, "warning"))
	}
	return fmt.Sprintf("Ready: %s.", total)
}

// missing tells that nothing is wrong but that components are not there.
func missing(r *report.Report) bool {
	return slices.ContainsFunc(r.Components, func(c report.Component) bool { return c.State == report.Missing })
}

// StatusShort prints what fits into a report of a problem: versions, what is not
// Ready, and the names of the causes. Addresses and people are not in it.
func StatusShort(w io.Writer, r *report.Report, plugin string) error {
	var b strings.Builder
	profile := ""
	switch {
	case r.Foreign:
		profile = ", not installed by this plugin"
	case r.Profile != "":
		profile = fmt.Sprintf(", release %s, profile %s", r.Release, r.Profile)
	}
	fmt.Fprintf(&b, "kubectl-jupyter %s%s, Kubernetes %s: %s\n", plugin, profile, r.Target.Version, r.State)
	var versions []string
	for _, c := range r.Components {
		if c.Version != "" {
			versions = append(versions, c.Name+" "+c.Version)
		}
	}
	if len(versions) > 0 {
		fmt.Fprintf(&b, "versions: %s\n", strings.Join(versions, ", "))
	}
	for _, c := range r.Components {
		if c.State == report.Ready {
			continue
		}
		line := fmt.Sprintf("%s: %s", c.Name, c.State)
		if c.Pods != nil {
			line += fmt.Sprintf(" %d/%d", c.Pods.Ready, c.Pods.Wanted)
		}
		if cell := causeCell(c); cell != "" {
			line += " " + cell
		}
		b.WriteString(line + "\n")
	}
	var causes []string
	for _, c := range r.Causes {
		text := c.Severity.String() + " " + c.Name
		if c.Component != "" {
			text += " (" + c.Component + ")"
		}
		if !slices.Contains(causes, text) {
			causes = append(causes, text)
		}
	}
	if len(causes) > 0 {
		fmt.Fprintf(&b, "causes: %s\n", strings.Join(causes, ", "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
