package plugin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/login"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/version"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// Run installs, or says what it would do.
func (o *InstallOptions) Run(ctx context.Context) error {
	if o.DryRun == dryRunClient {
		return o.printOnly(ctx)
	}
	var password []byte
	if o.PasswordStdin {
		var err error
		whose := "the first user" // whom the installation that is there may know better
		if o.Given("user-email") {
			whose = o.Manifests.UserEmail
		}
		if password, err = readPassword(ctx, o.base.IOStreams, whose); err != nil {
			return err
		}
	}
	started := time.Now()
	messages := newMessages(o.base.ErrOut)
	c, settings, err := o.look(ctx, messages)
	// Who may not even read the inventory lacks more: all of it is listed at once below.
	forbidden := err
	if err != nil && (c == nil || !apierrors.IsForbidden(err)) {
		return err
	}
	if err := o.keep(settings); err != nil {
		return err
	}
	o.fitServer(c)
	progress, machine := o.base.progress(o.Format == view.JSON && !o.dry())
	defer progress.Close()
	engine := rollout.New(c, rollout.Options{
		Timeout: o.Timeout, Wait: o.Wait, Adopt: o.Adopt, AskAll: o.dry(), KeepRefusals: true, Password: password,
		Explain: explain(c), Hopeless: diagnose.Hopeless, Events: progress.Event, Tooling: version.Get().Tooling(),
	})
	plan, err := o.plan(ctx, engine, forbidden != nil)
	if err != nil {
		return err
	}
	if password != nil && !slices.ContainsFunc(plan.Rendered, func(r components.Rendered) bool { return r.Component.Name == passwordKeeper }) {
		return fmt.Errorf("--password-stdin: %s keeps the password and is not among the components to install: leave the flag out", passwordKeeper)
	}
	if o.dry() {
		fmt.Fprintf(messages, "Asking %s what an installation of release %s (profile %s) would change.\n", where(c), plan.Release.Name, plan.Settings.Profile)
	}
	survey, err := o.examine(ctx, c, engine, plan, messages)
	if err != nil {
		if machine != nil {
			machine.Document(view.Result{Report: o.unbegun(c, plan, err)})
		}
		return err
	}
	if forbidden != nil {
		return forbidden
	}
	if o.dry() {
		return o.printChanges(survey.Changes())
	}
	fmt.Fprintf(messages, "Installing release %s (profile %s) into %s.\n", plan.Release.Name, plan.Settings.Profile, where(c))
	// From here on a warning must not tear the progress display apart.
	messages.to(progress)
	out, credentials, failed := engine.Apply(ctx, plan, survey)
	progress.Close()
	messages.to(o.base.ErrOut)
	if out != nil {
		out.Elapsed = time.Since(started).Seconds() // with the look at what was there
		if in, err := login.FindWayIn(ctx, c); failed == nil && err == nil {
			out.WayIn = &in
		}
	}
	return errors.Join(failed, o.end(ctx, out, credentials, survey, machine, failed))
}

// beforeWriting says of a run that ended while it was still reading that the
// cluster is as it was.
func (o *InstallOptions) beforeWriting(ctx context.Context, err error) error {
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("--timeout: %s were not enough to look at what is in the cluster, nothing was changed: %w", o.Timeout, err)
	}
	return err
}

// passwordKeeper is the component that the first user's password goes to.
const passwordKeeper = "dex"

func (o *InstallOptions) dry() bool { return o.Diff || o.DryRun == dryRunServer }

// printOnly is the dry run that asks nobody.
func (o *InstallOptions) printOnly(ctx context.Context) error {
	names, err := o.names(nil)
	if err != nil {
		return err
	}
	rendered, err := o.Source.Render(ctx, names, o.Manifests)
	if err != nil {
		return err
	}
	objects := objectsOf(rendered)
	if o.Format != "" {
		return view.Manifests(o.base.Out, o.Format, objects)
	}
	for _, u := range objects {
		if _, err := fmt.Fprintf(o.base.Out, "%s would be sent (dry run)\n", view.ObjectName(u)); err != nil {
			return err
		}
	}
	return nil
}

// look connects and reads what the last run has recorded.
func (o *InstallOptions) look(ctx context.Context, messages *messages) (*cluster.Cluster, *rollout.Settings, error) {
	if o.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.Timeout)
		defer cancel()
	}
	c, err := o.base.connect(ctx, messages)
	if err != nil {
		return nil, nil, err
	}
	settings, err := rollout.ReadSettings(ctx, c)
	return c, settings, err
}

