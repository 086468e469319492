package expose

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/exposure"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/login"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// exposed is what expose has to say, and the whole of -o json.
type exposed struct {
	APIVersion string             `json:"apiVersion"`
	Kind       string             `json:"kind"`
	Target     report.Target      `json:"target"`
	DryRun     string             `json:"dryRun,omitempty"`
	Detection  exposure.Detection `json:"detection"`
	Changes    []exposure.Change  `json:"changes"`
	// WayIn is how the web app is reached afterwards.
	WayIn    report.WayIn   `json:"wayIn"`
	Warnings []string       `json:"warnings,omitempty"`
	Kept     []string       `json:"kept,omitempty"`
	Causes   []report.Cause `json:"causes,omitempty"`
}

// Run exposes the gateway, or takes that back.
func (o *ExposeOptions) Run(ctx context.Context) error {
	ctx, cancel := rollout.Bounded(ctx, o.Timeout)
	defer cancel()
	c, err := o.base.Connect(ctx, o.base.ErrOut)
	if err != nil {
		return err
	}
	if o.source, _, err = o.base.Installed(ctx, c); err != nil {
		return err
	}
	out := &exposed{APIVersion: report.APIVersion, Kind: "Exposure", Target: c.Target, Changes: []exposure.Change{}}
	if o.DryRun != plugin.DryRunNone {
		out.DryRun = o.DryRun
	}
	snapshot, err := exposure.Read(ctx, c)
	if err != nil {
		return fmt.Errorf("%s: the gateway or the provider of LoadBalancer addresses could not be determined, nothing was changed:\n  %w", c.Where(), indented{err})
	}
	a := &exposure.Applier{Cluster: c, DryRun: o.DryRun == plugin.DryRunServer, Say: func(s string) { fmt.Fprintln(o.base.ErrOut, s) }}
	if o.Undo {
		err = o.takeBack(ctx, c, a, snapshot, out)
	} else {
		err = o.expose(ctx, c, a, snapshot, out)
	}
	return errors.Join(err, o.end(out, err))
}

// indented shows each of several errors on a line of its own.
type indented struct{ error }

func (i indented) Error() string { return strings.ReplaceAll(i.error.Error(), "\n", "\n  ") }

func (i indented) Unwrap() error { return i.error }

// flagOf is the flag that asked for a part of a request.
var flagOf = map[exposure.Input]string{
	exposure.InputRanges: "--address-pool", exposure.InputAddresses: "--load-balancer-ip",
	exposure.InputMetalLB: "--install-metallb", exposure.InputType: "--type",
}

// named puts the flag in front of an error about what was asked for.
func named(err error, flags map[exposure.Input]string) error {
	var unfit *exposure.Unfit
	if errors.As(err, &unfit) {
		return fmt.Errorf("%s: %w", flags[unfit.Input], indented{err})
	}
	return err
}

