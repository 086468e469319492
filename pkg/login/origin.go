package login

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// separate tells whether notebooks have another origin than the web app.
func (g *Ground) separate() bool { return g.Notebooks != nil && g.Notebooks.On() }

// OriginRef names the filter that keeps notebooks from the web app's origin.
var OriginRef = report.Ref{Group: networkingGroup, Kind: "EnvoyFilter", Namespace: istioNamespace, Name: "kubeflow-gateway-origins"}

// originDoes is what it is for, originWithout what happens without it.
const (
	originDoes    = "serves notebooks at an origin of their own, and refuses at the web app's what other pages send"
	originWithout = "scripts of a notebook's page can act in the web app as whoever opens the notebook"
)

// OriginCauses name what keeps notebooks at the web app's origin although they are to have
// one of their own. It reads Notebooks, Filters and OriginFilter.
func (g *Ground) OriginCauses() []report.Cause {
	if !g.separate() {
		return nil
	}
	return g.filterCauses(duty{OriginRef, diagnose.SharedOrigin, gatewayComponent, originWithout, g.OriginFilter})
}

// originLinks are what tells the origins apart on the way of a request.
func (g *Ground) originLinks() []report.Link {
	if !g.separate() {
		return nil
	}
	return []report.Link{g.filterLink(OriginRef, originDoes, originWithout, g.OriginCauses())}
}

// notebooksURL is the notebooks' origin that belongs to the URL of the web app; empty where
// that is the same, or is not exposed there.
func (g *Ground) notebooksURL(in report.WayIn) string {
	app, err := url.Parse(in.URL)
	if !g.separate() || err != nil || app.Host == "" {
		return ""
	}
	u := url.URL{Scheme: app.Scheme}
	if g.Notebooks.Host != "" {
		if u.Host = g.Notebooks.Host; app.Port() != "" {
			u.Host = net.JoinHostPort(u.Host, app.Port())
		}
		return u.String()
	}
	port := g.outside(components.NotebookPort)
	if port == 0 {
		return ""
	}
	u.Host = net.JoinHostPort(app.Hostname(), strconv.Itoa(port))
	return u.String()
}

// NotebookURL is where a notebook is served at a path: at the web app's origin, or at that
// of the notebooks where they have one of their own.
func NotebookURL(in report.WayIn, namespace, path string) (string, error) {
	origin := in.URL
	if in.Notebooks != "" {
		origin = strings.Replace(in.Notebooks, "*", namespace, 1)
	}
	u, err := url.Parse(origin)
	if err != nil {
		return "", fmt.Errorf("the origin of notebooks %q is not a URL: %w", origin, err)
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: path}).String(), nil
}

// NextPort is the notebooks' origin where the web app's is a port of this machine.
func NextPort(app string) (port int, origin string) {
	u, err := url.Parse(app)
	if err != nil {
		return 0, ""
	}
	if port, err = strconv.Atoi(u.Port()); err != nil {
		return 0, ""
	}
	port++
	return port, (&url.URL{Scheme: u.Scheme, Host: net.JoinHostPort(u.Hostname(), strconv.Itoa(port))}).String()
}

// notebooksOf a namespace are at this origin; empty where that cannot be reached.
func (w *walk) notebooksOf(namespace string) string {
	return strings.Replace(w.o.Notebooks, "*", namespace, 1)
}

// origin tells that pages of notebooks cannot act in the web app: its origin refuses what
// another page sends, and the notebooks' leads to it for whatever is not theirs. Nobody has
// to be logged in for it.
func (w *walk) origin(ctx context.Context) verdict {
	if !w.g.separate() {
		return skip("shared with the web app, as chosen: " + originWithout)
	}
	cause := func(a answer, says string) report.Cause {
		c := report.Cause{
			Name: diagnose.SharedOrigin, Severity: report.Fatal, Component: gatewayComponent, Object: OriginRef,
			Summary: says + ": " + originWithout, Evidence: []string{a.evidence()},
			Remedy: "kubectl jupyter install --only " + gatewayComponent + " --adopt",
		}
		if causes := w.g.OriginCauses(); len(causes) > 0 {
			c = causes[0]
			c.Evidence = append(c.Evidence, a.evidence())
		}
		return c
	}
	from := w.notebooksOf("routes")
	if from == "" {
		from = "http://notebooks.invalid"
	}
	const path = "/oauth2/auth"
	asked := w.stranger.get(ctx, path, "Origin", from)
	switch {
	case asked.err != nil || asked.stranded():
		return fail(asked, "", w.noConnection(asked))
	case asked.code != http.StatusForbidden:
		return fail(asked, "", cause(asked, "the web app's origin takes what a page of another origin sends"))
	}
	if w.o.Notebooks == "" {
		v := pass(asked.request, asked)
		v.came += "; the notebooks' origin is not reachable this way"
		return v
	}
	led := w.stranger.get(ctx, from+path)
	switch {
	case led.err != nil || led.stranded():
		c := w.noConnection(led)
		c.Summary = from + ", where notebooks are served, does not answer: no notebook can be opened"
		return fail(led, "", c)
	case led.redirect() && led.location.Host != led.at.Host:
		return pass(asked.request+" of another origin, "+strings.TrimPrefix(led.request, "GET ")+" of the notebooks'", asked, led)
	}
	return fail(led, "", cause(led, "the notebooks' origin serves the login"))
}
