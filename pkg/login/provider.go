package login

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/redact"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// Identity is the identity provider that a check logs in by.
type Identity struct {
	// ID of its connector in Dex.
	ID string
	// Server is where browsers are redirected to; empty for one that Dex has a form for. A
	// password is sent nowhere else.
	Server string
	// Authorities trust its certificate beside those of this machine, in PEM.
	Authorities []byte
}

// Claims are what the session says of who has logged in.
type Claims struct {
	Email  string   `json:"email"`
	Groups []string `json:"groups"`
	// Profile that the address opens; empty where there is none.
	Profile string `json:"profile,omitempty"`
}

// Words of providers for a callback that they do not know: Google, Microsoft, Dex, Keycloak,
// GitLab, and others.
var callbackWords = []string{
	"redirect_uri_mismatch", "aadsts50011", "unregistered redirect_uri", "invalid redirect_uri", "invalid parameter: redirect_uri",
	"redirect uri included is not valid", "invalid_redirect_uri", "redirect_uri is not associated",
}

// ProviderAnswer says what a provider's answer to a browser means that Dex has sent to it: its
// login, or the name of the cause why not. Providers name errors in the redirect (RFC 6749,
// section 4.1.2.1), and those about the client or its callback on a page, since the callback is
// not to be trusted then. Some tell neither before somebody has logged in.
func ProviderAnswer(code int, location *url.URL, body string) (says, cause string) {
	said := strings.ToLower(body)
	fails := code >= http.StatusBadRequest
	if location != nil && location.Query().Get("error") != "" {
		said = strings.ToLower(location.Query().Get("error") + " " + location.Query().Get("error_description"))
		fails = true
	}
	unknown := slices.ContainsFunc(callbackWords, func(w string) bool { return strings.Contains(said, w) }) ||
		fails && strings.Contains(strings.ReplaceAll(said, " ", "_"), "redirect_uri")
	switch {
	case unknown:
		return fmt.Sprintf("%d, %s", code, gist(words(said))), diagnose.CallbackUnregistered
	case fails:
		return fmt.Sprintf("%d, %s", code, gist(words(said))), diagnose.ProviderRefuses
	case location != nil:
		return fmt.Sprintf("%d to %s", code, location.Path), ""
	}
	return fmt.Sprint(code), ""
}

var markup = regexp.MustCompile(`(?s)<(script|style)[^>]*>.*?</(script|style)>|<[^>]*>`)

// words of a page, without its markup.
func words(page string) string {
	return html.UnescapeString(markup.ReplaceAllString(page, " "))
}

