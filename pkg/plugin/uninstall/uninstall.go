package uninstall

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/version"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// UninstallFlags are what was typed.
type UninstallFlags struct {
	yes        bool
	deleteCRDs bool
	deleteData bool
	timeout    time.Duration
	wait       bool
	dryRun     string
	output     string
}

// UninstallOptions are what is meant.
type UninstallOptions struct {
	base       *plugin.Base
	Yes        bool
	DeleteCRDs bool
	DeleteData bool
	Timeout    time.Duration
	Wait       bool
	DryRun     string
	Format     string
}

func New(b *plugin.Base) *cobra.Command {
	f := &UninstallFlags{}
	cmd := &cobra.Command{
		Use:     "uninstall",
		GroupID: plugin.GroupStack,
		Short:   "Uninstall the stack; notebooks and volumes are kept",
		Long: `Uninstall the stack, in reverse order of installation.

By default, the data of users is kept (Profiles, their namespaces, notebooks and volumes),
and so are CustomResourceDefinitions, because deleting one deletes all objects of its kind.
A namespace that contains objects of another owner is also kept, and so is the key of the
mesh while notebooks run that have certificates of it.`,
		Example: plugin.Examples(`
			# Show what would be deleted and kept
			kubectl jupyter uninstall --dry-run=server

			# Uninstall the stack, and keep CustomResourceDefinitions and data of users
			kubectl jupyter uninstall

			# Delete everything, including notebooks and volumes, without a prompt
			kubectl jupyter uninstall --delete-data --delete-crds --yes`),
		Args: plugin.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := f.ToOptions(b)
			return plugin.Run(cmd, o, err)
		},
	}
	fs := cmd.Flags()
	fs.BoolVarP(&f.yes, "yes", "y", false, "If true, do not prompt for confirmation")
	fs.BoolVar(&f.deleteCRDs, "delete-crds", false, "If true, also delete the CustomResourceDefinitions, and all objects of their kinds")
	fs.BoolVar(&f.deleteData, "delete-data", false, "If true, also delete Profiles, with their namespaces, notebooks and volumes")
	fs.DurationVar(&f.timeout, "timeout", plugin.DefaultTimeout, "The length of time to wait before giving up on the run, such as 90s or 20m; 0 means no timeout")
	fs.BoolVar(&f.wait, "wait", true, "If true, wait until all objects are gone; if false, return when the API server has accepted all deletions")
	fs.StringVar(&f.dryRun, "dry-run", plugin.DryRunNone, `Must be "none", "client" or "server". If client or server, print what would be deleted and kept, without changing anything`)
	fs.StringVarP(&f.output, "output", "o", "", "Output format. One of: (json, yaml); json prints events and the report, yaml the report")
	plugin.Complete(cmd, "dry-run", func() []string { return []string{plugin.DryRunNone, plugin.DryRunClient, plugin.DryRunServer} })
	plugin.Complete(cmd, "output", func() []string { return []string{view.JSON, view.YAML} })
	return cmd
}

// ToOptions checks what was typed.
func (f *UninstallFlags) ToOptions(b *plugin.Base) (*UninstallOptions, error) {
	if err := plugin.CheckTimeout(f.timeout); err != nil {
		return nil, err
	}
	if err := plugin.CheckDryRun(f.dryRun); err != nil {
		return nil, err
	}
	if f.output != "" {
		if err := view.CheckFormat(f.output, view.JSON, view.YAML); err != nil {
			return nil, err
		}
	}
	return &UninstallOptions{
		base: b, Yes: f.yes, DeleteCRDs: f.deleteCRDs, DeleteData: f.deleteData,
		Timeout: f.timeout, Wait: f.wait, DryRun: f.dryRun, Format: f.output,
	}, nil
}

// Run uninstalls, after having asked.
func (o *UninstallOptions) Run(ctx context.Context) error {
	messages := plugin.NewMessages(o.base.ErrOut)
	c, err := o.connect(ctx, messages)
	if err != nil {
		return err
	}
	progress, machine := o.base.Progress(o.Format == view.JSON && o.DryRun == plugin.DryRunNone)
	defer progress.Close()
	engine := rollout.New(c, rollout.Options{
		Timeout: o.Timeout, Wait: o.Wait, Explain: plugin.Explain(c), Events: progress.Event, Tooling: version.Get().Tooling(),
	})
	release, err := o.installed(ctx, c)
	if err != nil {
		return err
	}
	missing, err := engine.UninstallPermissions(ctx)
	if err != nil {
		return fmt.Errorf("permissions: %w", err)
	}
	if err := rollout.Lacks(c, missing); err != nil {
		return err
	}
	removal, err := engine.PlanUninstall(ctx, release, rollout.UninstallOptions{DeleteCRDs: o.DeleteCRDs, DeleteData: o.DeleteData})
	if errors.Is(err, rollout.ErrNothingInstalled) {
		// What was asked for is so already, as with `kubectl delete --ignore-not-found`.
		fmt.Fprintf(messages, "Nothing to do: %s in %s.\n", err, c.Where())
		if machine != nil {
			machine.Document(report.Report{APIVersion: report.APIVersion, Kind: "Report", Release: release.Name, Target: c.Target})
		}
		return nil
	}
	if err != nil {
		return err
	}
	if o.DryRun != plugin.DryRunNone {
		return o.printPlan(removal)
	}
	if err := o.confirm(ctx, c, removal); err != nil {
		return err
	}
	messages.To(progress)
	out, failed := engine.Uninstall(ctx, release, removal)
	if out != nil {
		for _, c := range out.Components {
			progress.Event(report.Event{Time: time.Now(), Kind: report.EventComponent, Component: c.Name, State: c.State, Done: c.Objects, Total: c.Objects})
		}
		progress.Event(report.Event{Time: time.Now(), Kind: report.EventDone})
	}
	progress.Close()
	messages.To(o.base.ErrOut)
	return errors.Join(failed, o.end(out, removal, machine, failed))
}

