package login

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/exposure"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/login"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// LoginURLFlags are what was typed.
type LoginURLFlags struct {
	open        bool
	explain     bool
	check       bool
	portForward bool
	userEmail   string
	password    bool
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
	// UserEmail logs in, with a password from standard input; empty logs nobody in.
	UserEmail string
	Timeout   time.Duration
	Format    string
}

// loginTimeout bounds the command; one request of a check is bounded by a part of it.
const loginTimeout = time.Minute

func New(b *plugin.Base) *cobra.Command {
	f := &LoginURLFlags{}
	cmd := &cobra.Command{
		Use:     "login-url",
		GroupID: plugin.GroupAccess,
		Short:   "Print the URL of the web app, explain the way to it, prove that it works",
		Long: `Print the URL that leads to the web app, and nothing else on standard output; who
can log in there goes to standard error.

--explain lists what a request passes on its way, with the objects, addresses and
pods of this cluster: the gateway's Service, the policies that ask who is there, the
Gateway, and for each path its VirtualService, Service, Deployment and pods.

--check walks that way as a browser would and names the hop that does not work. It
also tries to get in without a login, which must fail: a web app that is open to
everybody is reported before anything else. With --user-email and a password it logs
in and asks the web app for what its page asks for. It changes nothing: its one POST
leaves out what the web app insists on. The URL is printed when everything has passed.

Exit codes: 0 there is a URL (and with --check or --explain the way to it works),
1 there is none or the way does not work, 2 that could not be found out.`,
		Example: plugin.Examples(`
			# Where do I log in?
			kubectl jupyter login-url

			# Open it in the browser, once it has been proven to work
			kubectl jupyter login-url --check --open

			# The whole way, a login included
			kubectl jupyter login-url --check --user-email user@example.com --password-stdin < password.txt

			# Is it the network or the stack? Go around the network
			kubectl jupyter login-url --check --port-forward

			# Which objects are on the way, and which is missing?
			kubectl jupyter login-url --explain

			# For programs
			kubectl jupyter login-url -o jsonpath={.url}`),
		Args: plugin.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := f.ToOptions(b)
			return plugin.Run(cmd, o, err)
		},
	}
	fs := cmd.Flags()
	fs.BoolVar(&f.open, "open", false, "Open the URL in the browser of this machine")
	fs.BoolVar(&f.explain, "explain", false, "List the objects on the way, and mark what is missing")
	fs.BoolVar(&f.check, "check", false, "Prove each hop of the way from outside")
	fs.BoolVar(&f.portForward, "port-forward", false, "Check through the API server instead of the address: needs no address and no network to it")
	fs.StringVar(&f.userEmail, "user-email", "", "Log in as this person in the check; needs --password-stdin")
	fs.BoolVar(&f.password, "password-stdin", false, "Read the password of --user-email from standard input")
	fs.DurationVar(&f.timeout, "timeout", loginTimeout, "How long everything may take, such as 20s or 2m")
	fs.StringVarP(&f.output, "output", "o", "", "Output format: wide, json, yaml or jsonpath=TEMPLATE")
	plugin.Complete(cmd, "output", func() []string { return []string{view.FormatWide, view.JSON, view.YAML, view.JSONPath + "="} })
	if err := cmd.RegisterFlagCompletionFunc("user-email", b.CompleteUsers); err != nil {
		panic(err) // the flag is defined above
	}
	return cmd
}

// ToOptions checks what was typed.
func (f *LoginURLFlags) ToOptions(b *plugin.Base) (*LoginURLOptions, error) {
	switch {
	case f.explain && f.check:
		return nil, errors.New("--explain and --check exclude each other: the one reads, the other asks")
	case f.explain && f.open:
		return nil, errors.New("--explain and --open exclude each other")
	case f.portForward && !f.check:
		return nil, errors.New("--port-forward belongs to --check; `kubectl jupyter port-forward` is a way in that stays")
	case f.userEmail != "" && !f.check:
		return nil, errors.New("--user-email belongs to --check")
	case f.password && f.userEmail == "":
		return nil, errors.New("--password-stdin: whose password is it? name --user-email")
	case f.userEmail != "" && !f.password:
		return nil, errors.New("--user-email needs the password: pipe it in and give --password-stdin")
	case f.portForward && f.open:
		return nil, errors.New("--open and --port-forward exclude each other: the way through the API server ends with the check")
	case f.timeout <= 0:
		return nil, fmt.Errorf("--timeout: %s is no time: give something like 20s or 2m", f.timeout)
	}
	if f.userEmail != "" {
		if err := (components.Options{UserEmail: f.userEmail}).Validate(); err != nil {
			return nil, err
		}
	}
	if f.output != "" {
		if err := view.CheckOutput(f.output, view.FormatWide); err != nil {
			return nil, err
		}
	}
	return &LoginURLOptions{
		base: b, Open: f.open, Explain: f.explain, Check: f.check, PortForward: f.portForward,
		UserEmail: f.userEmail, Timeout: f.timeout, Format: f.output,
	}, nil
}

// Run answers within the time that it has.
func (o *LoginURLOptions) Run(ctx context.Context) error {
	var password []byte
	if o.UserEmail != "" {
		var err error
		if password, err = plugin.ReadPassword(ctx, o.base.IOStreams, o.UserEmail); err != nil {
			return err
		}
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
		return o.check(ctx, c, string(password))
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
	todo := "`kubectl jupyter expose` gives it an address; `kubectl jupyter port-forward` is a way in without one"
	if in.Via == "" {
		todo = "`kubectl jupyter install` brings it"
	}
	return fmt.Errorf("%s: no URL leads to the web app: %s\n%s", c.Where(), in.Missing, todo)
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
