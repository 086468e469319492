package login

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/forward"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/identity"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/login"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/show"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// explain lists the chain. It is the answer, so it goes to standard output.
func (o *LoginURLOptions) explain(ctx context.Context, c *cluster.Cluster) error {
	g, err := login.Read(ctx, c)
	if err != nil {
		return plugin.Unclear(fmt.Errorf("%s: %w", c.Where(), err))
	}
	if err := o.expect(ctx, g); err != nil {
		return plugin.Unclear(err)
	}
	path := login.Explain(g, c.Target)
	if view.IsDocument(o.Format) {
		err = view.Document(o.base.Out, o.Format, path)
	} else {
		err = view.Links(o.base.Out, path.Links, plugin.StyleFor(o.base.Out))
		if path.WayIn.URL != "" {
			fmt.Fprintln(o.base.ErrOut, "URL:  "+path.WayIn.URL)
		}
		view.Users(o.base.ErrOut, path.WayIn)
	}
	switch {
	case err != nil:
		return err
	case path.Broken():
		return fmt.Errorf("%s: the path to the web app is broken at the marked objects; run `kubectl jupyter login-url --check` to test it", c.Where())
	case path.Unclear():
		return plugin.Unclear(fmt.Errorf("%s: part of the path could not be read: it is marked with a question mark", c.Where()))
	}
	return nil
}

// check walks the way in.
func (o *LoginURLOptions) check(ctx context.Context, c *cluster.Cluster, password string) error {
	g, err := login.Read(ctx, c)
	if err != nil {
		return plugin.Unclear(fmt.Errorf("%s: %w", c.Where(), err))
	}
	if err := g.Unread(); err != nil {
		return plugin.Unclear(fmt.Errorf("%s: %w", c.Where(), err))
	}
	if err := o.expect(ctx, g); err != nil {
		return plugin.Unclear(err)
	}
	in := g.WayIn()
	options := login.CheckOptions{
		Through: login.ThroughAddress, Base: in.URL, Notebooks: in.Notebooks, Health: g.HealthURL(), Email: o.User.Email, Password: password,
		Explain: func(ctx context.Context, s []diagnose.Subject) []report.Cause { return diagnose.Explain(ctx, c, s) },
	}
	if o.Identity != "" {
		if options.Identity, err = o.provider(ctx, c); err != nil {
			return err
		}
	}
	switch {
	case o.PortForward:
		if options, err = o.through(ctx, c, g, options); err != nil {
			return err
		}
	case in.Missing != "":
		causes := missingCauses(ctx, c, in)
		if view.IsDocument(o.Format) {
			if err := view.Document(o.base.Out, o.Format, login.NotTried(c.Target, in, causes)); err != nil {
				return err
			}
		}
		return o.noAddress(c, in, causes)
	}
	// The first line of what is kept or piped is the result's.
	if view.IsTerminal(o.base.ErrOut) {
		fmt.Fprintf(o.base.ErrOut, "Checking %s in %s.\n", options.Base, c.Where())
	}
	result, err := login.Check(ctx, c, g, options)
	if err != nil {
		return err
	}
	if err := o.printCheck(result); err != nil {
		return err
	}
	switch {
	case !result.Passed():
		return plugin.ErrSilent
	case result.Unclear():
		return plugin.Unclear(fmt.Errorf("%s: the check timed out: use a longer --timeout", c.Where()))
	}
	return o.openURL(ctx, result.WayIn.URL)
}

// provider is what a login by an identity provider has to know of it.
func (o *LoginURLOptions) provider(ctx context.Context, c *cluster.Cluster) (login.Identity, error) {
	stored, err := (&identity.Store{Cluster: c}).Get(ctx, o.Identity)
	switch {
	case errors.Is(err, identity.ErrMissing):
		return login.Identity{}, fmt.Errorf("--identity: %w", err)
	case err != nil:
		return login.Identity{}, plugin.Unclear(err)
	case stored.Broken != nil:
		return login.Identity{}, stored.Broken
	}
	p := login.Identity{ID: stored.ID, Authorities: stored.Authorities()}
	if stored.Redirects() {
		p.Server = stored.Server()
	}
	return p, nil
}

// expect renders the gateway's filters, to compare those in the cluster with.
func (o *LoginURLOptions) expect(ctx context.Context, g *login.Ground) error {
	source, err := o.base.Source()
	if err != nil {
		return err
	}
	options := components.Options{Outlines: true, ClusterDomain: g.Domain}
	if g.Notebooks != nil {
		options.NotebookOrigin = *g.Notebooks
	}
	rendered, err := source.Render(ctx, []string{"kubeflow-gateway", "oauth2-proxy"}, options)
	if err != nil {
		return err
	}
	g.Expect(components.ObjectsOf(rendered))
	return nil
}

