package preflight

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/clones"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/mirror"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/registries"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/preflight"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/version"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// PreflightFlags are what was typed. Those about the manifests are install's own.
type PreflightFlags struct {
	choices    plugin.ChoiceFlags
	registries registries.Flags
	timeout    time.Duration
	output     string
}

// PreflightOptions are what is meant.
type PreflightOptions struct {
	base *plugin.Base
	// Intent is the installation that would follow.
	Intent rollout.Intent
	Adopt  bool
	// Registries says how images are asked for, where they come from a mirror.
	Registries mirror.Options
	Timeout    time.Duration
	Format     string
	// Install and Upgrade are the commands that would follow.
	Install, Upgrade string
}

// notOfUpgrade are flags that an upgrade does not have: it keeps what was chosen.
var notOfUpgrade = []string{"profile", "user-email", "only", "skip", "use-existing", "isolate-namespaces", "secure-cookies", "self-service", "allow-domain", "allow-group", "default-quota"}

func New(b *plugin.Base) *cobra.Command {
	f := &PreflightFlags{}
	cmd := &cobra.Command{
		Use:     "preflight",
		GroupID: plugin.GroupStack,
		Short:   "Check whether the stack can be installed, without changing anything",
		Long: `Check whether the stack can be installed, without changing anything.

The command takes the flags of install, and checks:
  - whether the release supports the version of the server
  - whether the user has all required permissions
  - whether the server accepts all objects that can already exist, using server-side dry run
  - whether existing objects have another owner
  - with --registry, whether it has all images, for the architecture of the nodes; the
    registry is asked from this machine, with the credentials of docker login and of
    --image-pull-secret
  - which nodes accept pods, and whether there is capacity for the stack and a notebook
  - whether volumes for notebooks can be provisioned
  - what an earlier installation has left
  - whether LoadBalancer addresses can be assigned

install runs the same checks first, and stops if a result is fatal, unless
--skip-preflight is set.

Exit codes:
  0  no result is fatal; there may be warnings
  1  a result is fatal, or the command line is not valid
  2  no result is fatal, but some checks could not be completed`,
		Example: plugin.Examples(`
			# Check the cluster of the current context
			kubectl jupyter preflight

			# Check for the small profile, with the cert-manager that is already installed
			kubectl jupyter preflight --profile slim --use-existing cert-manager

			# Show what each check verifies
			kubectl jupyter preflight -o wide

			# Print the remaining memory and the overall result, for use by programs
			kubectl jupyter preflight -o jsonpath='{.capacity.left.memoryBytes} {.result}'`),
		Args: plugin.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := f.ToOptions(b, cmd.Flags().Changed)
			if err == nil {
				own := []string{"timeout", "output", "registry-ca", "registry-http"}
				o.Install = "kubectl jupyter install" + typed(cmd, own...) + b.Flags()
				o.Upgrade = "kubectl jupyter upgrade" + strings.Replace(typed(cmd, append(own, notOfUpgrade...)...), " --release ", " --to ", 1) + b.Flags()
			}
			return plugin.Run(cmd, o, err)
		},
	}
	f.choices.Add(cmd)
	f.registries.Add(cmd)
	fs := cmd.Flags()
	fs.DurationVar(&f.timeout, "timeout", time.Minute, "The length of time to wait before giving up on the run, such as 30s; 0 means no timeout")
	fs.StringVarP(&f.output, "output", "o", view.FormatTable, "Output format. One of: (table, wide, json, yaml, jsonpath=TEMPLATE)")
	plugin.Complete(cmd, "output", func() []string {
		return []string{view.FormatTable, view.FormatWide, view.JSON, view.YAML, view.JSONPath + "="}
	})
	return cmd
}

// ToOptions checks everything that can be checked without a cluster.
func (f *PreflightFlags) ToOptions(b *plugin.Base, given func(string) bool) (*PreflightOptions, error) {
	if err := view.CheckOutput(f.output, view.FormatTable, view.FormatWide); err != nil {
		return nil, err
	}
	if err := plugin.CheckTimeout(f.timeout); err != nil {
		return nil, err
	}
	intent, err := f.choices.Intent(given)
	if err != nil {
		return nil, err
	}
	asked, err := f.registries.Options()
	if err != nil {
		return nil, err
	}
	intent.Upgrade = given("release") // another release than the installed one is for upgrade
	return &PreflightOptions{base: b, Intent: intent, Adopt: f.choices.Adopt, Registries: asked, Timeout: f.timeout, Format: f.output}, nil
}

