//go:build e2e_real

package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/bedkit"
)

// mostSilence is how long the login page, the web app and a notebook may each be without an
// answer, all in all, while the pods of the stack are replaced.
const mostSilence = 5 * time.Second

// TestRolloutsLeaveNobodyWithoutAnAnswer replaces the pods that requests pass: Envoy,
// istiod, Dex and oauth2-proxy are themselves; web app and notebook are stand-ins.
func TestRolloutsLeaveNobodyWithoutAnAnswer(t *testing.T) {
	if !*upgrades {
		t.Skip("make e2e-upgrade runs it")
	}
	rolloutsLeaveNobodyWithoutAnAnswer(t, "26.03", "--network-policies")
}

func rolloutsLeaveNobodyWithoutAnAnswer(t *testing.T, release string, flags ...string) {
	if os.Geteuid() != 0 {
		t.Fatal("a real node needs root: run it with sudo")
	}
	images := realImages(t, "--release", release)
	b := newBed(t, append([]string{"--nodes", "real", "--release", release}, flags...)...)
	if r := b.run(context.Background(), loginPassword, nil, "install", "--release", release, "--password-stdin", "--timeout", "5m"); r.Code != 0 {
		t.Fatalf("install: %s", r)
	}
	b.opens(t, echoImage(t, images)).rollouts(t)
}

// rollouts replaces the pods of the stack in several ways.
func (o *opened) rollouts(t *testing.T) {
	t.Helper()
	host := strings.TrimPrefix(gateway, "http://")
	for _, step := range []struct {
		name string
		do   func(b *bed)
	}{
		{"expose --tls self-signed", func(b *bed) { b.must("expose", "--type", "ClusterIP", "--tls", "self-signed", "--host", host) }},
		{"expose --tls off", func(b *bed) { b.must("expose", "--type", "ClusterIP", "--tls", "off") }},
		{"a restart of the Deployments of one namespace after the other", func(b *bed) {
			for _, namespace := range stackNamespaces {
				b.kubectl("-n", namespace, "rollout", "restart", "deployment")
				b.kubectl("-n", namespace, "rollout", "status", "deployment", "--timeout=3m")
			}
		}},
	} {
		t.Run(step.name, func(t *testing.T) {
			o.during(t, func() { step.do(o.b.in(t)) })
		})
	}
}

// stackNamespaces have the programs of the stack. Dex comes before istiod, which asks it for
// its keys when it starts.
var stackNamespaces = []string{"cert-manager", "auth", "istio-system", "oauth2-proxy", "kubeflow"}

// nobodyLeaves waits until the pods that were replaced have ended. They go on for a while
// after a rollout is complete, and are asked until then.
func (b *bed) nobodyLeaves() {
	b.t.Helper()
	for _, namespace := range stackNamespaces {
		eventually(b.t, "no pod of "+namespace+" is ending", func() bool {
			return strings.TrimSpace(b.kubectl("-n", namespace, "get", "pods", "-o", "jsonpath={.items[*].metadata.deletionTimestamp}")) == ""
		})
	}
}

// opened is what somebody has open: the web app and a notebook, by the session of a login.
type opened struct {
	b *bed
	// at is the gateway's address, roots the authorities of its certificate. Without roots
	// any certificate is taken: one of the stack's own comes and goes meanwhile.
	at      string
	roots   *x509.CertPool
	session string
	// pod is the uid of the notebook's pod, state what is in the memory of its process.
	pod, state string
}

const openNotebook = "open"

// opens logs somebody in, starts a notebook and leaves something in its memory.
func (b *bed) opens(t *testing.T, image string) *opened {
	t.Helper()
	return b.opensAt(t, gateway, nil, image)
}

func (b *bed) opensAt(t *testing.T, address string, roots *x509.CertPool, image string) *opened {
	t.Helper()
	b.apply(fmt.Sprintf(`
apiVersion: kubeflow.org/v1
kind: Notebook
metadata: {name: %[1]s, namespace: %[2]s}
spec: {template: {spec: {serviceAccountName: default-editor, containers: [{name: %[1]s, image: %[3]q}]}}}
`, openNotebook, profileNamespace, image))
	b.kubectl("-n", profileNamespace, "wait", "notebook/"+openNotebook, "--for=jsonpath={.status.readyReplicas}=1", "--timeout=2m")
	o := &opened{b: b, at: address, roots: roots, pod: b.notebookPod(), state: "x = 1"}
	if o.session = b.signsIn(t, address, roots, loginUser, loginPassword, profileNamespace).cookie("/", sessionCookie); o.session == "" {
		t.Fatal("there is no session after the login")
	}
	// The mesh hears of the new pod a moment after the notebook's controller.
	var err error
	if wait.PollUntilContextTimeout(t.Context(), 500*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		_, err = o.ask(ctx, http.MethodPut, notebookPath+"memory", o.state)
		return err == nil, nil
	}) != nil {
		t.Fatal(err)
	}
	return o
}

const notebookPath = "/notebook/" + profileNamespace + "/" + openNotebook + "/"

