package login

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/redact"
)

const (
	// bodyBytes of an answer are read: a form, an error page.
	bodyBytes = 256 << 10
	// redirects of one login; it has six.
	redirects = 12
)

// browser asks as a person's browser does: it keeps cookies and withholds those marked
// Secure over plain HTTP. Redirects are followed one by one, so that each can be judged.
type browser struct {
	base   *url.URL
	client *http.Client
}

// newBrowser without cookies.
func newBrowser(base *url.URL, timeout time.Duration, trust *tls.Config) (*browser, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		// As browsers do: a company's proxy may be the only way out.
		Proxy:                 http.ProxyFromEnvironment,
		TLSClientConfig:       trust,
		TLSHandshakeTimeout:   timeout,
		ResponseHeaderTimeout: timeout,
		DialContext:           (&net.Dialer{Timeout: timeout}).DialContext,
	}
	return &browser{base, &http.Client{
		Jar: trusting{jar}, Timeout: timeout, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// trusting is a cookie jar that takes this machine for trustworthy, as Chromium and
// Firefox do: what is marked Secure goes to localhost over plain HTTP too.
type trusting struct{ jar http.CookieJar }

func (j trusting) SetCookies(u *url.URL, cookies []*http.Cookie) {
	j.jar.SetCookies(trusted(u), cookies)
}
func (j trusting) Cookies(u *url.URL) []*http.Cookie { return j.jar.Cookies(trusted(u)) }

func trusted(u *url.URL) *url.URL {
	if !loopback(u.Hostname()) {
		return u
	}
	secure := *u
	secure.Scheme = "https"
	return &secure
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// answer is what came.
type answer struct {
	request string
	// at is the URL that was asked; sent its Authorization.
	at       *url.URL
	sent     string
	code     int
	header   http.Header
	body     string
	location *url.URL
	cookies  []*http.Cookie
	took     time.Duration
	// when it came.
	when time.Time
	err  error
}

func (b *browser) get(ctx context.Context, path string, header ...string) answer {
	return b.do(ctx, http.MethodGet, path, "", header...)
}

// do asks for a path of the base URL. Header are names and values, in turn.
func (b *browser) do(ctx context.Context, method, path, body string, header ...string) answer {
	start := time.Now()
	a := answer{request: method + " " + path, at: b.base}
	u, err := b.base.Parse(path)
	if err != nil {
		a.err = err
		return a
	}
	// Queries hold codes and states that nobody else may see.
	a.request, a.at = method+" "+u.Path, u
	r, err := http.NewRequestWithContext(ctx, method, u.String(), strings.NewReader(body))
	if err != nil {
		a.err = err
		return a
	}
	r.Header.Set("Accept", "text/html,application/json;q=0.9,*/*;q=0.8")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	a.sent = r.Header.Get("Authorization")
	response, err := b.client.Do(r)
	a.when = time.Now()
	if err != nil {
		a.err, a.took = err, a.when.Sub(start)
		return a
	}
	defer func() { _ = response.Body.Close() }()
	var text []byte
	if response.StatusCode != http.StatusSwitchingProtocols {
		text, err = io.ReadAll(io.LimitReader(response.Body, bodyBytes))
	}
	a.code, a.header, a.body, a.cookies, a.took = response.StatusCode, response.Header, string(text), response.Cookies(), time.Since(start)
	if err != nil {
		a.err = fmt.Errorf("the response is incomplete: %w", err)
	}
	if l := response.Header.Get("Location"); l != "" {
		if a.location, err = u.Parse(l); err != nil {
			a.err = fmt.Errorf("the redirect goes to %q: %w", l, err)
		}
	}
	return a
}

func (a answer) redirect() bool {
	return a.location != nil && a.code >= 300 && a.code < 400
}

// envoy tells that the gateway, and nothing before it, has answered.
func (a answer) envoy() bool { return strings.Contains(a.header.Get("Server"), "envoy") }

// stranded tells that something before the gateway says that it does not reach it: a
// company's proxy, a cloud's load balancer.
func (a answer) stranded() bool {
	return a.err == nil && a.code >= http.StatusBadGateway && a.code <= http.StatusGatewayTimeout && !a.envoy()
}

func (a answer) ok() bool { return a.err == nil && a.code >= 200 && a.code < 300 }

// says is what came, in a few words.
func (a answer) says() string {
	switch {
	case a.err != nil:
		return connectionError(a.err)
	case a.redirect():
		return fmt.Sprintf("%d to %s", a.code, a.location.Path)
	}
	if t := gist(a.body); t != "" {
		return fmt.Sprintf("%d, %s", a.code, t)
	}
	return fmt.Sprintf("%d without a body", a.code)
}

// evidence is the request and what came, as a line.
func (a answer) evidence() string { return a.request + ": " + a.says() }

var (
	title = regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title>`)
	space = regexp.MustCompile(`\s+`)
)

// gistLength bounds what is quoted of a body.
const gistLength = 120

// gist is what a body says: the title of a page, the beginning of a text, without what
// looks like a credential. Forms are not quoted.
func gist(body string) string {
	text := body
	if m := title.FindStringSubmatch(body); m != nil {
		text = "a page titled " + html.UnescapeString(strings.TrimSpace(m[1]))
	} else if strings.Contains(body, "<") {
		return "a page"
	}
	text = strings.TrimSpace(space.ReplaceAllString(redact.Log(text), " "))
	if r := []rune(text); len(r) > gistLength {
		text = string(r[:gistLength]) + "..."
	}
	return text
}

// connectionError leaves out what the request line says already.
func connectionError(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		if u.Timeout() {
			return "no answer in time"
		}
		err = u.Err
	}
	return err.Error()
}

var (
	formAction = regexp.MustCompile(`(?is)<form[^>]*\saction="([^"]*)"`)
	localLogin = regexp.MustCompile(`href="([^"]*/auth/local[^"]*)"`)
)

// attribute finds what a page says, as a browser would read it.
func attribute(pattern *regexp.Regexp, body string) string {
	m := pattern.FindStringSubmatch(body)
	if m == nil {
		return ""
	}
	return html.UnescapeString(m[1])
}

// cookie that the browser would send to a path.
func (b *browser) cookie(path, name string) string {
	u, err := b.base.Parse(path)
	if err != nil {
		return ""
	}
	for _, c := range b.client.Jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}