// installed is what has to be removed.
func (o *UninstallOptions) installed(ctx context.Context, c *cluster.Cluster) (*components.Release, error) {
	source, settings, err := o.base.Installed(ctx, c)
	if err != nil {
		return nil, err
	}
	return settings.Leaving(source.Release())
}

func (o *UninstallOptions) connect(ctx context.Context, messages *plugin.Messages) (*cluster.Cluster, error) {
	ctx, cancel := plugin.Within(ctx, o.Timeout)
	defer cancel()
	return o.base.Connect(ctx, messages)
}

func (o *UninstallOptions) printPlan(r *rollout.Removal) error {
	var b strings.Builder
	for _, ref := range r.Deleted() {
		fmt.Fprintf(&b, "%s %s (dry run)\n", view.RefName(ref), report.Deleted)
	}
	for _, k := range r.Kept() {
		fmt.Fprintf(&b, "%s %s (dry run): %s\n", view.RefName(k.Ref), report.Kept, k.Why)
	}
	_, err := io.WriteString(o.base.Out, b.String())
	return err
}

// confirm names what goes, what stays and where, and asks. Without a terminal
// nobody can answer, so --yes is wanted.
func (o *UninstallOptions) confirm(ctx context.Context, c *cluster.Cluster, r *rollout.Removal) error {
	w := o.base.ErrOut
	fmt.Fprintf(w, "The following objects will be deleted from %s:\n  %s\n", c.Where(), report.Kinds(r.Deleted()))
	for _, line := range keptLines(r.Kept()) {
		fmt.Fprintf(w, "%s\n", line)
	}
	if o.DeleteData {
		fmt.Fprintln(w, "Deleting the Profiles also deletes their namespaces, with all notebooks and volumes in them.")
	}
	if o.Yes {
		return nil
	}
	return o.base.Confirm(ctx, "--yes to uninstall")
}

// namesShown is how many namespaces are named that stay for one reason.
const namesShown = 5

// namespacesIn names the namespaces among refs, as many as are shown.
func namespacesIn(refs []report.Ref) string {
	var names []string
	for _, r := range refs {
		if r.Kind == "Namespace" && r.Group == "" {
			names = append(names, r.Name)
		}
	}
	more := ""
	if n := len(names) - namesShown; n > 0 {
		names, more = names[:namesShown], fmt.Sprintf(" and %d more", n)
	}
	if len(names) == 0 {
		return ""
	}
	return ": " + plugin.List(names) + more
}

// keptLines says what stays, one line for each reason.
func keptLines(kept []rollout.Kept) []string {
	var reasons []string
	byReason := map[string][]report.Ref{}
	for _, k := range kept {
		if _, known := byReason[k.Why]; !known {
			reasons = append(reasons, k.Why)
		}
		byReason[k.Why] = append(byReason[k.Why], k.Ref)
	}
	for i, why := range reasons {
		reasons[i] = fmt.Sprintf("Kept: %s (%s)%s.", report.Kinds(byReason[why]), why, namespacesIn(byReason[why]))
	}
	return reasons
}

func (o *UninstallOptions) end(out *report.Report, r *rollout.Removal, machine *view.Events, failed error) error {
	if out == nil {
		return nil
	}
	switch {
	case machine != nil:
		machine.Document(out)
	case o.Format == view.YAML:
		data, err := yaml.Marshal(out)
		if err != nil {
			return err
		}
		_, err = o.base.Out.Write(data)
		return err
	case failed == nil:
		fmt.Fprintf(o.base.ErrOut, "\nRemoved: %s, in %s.\n", view.CountsText(view.Counts(out.Components)),
			view.Elapsed(time.Duration(out.Elapsed*float64(time.Second))))
		for _, line := range keptLines(r.Kept()) {
			fmt.Fprintln(o.base.ErrOut, line)
		}
	}
	return nil
}
