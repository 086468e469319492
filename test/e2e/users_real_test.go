//go:build e2e_real

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// TestPeopleAndHTTPS has the real Dex, the real oauth2-proxy, the real cert-manager and Envoy with istiod's
// configuration say who may come in, and over what. The web app behind them is a stand-in, as the list says.
func TestPeopleAndHTTPS(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("a real node needs root: run it with sudo")
	}
	images := realImages(t)
	if images["docker.io/istio/proxyv2:1.24.3"] != "real" {
		t.Skip("the proxy is a stand-in, which knows no login: see the list above for why")
	}
	b := newBed(t, "--nodes", "real")
	const first = "correct horse battery staple"
	if r := b.run(context.Background(), first+"\n", nil, "install", "--password-stdin", "--timeout", "5m"); r.Code != 0 {
		t.Fatalf("install: %s", r)
	}
	dex := func() string {
		return b.kubectl("-n", "auth", "get", "pods", "-l", "app=dex", "-o", "jsonpath={.items[*].metadata.uid}")
	}
	pod := dex()

	const ada, adaPassword = "ada@example.com", "a difference engine"
	t.Run("a person who is added signs in at once, to a namespace of their own, and Dex is not restarted", func(t *testing.T) {
		r := b.run(context.Background(), adaPassword+"\n", nil, "user", "add", ada, "--password-stdin", "--cpu", "4", "--memory", "8Gi")
		if r.Code != 0 {
			t.Fatal(r)
		}
		wantSays(t, r.Stderr, "Dex takes the password of "+ada)
		if strings.Contains(r.Stderr+r.Stdout, adaPassword) {
			t.Error("the password is in the output")
		}
		b.signsIn(t, gateway, nil, ada, adaPassword, "kubeflow-ada-example-com")
		if got := b.kubectl("get", "profile", "kubeflow-ada-example-com", "-o", "jsonpath={.spec.resourceQuotaSpec.hard}"); got != `{"cpu":"4","memory":"8Gi"}` {
			t.Errorf("the Profile's quota is %s", got)
		}
	})
	t.Run("whoever can sign in is not added again", func(t *testing.T) {
		if r := b.jupyter("user", "add", ada); r.Code != 1 || !strings.Contains(r.Stderr, "set-password") {
			t.Errorf("adding %s again: %s", ada, r)
		}
	})
	const second = "an analytical engine"
	t.Run("after set-password the old one is refused and the new one taken, without a restart", func(t *testing.T) {
		if r := b.run(context.Background(), second+"\n", nil, "user", "set-password", ada, "--password-stdin"); r.Code != 0 {
			t.Fatal(r)
		}
		b.isRefused(t, gateway, nil, ada, adaPassword)
		b.signsIn(t, gateway, nil, ada, second, "kubeflow-ada-example-com")
		if now := dex(); now != pod {
			t.Errorf("Dex's pod was %s and is %s", pod, now)
		}
	})
	t.Run("the first user's password is changed too, by another pod of Dex, and a later install changes nothing", func(t *testing.T) {
		r := b.must("user", "set-password", "user@example.com", "-o", "jsonpath={.password}")
		wantSays(t, r.Stderr, "Dex takes the password of user@example.com")
		b.isRefused(t, gateway, nil, "user@example.com", first)
		b.signsIn(t, gateway, nil, "user@example.com", strings.TrimSpace(r.Stdout), profileNamespace)
		if now := dex(); now == pod {
			t.Error("Dex still runs the pod that has read the old password")
		}
		wantSays(t, b.must("install", "--timeout", "5m").Stderr, "nothing to change")
	})
	t.Run("the list shows who can sign in", func(t *testing.T) {
		if got := b.must("user", "list", "-o", `jsonpath={range .items[*]}{.email}={.password} {end}`).Stdout; strings.TrimSpace(got) != "ada@example.com=true user@example.com=true" {
			t.Errorf("user list: %q", got)
		}
	})
	t.Run("a forwarded port leads to the sign-in page and outlives the gateway's pod", func(t *testing.T) { b.forwards(t) })
	t.Run("HTTPS", func(t *testing.T) { b.https(t, second) })
	t.Run("who is removed is refused, and their namespace and volumes stay", func(t *testing.T) {
		b.apply(`{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: home, namespace: kubeflow-ada-example-com},
			spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}`)
		wantSays(t, b.must("user", "remove", ada).Stderr, "24 hours", "Kept: namespace kubeflow-ada-example-com")
		b.isRefused(t, gateway, nil, ada, second)
		b.kubectl("-n", "kubeflow-ada-example-com", "get", "pvc", "home")
	})
	t.Run("uninstall keeps a person's account, and the next install gives it back", func(t *testing.T) {
		if r := b.run(context.Background(), second+"\n", nil, "user", "add", ada, "--password-stdin"); r.Code != 0 {
			t.Fatal(r)
		}
		wantSays(t, b.must("uninstall", "--yes").Stderr, "a person's account stays")
		b.must("install", "--timeout", "5m")
		b.signsIn(t, gateway, nil, ada, second, "kubeflow-ada-example-com")
	})
	t.Run("with --delete-namespace everything of theirs goes", func(t *testing.T) {
		if r := b.jupyter("user", "remove", ada, "--delete-namespace"); r.Code != 1 || !strings.Contains(r.Stderr, "home (1Gi)") || !strings.Contains(r.Stderr, "--yes") {
			t.Fatalf("without --yes: %s", r)
		}
		b.must("user", "remove", ada, "--delete-namespace", "--yes")
		for _, kind := range []string{"namespace/kubeflow-ada-example-com", "profile/kubeflow-ada-example-com", "clusterrolebinding/jupyter-web-app-namespaces-kubeflow-ada-example-com"} {
			if out, err := b.tryKubectl("", "get", kind); err == nil {
				t.Errorf("%s is still there:\n%s", kind, out)
			}
		}
	})
}