func (o *ExposeOptions) expose(ctx context.Context, c *cluster.Cluster, a *exposure.Applier, snapshot *exposure.Snapshot, out *exposed) error {
	plan, err := snapshot.NewPlan(o.Request)
	if err != nil {
		return named(err, flagOf)
	}
	out.Detection, out.Warnings = plan.Detection, plan.Warnings
	o.announce(c, plan)
	if err := o.tls.Check(ctx, c, o.source); err != nil {
		return err
	}
	if err := o.origin.Check(ctx, c, o.source); err != nil {
		return err
	}
	quiet := rollout.New(c, rollout.Options{AskAll: true})
	metalLB, err := exposure.NewInstallation(ctx, c, o.source, plan, o.tls.Kustomization, quiet)
	if err != nil {
		return err
	}
	missing, err := quiet.Lacking(ctx, plan.Rights())
	if err != nil {
		return fmt.Errorf("permissions: %w", err)
	}
	if err := rollout.Lacks(c, append(missing, metalLB.Missing...)); err != nil {
		return err
	}
	if o.DryRun != plugin.DryRunNone {
		return o.dry(ctx, a, plan, metalLB, quiet, out)
	}
	if err := o.ask(ctx, c, plan); err != nil {
		return err
	}
	if metalLB.Needed() {
		engine, done := o.base.Engine(c, rollout.Options{Timeout: o.Timeout})
		changes, err := metalLB.Install(ctx, engine)
		done()
		if out.Changes = append(out.Changes, changes...); err != nil {
			return err
		}
	}
	if plan.Pool != nil && plan.Pool.Action != report.Unchanged {
		changes, err := a.Pool(ctx, plan.Pool)
		if err := o.changed(out, changes, err); err != nil {
			return err
		}
	}
	changes, err := a.Service(ctx, plan)
	if err := o.changed(out, changes, err); err != nil {
		return err
	}
	address := ""
	if plan.Set.Type == corev1.ServiceTypeLoadBalancer {
		svc, err := a.Await(ctx, plan, o.Request.Addresses)
		if err != nil {
			return err
		}
		given := svc.Status.LoadBalancer.Ingress[0]
		address = cmp.Or(given.IP, given.Hostname)
	}
	// Whatever names an earlier certificate was for.
	if external := snapshot.Gateway().Spec.ExternalIPs; address == "" && len(external) > 0 {
		address = external[0]
	} else if address == "" && plan.Set.Type == corev1.ServiceTypeNodePort {
		address = login.NodeAddress(snapshot.Nodes)
	}
	if o.tls.Mode != "" {
		engine, done := o.base.Engine(c, rollout.Options{Timeout: o.Timeout})
		changes, err := o.tls.Apply(ctx, c, o.source, address, engine)
		done()
		if out.Changes = append(out.Changes, changes...); err != nil {
			return err
		}
	}
	if err := o.serveNotebooks(ctx, c, out); err != nil {
		return err
	}
	return o.arrive(ctx, c, a, address, out)
}

// announce says what is there and what will be done, and where, before it is done.
func (o *ExposeOptions) announce(c *cluster.Cluster, p *exposure.Plan) {
	w := o.base.ErrOut
	fmt.Fprintf(w, "Exposing the gateway (%s) of %s, as type %s.\n", exposure.ServiceRef, c.Where(), p.Set.Type)
	if p.Set.Type == corev1.ServiceTypeLoadBalancer && !p.Install {
		fmt.Fprintf(w, "LoadBalancer addresses are assigned by: %s.\n", p.Detection)
	}
	for _, also := range p.Detection.Also {
		fmt.Fprintf(w, "warning: %s also assigns addresses in this cluster\n", also)
	}
	for _, warning := range p.Warnings {
		fmt.Fprintf(w, "warning: %s\n", warning)
	}
}

// ask has a person confirm what no flag has decided.
func (o *ExposeOptions) ask(ctx context.Context, c *cluster.Cluster, p *exposure.Plan) error {
	if len(p.Asks) == 0 {
		return nil
	}
	flags := make([]string, len(p.Asks))
	for i, a := range p.Asks {
		fmt.Fprintf(o.base.ErrOut, "%s.\n", a.Says)
		flags[i] = a.With
	}
	if o.Yes {
		return nil
	}
	fmt.Fprintf(o.base.ErrOut, "This changes %s.\n", c.Where())
	return o.base.Confirm(ctx, strings.Join(flags, " ")+", or --yes")
}

// changed records what was done before the error, if there was one.
func (o *ExposeOptions) changed(out *exposed, changes []exposure.Change, err error) error {
	for _, ch := range changes {
		o.tell(out, ch)
	}
	return err
}

// tell records a change and shows it.
func (o *ExposeOptions) tell(out *exposed, ch exposure.Change) {
	out.Changes = append(out.Changes, ch)
	if out.DryRun != "" || ch.Action == report.Unchanged {
		return
	}
	fmt.Fprintf(o.base.ErrOut, "%s %s\n", ch.Object, ch.Action)
}

