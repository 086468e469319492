package users

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/forward"
)

// ErrUnverified tells that Dex could not be asked, so that nothing is known about a password.
var ErrUnverified = errors.New("not verified")

// Verify asks Dex itself, as its login form does, whether it takes the password, and
// waits until the answer is the wanted one: Dex reads its objects at every login, and its
// Secret when its pod starts. An error that is ErrUnverified says that Dex could not be asked.
func (u *Users) Verify(ctx context.Context, email string, password []byte, want bool) error {
	// The tunnel ends with the question.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	tunnel, err := ToDex(ctx, u.Cluster)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnverified, err)
	}
	pause := wait.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Steps: 6}
	for {
		taken, err := SignIn(ctx, "http://"+tunnel.Address, email, password)
		switch {
		case err == nil && taken == want:
			return nil
		case err != nil && pause.Steps == 0:
			return fmt.Errorf("%w: %w", ErrUnverified, err)
		case pause.Steps == 0 && want:
			return fmt.Errorf("Dex rejects the password of %s", email)
		case pause.Steps == 0:
			return fmt.Errorf("Dex still accepts the password of %s", email)
		}
		// No watch tells what Dex knows.
		timer := time.NewTimer(pause.Step())
		select {
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("%w: %w", ErrUnverified, context.Cause(ctx))
		case <-timer.C:
		}
	}
}

// ToDex brings Dex's port to this machine, for as long as ctx lasts.
func ToDex(ctx context.Context, c *cluster.Cluster) (*forward.Forward, error) {
	return forward.Start(ctx, c, forward.Target{Namespace: dexNamespace, Service: dexService, Port: dexPort}, forward.Options{})
}

// local is the connector of the passwords that Dex keeps itself.
const local = "local"

// SignIn goes through Dex's login form at an address of Dex and tells whether it takes
// the password. No session comes of it: the code that Dex hands out is thrown away.
func SignIn(ctx context.Context, dex, email string, password []byte) (bool, error) {
	return SignInBy(ctx, dex, local, email, password)
}

// SignInBy is SignIn by the form of another connector.
func SignInBy(ctx context.Context, dex, connector, name string, password []byte) (bool, error) {
	back, err := login(ctx, tunnelled(), dex, connector, name, password, anyState())
	return back != "", err
}

// RedirectBy is where Dex sends a browser that logs in by a connector; empty, with the code of
// the answer, where it sends it nowhere.
func RedirectBy(ctx context.Context, dex, connector string) (location string, code int, err error) {
	a, err := request(ctx, tunnelled(), http.MethodGet, dex+begin(connector, anyState()), nil)
	return a.location, a.code, err
}

func anyState() url.Values {
	return url.Values{"scope": {"openid email groups"}, "state": {rand.Text()}}
}

// begin is where a login by a connector begins, with what the question has beside the client.
func begin(connector string, more url.Values) string {
	question := url.Values{"client_id": {dexClient}, "redirect_uri": {dexRedirect}, "response_type": {"code"}}
	maps.Copy(question, more)
	return "/dex/auth/" + url.PathEscape(connector) + "?" + question.Encode()
}

// tunnelled asks Dex through a tunnel of this machine, and follows no redirect.
func tunnelled() *http.Client {
	return &http.Client{
		Timeout:       20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{Proxy: nil, DisableKeepAlives: true},
	}
}

// login goes through the form that Dex has for a connector, with what the question has beside
// the client. It returns where Dex sends the person back to, empty where the password is not
// taken.
func login(ctx context.Context, client *http.Client, dex, connector, name string, password []byte, more url.Values) (back string, err error) {
	next := begin(connector, more)
	form := ""
	for range 3 { // to its form
		a, err := request(ctx, client, http.MethodGet, dex+next, nil)
		if err != nil {
			return "", err
		}
		if a.code == http.StatusOK {
			form = next
			break
		}
		if a.location == "" {
			return "", fmt.Errorf("Dex returned %d instead of its login form", a.code)
		}
		if next, err = below(a.location); err != nil {
			return "", err
		}
	}
	if form == "" {
		return "", errors.New("Dex did not return its login form")
	}
	a, err := request(ctx, client, http.MethodPost, dex+form, url.Values{"login": {name}, "password": {string(password)}})
	switch {
	case err != nil:
		return "", err
	case a.code == http.StatusUnauthorized, a.code == http.StatusOK: // the form again, with a message
		return "", nil
	case a.location == "":
		return "", fmt.Errorf("Dex returned %d after the login form was submitted", a.code)
	}
	return a.location, nil
}

// below is the path of a redirect, whatever host Dex calls itself.
func below(location string) (string, error) {
	u, err := url.Parse(location)
	if err != nil {
		return "", fmt.Errorf("Dex redirects to %q: %w", location, err)
	}
	// It is put behind the tunnel's address: x:@host/ would make another host of that.
	path := u.RequestURI()
	if !strings.HasPrefix(path, "/") {
		return "", fmt.Errorf("Dex redirects to %q, which has no path", location)
	}
	return path, nil
}

// dexAnswer is what Dex says to a request.
type dexAnswer struct {
	code     int
	location string
	body     []byte
}

// maxAnswer is more than any page of Dex.
const maxAnswer = 1 << 20

func request(ctx context.Context, client *http.Client, method, address string, form url.Values) (dexAnswer, error) {
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return dexAnswer{}, err
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, err := client.Do(r)
	if err != nil {
		return dexAnswer{}, fmt.Errorf("Dex: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return dexAnswer{}, fmt.Errorf("Dex: %w", err)
	}
	return dexAnswer{answer.StatusCode, answer.Header.Get("Location"), text}, nil
}

// IsUnverified tells whether nothing could be found out about a password.
func IsUnverified(err error) bool { return errors.Is(err, ErrUnverified) }

// GeneratePassword makes a password of twenty characters that nobody can guess.
func GeneratePassword() []byte { return []byte(rand.Text()[:20]) }