// ClaimCause is the cause that a log of Dex or of oauth2-proxy tells of, by the provider's
// claims; empty where it tells of none.
func ClaimCause(log string) string {
	log = strings.ToLower(strings.ReplaceAll(log, `\`, "")) // quotes within quotes
	for _, c := range []struct {
		name  string
		words []string
	}{
		{diagnose.EmailNotVerified, []string{"isn't verified", "email_verified", "email not verified", "no verified email"}},
		{diagnose.EmailClaimEmpty, []string{`missing "email" claim`, "missing email claim", "set an email", "missing following required attribute", "could not find email", "no email"}},
		{diagnose.GroupMissing, []string{"not a member of", "not in required orgs", "not in any of the required groups", "not in any of the required", "failed to query groups", "not a group member"}},
		{diagnose.IssuerMismatch, []string{"id token issued by a different provider", "did not match the issuer"}},
	} {
		if slices.ContainsFunc(c.words, func(w string) bool { return strings.Contains(log, w) }) {
			return c.name
		}
	}
	return ""
}

// Complaints are the errors in the logs of Dex's or oauth2-proxy's pods since a moment, without
// credentials.
func Complaints(ctx context.Context, c *cluster.Cluster, namespace string, since time.Time) []string {
	pods, err := c.Of(schema.GroupKind{Kind: "Pod"}, namespace)
	if err != nil {
		return nil
	}
	list, err := pods.List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil
	}
	var out []string
	for i := range list.Items {
		log, err := c.Log(ctx, namespace, list.Items[i].GetName(), &corev1.PodLogOptions{
			SinceSeconds: ptr.To(int64(time.Since(since).Seconds()) + 2), TailLines: ptr.To(int64(50)),
		})
		if err != nil {
			continue // who may not read logs is told less
		}
		for lines := bufio.NewScanner(log); lines.Scan(); {
			said := complaint(lines.Text())
			if said != "" && !slices.Contains(out, said) {
				out = append(out, said)
			}
		}
		_ = log.Close()
	}
	return out[max(0, len(out)-maxComplaints):]
}

// maxComplaints is how many lines of logs are quoted.
const maxComplaints = 3

// complaint is what a line of Dex (level=ERROR msg=... err=...) or of oauth2-proxy ([file.go:1]
// Error ...) complains of; empty where it does not.
func complaint(line string) string {
	if _, err, found := strings.Cut(line, " err="); found && strings.Contains(line, "level=ERROR") {
		return gist(strings.Trim(err, `"`))
	}
	if _, text, found := strings.Cut(line, "] "); found && strings.Contains(strings.ToLower(text), "error") && strings.Contains(line, ".go:") {
		return gist(redact.Log(text[strings.Index(strings.ToLower(text), "error"):]))
	}
	return ""
}

// provider goes on at an identity provider: it is asked as a browser would that has no session
// there, and, where somebody is to log in by it and it has a plain form, they do.
func (w *walk) provider(ctx context.Context, from answer) (answer, *verdict) {
	host := from.location.Host
	stranger, err := w.providerBrowser(from.location)
	if err != nil {
		v := skip(err.Error())
		return from, &v
	}
	a := stranger.get(ctx, from.location.String())
	if a.err != nil {
		v := fail(a, notLoggedIn, w.providerCause(diagnose.ProviderUnreachable, host+", where Dex sends browsers to, does not answer from this machine", a))
		return a, &v
	}
	says, cause := ProviderAnswer(a.code, a.location, a.body)
	if cause != "" {
		summary := host + " refuses the client of the connector"
		if cause == diagnose.CallbackUnregistered {
			summary = fmt.Sprintf("%s does not know the callback %s", host, from.location.Query().Get("redirect_uri"))
		}
		v := fail(a, notLoggedIn, w.providerCause(cause, summary, a))
		v.came = says
		return a, &v
	}
	if w.o.Identity.ID == "" || w.o.Email == "" || !sameServer(w.o.Identity.Server, from.location) {
		v := pass("GET /oauth2/start, GET "+host, from, a)
		v.came += ": the login of " + host + ", an external identity provider"
		v.stop = "needs a login at " + host
		return a, &v
	}
	return w.throughProvider(ctx, stranger, a)
}

func (w *walk) providerBrowser(at *url.URL) (*browser, error) {
	pool := w.roots
	if len(w.o.Identity.Authorities) > 0 {
		if pool == nil {
			if pool, _ = x509.SystemCertPool(); pool == nil {
				pool = x509.NewCertPool()
			}
		} else {
			pool = pool.Clone()
		}
		pool.AppendCertsFromPEM(w.o.Identity.Authorities)
	}
	return newBrowser(&url.URL{Scheme: at.Scheme, Host: at.Host}, w.o.RequestTimeout, &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12})
}

// sameServer tells that a redirect leads to the provider over HTTPS.
func sameServer(server string, to *url.URL) bool {
	u, err := url.Parse(server)
	return err == nil && u.Scheme == "https" && to.Scheme == "https" && u.Host == to.Host
}

func (w *walk) providerCause(name, summary string, a answer) report.Cause {
	return report.Cause{
		Name: name, Severity: report.Error, Component: dexComponent, Summary: summary, Evidence: []string{a.evidence()},
		Object: report.Ref{Group: "dex.coreos.com", Kind: "Connector", Namespace: dexNamespace, Name: w.o.Identity.ID},
		Remedy: "kubectl jupyter identity list -o wide   shows the callback to register\nkubectl jupyter identity test " + w.o.Identity.ID,
	}
}

