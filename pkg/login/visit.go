package login

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// Visitor is somebody who has logged in at the gateway, as a browser does. It reads nothing
// of the cluster, so that a person needs no permissions for it.
type Visitor struct {
	email   string
	browser *browser
}

// Enter logs somebody in at the address of a way in. What this machine trusts is trusted, as
// the password is sent. The error tells what refused the login.
func Enter(ctx context.Context, in report.WayIn, email, password string) (*Visitor, error) {
	base, err := url.Parse(in.URL)
	if err != nil || base.Host == "" {
		return nil, fmt.Errorf("URL %q: not an http or https URL", in.URL)
	}
	w := &walk{
		g: &Ground{}, base: base, result: NotTried(report.Target{}, in, nil),
		o: CheckOptions{Through: ThroughAddress, Base: in.URL, Email: email, Password: password, RequestTimeout: DefaultRequestTimeout},
	}
	if w.person, err = w.newBrowser(); err != nil {
		return nil, err
	}
	v := w.login(ctx)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case v.outcome == report.ProbePassed:
		return &Visitor{email, w.person}, nil
	case len(v.causes) > 0:
		return nil, fmt.Errorf("cannot log in as %s at %s: %s (%s)", email, in.URL, v.causes[0].Summary, v.came)
	}
	return nil, fmt.Errorf("cannot log in as %s at %s: %s", email, in.URL, v.came)
}

// Answers asks for a notebook at its URL, and tells whether its server answers the visitor;
// else the error is what came instead.
func (v *Visitor) Answers(ctx context.Context, notebook string) error {
	a := v.browser.get(ctx, notebook)
	switch {
	case a.err != nil:
		return errors.New(connectionError(a.err))
	case strings.Contains(a.body, denied):
		return fmt.Errorf("403: %s may not open it", v.email)
	case toLogin(a):
		return fmt.Errorf("%d: the session of %s is not accepted", a.code, v.email)
	case a.header.Get(upstreamTime) == "" || a.code >= http.StatusInternalServerError:
		return fmt.Errorf("the gateway returned %s", a.says())
	}
	return nil
}