// at is a browser at an address, trusting an authority where one is given.
func (b *bed) at(t *testing.T, address string, roots *x509.CertPool) *browser {
	t.Helper()
	w := b.browser(t)
	w.base = address
	if transport, ok := w.client.Transport.(*http.Transport); ok && roots != nil {
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	return w
}

// enter goes to the login form and sends it.
func (w *browser) enter(email, password string) page {
	w.t.Helper()
	form := w.follow(w.get("/oauth2/start?rd=%2Fjupyter%2F"))
	action := formAction.FindStringSubmatch(form.body)
	if action == nil {
		w.t.Fatalf("no form to log in at the end of /oauth2/start: %d %.300s", form.code, form.body)
	}
	return w.do(http.MethodPost, strings.ReplaceAll(action[1], "&amp;", "&"),
		url.Values{"login": {email}, "password": {password}}.Encode(), map[string]string{"Content-Type": "application/x-www-form-urlencoded"})
}

func (b *bed) signsIn(t *testing.T, address string, roots *x509.CertPool, email, password, namespace string) *browser {
	t.Helper()
	w := b.at(t, address, roots)
	// A gateway that has just been changed, or its key set, comes to it in a moment.
	var p page
	err := wait.PollUntilContextTimeout(t.Context(), time.Second, time.Minute, true, func(context.Context) (bool, error) {
		p = w.get("/jupyter/")
		return p.code == http.StatusForbidden && strings.Contains(p.body, "/oauth2/start"), nil
	})
	if err != nil {
		t.Fatalf("GET %s/jupyter/ = %d, want the sign-in page: %.300s", address, p.code, p.body)
	}
	if p = w.follow(w.enter(email, password)); p.code != http.StatusOK || !strings.Contains(p.body, "Jupyter") {
		t.Fatalf("%s signs in at %s = %d, want the web app: %.300s", email, address, p.code, p.body)
	}
	w.want("/api/namespaces", http.StatusOK, namespace)
	w.want("/jupyter/api/namespaces/"+namespace+"/notebooks", http.StatusOK, "notebooks")
	return w
}

func (b *bed) isRefused(t *testing.T, address string, roots *x509.CertPool, email, password string) {
	t.Helper()
	if p := b.at(t, address, roots).enter(email, password); p.code != http.StatusUnauthorized {
		t.Errorf("the login of %s = %d, want 401", email, p.code)
	}
}

// https turns HTTPS on, logs in over it, and turns it off again.
func (b *bed) https(t *testing.T, password string) {
	const host = "istio-ingressgateway.istio-system.svc.cluster.local"
	r := b.must("expose", "--type", "ClusterIP", "--tls", "self-signed", "--host", host)
	wantSays(t, r.Stderr, "SHA-256")
	crt := []byte(b.kubectl("-n", "istio-system", "get", "secret", "jupyter-gateway-tls", "-o", `jsonpath={.data.ca\.crt}`))
	authority, err := base64.StdEncoding.DecodeString(string(crt))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		t.Fatalf("no authority in %q", authority)
	}
	person := b.signsIn(t, "https://"+host, roots, "ada@example.com", password, "kubeflow-ada-example-com")
	if u, _ := url.Parse("http://" + host + "/jupyter/"); len(person.client.Jar.Cookies(u)) > 0 {
		t.Errorf("a browser would send the cookies %v over plain HTTP: they are not Secure", person.client.Jar.Cookies(u))
	}
	// Also for somebody without a session, whom oauth2-proxy would answer with its sign-in page.
	for _, path := range []string{"/jupyter/", "/jupyter/api/config", "/oauth2/start?rd=%2Fjupyter%2F"} {
		p := b.at(t, gateway, nil).get(path)
		if p.code != http.StatusMovedPermanently && p.code != http.StatusPermanentRedirect || p.location != "https://"+host+path {
			t.Errorf("GET %s over HTTP = %d to %q, want a redirect to HTTPS: %.200s", path, p.code, p.location, p.body)
		}
	}
	if p := b.at(t, gateway, nil).do(http.MethodGet, "/jupyter/", "", map[string]string{"X-Forwarded-Proto": "https", "kubeflow-userid": "ada@example.com"}); p.code == http.StatusOK {
		t.Error("a forged X-Forwarded-Proto lets a stranger in over HTTP")
	}
	if code, _ := b.get(t, gateway+":15021/healthz/ready"); code != http.StatusOK {
		t.Errorf("the gateway's health over HTTP = %d, want 200", code)
	}
	wantSays(t, b.must("install", "--timeout", "5m").Stderr, "nothing to change")

	before := string(crt)
	r = b.must("expose", "--type", "ClusterIP", "--tls", "self-signed", "--host", "notebooks.example.com", "--host", host)
	wantSays(t, r.Stderr, "notebooks.example.com")
	if now := b.kubectl("-n", "istio-system", "get", "secret", "jupyter-gateway-tls", "-o", `jsonpath={.data.ca\.crt}`); now != before {
		t.Error("another host has another authority: people who trust the old one are warned again")
	}
	if r := b.jupyter("expose", "--type", "ClusterIP", "--tls", "nobodys"); r.Code != 1 || !strings.Contains(r.Stderr, "Secret istio-system/nobodys does not exist") {
		t.Errorf("a Secret that does not exist: %s", r)
	}

	r = b.must("expose", "--type", "ClusterIP", "--tls", "off")
	wantSays(t, r.Stderr, "plain HTTP")
	b.signsIn(t, gateway, nil, "ada@example.com", password, "kubeflow-ada-example-com")
	for _, kind := range []string{"certificate/jupyter-gateway", "secret/jupyter-gateway-tls", "secret/jupyter-gateway-ca"} {
		if _, err := b.tryKubectl("", "-n", "istio-system", "get", kind); err == nil {
			t.Errorf("%s is still there after --tls off", kind)
		}
	}
	wantSays(t, b.must("install", "--timeout", "5m").Stderr, "nothing to change")
}

