package install

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/clones"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/login"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	persons "github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/people"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/users"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/version"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// Run installs, or says what it would do.
func (o *InstallOptions) Run(ctx context.Context) error {
	if o.DryRun == plugin.DryRunClient {
		return o.printOnly(ctx)
	}
	var password []byte
	if o.PasswordStdin {
		var err error
		whose := "the first user" // whom the installation that is there may know better
		if o.Intent.Given("user-email") {
			whose = o.Intent.Manifests.UserEmail
		}
		if password, err = plugin.ReadPassword(ctx, o.base.IOStreams, whose); err != nil {
			return err
		}
	}
	started := time.Now()
	messages := plugin.NewMessages(o.base.ErrOut)
	c, settings, err := o.base.Look(ctx, o.Timeout, messages)
	// Who may not even read the inventory lacks more: all of it is listed at once below.
	forbidden := err
	if err != nil && (c == nil || !apierrors.IsForbidden(err)) {
		return err
	}
	if err := o.Intent.Keep(settings); err != nil {
		return err
	}
	if settings == nil && forbidden == nil {
		if err := o.Intent.KeepThere(ctx, c); err != nil {
			return err
		}
	}
	progress, machine := o.base.Progress(o.Format == view.JSON && !o.dry())
	defer progress.Close()
	engine := o.engine(c, progress, password)
	plan, err := o.Intent.Plan(ctx, engine, forbidden != nil)
	if err != nil {
		return err
	}
	if password != nil && !slices.ContainsFunc(plan.Rendered, func(r components.Rendered) bool { return r.Component.Name == components.PasswordComponent }) {
		return fmt.Errorf("--password-stdin: component %s, which stores the password, is not among the components to install: omit the flag", components.PasswordComponent)
	}
	fmt.Fprint(messages, clones.About(plan.Release))
	if o.dry() {
		fmt.Fprintf(messages, "Comparing release %s (profile %s) with %s. Nothing is changed.\n", plan.Release.Name, plan.Settings.Profile, c.Where())
	}
	survey, err := o.examine(ctx, c, engine, plan, messages, machine)
	if err != nil {
		return err
	}
	if forbidden != nil {
		return forbidden
	}
	if err := o.culling(ctx, c, messages); err != nil {
		return err
	}
	if o.dry() {
		return o.printChanges(survey.Changes())
	}
	fmt.Fprintf(messages, "Installing release %s (profile %s) into %s.\n", plan.Release.Name, plan.Settings.Profile, c.Where())
	return o.apply(ctx, &attempt{c, engine, plan, survey, started, messages, progress, machine})
}

// engine that does what the flags say. Without a password, the first user gets a new one.
func (o *InstallOptions) engine(c *cluster.Cluster, progress view.Progress, password []byte) *rollout.Engine {
	return rollout.New(c, rollout.Options{
		Timeout: o.Timeout, Wait: o.Wait, Adopt: o.Adopt, AskAll: o.dry(), KeepRefusals: true, Password: password,
		Explain: plugin.Explain(c), Hopeless: diagnose.Hopeless, Events: progress.Event, Tooling: version.Get().Tooling(),
	})
}

// attempt is a run with everything that it has found out before its first write.
type attempt struct {
	cluster  *cluster.Cluster
	engine   *rollout.Engine
	plan     *rollout.Plan
	survey   *rollout.Survey
	started  time.Time
	messages *plugin.Messages
	progress view.Progress
	machine  *view.Events
}

// apply does what has been planned, and tells how it went.
func (o *InstallOptions) apply(ctx context.Context, a *attempt) error {
	// From here on a warning must not tear the progress display apart.
	a.messages.To(a.progress)
	pulling, err := o.pullAhead(ctx, a)
	if err != nil {
		return err
	}
	out, credentials, failed := a.engine.Apply(ctx, a.plan, a.survey)
	pulling.end(ctx, a.messages, failed)
	a.progress.Close()
	a.messages.To(o.base.ErrOut)
	if out != nil {
		out.Elapsed = time.Since(a.started).Seconds() // with the look at what was there
		if in, err := login.FindWayIn(ctx, a.cluster); failed == nil && err == nil {
			out.WayIn = &in
		}
	}
	if err := errors.Join(failed, o.end(ctx, out, credentials, a.survey, a.machine, failed)); err != nil {
		return err
	}
	return errors.Join(o.pullWith(ctx, a.cluster), o.isolate(ctx, a.cluster))
}

