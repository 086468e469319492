package login

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// Result is all of a check.
type Result struct {
	APIVersion string        `json:"apiVersion"`
	Kind       string        `json:"kind"`
	Target     report.Target `json:"target"`
	WayIn      report.WayIn  `json:"wayIn"`
	// Through is how the probes went: address or port-forward.
	Through string         `json:"through"`
	Probes  []report.Probe `json:"probes"`
	// Claims of who has logged in by an identity provider.
	Claims  *Claims        `json:"claims,omitempty"`
	Causes  []report.Cause `json:"causes,omitempty"`
	Elapsed float64        `json:"elapsedSeconds"`
}

// Passed tells that nothing failed.
func (r *Result) Passed() bool {
	return !slices.ContainsFunc(r.Probes, func(p report.Probe) bool { return p.Outcome == report.ProbeFailed }) &&
		!slices.ContainsFunc(r.Causes, func(c report.Cause) bool { return c.Severity >= report.Error })
}

// outOfTime is why a probe was not tried.
const outOfTime = "out of time"

// Unclear tells that the check ended before it had tried everything.
func (r *Result) Unclear() bool {
	return slices.ContainsFunc(r.Probes, func(p report.Probe) bool { return p.Outcome == report.ProbeSkipped && p.Came == outOfTime })
}

// CheckOptions of a check.
type CheckOptions struct {
	// Base is the URL whose host the browser asks, and Health where the gateway tells of
	// itself (its port 15021); empty where that port is not reached.
	Base, Health string
	// Notebooks is the notebooks' origin; empty where it is the same, or cannot be reached.
	Notebooks string
	// Through is address or port-forward.
	Through string
	// ServerName is checked in the gateway's certificate instead of Base's host.
	ServerName string
	// Unreached is why no connection to the gateway could even be tried; nil where one can.
	Unreached error
	// Email and Password log somebody in; with no Email the check ends at Dex's form.
	Email, Password string
	// Identity to log in by; without an ID it is Dex's own passwords.
	Identity Identity
	// RequestTimeout bounds one request; 0 means ten seconds.
	RequestTimeout time.Duration
	// Explain asks why objects are not ready; nil asks nothing.
	Explain func(context.Context, []diagnose.Subject) []report.Cause
}

// DefaultRequestTimeout bounds one request of a check.
const DefaultRequestTimeout = 10 * time.Second

// Check walks the way in from outside and names the hop that fails. Ground is what the
// cluster says about the hops. Nothing is changed: the only request that could change
// something is one that the web app must refuse. The error is that of options which
// make no sense; what a probe finds is in the Result.
func Check(ctx context.Context, c *cluster.Cluster, g *Ground, o CheckOptions) (*Result, error) {
	return check(ctx, clusterSource{c}, c.Target, g, o)
}

// source is what a check reads while it is under way.
type source interface {
	// firstPasswordHash is what the cluster holds for the user of Dex's own configuration.
	firstPasswordHash(context.Context) ([]byte, error)
	// notebooks of a namespace that run.
	notebooks(ctx context.Context, namespace string) ([]Notebook, error)
	// destination is the host that a notebook's route leads to; empty where it is not known.
	destination(ctx context.Context, n Notebook) string
	// complaints in the logs of Dex and oauth2-proxy since a moment.
	complaints(ctx context.Context, since time.Time) []string
}

func check(ctx context.Context, s source, target report.Target, g *Ground, o CheckOptions) (*Result, error) {
	base, err := url.Parse(o.Base)
	if err != nil || base.Host == "" {
		return nil, fmt.Errorf("URL %q: not an http or https URL", o.Base)
	}
	if o.RequestTimeout == 0 {
		o.RequestTimeout = DefaultRequestTimeout
	}
	start := time.Now()
	w := &walk{started: start, source: s, g: g, o: o, base: base, result: NotTried(target, g.WayIn(), nil)}
	w.result.Through = o.Through
	w.roots = g.roots()
	if w.stranger, err = w.newBrowser(); err != nil {
		return nil, err
	}
	if w.person, err = w.newBrowser(); err != nil {
		return nil, err
	}
	for _, s := range steps {
		if s.hop == originHop && g.Notebooks == nil {
			continue // an installation of somebody else, or one that may not be read
		}
		if s.hop == claimsHop && o.Identity.ID == "" {
			continue // Dex knows what it says of its own users
		}
		w.run(ctx, s)
	}
	w.conclude(ctx)
	w.result.Elapsed = time.Since(start).Seconds()
	return w.result, nil
}

// NotTried is a check before its first probe, and one that has nothing to ask.
func NotTried(target report.Target, in report.WayIn, causes []report.Cause) *Result {
	return &Result{
		APIVersion: report.APIVersion, Kind: "LoginCheck", Target: target, WayIn: in, Through: ThroughAddress,
		Probes: []report.Probe{}, Causes: causes,
	}
}

func (w *walk) newBrowser() (*browser, error) {
	return newBrowser(w.base, w.o.RequestTimeout, &tls.Config{RootCAs: w.roots, ServerName: w.o.ServerName, MinVersion: tls.VersionTLS12})
}