// forwards asks for the sign-in page through the API server, also after the gateway's pod has gone.
func (b *bed) forwards(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), programs(t).Plugin, "port-forward", "--port", "0", "-o", "json")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+b.Kubeconfig, "NO_COLOR=1")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said struct{ URL, Address, Pod string }
	if err := json.NewDecoder(bufio.NewReader(stdout)).Decode(&said); err != nil {
		t.Fatalf("what port-forward prints: %v\n%s", err, stderr.String())
	}
	client := http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	ask := func() (int, error) {
		a, err := client.Get(said.URL)
		if err != nil {
			return 0, err
		}
		return a.StatusCode, a.Body.Close()
	}
	for range 3 {
		if code, err := ask(); code != http.StatusForbidden {
			t.Fatalf("GET %s = %d (%v), want the sign-in page\n%s", said.URL, code, err, stderr.String())
		}
	}
	namespace, name, _ := strings.Cut(said.Pod, "/")
	b.kubectl("-n", namespace, "delete", "pod", name, "--wait")
	err = wait.PollUntilContextTimeout(t.Context(), time.Second, 2*time.Minute, true, func(context.Context) (bool, error) {
		code, _ := ask()
		return code == http.StatusForbidden, nil
	})
	if err != nil {
		t.Errorf("the sign-in page does not come back after the gateway's pod was replaced\n%s", stderr.String())
	}
	if r := b.jupyter("port-forward", "--port", said.Address[strings.LastIndexByte(said.Address, ':')+1:]); r.Code != 1 || !strings.Contains(r.Stderr, "in use") {
		t.Errorf("the same port again: %s", r)
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after Ctrl-C: %v\n%s", err, stderr.String())
	}
	if lines := strings.Split(stderr.String(), "\n"); !slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, "is lost") }) {
		t.Errorf("nothing says that the connection was lost:\n%s", stderr.String())
	}
	wantSays(t, stderr.String(), "Forwarding "+said.Address, fmt.Sprintf("Connected to Pod %s", said.Pod))
}