func (b *bed) notebookPod() string {
	b.t.Helper()
	return b.kubectl("-n", profileNamespace, "get", "pod", openNotebook+"-0", "-o", "jsonpath={.metadata.uid}")
}

// client asks as a browser does, wherever redirects lead.
func (o *opened) client(jar http.CookieJar) (*http.Client, error) {
	transport, err := o.b.Transport()
	if err != nil {
		return nil, err
	}
	transport.TLSClientConfig = &tls.Config{RootCAs: o.roots, InsecureSkipVerify: o.roots == nil} //nolint:gosec // of a throwaway cluster
	return &http.Client{Transport: transport, Jar: jar, Timeout: 5 * time.Second}, nil
}

// ask sends a request with the session and returns a good answer.
func (o *opened) ask(ctx context.Context, method, path, body string) (string, error) {
	u, err := url.Parse(o.at)
	if err != nil {
		return "", err
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return "", err
	}
	jar.SetCookies(u, []*http.Cookie{{Name: sessionCookie, Value: o.session, Path: "/"}})
	c, err := o.client(jar)
	if err != nil {
		return "", err
	}
	defer c.CloseIdleConnections()
	code, answer, err := send(ctx, c, method, o.at+path, body)
	if err != nil {
		return "", err
	}
	if code != http.StatusOK {
		return "", fmt.Errorf("%s %s = %d: %.100q", method, path, code, answer)
	}
	return answer, nil
}

func send(ctx context.Context, c *http.Client, method, address, body string) (int, string, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	answer, err := c.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(text), err
}

// loginPage is what somebody without a session is shown, up to Dex's form.
func (o *opened) loginPage(ctx context.Context) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	c, err := o.client(jar)
	if err != nil {
		return err
	}
	defer c.CloseIdleConnections()
	code, page, err := send(ctx, c, http.MethodGet, o.at+"/jupyter/", "")
	if err != nil {
		return err
	}
	if code != http.StatusForbidden || !strings.Contains(page, "/oauth2/start") {
		return fmt.Errorf("without a session GET /jupyter/ = %d, want oauth2-proxy's page: %.100q", code, page)
	}
	code, page, err = send(ctx, c, http.MethodGet, o.at+"/oauth2/start?rd=%2Fjupyter%2F", "")
	if err != nil {
		return err
	}
	if code != http.StatusOK || !formAction.MatchString(page) {
		return fmt.Errorf("GET /oauth2/start ends with %d, want Dex's form: %.100q", code, page)
	}
	return nil
}

func (o *opened) webApp(ctx context.Context) error {
	_, err := o.ask(ctx, http.MethodGet, "/jupyter/api/namespaces/"+profileNamespace+"/notebooks", "")
	return err
}

func (o *opened) notebook(ctx context.Context) error {
	got, err := o.ask(ctx, http.MethodGet, notebookPath+"memory", "")
	if err == nil && got != o.state {
		err = errors.New("the notebook has lost what was in its memory")
	}
	return err
}

// during asks for the login page, the web app and the notebook while something is done, and
// fails the test where one had no answer for too long, or where the session or the notebook
// did not survive.
func (o *opened) during(t *testing.T, do func()) {
	t.Helper()
	asking := o.asks(t)
	do()
	o.b.in(t).nobodyLeaves()
	o.heard(t, asking)
}

func (o *opened) asks(t *testing.T) *bedkit.Asking {
	return bedkit.Ask(t.Context(), map[string]func(context.Context) error{
		"login page": o.loginPage, "web app": o.webApp, "notebook": o.notebook,
	})
}

// heard judges the answers.
func (o *opened) heard(t *testing.T, asking *bedkit.Asking) {
	t.Helper()
	heard := asking.Stop()
	if len(heard) != 3 {
		t.Errorf("asked for %d things, want 3", len(heard))
	}
	for _, name := range slices.Sorted(maps.Keys(heard)) {
		s := heard[name]
		t.Logf("%-10s %s", name, s)
		for _, why := range s.Why {
			t.Logf("%-10s %s", "", why)
		}
		if s.Total > mostSilence {
			t.Errorf("the %s was without an answer for %.1f s, want at most %s", name, s.Total.Seconds(), mostSilence)
		}
	}
	if t.Failed() {
		// What the gateway is told, and when, is istiod's.
		t.Logf("istiod says:\n%s", bedkit.Tail(o.b.in(t).kubectl("-n", "istio-system", "logs", "deployment/istiod", "--tail=60")))
	}
	o.stillThere(t)
}

// stillThere asks once more with the same session.
func (o *opened) stillThere(t *testing.T) {
	t.Helper()
	for name, ask := range map[string]func(context.Context) error{"the session": o.webApp, "the notebook's state": o.notebook} {
		if err := ask(t.Context()); err != nil {
			t.Errorf("%s did not survive: %v", name, err)
		}
	}
	if pod := o.b.in(t).notebookPod(); pod != o.pod {
		t.Errorf("the notebook's pod was %s and is %s: it was restarted", o.pod, pod)
	}
}
