package login

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/crypto/bcrypt"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

const (
	needsUser   = "needs --user-email and --password-stdin"
	notLoggedIn = "not logged in"
)

// login walks to Dex's form and, where somebody is named, through it.
func (w *walk) login(ctx context.Context) verdict {
	start := w.person.get(ctx, "/oauth2/start?rd="+url.QueryEscape(webAppPath))
	if v, bad := w.cookiesDropped(start); bad {
		return v
	}
	if id := w.o.Identity.ID; id != "" && start.redirect() {
		query := start.location.Query()
		query.Set("connector_id", id)
		start.location.RawQuery = query.Encode()
	}
	form, trail := w.follow(ctx, start)
	w.dexAnswer = form
	action := attribute(formAction, form.body)
	if other := attribute(localLogin, form.body); action == "" && other != "" && form.ok() {
		// Dex offers several ways to log in; this one is its own.
		if u, err := form.at.Parse(other); err != nil || u.Host != w.base.Host {
			return fail(form, notLoggedIn, w.astray(form, fmt.Sprintf("Dex's list of ways to log in leads to %q", other)))
		}
		form, _ = w.follow(ctx, w.person.get(ctx, other))
		action = attribute(formAction, form.body)
	}
	if form.redirect() && w.o.Identity.ID == "" && !inCluster(form.location.Hostname()) {
		v := skip("the login goes to " + form.location.Host + ", an external identity provider: --identity ID checks it")
		v.stop = notLoggedIn
		return v
	}
	if form.redirect() && w.o.Identity.ID != "" {
		back, v := w.provider(ctx, form)
		if v != nil {
			return *v
		}
		last, rest := w.follow(ctx, back)
		return w.arrived(ctx, "GET /oauth2/start, POST "+form.location.Host, last, append(append(trail, form), rest...))
	}
	if !form.ok() || action == "" {
		return fail(form, notLoggedIn, w.noForm(form))
	}
	if w.o.Email == "" {
		v := pass("GET /oauth2/start", append(trail, form)...)
		v.came += ": Dex's login form; " + needsUser
		v.stop = needsUser
		return v
	}
	if u, err := form.at.Parse(action); err != nil || u.Host != w.base.Host {
		return fail(form, notLoggedIn, w.astray(form, fmt.Sprintf("Dex's login form would send the password to %q", action)))
	}
	target, err := form.at.Parse(action)
	if err != nil {
		return fail(form, notLoggedIn, w.noForm(form))
	}
	entered := w.person.do(ctx, http.MethodPost, target.String(),
		url.Values{"login": {w.o.Email}, "password": {w.o.Password}}.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	if entered.err == nil && (entered.code == http.StatusUnauthorized || entered.ok()) {
		return fail(entered, notLoggedIn, w.refused(ctx, entered))
	}
	if c, ok := w.byLog(ctx, entered); ok {
		return fail(entered, notLoggedIn, c)
	}
	if !entered.redirect() {
		return fail(entered, notLoggedIn, w.hop(entered, "/dex/", diagnose.DexUnreachable, dexComponent, dexNamespace, dexName, dexName))
	}
	last, rest := w.follow(ctx, entered)
	return w.arrived(ctx, "GET /oauth2/start, POST "+target.Path, last, append(append(trail, form), rest...))
}

// arrived judges where a login has ended.
func (w *walk) arrived(ctx context.Context, asked string, last answer, trail []answer) verdict {
	for _, a := range append(trail, last) {
		if v, bad := w.cookiesDropped(a); bad {
			return v
		}
	}
	if last.ok() && strings.HasPrefix(last.at.Path, webAppPath) {
		return pass(asked, append(trail, last)...)
	}
	if c, ok := w.byLog(ctx, last); ok {
		return fail(last, notLoggedIn, c)
	}
	return fail(last, notLoggedIn, w.notIn(last))
}

// inCluster tells a name that no browser outside of the cluster can resolve.
func inCluster(host string) bool {
	return strings.HasSuffix(host, ".svc") || strings.Contains(host, ".svc.") || !strings.Contains(host, ".")
}

// follow goes on until an answer is no redirect, or leads away from the gateway.
func (w *walk) follow(ctx context.Context, a answer) (answer, []answer) {
	var trail []answer
	for range redirects {
		if a.err != nil || !a.redirect() || a.location.Host != w.base.Host {
			return a, trail
		}
		trail = append(trail, a)
		a = w.person.get(ctx, a.location.String())
	}
	return a, trail
}

// cookiesDropped tells that an answer sets a cookie that a browser will not keep.
func (w *walk) cookiesDropped(a answer) (verdict, bool) {
	if w.base.Scheme != "http" || loopback(w.base.Hostname()) {
		return verdict{}, false
	}
	for _, c := range a.cookies {
		if c.Secure && c.MaxAge >= 0 {
			v := fail(a, notLoggedIn, secureCause(append([]string{
				fmt.Sprintf("%s: sets the cookie %s with Secure over http://%s", a.request, c.Name, w.base.Host),
			}, w.g.secureSettings()...)...))
			v.came = fmt.Sprintf("%d, cookie %s is marked Secure", a.code, c.Name)
			return v, true
		}
	}
	return verdict{}, false
}

// noForm names why Dex's form does not come.
func (w *walk) noForm(a answer) report.Cause {
	switch {
	case a.err != nil:
		return w.noConnection(a)
	case a.redirect():
		return w.astray(a, "the login goes to another host: "+a.location.Host)
	case strings.Contains(a.body, "redirect_uri"):
		return w.g.redirectCause(a.evidence())
	case strings.Contains(a.body, "client_id"):
		return clientCause(a.evidence())
	case strings.HasPrefix(a.at.Path, "/oauth2/"):
		return w.hop(a, "/oauth2/", diagnose.OAuth2ProxyUnreachable, proxyComponent, proxyNamespace, proxyName, proxyName)
	}
	return w.hop(a, "/dex/", diagnose.DexUnreachable, dexComponent, dexNamespace, dexName, dexName)
}

// astray is a login that leads where no browser can follow.
func (w *walk) astray(a answer, summary string) report.Cause {
	return report.Cause{
		Name: diagnose.LoginLoop, Severity: report.Error, Component: proxyComponent, Object: proxyConfigRef,
		Summary: summary, Evidence: []string{a.evidence()},
		Remedy: "login_url and redirect_url of oauth2-proxy must be paths, without a host: kubectl jupyter install --only oauth2-proxy",
	}
}

// refused tells a wrong password from one that Dex has not heard of yet.
func (w *walk) refused(ctx context.Context, a answer) report.Cause {
	c := report.Cause{
		Name: diagnose.LoginRefused, Severity: report.Error, Component: dexComponent,
		Object:  report.Ref{Kind: "Deployment", Group: "apps", Namespace: dexNamespace, Name: dexName},
		Summary: "Dex rejects the password of " + w.o.Email, Evidence: []string{a.evidence()},
		Remedy: "kubectl jupyter user set-password " + w.o.Email,
	}
	if id := w.o.Identity.ID; id != "" {
		c.Summary, c.Remedy = fmt.Sprintf("the identity provider %s rejects the name or the password of %s", id, w.o.Email), fmt.Sprintf("kubectl jupyter identity test %s --try %s", id, w.o.Email)
		return c
	}
	users := w.g.Users()
	known := false
	for _, u := range users {
		known = known || strings.EqualFold(u, w.o.Email)
	}
	if !known && len(users) > 0 {
		c.Summary = "Dex does not know " + w.o.Email
		c.Evidence = append(c.Evidence, "known users: "+strings.Join(users, ", "))
		c.Remedy = "kubectl jupyter user add " + w.o.Email
		return c
	}
	if w.g.Dex == nil {
		return c
	}
	for _, p := range w.g.Dex.StaticPasswords {
		if !strings.EqualFold(p.Email, w.o.Email) {
			continue
		}
		// The password is the one in the cluster, and Dex still does not take it.
		if hash, err := w.source.firstPasswordHash(ctx); err == nil && bcrypt.CompareHashAndPassword(hash, []byte(w.o.Password)) == nil {
			c.Name = diagnose.PasswordChangeIgnored
			c.Summary = "the password matches Secret auth/dex-passwords, but Dex uses another: it read the Secret before the change"
			c.Remedy = "kubectl -n auth rollout restart deployment dex"
		}
	}
	return c
}

// notIn names why somebody with the right password does not get in.
func (w *walk) notIn(a answer) report.Cause {
	if c, ok := w.tooLarge(a); ok {
		return c
	}
	if c, ok := w.tokenRefused(a); ok {
		return c
	}
	switch {
	case a.err != nil:
		return w.noConnection(a)
	case a.redirect():
		return w.astray(a, "the login goes to another host: "+a.location.Host)
	case strings.HasPrefix(a.at.Path, callbackPath):
		return w.callback(a)
	case strings.HasPrefix(a.at.Path, "/dex/approval"):
		return w.astray(a, "Dex asks for an approval: skipApprovalScreen is off")
	case toLogin(a):
		return report.Cause{
			Name: diagnose.LoginLoop, Severity: report.Error, Component: proxyComponent,
			Object:  report.Ref{Group: "apps", Kind: "Deployment", Namespace: proxyNamespace, Name: proxyName},
			Summary: "the login succeeds but returns to the sign-in page: the session is not kept", Evidence: []string{a.evidence()},
			Remedy: "kubectl -n oauth2-proxy rollout restart deployment oauth2-proxy",
		}
	}
	return w.hop(a, webAppPath, diagnose.WebAppUnreachable, webAppComponent, stackNamespace, webAppService, webAppWorkload)
}

// callback names why oauth2-proxy does not take what Dex sent back.
func (w *walk) callback(a answer) report.Cause {
	var own string
	if w.g.Dex != nil {
		own = w.g.Dex.Issuer
	}
	switch expected := w.g.Proxy["oidc_issuer_url"]; {
	case a.stranded():
		return w.noConnection(a)
	case a.code < http.StatusInternalServerError && a.code != http.StatusForbidden:
		// oauth2-proxy answers 500 where it cannot redeem the code, and 403 without its cookie.
		return w.hop(a, callbackPath, diagnose.OAuth2ProxyUnreachable, proxyComponent, proxyNamespace, proxyName, proxyName)
	case a.code == http.StatusForbidden:
		return report.Cause{
			Name: diagnose.LoginLoop, Severity: report.Error, Component: proxyComponent, Object: proxyConfigRef,
			Summary: "the cookie that oauth2-proxy set at the start of the login is missing", Evidence: []string{a.evidence()},
			Remedy: "kubectl -n oauth2-proxy logs deployment/oauth2-proxy",
		}
	case w.g.ClientAgrees != nil && !*w.g.ClientAgrees:
		return clientCause(a.evidence(), "Secret auth/dex-oidc-client and Secret oauth2-proxy/oauth2-proxy have different values")
	case expected != "" && own != "" && expected != own:
		c := w.g.issuerCause(a.evidence(), fmt.Sprintf("%s: oidc_issuer_url %s", proxyConfigRef, expected))
		c.Summary = "oauth2-proxy does not accept tokens from Dex's issuer"
		return c
	}
	c := clientCause(a.evidence())
	c.Summary = "oauth2-proxy cannot redeem Dex's code: one of them started with a different client secret, or they do not reach each other"
	c.Remedy += "\nkubectl -n oauth2-proxy logs deployment/oauth2-proxy"
	return c
}
