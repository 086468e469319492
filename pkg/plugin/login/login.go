package login

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/exposure"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/login"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/people"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// LoginURLFlags are what was typed.
type LoginURLFlags struct {
	open        bool
	explain     bool
	check       bool
	portForward bool
	user        people.Credentials
	identity    string
	timeout     time.Duration
	output      string
}

// LoginURLOptions are what is meant.
type LoginURLOptions struct {
	base        *plugin.Base
	Open        bool
	Explain     bool
	Check       bool
	PortForward bool
	// User is logged in.
	User people.Credentials
	// Identity is the ID of the identity provider to log in by; empty for Dex's own passwords.
	Identity string
	Timeout  time.Duration
	Format   string
}

// loginTimeout bounds the command; one request of a check is bounded by a part of it.
const loginTimeout = time.Minute

func New(b *plugin.Base) *cobra.Command {
	f := &LoginURLFlags{}
	cmd := &cobra.Command{
		Use:     "login-url",
		GroupID: plugin.GroupAccess,
		Short:   "Print the URL of the web app, explain the path to it, or check that it works",
		Long: `Print the URL of the web app. Standard output has only the URL; the users who can log in
are written to standard error.

--explain lists what a request passes on its path, with the objects, addresses and pods of
this cluster: the gateway's Service, the policies that require authentication, the Gateway,
and for each URL path its VirtualService, Service, Deployment and pods.

--check sends the requests that a browser would send, and reports the hop that fails. It
also tries to access the web app without a login, which must be denied: a web app that is
open to everyone is reported before anything else. With --user-email and a password, it
logs in and sends the requests that the page of the web app sends. It changes nothing: its
only POST request omits a required parameter. The URL is printed if all probes have passed.

With --identity, the login goes by an identity provider: to a form of Dex, or to the
provider, whose answer is checked. The e-mail address, the groups and the Profile of the
login are shown. The password is sent to a provider only if its login is a plain form, over
HTTPS, and the connector names its host; otherwise the check ends there.

Exit codes:
  0  there is a URL, and with --check or --explain, the path to it works
  1  there is no URL, or the path to it does not work
  2  the result could not be determined`,
		Example: plugin.Examples(`
			# Print the URL
			kubectl jupyter login-url

			# Check that the URL works, and open it in the browser
			kubectl jupyter login-url --check --open

			# Check the whole path, including a login
			kubectl jupyter login-url --check --user-email user@example.com --password-stdin < password.txt

			# Check a login by the identity provider with the ID ldap
			kubectl jupyter login-url --check --identity ldap --user-email ada@example.com --password-stdin < password.txt

			# Check through the API server, to rule out problems of the network
			kubectl jupyter login-url --check --port-forward

			# List the objects on the path, and which of them are missing
			kubectl jupyter login-url --explain

			# Print only the URL, for use by programs
			kubectl jupyter login-url -o jsonpath={.url}`),
		Args: plugin.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := f.ToOptions(b)
			return plugin.Run(cmd, o, err)
		},
	}
	fs := cmd.Flags()
	fs.BoolVar(&f.open, "open", false, "If true, open the URL in the browser of this machine")
	fs.BoolVar(&f.explain, "explain", false, "If true, list the objects on the path to the web app, and mark those that are missing")
	fs.BoolVar(&f.check, "check", false, "If true, test each hop of the path from outside the cluster")
	fs.BoolVar(&f.portForward, "port-forward", false, "If true, check through the API server instead of the address, which does not have to exist or be reachable")
	f.user.AddFlags(b, cmd, "E-mail address of the user to log in as during the check")
	fs.StringVar(&f.identity, "identity", "", "ID of the identity provider to log in by during the check; --user-email is then what is entered into its form")
	fs.DurationVar(&f.timeout, "timeout", loginTimeout, "The length of time to wait before giving up on the run, such as 20s or 2m")
	fs.StringVarP(&f.output, "output", "o", "", "Output format. One of: (wide, json, yaml, jsonpath=TEMPLATE)")
	plugin.Complete(cmd, "output", func() []string { return []string{view.FormatWide, view.JSON, view.YAML, view.JSONPath + "="} })
	return cmd
}

