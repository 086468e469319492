//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// loginURL asks for the URL on simulated nodes: the objects are real, and nobody
// answers at the gateway's address. Whether a login works is for the real node's tests.
func loginURL(t *testing.T, b *bed) {
	fails := func(t *testing.T, code int, says []string, args ...string) {
		t.Helper()
		r := b.jupyter(append([]string{"login-url"}, args...)...)
		if r.Code != code || args == nil && r.Stdout != "" {
			t.Errorf("login-url %s: want exit code %d and no URL: %s", strings.Join(args, " "), code, r)
		}
		wantSays(t, r.Stderr, says...)
	}
	t.Run("where nothing is installed the answer is how to install", func(t *testing.T) {
		says := []string{"there is no Service istio-system/istio-ingressgateway", "kubectl jupyter install"}
		fails(t, 1, says)
		fails(t, 1, says, "--check")
		fails(t, 1, nil, "--explain")
	})
	b.must("install", "--timeout", "3m")
	t.Run("a cluster IP is no way in, and the two ways to get one are named", func(t *testing.T) {
		says := []string{`context "devcluster"`, "is of type ClusterIP", "kubectl jupyter expose", "kubectl jupyter port-forward"}
		fails(t, 1, says)
		fails(t, 1, says, "--check")
		var document struct {
			Kind   string
			WayIn  struct{ Missing string }
			Probes []any
		}
		r := b.jupyter("login-url", "--check", "-o", "json")
		if err := json.Unmarshal([]byte(r.Stdout), &document); err != nil || r.Code != 1 || document.Kind != "LoginCheck" || document.WayIn.Missing == "" || document.Probes == nil {
			t.Errorf("a check that has nothing to ask: %v: %s", err, r)
		}
	})
	t.Run("the chain marks the missing address and nothing else", func(t *testing.T) {
		r := b.jupyter("login-url", "--explain")
		if r.Code != 1 {
			t.Fatalf("login-url --explain: %s", r)
		}
		var broken []string
		for line := range strings.Lines(r.Stdout) {
			if !strings.HasPrefix(line, "ok ") {
				broken = append(broken, line)
			}
		}
		if len(broken) != 1 || !strings.Contains(broken[0], "ClusterIP") {
			t.Errorf("not ok are %q, want the gateway's Service alone", broken)
		}
	})
	b.kubectl("-n", "istio-system", "patch", "service", "istio-ingressgateway", "-p", `{"spec":{"type":"NodePort"}}`)
	t.Run("a node port leads in by a node's address", func(t *testing.T) {
		port := b.kubectl("-n", "istio-system", "get", "service", "istio-ingressgateway", "-o", `jsonpath={.spec.ports[?(@.port==80)].nodePort}`)
		address := b.kubectl("get", "nodes", "-o", `jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}`)
		want := "http://" + address + ":" + port + "/jupyter/\n"
		r := b.must("login-url")
		if r.Stdout != want || r.Stderr != "User: user@example.com\n" {
			t.Errorf("want %q alone on standard output and the user on standard error: %s", want, r)
		}
		if got := b.must("login-url", "-o", "jsonpath={.url}").Stdout; got != want {
			t.Errorf("-o jsonpath={.url} = %q, want %q", got, want)
		}
		var document struct{ Kind, URL, Via, Scheme string }
		if err := json.Unmarshal([]byte(b.must("login-url", "-o", "json").Stdout), &document); err != nil || document.Kind != "LoginURL" || document.Via != "NodePort" {
			t.Errorf("-o json = %+v (%v)", document, err)
		}
	})
	t.Run("a browser is opened where there is a desktop, and the URL is printed anyhow", func(t *testing.T) {
		opened := filepath.Join(b.Dir, "opened")
		script := "#!/bin/sh\nprintf %s \"$1\" > " + opened + "\n"
		if err := os.WriteFile(filepath.Join(b.Dir, "xdg-open"), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
		b := b.in(t)
		b.Vars = []string{"PATH=" + b.Dir + ":" + os.Getenv("PATH"), "DISPLAY=", "WAYLAND_DISPLAY=", "BROWSER=", "WSL_DISTRO_NAME="}
		r := b.jupyter("login-url", "--open")
		if r.Code != 1 || !strings.HasPrefix(r.Stdout, "http://") {
			t.Errorf("without a desktop: %s", r)
		}
		wantSays(t, r.Stderr, "--open: there is no desktop session")
		b.Vars = append(b.Vars, "DISPLAY=:0")
		url := strings.TrimSpace(b.must("login-url", "--open").Stdout)
		eventually(t, "the browser is started with the URL", func() bool {
			text, err := os.ReadFile(opened)
			return err == nil && string(text) == url
		})
	})
	t.Run("people whom Dex knows are named, and nobody's hash", func(t *testing.T) {
		b.apply(`
apiVersion: dex.coreos.com/v1
kind: Password
metadata: {name: mfsgcqdfpbqw24dmmuxgg33n, namespace: auth}
email: ada@example.com
hash: c2VjcmV0
username: ada
userID: ada`)
		r := b.must("login-url", "-o", "yaml")
		wantSays(t, r.Stdout, "- ada@example.com", "- user@example.com")
		if strings.Contains(r.Stdout+r.Stderr, "c2VjcmV0") {
			t.Error("the hash is in the output")
		}
	})
	t.Run("what is missing on the way is marked, in its place", func(t *testing.T) {
		b.kubectl("-n", "auth", "delete", "virtualservice", "dex")
		b.kubectl("-n", "istio-system", "delete", "authorizationpolicy", "istio-ingressgateway-require-jwt")
		r := b.jupyter("login-url", "--explain")
		if r.Code != 1 {
			t.Errorf("login-url --explain: %s", r)
		}
		var missing []string
		for line := range strings.Lines(r.Stdout) {
			if strings.HasPrefix(line, "missing ") {
				missing = append(missing, strings.TrimSpace(strings.TrimPrefix(line, "missing ")))
			}
		}
		if len(missing) != 2 || !strings.HasPrefix(missing[0], "AuthorizationPolicy istio-system/istio-ingressgateway-require-jwt") ||
			!strings.HasPrefix(missing[1], "VirtualService auth/dex") || !strings.Contains(missing[1], "/dex/ has no route") {
			t.Errorf("missing are %q", missing)
		}
		b.must("install", "--timeout", "3m")
	})
	t.Run("who may read nothing is told so, and not that it is missing", func(t *testing.T) {
		fails(t, 2, []string{"forbidden", "istio-ingressgateway"}, "--as", "nobody@example.com")
		fails(t, 2, []string{"forbidden"}, "--check", "--as", "nobody@example.com")
		r := b.jupyter("login-url", "--explain", "--as", "nobody@example.com")
		if r.Code != 2 || strings.Contains(r.Stdout, "missing") {
			t.Errorf("login-url --explain without rights: want exit code 2 and nothing called missing: %s", r)
		}
	})
	t.Run("a cluster that does not answer is not one without a URL", func(t *testing.T) {
		fails(t, 2, []string{"does not answer"}, "--server", "https://127.0.0.1:1")
	})
}
