package install

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// describe says in words what an upgrade will do. What it stops or deletes is named object by
// object, the rest is counted: --diff shows all of it.
func describe(w io.Writer, p *rollout.Preview, s rollout.Settings, restart string) {
	fmt.Fprintln(w, "New versions:")
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, v := range p.Versions {
		from := v.From
		if from == "" {
			from = "new"
		}
		fmt.Fprintf(table, "  %s\t%s\t-> %s\n", v.Title, from, v.To)
	}
	table.Flush()
	named := func(title string, refs []report.Ref) {
		if len(refs) == 0 {
			return
		}
		fmt.Fprintf(w, "%s:\n", title)
		for _, r := range refs {
			fmt.Fprintf(w, "  %s\n", r)
		}
	}
	counted := func(title string, refs []report.Ref) {
		if len(refs) > 0 {
			fmt.Fprintf(w, "%s: %s.\n", title, report.Kinds(refs))
		}
	}
	named("Restarted (the previous pods serve until the new ones are ready)", p.Restarted)
	named("Replaced, since a field of it cannot be changed (the pods of a Deployment serve until the new ones are ready)", p.Replaced)
	named(fmt.Sprintf("Deleted, since release %s does not have it", p.To), p.Deleted)
	counted("Created", p.Created)
	counted("Changed", p.Configured)
	if p.Unchanged > 0 {
		fmt.Fprintf(w, "Not changed: %s.\n", report.Count(p.Unchanged, "object"))
	}
	counted("Added last, since it restricts what pods may do or who reaches them", p.Restricting)
	if len(p.Without) > 0 {
		fmt.Fprintf(w, "Not installed, as before: %s.\n", strings.Join(p.Without, ", "))
	}
	fmt.Fprintf(w, "Kept: %s.\n", strings.Join(append(kept(p.Kept), settings(s)...), "; "))
	fmt.Fprintln(w, "Open connections through the gateway end when its pod is replaced. Sessions continue.")
	switch restart {
	case restartAll:
		fmt.Fprintln(w, "Afterwards, running notebooks with sidecars of another version are restarted; what they have only in memory is lost.")
	case restartIdle:
		fmt.Fprintln(w, "Afterwards, running notebooks with sidecars of another version in which nothing runs are restarted; what they have only in memory is lost.")
	default:
		fmt.Fprintln(w, "Running notebooks keep running.")
	}
	fmt.Fprintln(w)
}

// kept says what of people's stays. A kind that could not be counted is named all the same.
func kept(counts map[string]int) []string {
	count := func(kind, one, many string) string {
		n, known := counts[kind]
		switch {
		case !known:
			return many
		case n == 1:
			return "1 " + one
		}
		return fmt.Sprintf("%d %s", n, many)
	}
	return []string{
		count("Profile", "Profile with its namespace, contributors and quota", "Profiles with their namespaces, contributors and quotas"),
		count("Notebook", "notebook with its volumes", "notebooks with their volumes"),
		"passwords and sessions",
		"the gateway's address and certificate",
	}
}

// settings are the choices of the last run, as flags where they are flags.
func settings(s rollout.Settings) []string {
	flags := []string{"--profile " + s.Profile}
	if s.Registry != "" {
		flags = append(flags, "--registry "+s.Registry)
	}
	if s.PullSecret != "" {
		flags = append(flags, "--image-pull-secret "+s.PullSecret)
	}
	if s.Network.Domain != "" {
		flags = append(flags, "--cluster-domain "+s.Network.Domain)
	}
	var images []string
	for name, ref := range s.Images {
		images = append(images, "--image "+name+"="+ref)
	}
	slices.Sort(images)
	flags = append(flags, images...)
	if len(s.UseExisting) > 0 {
		flags = append(flags, "--use-existing "+strings.Join(s.UseExisting, ","))
	}
	if s.Culling != "" {
		flags = append(flags, "--cull-idle "+string(s.Culling))
	}
	if s.SelfService.On {
		flags = append(flags, "--self-service")
	}
	if s.Kustomization != "" {
		flags = append(flags, "-k "+s.Kustomization)
	}
	return []string{"the options " + strings.Join(flags, " ")}
}