// ToOptions checks what was typed.
func (f *LoginURLFlags) ToOptions(b *plugin.Base) (*LoginURLOptions, error) {
	switch {
	case f.explain && f.check:
		return nil, errors.New("--explain and --check cannot be used together")
	case f.explain && f.open:
		return nil, errors.New("--explain and --open cannot be used together")
	case f.portForward && !f.check:
		return nil, errors.New("--port-forward can only be used with --check; to forward a port until Ctrl-C, run `kubectl jupyter port-forward`")
	case f.user.Email != "" && !f.check:
		return nil, errors.New("--user-email can only be used with --check")
	case f.identity != "" && !f.check:
		return nil, errors.New("--identity can only be used with --check")
	case f.portForward && f.open:
		return nil, errors.New("--open and --port-forward cannot be used together: the port is only forwarded during the check")
	case f.timeout <= 0:
		return nil, fmt.Errorf("--timeout: %s is not positive: use a duration such as 20s or 2m", f.timeout)
	}
	check := f.user.Check
	if f.identity != "" {
		check = f.user.CheckLogin
	}
	if err := check(); err != nil {
		return nil, err
	}
	if f.output != "" {
		if err := view.CheckOutput(f.output, view.FormatWide); err != nil {
			return nil, err
		}
	}
	return &LoginURLOptions{
		base: b, Open: f.open, Explain: f.explain, Check: f.check, PortForward: f.portForward,
		User: f.user, Identity: f.identity, Timeout: f.timeout, Format: f.output,
	}, nil
}

// Run answers within the time that it has.
func (o *LoginURLOptions) Run(ctx context.Context) error {
	password, err := o.User.Password(ctx, o.base)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	c, err := o.base.Connect(ctx, o.base.ErrOut)
	if err != nil {
		return plugin.Unclear(err)
	}
	switch {
	case o.Explain:
		return o.explain(ctx, c)
	case o.Check:
		return o.check(ctx, c, password)
	}
	in, err := login.FindWayIn(ctx, c)
	if err != nil {
		return plugin.Unclear(fmt.Errorf("%s: %w", c.Where(), err))
	}
	return errors.Join(o.printWayIn(ctx, c, in), o.openURL(ctx, in.URL))
}

// wayInDocument is the machine-readable form of the URL.
type wayInDocument struct {
	APIVersion string        `json:"apiVersion"`
	Kind       string        `json:"kind"`
	Target     report.Target `json:"target"`
	report.WayIn
	Causes []report.Cause `json:"causes,omitempty"`
}

func (o *LoginURLOptions) printWayIn(ctx context.Context, c *cluster.Cluster, in report.WayIn) error {
	var causes []report.Cause
	if in.Missing != "" {
		causes = missingCauses(ctx, c, in)
	}
	switch {
	case view.IsDocument(o.Format):
		if err := view.Document(o.base.Out, o.Format, wayInDocument{report.APIVersion, "LoginURL", c.Target, in, causes}); err != nil {
			return err
		}
	case o.Format == view.FormatWide:
		if err := view.WayIn(o.base.Out, in); err != nil {
			return err
		}
	case in.Missing == "":
		if _, err := fmt.Fprintln(o.base.Out, in.URL); err != nil {
			return err
		}
		view.Users(o.base.ErrOut, in)
	}
	if in.Missing == "" {
		return nil
	}
	return o.noAddress(c, in, causes)
}

// noAddress says what to do where no URL leads in.
func (o *LoginURLOptions) noAddress(c *cluster.Cluster, in report.WayIn, causes []report.Cause) error {
	if len(causes) > 0 && !view.IsDocument(o.Format) {
		if err := view.Causes(o.base.ErrOut, causes, plugin.StyleFor(o.base.ErrOut)); err != nil {
			return err
		}
		fmt.Fprintln(o.base.ErrOut)
	}
	todo := "run `kubectl jupyter expose` to assign an address, or `kubectl jupyter port-forward` to connect without one"
	if in.Via == "" {
		todo = "run `kubectl jupyter install` to install it"
	}
	return fmt.Errorf("%s: there is no URL for the web app: %s\n%s", c.Where(), in.Missing, todo)
}

// missingCauses names why the gateway has no address.
func missingCauses(ctx context.Context, c *cluster.Cluster, in report.WayIn) []report.Cause {
	if in.Via != "LoadBalancer" {
		return nil
	}
	if s, err := exposure.Read(ctx, c); err == nil {
		if causes := s.Causes(); len(causes) > 0 {
			return causes
		}
	}
	return diagnose.Explain(ctx, c, []diagnose.Subject{{Component: "istio", Ref: login.GatewayRef}})
}