// keep takes from the last run what was not named this time: an install without
// flags must not undo the flags of the one before.
func (o *InstallOptions) keep(s *rollout.Settings) error {
	if s == nil {
		return nil
	}
	if s.Kustomization != "" && !o.Given("kustomize") {
		return fmt.Errorf(`the installation was made with -k %s: name it again, or give -k "" to install without it`, s.Kustomization)
	}
	m := &o.Manifests
	// Another first user would take the login of the one who is there.
	if o.Given("user-email") && s.UserEmail != "" && m.UserEmail != s.UserEmail {
		return fmt.Errorf("--user-email: the first user is %s already, and install does not change who that is: leave the flag out", s.UserEmail)
	}
	for flag, take := range map[string]func(){
		"profile":        func() { m.Profile = s.Profile },
		"user-email":     func() { m.UserEmail = s.UserEmail },
		"secure-cookies": func() { m.SecureCookies = s.SecureCookies },
		"registry":       func() { m.Registry = s.Registry },
		"image":          func() { m.Images = s.Images },
		"use-existing":   func() { o.UseExisting = without(s.UseExisting, o.Only) },
	} {
		if !o.Given(flag) {
			take()
		}
	}
	m.TLS = s.TLS // chosen by expose, and by nothing else
	return m.Validate()
}

// fitServer makes the manifests fit the server's version.
func (o *InstallOptions) fitServer(c *cluster.Cluster) {
	o.Manifests.OrdinarySidecars = int(c.Version.Minor()) < components.NativeSidecarsSince
}

// unbegun is the report of a run that ended before its first write.
func (o *InstallOptions) unbegun(c *cluster.Cluster, plan *rollout.Plan, err error) report.Report {
	r := report.Report{APIVersion: report.APIVersion, Kind: "Report", Release: plan.Release.Name, Profile: plan.Settings.Profile, Target: c.Target}
	var failure *rollout.Failure
	if errors.As(err, &failure) {
		r.Causes = failure.Causes
	}
	return r
}

// names are the components to send. Installed are those of an earlier run.
func (o *InstallOptions) names(installed []string) ([]string, error) {
	skip := slices.Concat(o.Skip, without(o.UseExisting, o.Skip))
	return rollout.Select(o.Source.Release(), o.Manifests.Profile, o.Only, skip, slices.Concat(o.UseExisting, installed))
}

// plan renders what is to be sent. Blind: what is in the cluster may not be read.
func (o *InstallOptions) plan(ctx context.Context, engine *rollout.Engine, blind bool) (*rollout.Plan, error) {
	release := o.Source.Release()
	var installed []string
	switch {
	case blind:
		installed = release.Names() // nothing may be read, so nothing is known to be missing
	case len(o.Only)+len(o.Skip) > 0:
		// Only what is left out now can be needed from an earlier run.
		var err error
		if installed, err = engine.Installed(ctx); err != nil {
			return nil, err
		}
		// What a person's own kustomization added is in no catalogue.
		installed = slices.DeleteFunc(installed, func(n string) bool { return !slices.Contains(release.Names(), n) })
	}
	names, err := o.names(installed)
	if err != nil {
		return nil, err
	}
	plan := &rollout.Plan{
		Release: release,
		Settings: rollout.Settings{
			Release: release.Name, Profile: o.Manifests.Profile, UserEmail: o.Manifests.UserEmail,
			SecureCookies: o.Manifests.SecureCookies, Registry: o.Manifests.Registry, Images: o.Manifests.Images,
			UseExisting: o.UseExisting, Kustomization: o.Manifests.Kustomization, TLS: o.Manifests.TLS,
		},
		Partial: len(o.Only)+len(o.Skip) > 0,
	}
	if plan.Rendered, err = o.Source.Render(ctx, names, o.Manifests); err != nil {
		return nil, err
	}
	existing := needed(release, names, slices.Concat(o.UseExisting, installed))
	if len(existing) == 0 {
		return plan, nil
	}
	// The user's own kustomization belongs to what is sent, not to what is there.
	theirs := o.Manifests
	theirs.Kustomization = ""
	plan.Existing, err = o.Source.Render(ctx, existing, theirs)
	return plan, err
}

// needed are the components in the cluster that the chosen ones need, directly or
// through another one of them.
func needed(release *components.Release, names, inCluster []string) []string {
	var out []string
	var visit func(name string)
	visit = func(name string) {
		c, err := release.Component(name)
		if err != nil {
			return // the user's own objects need no component by name
		}
		needs := slices.Clone(c.Needs)
		for _, g := range c.Gates {
			needs = append(needs, g.Needs...)
		}
		for _, n := range needs {
			if !slices.Contains(names, n.Component) && slices.Contains(inCluster, n.Component) && !slices.Contains(out, n.Component) {
				out = append(out, n.Component)
				visit(n.Component)
			}
		}
	}
	for _, n := range names {
		visit(n)
	}
	return out
}