// roots trusts what the machine trusts, and the certificate that the cluster holds for
// its gateway. A gateway that presents another one is not trusted.
func (g *Ground) roots() *x509.CertPool {
	if len(g.Leaf)+len(g.Authority) == 0 {
		return nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	pool.AppendCertsFromPEM(g.Leaf)
	pool.AppendCertsFromPEM(g.Authority)
	return pool
}

// walk is a check under way.
type walk struct {
	source           source
	g                *Ground
	o                CheckOptions
	base             *url.URL
	roots            *x509.CertPool
	stranger, person *browser
	result           *Result
	causes           []report.Cause
	// subjects are hops that do not answer; their pods may say why.
	subjects []diagnose.Subject
	// dexAnswer is the answer with Dex's form; what has answered elsewhere is not Dex.
	dexAnswer answer
	// started is when the check began.
	started time.Time
	// stopped is why going on makes no sense.
	stopped string
	// insecure tells that the way lets in who is not logged in.
	insecure bool
}

// step of a check.
type step struct {
	hop, expected string
	// always tells that a failure before it is no reason to leave it out.
	always bool
	probe  func(*walk, context.Context) verdict
}

const (
	originHop = "notebook origin"
	claimsHop = "claims"
)

// steps in the order in which a request passes the hops.
var steps = []step{
	{"gateway", "200", true, (*walk).gateway},
	{"dex", "200", true, (*walk).dex},
	{"oauth2-proxy", "401, not logged in", true, (*walk).proxy},
	{"sign-in page", "403 with the sign-in page; 401 for programs", true, (*walk).signIn},
	{"forged identity", "refused, three times", true, (*walk).forged},
	{"login", "redirects to Dex's login form, and back to the web app", false, (*walk).login},
	{claimsHop, "a verified e-mail address that owns a Profile", false, (*walk).claims},
	{"web app", "200", false, (*walk).webApp},
	{"changes", "400, the name is missing", false, (*walk).changes},
	{"kernels", "101, a WebSocket", false, (*walk).kernels},
	{originHop, "403 for a page of another origin, a redirect to the web app's", true, (*walk).origin},
	{"credentials", "removed before a notebook gets the request, as the cluster's objects say", true, (*walk).credentials},
}

// verdict on a step.
type verdict struct {
	came    string
	asked   string
	took    time.Duration
	outcome report.Outcome
	causes  []report.Cause
	// stop is why what follows would prove nothing; halt also for what looks for holes.
	stop string
	halt bool
}

func (w *walk) run(ctx context.Context, s step) {
	p := report.Probe{Step: len(w.result.Probes) + 1, Hop: s.hop, Expected: s.expected, Outcome: report.ProbeSkipped}
	var v verdict
	switch {
	case ctx.Err() != nil:
		p.Came = outOfTime
	case w.stopped != "" && (!s.always || w.insecure):
		p.Came = w.stopped
	default:
		v = s.probe(w, ctx)
		p.Came, p.Request, p.Outcome, p.Elapsed = v.came, v.asked, v.outcome, v.took.Seconds()
	}
	if len(v.causes) > 0 {
		p.Cause = v.causes[0].Name
	}
	w.causes = append(w.causes, v.causes...)
	if v.stop != "" && w.stopped == "" {
		w.stopped = v.stop
	}
	w.insecure = w.insecure || v.halt
	w.result.Probes = append(w.result.Probes, p)
}

// conclude adds what the objects alone prove, and asks why hops do not answer.
func (w *walk) conclude(ctx context.Context) {
	failed := slices.ContainsFunc(w.result.Probes, func(p report.Probe) bool { return p.Outcome == report.ProbeFailed })
	people := w.base
	if u, err := url.Parse(w.result.WayIn.URL); err == nil && u.Host != "" {
		people = u
	}
	for _, c := range slices.Concat(w.g.policyCauses(), w.g.configCauses(people), w.g.CredentialsCauses(), w.g.OriginCauses(), w.g.strangeFilters(), MeshRootCauses(w.g.MeshRoot, slices.Concat(w.g.MeshPods, w.g.Pods), time.Now())) {
		if !slices.ContainsFunc(w.causes, func(known report.Cause) bool { return known.Name == c.Name && known.Object == c.Object }) {
			w.causes = append(w.causes, c)
		}
	}
	w.causes = append(w.causes, w.blocked()...)
	if failed && len(w.subjects) > 0 && w.o.Explain != nil {
		for _, c := range w.o.Explain(ctx, w.subjects) {
			// The hop's own cause says as much.
			if c.Name != diagnose.NotReady {
				w.causes = append(w.causes, c)
			}
		}
	}
	w.result.Causes = diagnose.Rank(w.causes)
}

// suspect a workload: its pods may say why it does not answer.
func (w *walk) suspect(component, namespace, deployment string) {
	if d := w.g.deployment(namespace, deployment); d != nil && deploymentLink(d, 0).State == report.Ready {
		return
	}
	s := diagnose.Subject{Component: component, Ref: report.Ref{Group: "apps", Kind: "Deployment", Namespace: namespace, Name: deployment}}
	if !slices.Contains(w.subjects, s) {
		w.subjects = append(w.subjects, s)
	}
}

func pass(asked string, as ...answer) verdict {
	v := verdict{asked: asked, outcome: report.ProbePassed}
	said := make([]string, 0, len(as))
	for _, a := range as {
		v.took += a.took
		said = append(said, fmt.Sprint(a.code))
	}
	v.came = strings.Join(said, ", ")
	return v
}

func fail(a answer, stop string, causes ...report.Cause) verdict {
	return verdict{asked: a.request, came: a.says(), took: a.took, outcome: report.ProbeFailed, stop: stop, causes: causes}
}

func skip(why string) verdict { return verdict{came: why, outcome: report.ProbeSkipped} }