// through brings the gateway's ports to this machine, for as long as ctx lasts.
func (o *LoginURLOptions) through(ctx context.Context, c *cluster.Cluster, g *login.Ground, options login.CheckOptions) (login.CheckOptions, error) {
	scheme, port := g.Door()
	if port == 0 {
		return options, o.noAddress(c, g.WayIn(), nil)
	}
	start := func(port, local int) (string, error) {
		f, err := forward.Start(ctx, c, forward.Target{Namespace: login.GatewayRef.Namespace, Service: login.GatewayRef.Name, Port: int32(port)}, forward.Options{Port: local})
		if err != nil {
			return "", err
		}
		return f.Address, nil
	}
	options.Through, options.ServerName = login.ThroughPortForward, g.ServerName()
	address, err := start(port, 0)
	if err != nil {
		// Without a pod there is nothing to connect to, and the check says why.
		options.Base, options.Health, options.Unreached = scheme+"://"+net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), "", err
		return options, ctx.Err()
	}
	options.Base, options.Notebooks, options.Health = scheme+"://"+address, "", ""
	if address, err = start(login.StatusPort, 0); err == nil {
		options.Health = login.Health(address)
	}
	if g.Notebooks != nil && g.Notebooks.Port {
		// Another program may have the port, and then it is only not reached.
		if next, origin := login.NextPort(options.Base); next != 0 {
			if _, err := start(components.NotebookPort, next); err == nil {
				options.Notebooks = origin
			}
		}
	}
	return options, ctx.Err()
}

// printCheck prints the URL to standard output when it is proven, and everything else
// to standard error; with -o all of it is the answer.
func (o *LoginURLOptions) printCheck(r *login.Result) error {
	if view.IsDocument(o.Format) {
		return view.Document(o.base.Out, o.Format, r)
	}
	w, style := o.base.ErrOut, plugin.StyleFor(o.base.ErrOut)
	if o.Format == view.FormatWide {
		w, style = o.base.Out, plugin.StyleFor(o.base.Out)
	}
	// Nothing is more important than this, and tables are skimmed.
	for _, c := range r.Causes {
		if c.Severity == report.Fatal {
			fmt.Fprintf(w, "%s: %s: %s\n\n", style.Severity(c.Severity), style.Bold(c.Name), c.Summary)
		}
	}
	if err := view.Probes(w, r.Probes, o.Format == view.FormatWide); err != nil {
		return err
	}
	if c := r.Claims; c != nil {
		fmt.Fprintf(w, "\nE-mail:   %s\nGroups:   %s\nProfile:  %s\n", c.Email, plugin.List(c.Groups), cmp.Or(c.Profile, "none"))
	}
	if len(r.Causes) > 0 {
		fmt.Fprintln(w)
		if err := view.Causes(w, r.Causes, style); err != nil {
			return err
		}
	}
	fmt.Fprintf(w, "\n%s\n", verdict(r, style))
	// Through the API server the URL itself has not been proven.
	if r.Passed() && !r.Unclear() && o.Format == "" && r.Through == login.ThroughAddress {
		return printLine(o.base.Out, r.WayIn.URL)
	}
	return nil
}

func printLine(w io.Writer, line string) error {
	_, err := fmt.Fprintln(w, line)
	return err
}

// verdict is the last line.
func verdict(r *login.Result, style view.Style) string {
	count := map[report.Outcome]int{}
	for _, p := range r.Probes {
		count[p.Outcome]++
	}
	word, state := "Works", report.Ready
	if !r.Passed() {
		word, state = "Does not work", report.Failed
	}
	return fmt.Sprintf("%s %d of %d probes passed, %d failed, %d skipped, through the %s, in %.1fs (context %q).", style.State(state, word+":"),
		count[report.ProbePassed], len(r.Probes), count[report.ProbeFailed], count[report.ProbeSkipped], r.Through, r.Elapsed, r.Target.Context)
}

// openURL hands the URL to the browser, if that was asked for.
func (o *LoginURLOptions) openURL(ctx context.Context, url string) error {
	if !o.Open || url == "" {
		return nil
	}
	if err := show.OpenBrowser(ctx, url); err != nil {
		return fmt.Errorf("--open: %w", err)
	}
	return nil
}