// arrive finds out what the way in is, and whether it answers.
func (o *ExposeOptions) arrive(ctx context.Context, c *cluster.Cluster, a *exposure.Applier, address string, out *exposed) error {
	way, err := login.FindWayIn(ctx, c)
	if err != nil {
		return err
	}
	out.WayIn = way
	if err := o.moveIssuer(ctx, c, way); err != nil {
		return err
	}
	if err := sayTLS(ctx, o.base.ErrOut, o.tls, c, address); err != nil {
		return err
	}
	if way.URL == "" || !o.Probe {
		return nil
	}
	return exposure.Answers(ctx, c, way, a.Say)
}

// end prints the answer.
func (o *ExposeOptions) end(out *exposed, failed error) error {
	var failure *rollout.Failure
	if errors.As(failed, &failure) {
		out.Causes = failure.Causes
	}
	if o.Format != "" {
		return view.Document(o.base.Out, o.Format, out)
	}
	if failed != nil {
		return nil
	}
	w := o.base.ErrOut
	if out.DryRun != "" {
		return printDry(o.base.Out, out)
	}
	unchanged := true
	for _, ch := range out.Changes {
		unchanged = unchanged && ch.Action == report.Unchanged
	}
	if unchanged && !o.Undo {
		fmt.Fprintln(w, "Nothing to change.")
	}
	for _, kept := range out.Kept {
		fmt.Fprintf(w, "Kept: %s.\n", kept)
	}
	if o.Undo {
		return nil
	}
	if out.WayIn.URL == "" {
		fmt.Fprintf(w, "There is no URL: %s. To connect from this machine: kubectl jupyter port-forward\n", out.WayIn.Missing)
		return nil
	}
	if out.WayIn.Scheme == "http" && o.tls.Mode == "" {
		fmt.Fprintf(w, "%s For HTTPS: kubectl jupyter expose --tls self-signed\n", plainHTTP)
	}
	if len(out.WayIn.Users) > 0 {
		fmt.Fprintf(w, "Log in as %s.\n", strings.Join(out.WayIn.Users, ", "))
	}
	_, err := fmt.Fprintln(o.base.Out, out.WayIn.URL)
	return err
}

// dry says what a run would do.
func (o *ExposeOptions) dry(ctx context.Context, a *exposure.Applier, p *exposure.Plan, metalLB *exposure.Installation, quiet *rollout.Engine, out *exposed) error {
	for _, ask := range p.Asks {
		fmt.Fprintf(o.base.ErrOut, "%s.\n", ask.Says)
	}
	announceTLS(o.base.ErrOut, o.tls)
	announceOrigin(o.base.ErrOut, o.origin)
	if metalLB.Needed() {
		changes, err := metalLB.Dry(ctx, quiet)
		if out.Changes = append(out.Changes, changes...); err != nil {
			return err
		}
	}
	if o.DryRun == plugin.DryRunClient {
		if p.Pool != nil {
			for _, ref := range p.Pool.Objects() {
				o.tell(out, exposure.Change{Object: ref, Action: p.Pool.Action})
			}
		}
		change := exposure.Change{Object: exposure.ServiceRef, Action: report.Configured}
		if p.Unchanged {
			change.Action = report.Unchanged
		}
		o.tell(out, change)
		return nil
	}
	if p.Pool != nil && p.Pool.Action != report.Unchanged {
		changes, err := a.Pool(ctx, p.Pool)
		if err := o.changed(out, changes, err); err != nil {
			return err
		}
	}
	changes, err := a.Service(ctx, p)
	return o.changed(out, changes, err)
}

func printDry(w io.Writer, out *exposed) error {
	for _, ch := range out.Changes {
		note := out.DryRun + " dry run"
		if ch.Note != "" {
			note += "; " + ch.Note
		}
		if _, err := fmt.Fprintf(w, "%s %s (%s)\n", view.RefName(ch.Object), ch.Action, note); err != nil {
			return err
		}
	}
	for _, kept := range out.Kept {
		if _, err := fmt.Fprintf(w, "kept: %s\n", kept); err != nil {
			return err
		}
	}
	return nil
}