// throughProvider fills in the provider's form, and comes back with what it has sent. A form
// with scripts, or in several steps, is for people.
func (w *walk) throughProvider(ctx context.Context, at *browser, a answer) (answer, *verdict) {
	host := at.base.Host
	for range redirects {
		if a.err != nil || !a.redirect() || a.location.Host != host {
			break
		}
		a = at.get(ctx, a.location.String())
	}
	action, fields := passwordForm(a, w.o.Email, w.o.Password)
	if action == nil || action.Host != host || action.Scheme != "https" {
		v := pass("GET "+host, a)
		v.came += ": the login of " + host + " has no plain form; log in with a browser"
		v.stop = "needs a login at " + host
		return a, &v
	}
	a = at.do(ctx, http.MethodPost, action.String(), fields.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	for range redirects {
		if a.err != nil || !a.redirect() || a.location.Host != host {
			break
		}
		a = at.get(ctx, a.location.String())
	}
	if a.err == nil && a.redirect() && a.location.Host == w.base.Host {
		return w.person.get(ctx, a.location.String()), nil
	}
	v := fail(a, notLoggedIn, w.providerCause(diagnose.LoginRefused, host+" does not log in "+w.o.Email, a))
	return a, &v
}

var (
	formTag  = regexp.MustCompile(`(?is)<form([^>]*)>(.*?)</form>`)
	inputTag = regexp.MustCompile(`(?is)<input([^>]*)>`)
	nameOf   = regexp.MustCompile(`(?is)([a-z-]+)\s*=\s*"([^"]*)"`)
)

// passwordForm is the form of a page that asks for a name and a password, filled in; nil where
// there is none.
func passwordForm(a answer, login, password string) (*url.URL, url.Values) {
	for _, form := range formTag.FindAllStringSubmatch(a.body, -1) {
		fields, named := url.Values{}, false
		for _, input := range inputTag.FindAllStringSubmatch(form[2], -1) {
			is := attributes(input[1])
			switch kind := strings.ToLower(is["type"]); {
			case is["name"] == "":
			case kind == "password":
				fields.Set(is["name"], password)
				named = true
			case kind == "text", kind == "email", kind == "":
				fields.Set(is["name"], login)
			case kind == "hidden":
				fields.Set(is["name"], is["value"])
			}
		}
		if !named {
			continue
		}
		if action, err := a.at.Parse(attributes(form[1])["action"]); err == nil {
			return action, fields
		}
	}
	return nil, nil
}

func attributes(tag string) map[string]string {
	out := map[string]string{}
	for _, m := range nameOf.FindAllStringSubmatch(tag, -1) {
		out[strings.ToLower(m[1])] = html.UnescapeString(m[2])
	}
	return out
}

// claims asks oauth2-proxy what the session says of who has logged in, and which Profile that
// opens: the owner is compared letter by letter.
func (w *walk) claims(ctx context.Context) verdict {
	a := w.person.get(ctx, "/oauth2/userinfo")
	claims := &Claims{}
	if !a.ok() || json.Unmarshal([]byte(a.body), claims) != nil {
		return fail(a, "", w.notIn(a))
	}
	w.result.Claims = claims
	// What follows is asked for who is logged in, whatever was typed into the form.
	w.o.Email = claims.Email
	v := pass("GET /oauth2/userinfo", a)
	v.came = fmt.Sprintf("%s, verified; groups: %s", claims.Email, strings.Join(claims.Groups, ", "))
	if claims.Email == "" {
		return fail(a, "the user is not known", w.providerCause(diagnose.EmailClaimEmpty, "the session has no e-mail address", a))
	}
	profile := w.g.profileOf(claims.Email)
	switch {
	case profile == nil: // the next step says so
	case profile.Owner != claims.Email:
		return fail(a, "the user has no namespace", report.Cause{
			Name: diagnose.OwnerCaseDiffers, Severity: report.Error, Component: profileComponent, Object: report.Ref{Group: "kubeflow.org", Kind: "Profile", Name: profile.Name},
			Summary: fmt.Sprintf("Profile %s belongs to %s, and the provider writes the address as %s", profile.Name, profile.Owner, claims.Email),
			Remedy:  fmt.Sprintf("kubectl edit profile %[1]s   write the owner as the provider does\nkubectl annotate namespace %[1]s --overwrite owner=%[2]s", profile.Name, claims.Email),
		})
	default:
		claims.Profile = profile.Name
		v.came += "; Profile " + profile.Name
	}
	return v
}

// byLog names why a login ends with an error, from the logs of who refused it.
func (w *walk) byLog(ctx context.Context, a answer) (report.Cause, bool) {
	if w.o.Identity.ID == "" || a.code < http.StatusBadRequest {
		return report.Cause{}, false
	}
	said := w.source.complaints(ctx, w.started)
	name := ClaimCause(strings.Join(said, "\n"))
	if name == "" {
		return report.Cause{}, false
	}
	c := w.providerCause(name, "the login by "+w.o.Identity.ID+" is refused for what the provider says of the user", a)
	c.Evidence = append(c.Evidence, said...)
	c.Remedy = "kubectl jupyter identity test " + w.o.Identity.ID + " --try LOGIN"
	return c, true
}