// pullWith gives the namespaces of people the pull secret that was chosen, and takes it from
// them where one was chosen before.
func (o *InstallOptions) pullWith(ctx context.Context, c *cluster.Cluster) error {
	secret := o.Intent.Manifests.PullSecret
	if secret == "" && o.Intent.PulledWith() == "" {
		return nil
	}
	ctx, cancel := rollout.Bounded(ctx, o.Timeout)
	defer cancel()
	done, err := (&users.Users{Cluster: c}).PullAllWith(ctx, secret)
	if err != nil {
		return fmt.Errorf("--image-pull-secret: %w", err)
	}
	what := "Image pull secret copied to"
	if secret == "" {
		what = "Image pull secret removed from"
	}
	fmt.Fprintf(o.base.ErrOut, "%s %s of users.\n", what, report.Count(len(done), "namespace"))
	return nil
}

// isolate closes the namespaces of people where that was chosen, and opens them where it
// was chosen before. Their namespaces are their Profiles' and not part of the plan.
func (o *InstallOptions) isolate(ctx context.Context, c *cluster.Cluster) error {
	if !o.Intent.IsolateNamespaces && !o.Intent.WasIsolated() {
		return nil
	}
	ctx, cancel := rollout.Bounded(ctx, o.Timeout)
	defer cancel()
	people := &users.Users{Cluster: c}
	done, err := people.IsolateAll(ctx, o.Intent.IsolateNamespaces)
	if err != nil {
		return fmt.Errorf("--isolate-namespaces: %w", err)
	}
	what := "Isolated"
	if !o.Intent.IsolateNamespaces {
		what = "No longer isolated"
	}
	fmt.Fprintf(o.base.ErrOut, "%s: %s.\n", what, report.Count(len(done), "namespace"))
	if o.Intent.IsolateNamespaces {
		persons.WarnUnenforced(ctx, o.base, c)
	}
	return nil
}

func (o *InstallOptions) dry() bool { return o.Diff || o.DryRun == plugin.DryRunServer }

// printOnly is the dry run that asks nobody.
func (o *InstallOptions) printOnly(ctx context.Context) error {
	names, err := o.Intent.Names(nil)
	if err != nil {
		return err
	}
	rendered, err := o.Intent.Source.Render(ctx, names, o.Intent.Manifests)
	if err != nil {
		return err
	}
	fmt.Fprint(o.base.ErrOut, clones.Warnings(o.Intent.Source.Release()))
	objects := components.ObjectsOf(rendered)
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

// unbegun is the report of a run that ended before its first write.
func (o *InstallOptions) unbegun(c *cluster.Cluster, plan *rollout.Plan, err error) report.Report {
	r := report.Report{APIVersion: report.APIVersion, Kind: "Report", Release: plan.Release.Name, Profile: plan.Settings.Profile, Target: c.Target}
	var failure *rollout.Failure
	if errors.As(err, &failure) {
		r.Causes = failure.Causes
	}
	return r
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
		if _, err := fmt.Fprintf(o.base.Out, "%s %s (server dry run)\n", view.RefName(c.Ref), c.Action); err != nil {
			return err
		}
	}
	return nil
}

// end prints what a run has to say. The password is shown before anything else can fail.
func (o *InstallOptions) end(ctx context.Context, out *report.Report, credentials *rollout.Credentials, survey *rollout.Survey, machine *view.Events, failed error) error {
	if out == nil {
		return nil
	}
	result := view.Result{Report: *out, Flags: o.base.Flags(), SecureCookies: o.Intent.Manifests.CookiesSecure()}
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
			view.Summary(o.base.ErrOut, result, plugin.StyleFor(o.base.ErrOut))
		}
	case failed == nil:
		view.Summary(o.base.ErrOut, result, plugin.StyleFor(o.base.ErrOut))
	}
	if failed != nil || credentials == nil {
		return nil
	}
	// Ctrl-C must not make the next run generate a second password after this one was read.
	shown, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return credentials.Shown(shown)
}
