package install

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/clones"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// UpgradeFlags are what was typed.
type UpgradeFlags struct {
	manifests     plugin.ManifestFlags
	adopt         bool
	skipPreflight bool
	yes           bool
	restart       string
	timeout       time.Duration
	dryRun        string
	diff          bool
	output        string
}

// UpgradeOptions are what is meant.
type UpgradeOptions struct {
	InstallOptions
	Yes bool
	// Restart says which notebooks get new sidecars at once: restartNever, Idle or All.
	Restart string
}

// NewUpgrade makes the command that leads from one release to the next.
func NewUpgrade(b *plugin.Base) *cobra.Command {
	f := &UpgradeFlags{}
	cmd := &cobra.Command{
		Use:     "upgrade",
		GroupID: plugin.GroupStack,
		Short:   "Replace the installed release with a newer one; users keep working",
		Long: `Replace the installed release with a newer one.

Before anything is changed, the command prints what is replaced, deleted, restarted and kept,
and prompts for confirmation. Profiles, notebooks, volumes, passwords, sessions, contributors,
quotas, the gateway's address and its certificate are kept, and so are the options of the last
run. If it was made with -k, the directory has to be specified again.

The programs of the installed release serve until those of the new one are ready. Running
notebooks keep running, with the sidecars that they have; --restart-notebooks replaces these.
An upgrade that was interrupted is completed by running the command again.`,
		Example: plugin.Examples(`
			# Show what an upgrade to the newest release would do
			kubectl jupyter upgrade --dry-run=server

			# Show what it would change in each object
			kubectl jupyter upgrade --diff

			# Upgrade to the newest release
			kubectl jupyter upgrade

			# Replace a clone of kubeflow/manifests that is installed with a newer one
			kubectl jupyter upgrade --manifests ~/manifests

			# Upgrade without a prompt, and restart the notebooks in which nothing runs
			kubectl jupyter upgrade --yes --restart-notebooks=idle`),
		Args: plugin.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := f.ToOptions(b, cmd.Flags().Changed)
			return plugin.Run(cmd, o, err)
		},
	}
	fs := cmd.Flags()
	f.manifests.AddUpgrade(cmd)
	fs.BoolVar(&f.adopt, "adopt", false, "If true, take ownership of existing objects, and of fields that another field manager owns")
	fs.BoolVar(&f.skipPreflight, "skip-preflight", false, "If true, skip the preflight checks, such as server version, permissions and capacity of the nodes. Conflicts with existing objects still end the run")
	fs.BoolVarP(&f.yes, "yes", "y", false, "If true, do not prompt for confirmation")
	fs.StringVar(&f.restart, "restart-notebooks", restartNever, `Must be "never", "idle" or "all". After the upgrade, restart the running notebooks whose sidecars have another version; if idle, only those in which no kernel and no terminal is in use`)
	fs.DurationVar(&f.timeout, "timeout", plugin.DefaultTimeout, "The length of time to wait before giving up on the run, such as 90s or 20m; 0 means no timeout")
	fs.StringVar(&f.dryRun, "dry-run", plugin.DryRunNone, `Must be "none" or "server". If server, submit server-side requests without persisting the objects`)
	fs.BoolVar(&f.diff, "diff", false, "If true, print the difference for each object, without changing anything")
	fs.StringVarP(&f.output, "output", "o", "", "Output format. One of: (json, yaml, name). A dry run prints the objects; otherwise json prints events and the report")
	plugin.Complete(cmd, "output", view.ManifestFormats)
	plugin.Complete(cmd, "restart-notebooks", func() []string { return restarts })
	plugin.Complete(cmd, "dry-run", func() []string { return []string{plugin.DryRunNone, plugin.DryRunServer} })
	return cmd
}

// ToOptions checks everything that can be checked without a cluster.
func (f *UpgradeFlags) ToOptions(b *plugin.Base, given func(string) bool) (*UpgradeOptions, error) {
	if f.dryRun == plugin.DryRunClient {
		return nil, errors.New(`--dry-run: "client" shows nothing of an upgrade, which depends on what is installed: use server`)
	}
	if !slices.Contains(restarts, f.restart) {
		return nil, fmt.Errorf("--restart-notebooks: %q is none of %s", f.restart, strings.Join(restarts, ", "))
	}
	install := InstallFlags{skipPreflight: f.skipPreflight, timeout: f.timeout, wait: true, dryRun: f.dryRun, diff: f.diff, output: f.output}
	install.choices.Adopt = f.adopt
	o, err := install.check(b)
	if err != nil {
		return nil, err
	}
	o.Intent = rollout.Intent{Given: given, Upgrade: true}
	if err := f.manifests.FillIn(&o.Intent); err != nil {
		return nil, err
	}
	return &UpgradeOptions{InstallOptions: *o, Yes: f.yes, Restart: f.restart}, nil
}

// Run upgrades, after having asked, or says what it would do.
func (o *UpgradeOptions) Run(ctx context.Context) error {
	started := time.Now()
	messages := plugin.NewMessages(o.base.ErrOut)
	c, settings, err := o.base.Look(ctx, o.Timeout, messages)
	if err != nil {
		return err
	}
	if settings == nil {
		return fmt.Errorf("%s: %w", c.Where(), rollout.ErrNotInstalled)
	}
	to := o.Intent.Source.Release().Name
	if settings.From == "" && settings.Release == to {
		fmt.Fprintf(messages, "Nothing to upgrade: release %s is installed in %s.\n", to, c.Where())
		return o.restartNotebooks(ctx, c, messages)
	}
	if err := o.Intent.Keep(settings); err != nil {
		return err
	}
	progress, machine := o.base.Progress(o.Format == view.JSON && !o.dry())
	defer progress.Close()
	engine := o.engine(c, progress, nil)
	plan, err := o.Intent.Plan(ctx, engine, false)
	if err != nil {
		return err
	}
	survey, err := o.examine(ctx, c, engine, plan, messages, machine)
	if err != nil {
		return err
	}
	fmt.Fprint(messages, clones.About(plan.Release))
	if err := o.preview(ctx, c, engine, plan, survey, messages); err != nil {
		return err
	}
	if o.dry() {
		return o.printChanges(survey.Changes())
	}
	if !o.Yes {
		if err := o.base.Confirm(ctx, "--yes to upgrade"); err != nil {
			return err
		}
	}
	fmt.Fprintf(messages, "Upgrading release %s to release %s (profile %s) in %s.\n", plan.From.Name, plan.Release.Name, plan.Settings.Profile, c.Where())
	if err := o.apply(ctx, &attempt{c, engine, plan, survey, started, messages, progress, machine}); err != nil {
		return err
	}
	return o.restartNotebooks(ctx, c, messages)
}

// preview says what the upgrade will do, before it is asked for or begun.
func (o *UpgradeOptions) preview(ctx context.Context, c *cluster.Cluster, engine *rollout.Engine, plan *rollout.Plan, survey *rollout.Survey, messages *plugin.Messages) error {
	p, err := engine.Preview(ctx, plan, survey)
	if err != nil {
		return plugin.BeforeWriting(ctx, o.Timeout, err)
	}
	verb := "Upgrade"
	if o.dry() {
		verb = "Nothing is changed. An upgrade"
	}
	fmt.Fprintf(messages, "%s of %s from release %s to release %s (profile %s):\n\n", verb, c.Where(), p.From, p.To, plan.Settings.Profile)
	describe(messages, p, plan.Settings, o.Restart)
	return nil
}