// Run looks, prints what was found, and fails where an installation would.
func (o *PreflightOptions) Run(ctx context.Context) error {
	started := time.Now()
	messages := plugin.NewMessages(o.base.ErrOut)
	c, settings, err := o.base.Look(ctx, o.Timeout, messages)
	blind := err != nil
	if blind && (c == nil || !apierrors.IsForbidden(err)) {
		return plugin.Unclear(err)
	}
	if err := o.Intent.Keep(settings); err != nil {
		return err
	}
	if settings == nil && !blind {
		if err := o.Intent.KeepThere(ctx, c); err != nil {
			return err
		}
	}
	progress, _ := o.base.Progress(false)
	defer progress.Close()
	engine := rollout.New(c, rollout.Options{Timeout: o.Timeout, Adopt: o.Adopt, AskAll: true, KeepRefusals: true, Events: progress.Event, Tooling: version.Get().Tooling()})
	plan, err := o.Intent.Plan(ctx, engine, blind)
	if err != nil {
		return err
	}
	fmt.Fprint(messages, clones.About(plan.Release))
	what := "an installation of"
	if plan.From != nil {
		what = fmt.Sprintf("an upgrade from release %s to", plan.From.Name)
	}
	fmt.Fprintf(messages, "Checking %s for %s release %s (profile %s). Nothing is changed.\n", c.Where(), what, plan.Release.Name, plan.Settings.Profile)
	look := preflight.OptionsFor(&o.Intent, plan, false)
	look.AskImages = o.askImages
	facts, _, err := preflight.Look(ctx, c, engine, look)
	progress.Close()
	if err != nil {
		return unlessPlan(plugin.BeforeWriting(ctx, o.Timeout, err))
	}
	findings := preflight.Judge(facts)
	if err := o.print(c, plan, findings, time.Since(started)); err != nil {
		return err
	}
	switch findings.Result {
	case preflight.Fatal:
		return plugin.ErrSilent
	case preflight.Unknown:
		return plugin.Unclear(plugin.ErrSilent)
	}
	return nil
}

// askImages asks registries as this machine reaches them.
func (o *PreflightOptions) askImages(ctx context.Context, images []string, credentials []byte) ([]mirror.Answer, error) {
	asked := o.Registries
	asked.Credentials = credentials
	client, err := mirror.New(asked)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return client.Ask(ctx, images), nil
}

// unlessPlan marks an error as unclear that comes from the cluster. The others are those
// of a plan that cannot be, such as one that uses what is not there.
func unlessPlan(err error) error {
	var status apierrors.APIStatus
	var network net.Error
	if errors.As(err, &status) || errors.As(err, &network) || errors.Is(err, context.DeadlineExceeded) {
		return plugin.Unclear(err)
	}
	return err
}

// preflightReport is the machine-readable form.
type preflightReport struct {
	report.Report
	// Result is the worst of all checks.
	Result   preflight.Result    `json:"result"`
	Checks   []preflight.Answer  `json:"checks"`
	Capacity *preflight.Capacity `json:"capacity,omitempty"`
}

func (o *PreflightOptions) print(c *cluster.Cluster, plan *rollout.Plan, f *preflight.Findings, elapsed time.Duration) error {
	out := o.base.Out
	causes := f.Causes
	if view.IsDocument(o.Format) {
		r := preflightReport{
			Report: report.Report{
				APIVersion: report.APIVersion, Kind: "Preflight", Release: plan.Release.Name, Profile: plan.Settings.Profile,
				Target: c.Target, Components: []report.Component{}, Causes: causes, Elapsed: elapsed.Seconds(),
			},
			Result: f.Result, Checks: f.Answers, Capacity: f.Capacity,
		}
		for _, rendered := range plan.Rendered {
			r.Components = append(r.Components, report.Component{
				Name: rendered.Component.Name, Title: rendered.Component.Title,
				Version: rendered.Component.Version, State: report.Unknown, Objects: len(rendered.Objects),
			})
		}
		return view.Document(out, o.Format, r)
	}
	headers, rows := []string{"CHECK", "RESULT", "FOUND"}, make([][]string, len(f.Answers))
	if o.Format == view.FormatWide {
		headers = append(headers, "ASKS")
	}
	for i, a := range f.Answers {
		rows[i] = []string{a.Check, string(a.Result), a.Found}
		if o.Format == view.FormatWide {
			rows[i] = append(rows[i], a.Asks)
		}
	}
	if err := view.Table(out, headers, rows); err != nil {
		return err
	}
	if len(causes) > 0 {
		fmt.Fprintln(out)
		if err := view.Causes(out, causes, plugin.StyleFor(out)); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(out, "\n%s\n", o.conclusion(f.Result, plan.From != nil))
	return err
}

func (o *PreflightOptions) conclusion(r preflight.Result, upgrade bool) string {
	what, done, next := "An installation", "installed", o.Install
	if upgrade {
		what, done, next = "An upgrade", "upgraded", o.Upgrade
	}
	switch r {
	case preflight.Fatal:
		return what + " would fail: see the fatal results above."
	case preflight.Unknown:
		return "No result is fatal, but some checks could not be completed."
	case preflight.Warning:
		return "The stack can be " + done + "; see the warnings above. Next: " + next
	}
	return "The stack can be " + done + ". Next: " + next
}
