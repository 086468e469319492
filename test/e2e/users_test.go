//go:build e2e

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/rand"
)

// TestPeopleAndCertificates adds people and turns HTTPS on where nothing listens: what the API server and
// cert-manager, which are real, make of it. Whether a person can sign in, and over what, is seen on a real node.
func TestPeopleAndCertificates(t *testing.T) {
	b := newBed(t)
	b.must("install", "--timeout", "3m")
	before := b.versions(memberSelector)
	const ada, home = "ada@example.com", "kubeflow-ada-example-com"
	stdin := func(password string, args ...string) result {
		return b.run(context.Background(), password+"\n", nil, append(args, "--password-stdin")...)
	}

	t.Run("a person is a Profile and a Password", func(t *testing.T) {
		secret := rand.String(20)
		r := stdin(secret, "user", "add", ada, "--cpu", "4", "--gpu", "1")
		if r.Code != 0 {
			t.Fatal(r)
		}
		// A simulated node forwards no ports: the command has to say what it did not see.
		wantSays(t, r.Stderr, `cluster "devcluster"`, "could not be verified")
		if all := r.Stdout + r.Stderr; strings.Contains(all, secret) {
			t.Errorf("the password is in the output:\n%s", all)
		}
		if got := b.kubectl("get", "profile", home, "-o", "jsonpath={.spec.owner.name} {.spec.resourceQuotaSpec.hard}"); got != ada+` {"cpu":"4","requests.nvidia.com/gpu":"1"}` {
			t.Errorf("the Profile: %s", got)
		}
		b.kubectl("-n", home, "get", "serviceaccount", "default-editor")
		if got := b.kubectl("-n", "auth", "get", "passwords.dex.coreos.com", "-o", "jsonpath={.items[*].email}"); got != ada {
			t.Errorf("Dex knows %q", got)
		}
	})
	t.Run("a generated password is shown once, and is not the one before", func(t *testing.T) {
		hash := func() string {
			return b.kubectl("-n", "auth", "get", "passwords.dex.coreos.com", "-o", "jsonpath={.items[0].hash}")
		}
		was := hash()
		r := b.must("user", "set-password", ada)
		if strings.Count(r.Stderr, "Password:  ") != 1 || strings.Contains(r.Stdout, "Password") {
			t.Errorf("set-password: %s", r)
		}
		if hash() == was {
			t.Error("the hash is the one before")
		}
	})
	t.Run("nothing that is somebody else's is taken", func(t *testing.T) {
		for want, args := range map[string][]string{
			"can already log in":            {"user", "add", ada},
			"belongs to " + ada:             {"user", "add", "eve@example.com", "--profile-name", home},
			"does not belong to a Profile":  {"user", "add", "eve@example.com", "--profile-name", "kube-system"},
			"is the first user":             {"user", "add", "user@example.com"},
			"there is no user":              {"user", "remove", "eve@example.com"},
			"has no password":               {"user", "set-password", "eve@example.com"},
			"the next install would create": {"user", "remove", "user@example.com", "--delete-namespace", "--yes"},
			"lower case":                    {"user", "add", "Eve@example.com"},
			"--cpu":                         {"user", "add", "eve@example.com", "--cpu", "many"},
			"--profile-name":                {"user", "add", "eve@example.com", "--profile-name", "Eve"},
		} {
			if r := b.jupyter(args...); r.Code != 1 || !strings.Contains(r.Stderr, want) {
				t.Errorf("%s: want %q: %s", strings.Join(args, " "), want, r)
			}
		}
		if got := strings.Fields(b.must("user", "list", "-o", "name").Stdout); len(got) != 2 {
			t.Errorf("people: %q, want two", got)
		}
	})
	t.Run("who may not change people is told so before anything is written", func(t *testing.T) {
		b.apply(`
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules:
- {apiGroups: ["*"], resources: ["*"], verbs: [get, list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: mary}]`)
		r := b.jupyter("--as", "mary", "user", "add", "eve@example.com")
		if r.Code != 1 {
			t.Fatal(r)
		}
		wantSays(t, r.Stderr, "nothing was changed", "profiles.kubeflow.org", "passwords.dex.coreos.com")
		if strings.Contains(r.Stderr, "Password:  ") {
			t.Error("a password is shown that nobody has")
		}
		was := b.versions("")
		r = b.jupyter("--as", "mary", "expose", "--type", "ClusterIP", "--tls", "self-signed")
		if r.Code != 1 {
			t.Fatal(r)
		}
		wantSays(t, r.Stderr, "nothing was changed", "certificates.cert-manager.io")
		compareVersions(t, was, b.versions(""))
		if r := b.jupyter("--as", "mary", "user", "set-password", "user@example.com"); r.Code != 1 || !strings.Contains(r.Stderr, "lacks") {
			t.Errorf("set-password of the first user: %s", r)
		}
	})
	t.Run("the first user is locked, and let in again, and Dex's pod is another one", func(t *testing.T) {
		password := func() string {
			return b.must("user", "list", "-o", `jsonpath={.items[?(@.firstUser)].password}`).Stdout
		}
		pod := func() string {
			return b.kubectl("-n", "auth", "get", "pods", "-l", "app=dex", "-o", "jsonpath={.items[*].metadata.uid}")
		}
		was := pod()
		b.must("user", "remove", "user@example.com")
		if got := strings.TrimSpace(password()); got != "false" || pod() == was {
			t.Errorf("after remove: password %s, Dex's pod %s (was %s)", got, pod(), was)
		}
		b.must("user", "set-password", "user@example.com")
		if got := strings.TrimSpace(password()); got != "true" {
			t.Errorf("after set-password: password %s", got)
		}
	})
	t.Run("a namespace is shared, in one role at a time, as KFAM shares it", func(t *testing.T) { b.shares(t, ada, home) })
	t.Run("a list adds whom it names, changes what differs, and takes nothing unasked", func(t *testing.T) { b.appliesAList(t, home) })
	t.Run("install leaves people alone", func(t *testing.T) {
		wantSays(t, b.must("install", "--timeout", "2m").Stderr, "nothing to change")
	})
	t.Run("HTTPS on: one certificate for the host and the redirect, and install keeps it", func(t *testing.T) {
		r := b.must("expose", "--type", "ClusterIP", "--tls", "self-signed", "--host", "nb.example.com")
		wantSays(t, r.Stderr, "nb.example.com", "SHA-256")
		if strings.Contains(r.Stderr, "Nothing to change") {
			t.Errorf("HTTPS is no change: %s", r)
		}
		r = b.must("expose", "--type", "ClusterIP", "--tls", "self-signed", "--host", "nb.example.com")
		wantSays(t, r.Stderr, "Nothing to change")
		if got := b.kubectl("-n", "kubeflow", "get", "gateway", "kubeflow-gateway", "-o", "jsonpath={.spec.servers[*].port.number} {.spec.servers[0].tls.httpsRedirect} {.spec.servers[1].tls.credentialName}"); got != "80 443 true jupyter-gateway-tls" {
			t.Errorf("the Gateway: %s", got)
		}
		wantSays(t, b.kubectl("-n", "istio-system", "get", "envoyfilter", "kubeflow-gateway-redirect", "-o", "yaml"), `local hosts = " nb.example.com "`)
		if got := b.kubectl("-n", "oauth2-proxy", "get", "configmap", "oauth2-proxy-parameters", "-o", "jsonpath={.data.FORCE_HTTPS}"); got != "true" {
			t.Errorf("cookies are Secure: %s", got)
		}
		wantSays(t, b.must("install", "--timeout", "2m").Stderr, "nothing to change")
		if out := b.jupyter("status").Stdout; strings.Contains(out, "Drift") || strings.Contains(out, "SecureCookiesOverHTTP") {
			t.Errorf("status finds fault with HTTPS:\n%s", out)
		}
		r = b.must("expose", "--type", "NodePort", "--tls", "self-signed", "--probe=false")
		wantSays(t, r.Stderr, "for localhost, nb.example.com, 127.0.0.1, 10.0.1.1")
		wantSays(t, r.Stdout, "https://nb.example.com:")
	})
	t.Run("a Secret is looked at before anything is changed", func(t *testing.T) {
		b.kubectl("-n", "istio-system", "create", "secret", "generic", "half", "--from-literal=tls.crt=hello")
		for want, secret := range map[string]string{"does not exist": "nobodys", "no tls.key": "half"} {
			if r := b.jupyter("expose", "--type", "ClusterIP", "--tls", secret); r.Code != 1 || !strings.Contains(r.Stderr, want) {
				t.Errorf("--tls %s: want %q: %s", secret, want, r)
			}
		}
	})
	t.Run("HTTPS off: everything of it is gone, and said what that means", func(t *testing.T) {
		wantSays(t, b.must("expose", "--undo").Stderr, "HTTPS stays enabled")
		r := b.must("expose", "--type", "ClusterIP", "--tls", "off", "-o", `jsonpath={range .changes[*]}{.action} {.object.kind} {end}`)
		wantSays(t, r.Stderr, "plain HTTP")
		wantSays(t, r.Stdout, "configured Gateway", "pruned EnvoyFilter", "deleted Certificate")
		for _, what := range []string{"certificate/jupyter-gateway", "issuer/jupyter-gateway", "secret/jupyter-gateway-tls", "secret/jupyter-gateway-ca", "envoyfilter/kubeflow-gateway-redirect"} {
			if _, err := b.tryKubectl("", "-n", "istio-system", "get", what); err == nil {
				t.Errorf("%s is still there", what)
			}
		}
		wantSays(t, b.must("install", "--timeout", "2m").Stderr, "nothing to change")
		after := b.versions(memberSelector)
		if len(after) != len(before) {
			t.Errorf("%d objects of the installation, there were %d", len(after), len(before))
		}
	})
	t.Run("a certificate that a killed run has left goes with HTTPS off", func(t *testing.T) {
		certificates := b.connect("").Dynamic.Resource(schema.GroupVersionResource{Group: "cert-manager.io", Version: "v1", Resource: "certificates"}).Namespace("istio-system")
		r := b.run(t.Context(), "", func(p *os.Process) {
			for ctx := t.Context(); ctx.Err() == nil; <-time.After(5 * time.Millisecond) {
				if _, err := certificates.Get(ctx, "jupyter-gateway", metav1.GetOptions{}); err == nil {
					break
				}
			}
			if err := p.Kill(); err != nil {
				t.Error(err)
			}
		}, "expose", "--type", "ClusterIP", "--tls", "self-signed")
		if r.Code == 0 {
			t.Fatalf("a run that was killed: %s", r)
		}
		b.must("expose", "--type", "ClusterIP", "--tls", "off")
		if _, err := certificates.Get(t.Context(), "jupyter-gateway", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			t.Errorf("the Certificate is still there: %v", err)
		}
		b.must("expose", "--undo")
	})
	t.Run("an installation with patches of one's own is not changed without them", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(`patches:
- target: {kind: Deployment, name: dex}
  patch: |
    - {op: add, path: /metadata/annotations, value: {lab: ours}}
`), 0o600); err != nil {
			t.Fatal(err)
		}
		b.must("install", "-k", dir, "--timeout", "2m")
		for _, args := range [][]string{{"user", "set-password", "user@example.com"}, {"expose", "--type", "ClusterIP", "--tls", "self-signed"}} {
			if r := b.jupyter(args...); r.Code != 1 || !strings.Contains(r.Stderr, "-k "+dir) {
				t.Errorf("%s without -k: %s", args[0], r)
			}
		}
		b.must("user", "set-password", "user@example.com", "-k", dir)
		if got := b.kubectl("-n", "auth", "get", "deployment", "dex", "-o", "jsonpath={.metadata.annotations.lab}"); got != "ours" {
			t.Errorf("the annotation on Dex is %q", got)
		}
		b.must("install", "-k", "", "--timeout", "2m")
	})
	t.Run("uninstall keeps accounts, and with --delete-data takes them", func(t *testing.T) {
		wantSays(t, b.must("uninstall", "--yes").Stderr, "user accounts are deleted only with --delete-data")
		b.must("install", "--timeout", "3m")
		if got := strings.Fields(b.must("user", "list", "-o", `jsonpath={range .items[?(@.password)]}{.email} {end}`).Stdout); len(got) != 2 {
			t.Errorf("after the next install these can sign in: %q", got)
		}
		b.must("uninstall", "--yes", "--delete-data")
		for _, what := range []string{"namespace/auth", "namespace/" + home} {
			if _, err := b.tryKubectl("", "get", what); err == nil {
				t.Errorf("%s is still there", what)
			}
		}
	})
}