// lacks is the error of a user who may not do what a command needs; nil for nothing missing.
func lacks(c *cluster.Cluster, missing []string) error {
	if len(missing) == 0 {
		return nil
	}
	who := fmt.Sprintf("the user of context %q", c.Target.Context)
	if as := c.Config.Impersonate.UserName; as != "" {
		who = fmt.Sprintf("user %q", as)
	}
	return fmt.Errorf("%s lacks %d permissions in cluster %q, nothing was changed:\n  %s\nask for them, or choose another --context, --user or --as",
		who, len(missing), c.Target.Cluster, strings.Join(rollout.Gathered(missing), "\n  "))
}

// conflictsShown bounds the list of what belongs to others; a foreign Istio has hundreds of objects.
const conflictsShown = 20

// canSkip tells whether the components can be left out: nothing that stays needs them.
func (o *InstallOptions) canSkip(names []string) bool {
	_, err := rollout.Select(o.Source.Release(), o.Manifests.Profile, o.Only, slices.Concat(o.Skip, names), o.UseExisting)
	return err == nil
}

// conflictError names what belongs to others, and the choices.
func conflictError(conflicts []rollout.Conflict, canSkip func(names []string) bool) error {
	if len(conflicts) == 0 {
		return nil
	}
	var b strings.Builder
	noun := "objects belong"
	if len(conflicts) == 1 {
		noun = "object belongs"
	}
	fmt.Fprintf(&b, "%d %s to somebody else, nothing was changed:", len(conflicts), noun)
	var names []string
	for i, c := range conflicts {
		if i < conflictsShown {
			fmt.Fprintf(&b, "\n  %s", c)
		}
		if !slices.Contains(names, c.Component) {
			names = append(names, c.Component)
		}
	}
	if n := len(conflicts) - conflictsShown; n > 0 {
		fmt.Fprintf(&b, "\n  and %d more", n)
	}
	fmt.Fprintf(&b, "\nchoose: --use-existing %s (use what is there) or --adopt (take it over)", strings.Join(names, ","))
	if canSkip(names) {
		fmt.Fprintf(&b, ", or leave it out: --skip %s", strings.Join(names, ","))
	}
	return errors.New(b.String())
}

// printChanges ends a dry run.
func (o *InstallOptions) printChanges(changes []rollout.Change) error {
	if o.Diff {
		for _, c := range changes {
			if c.Action == report.Unchanged {
				continue
			}
			if err := view.Diff(o.base.Out, c.Ref, c.Live, c.Merged); err != nil {
				return err
			}
		}
		return nil
	}
	if o.Format != "" {
		var objects []*unstructured.Unstructured
		for _, c := range changes {
			if c.Merged != nil {
				objects = append(objects, view.Redacted(c.Merged))
			}
		}
		return view.Manifests(o.base.Out, o.Format, objects)
	}
	for _, c := range changes {
		if _, err := fmt.Fprintf(o.base.Out, "%s %s (server dry run)\n", refName(c.Ref), c.Action); err != nil {
			return err
		}
	}
	return nil
}

// refName is KIND.GROUP/NAME, with the namespace where there is one: the same name
// stands in several.
func refName(r report.Ref) string {
	name := strings.ToLower(r.Kind)
	if r.Group != "" {
		name += "." + r.Group
	}
	name += "/" + r.Name
	if r.Namespace != "" {
		name += " -n " + r.Namespace
	}
	return name
}

// end prints what a run has to say. The password is shown before anything else can fail.
func (o *InstallOptions) end(ctx context.Context, out *report.Report, credentials *rollout.Credentials, survey *rollout.Survey, machine *view.Events, failed error) error {
	if out == nil {
		return nil
	}
	result := view.Result{Report: *out, Flags: o.base.flags(), SecureCookies: o.Manifests.CookiesSecure()}
	if credentials != nil {
		result.User = credentials.Email
		if credentials.Generated {
			result.Password = credentials.Password
		}
	}
	switch {
	case machine != nil:
		machine.Document(result)
	case o.Format == view.YAML:
		data, err := yaml.Marshal(result)
		if err != nil {
			return err
		}
		if _, err := o.base.Out.Write(data); err != nil {
			return err
		}
	case o.Format == view.Name:
		for _, c := range survey.Changes() {
			if c.Merged == nil {
				continue
			}
			if _, err := fmt.Fprintln(o.base.Out, view.ObjectName(c.Merged)); err != nil {
				return err
			}
		}
		if failed == nil {
			view.Summary(o.base.ErrOut, result, styleFor(o.base.ErrOut))
		}
	case failed == nil:
		view.Summary(o.base.ErrOut, result, styleFor(o.base.ErrOut))
	}
	if failed != nil || credentials == nil {
		return nil
	}
	// Ctrl-C must not make the next run generate a second password after this one was read.
	shown, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return credentials.Shown(shown)
}
