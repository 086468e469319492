//go:build e2e_real

package e2e

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// identities asks for the test of identity providers, which takes minutes.
var identities = flag.Bool("identity", false, "test identity providers on a real node, which needs slapd")

const (
	ldapHost     = "ldap.directory.svc.cluster.local"
	ldapPassword = "the account of Dex"
	ldapBase     = "dc=example,dc=com"
	providerHost = "login.provider.svc.cluster.local"
	providerURL  = "https://" + providerHost + ":5554/dex"
	clientSecret = "shared with the provider alone"
	adasPassword = "a difference engine"
	// grace has an account with the provider alone.
	grace, gracesPassword = "grace@example.com", "it is easier to ask"
)

// TestIdentity logs people in by providers that are themselves: Debian's slapd, and a second
// Dex over HTTPS with a private authority, both in pods of the cluster. Dex, oauth2-proxy,
// istiod and Envoy of the installation are real; Kubeflow's own programs are stand-ins, as the
// list says. GitHub, Google and Microsoft cannot be asked from here: stand-ins of their
// documented endpoints are asked in pkg/identity/discovery_test.go.
func TestIdentity(t *testing.T) {
	if !*identities {
		t.Skip("make e2e-identity runs it")
	}
	if os.Geteuid() != 0 {
		t.Fatal("a real node needs root: run it with sudo")
	}
	if _, err := os.Stat("/usr/sbin/slapd"); err != nil {
		t.Fatal("Debian's package slapd is needed")
	}
	images := realImages(t)
	if !realProxy(images) {
		t.Skip("the proxy is a stand-in, which knows no login: see the list above for why")
	}
	b := newBed(t, "--nodes", "real", "--network-policies")
	if r := b.run(context.Background(), loginPassword, nil, "install", "--password-stdin", "--timeout", "5m"); r.Code != 0 {
		t.Fatalf("install: %s", r)
	}
	b.throughProxy(t)
	b.kubectl("-n", "istio-system", "patch", "service", "istio-ingressgateway", "-p", `{"spec":{"externalIPs":["`+gatewayAddress+`"]}}`)
	authority := newAuthority(t)
	b.slapd(t, images, authority)
	for _, who := range []string{"ada@example.com", grace} {
		if r := b.run(context.Background(), "nobody uses this one\n", nil, "user", "add", who, "--password-stdin"); r.Code != 0 {
			t.Fatal(r)
		}
	}
	t.Run("LDAP", func(t *testing.T) { b.in(t).ldap(t, authority) })
	t.Run("a provider that browsers are redirected to", func(t *testing.T) { b.in(t).redirecting(t, images, authority) })
}

// dexPods are the UIDs of Dex's pods.
func (b *bed) dexPods() string {
	return b.kubectl("-n", "auth", "get", "pods", "-l", "app=dex", "--sort-by=.metadata.name", "-o", "jsonpath={.items[*].metadata.uid}")
}

// ldap has people log in with the accounts of a directory.
func (b *bed) ldap(t *testing.T, ca authority) {
	pods := b.dexPods()
	flags := func(more ...string) []string {
		return append([]string{
			"identity", "add", "ldap", "--host", ldapHost, "--bind-dn", "cn=dex," + ldapBase, "--user-base", "ou=people," + ldapBase,
			"--group-base", "ou=groups," + ldapBase, "--secret-stdin", "--timeout", "1m",
		}, more...)
	}
	add := func(password string, more ...string) result {
		return b.run(t.Context(), password+"\n", nil, flags(more...)...)
	}
	none := func() {
		t.Helper()
		if got := b.kubectl("-n", "auth", "get", "connectors.dex.coreos.com", "-o", "name"); got != "" {
			t.Errorf("there is a connector: %s", got)
		}
	}
	for name, c := range map[string]struct {
		password string
		more     []string
		says     []string
	}{
		"an authority that nobody trusts":       {ldapPassword, nil, []string{"ProviderUntrusted", "nothing was changed"}},
		"a wrong password of the account":       {"wrong", []string{"--ca-file", ca.file}, []string{"ProviderRefuses", "the password is wrong", "nothing was changed"}},
		"a base that is not there":              {ldapPassword, []string{"--ca-file", ca.file, "--user-base", "ou=nobody," + ldapBase}, []string{"ProviderRefuses", "nothing was changed"}},
		"somebody who is not in the directory":  {ldapPassword, []string{"--ca-file", ca.file, "--try", "eve@example.com"}, []string{"LoginRefused", "nobody whose mail is eve@example.com"}},
		"somebody who has no address":           {ldapPassword, []string{"--ca-file", ca.file, "--login-attribute", "uid", "--try", "bob"}, []string{"EmailClaimEmpty", "nothing was changed"}},
		"a host where nothing listens":          {ldapPassword, []string{"--ca-file", ca.file, "--host", "127.0.0.1:1"}, []string{"ProviderUnreachable", "nothing was changed"}},
		"a host that only Dex could reach, too": {ldapPassword, []string{"--ca-file", ca.file, "--host", "10.96.255.99", "--skip-provider-check"}, []string{"ProviderUnreachable", "the connector was taken back"}},
	} {
		t.Run("nothing is written for "+name, func(t *testing.T) {
			r := add(c.password, c.more...)
			if r.Code != 1 {
				t.Fatalf("exit code %d: %s", r.Code, r)
			}
			wantSays(t, r.Stderr, c.says...)
			none()
		})
	}
	t.Run("a directory is added after it was asked, and Dex is not restarted", func(t *testing.T) {
		b := b.in(t)
		r := add(ldapPassword, "--ca-file", ca.file, "--try", "ada@example.com")
		if r.Code != 0 || r.Stdout != "ldap added\n" {
			t.Fatal(r)
		}
		wantSays(t, r.Stderr, "through the API server, as Service directory/ldap", "by Dex, from inside the cluster", "bind and search work",
			"ada@example.com (verified)", "data, staff", "kubeflow-ada-example-com", "Connector auth/ldap", "Local passwords continue to work")
		if strings.Contains(r.Stdout+r.Stderr, ldapPassword) {
			t.Error("the password of the account is in the output")
		}
		if now := b.dexPods(); now != pods {
			t.Errorf("Dex's pods were %s and are %s", pods, now)
		}
		if r := add(ldapPassword, "--ca-file", ca.file); r.Code != 1 || !strings.Contains(r.Stderr, "already exists") {
			t.Errorf("again: %s", r)
		}
		if got := b.must("identity", "list", "-o", "json").Stdout; strings.Contains(got, ldapPassword) || !strings.Contains(got, ldapHost) {
			t.Errorf("identity list: %s", got)
		}
	})
	t.Run("who is in the directory logs in with their own password, to their namespace", func(t *testing.T) {
		b := b.in(t)
		w := b.logsInBy(t, "http://"+gatewayAddress, nil, "ldap", "ada@example.com", adasPassword)
		w.want("/jupyter/api/namespaces/kubeflow-ada-example-com/notebooks", http.StatusOK, "notebooks")
		w.want("/oauth2/userinfo", http.StatusOK, "staff")
		w.want("/jupyter/api/namespaces/"+profileNamespace+"/notebooks", http.StatusForbidden, "")
		if p := b.entersBy(t, "http://"+gatewayAddress, nil, "ldap", "ada@example.com", "wrong"); p.code != http.StatusUnauthorized {
			t.Errorf("a wrong password: %d", p.code)
		}
	})
	t.Run("the local user logs in beside it", func(t *testing.T) {
		b := b.in(t)
		b.logsInBy(t, "http://"+gatewayAddress, nil, "local", loginUser, loginPassword)
		b.healthy(t)
	})
	t.Run("the check of the login shows what the directory says", func(t *testing.T) {
		b := b.in(t)
		r := b.run(t.Context(), adasPassword, nil, "login-url", "--check", "--identity", "ldap", "--user-email", "ada@example.com", "--password-stdin")
		if r.Code != 0 {
			t.Fatal(r)
		}
		wantSays(t, r.Stderr, "E-mail:   ada@example.com", "data, staff", "Profile:  kubeflow-ada-example-com")
		r = b.run(t.Context(), "wrong", nil, "login-url", "--check", "--identity", "ldap", "--user-email", "ada@example.com", "--password-stdin")
		if r.Code != 1 {
			t.Error(r)
		}
		wantSays(t, r.Stderr, "LoginRefused", "the identity provider ldap rejects")
	})
	t.Run("an owner in other letters is told", func(t *testing.T) {
		b := b.in(t)
		b.kubectl("patch", "profile", "kubeflow-ada-example-com", "--type=merge", "-p", `{"spec":{"owner":{"kind":"User","name":"Ada@example.com"}}}`)
		if r := b.jupyter("identity", "test", "ldap", "--try", "ada@example.com"); r.Code != 1 || !strings.Contains(r.Stderr, "OwnerCaseDiffers") {
			t.Errorf("identity test: %s", r)
		}
		b.kubectl("patch", "profile", "kubeflow-ada-example-com", "--type=merge", "-p", `{"spec":{"owner":{"kind":"User","name":"ada@example.com"}}}`)
		b.must("identity", "test", "ldap", "--try", "ada@example.com")
	})
	t.Run("a directory that has stopped is told, and the local user gets in", func(t *testing.T) {
		b := b.in(t)
		b.kubectl("-n", "directory", "scale", "deployment/ldap", "--replicas=0")
		b.kubectl("-n", "directory", "wait", "--for=delete", "pod", "--all", "--timeout=1m")
		r := b.jupyter("identity", "test", "ldap")
		if r.Code != 1 {
			t.Error(r)
		}
		wantSays(t, r.Stderr, "ProviderUnreachable", "Dex does not reach the provider from its pod")
		b.logsInBy(t, "http://"+gatewayAddress, nil, "local", loginUser, loginPassword)
		b.kubectl("-n", "directory", "scale", "deployment/ldap", "--replicas=1")
		b.kubectl("-n", "directory", "rollout", "status", "deployment/ldap", "--timeout=1m")
		b.must("identity", "test", "ldap")
	})
	t.Run("uninstall keeps the provider, and the next install has it", func(t *testing.T) {
		b := b.in(t)
		wantSays(t, b.must("uninstall", "--yes").Stderr, "identity providers are deleted only with --delete-data")
		b.must("install", "--timeout", "5m")
		b.kubectl("-n", "istio-system", "patch", "service", "istio-ingressgateway", "-p", `{"spec":{"externalIPs":["`+gatewayAddress+`"]}}`)
		b.logsInBy(t, "http://"+gatewayAddress, nil, "ldap", "ada@example.com", adasPassword)
	})
	t.Run("with --only Dex takes the directory's passwords alone, until that is taken back", func(t *testing.T) {
		b := b.in(t)
		r := add(ldapPassword, "--ca-file", ca.file, "--replace", "--only")
		if r.Code != 0 {
			t.Fatal(r)
		}
		wantSays(t, r.Stderr, "warning: --only", "if no provider answers, nobody can log in")
		// The only connector: Dex shows its form at once.
		eventually(t, "the directory's form comes at once", func() bool {
			w := b.at(t, "http://"+gatewayAddress, nil)
			return strings.Contains(w.follow(w.get("/oauth2/start?rd=%2Fjupyter%2F")).body, "/dex/auth/ldap/login")
		})
		b.signsIn(t, "http://"+gatewayAddress, nil, "ada@example.com", adasPassword, "kubeflow-ada-example-com")
		b.isRefused(t, "http://"+gatewayAddress, nil, loginUser, loginPassword)
		wantSays(t, b.must("install", "--timeout", "5m").Stderr, "nothing to change")
	})
	t.Run("when the last provider is removed, local passwords are taken again", func(t *testing.T) {
		b := b.in(t)
		wantSays(t, b.must("identity", "remove", "ldap").Stderr, "is the last provider")
		b.signsIn(t, "http://"+gatewayAddress, nil, loginUser, loginPassword, profileNamespace)
		none()
	})
}

// redirecting has people log in by a second Dex, for which the issuer moves.
func (b *bed) redirecting(t *testing.T, images map[string]string, ca authority) {
	const at = "https://" + gatewayAddress
	outer := "https://" + appHost + "/dex"
	add := func(client string, more ...string) result {
		return b.run(t.Context(), clientSecret+"\n", nil, append([]string{"identity", "add", "oidc", "--url", providerURL, "--client-id", client, "--ca-file", ca.file, "--name", "The other Dex", "--secret-stdin"}, more...)...)
	}
	b.provider(t, images, ca, outer+"/callback")
	t.Run("it is refused where browsers could not come back to", func(t *testing.T) {
		r := add("jupyter")
		if r.Code != 1 {
			t.Fatal(r)
		}
		wantSays(t, r.Stderr, "expose --tls self-signed --host NAME")
	})
	b.kubectl("-n", "istio-system", "annotate", "service", "istio-ingressgateway", "external-dns.alpha.kubernetes.io/hostname="+appHost)
	b.must("expose", "--type", "ClusterIP", "--tls", "self-signed")
	roots := b.gatewayRoots(t)
	person := b.signsIn(t, at, roots, loginUser, loginPassword, profileNamespace)
	t.Run("the issuer moves with the host name: who is logged in stays so, and the local user always gets in", func(t *testing.T) {
		b := b.in(t)
		stop := b.watchLogins(t, person, at, roots)
		r := b.must("expose", "--type", "ClusterIP", "--tls", "self-signed", "--host", appHost)
		wantSays(t, r.Stderr, "Dex's issuer moves to "+outer)
		stop()
		if got := b.issuer(t); got != outer {
			t.Errorf("Dex's issuer is %s, want %s", got, outer)
		}
		person.want("/jupyter/api/config", http.StatusOK, "")
		b.signsIn(t, "https://"+appHost, b.gatewayRoots(t), loginUser, loginPassword, profileNamespace)
		wantSays(t, b.must("install", "--timeout", "5m").Stderr, "nothing to change")
		if r := b.must("expose", "--type", "ClusterIP", "--tls", "self-signed", "--host", appHost); !strings.Contains(r.Stderr, "Nothing to change") {
			t.Errorf("again: %s", r)
		}
		wantSays(t, b.must("status").Stdout, "Ready")
	})
	t.Run("a client whose callback is not registered is told, and nothing is written", func(t *testing.T) {
		r := add("elsewhere")
		if r.Code != 1 {
			t.Fatal(r)
		}
		wantSays(t, r.Stderr, "CallbackUnregistered", outer+"/callback", "nothing was changed")
	})
	t.Run("another issuer is told", func(t *testing.T) {
		if r := add("jupyter", "--url", strings.Replace(providerURL, providerHost, "login.provider.svc", 1)); r.Code != 1 || !strings.Contains(r.Stderr, "IssuerMismatch") {
			t.Errorf("%s", r)
		}
	})
	t.Run("a provider is added without a restart, since the issuer is there", func(t *testing.T) {
		b := b.in(t)
		pods := b.dexPods()
		r := add("jupyter")
		if r.Code != 0 {
			t.Fatal(r)
		}
		wantSays(t, r.Stderr, outer+"/callback", "a redirect to "+providerHost)
		if now := b.dexPods(); now != pods {
			t.Errorf("Dex's pods were %s and are %s", pods, now)
		}
		b.must("identity", "test", "oidc")
	})
	t.Run("the check follows the redirect, logs in, and shows the claims", func(t *testing.T) {
		b := b.in(t)
		r := b.run(t.Context(), gracesPassword, nil, "login-url", "--check", "--identity", "oidc", "--user-email", grace, "--password-stdin")
		if r.Code != 0 {
			t.Fatal(r)
		}
		wantSays(t, r.Stderr, "E-mail:   "+grace, "Profile:  kubeflow-grace-example-com")
		if r := b.jupyter("login-url", "--check", "--identity", "oidc"); r.Code != 0 || !strings.Contains(r.Stderr, "the login of "+providerHost) {
			t.Errorf("without a user: %s", r)
		}
	})
	t.Run("a person logs in with Chromium", func(t *testing.T) {
		chromium, pictures := chromium(t)
		cmd := exec.CommandContext(t.Context(), filepath.Join(programs(t).Bin, "browser"), "-chromium", chromium, "-proxy", os.Getenv("HTTP_PROXY"), "-any-certificate",
			"-connector", "oidc", "-url", "https://"+appHost+"/jupyter/", "-user", grace, "-namespace", "kubeflow-grace-example-com", "-out", pictures)
		cmd.Stdin = strings.NewReader(gracesPassword)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Run(); err != nil {
			t.Fatalf("%v: %s", err, stderr.String())
		}
		var out struct {
			Form, App struct{ URL string }
			Change    struct{ Status int }
		}
		if err := json.Unmarshal(stdout.Bytes(), &out); err != nil {
			t.Fatalf("%v: %s", err, stdout.String())
		}
		if !strings.HasPrefix(out.Form.URL, providerURL) || !strings.HasPrefix(out.App.URL, "https://"+appHost+"/jupyter/") || out.Change.Status != http.StatusBadRequest {
			t.Errorf("%+v, want the provider's form, the web app, and a change that it takes", out)
		}
	})
	t.Run("a move that is killed is completed by the next run", func(t *testing.T) {
		b := b.in(t)
		const other = "notebooks." + appHost
		b.kubectl("-n", "istio-system", "annotate", "--overwrite", "service", "istio-ingressgateway", "external-dns.alpha.kubernetes.io/hostname="+appHost+","+other)
		args := []string{"expose", "--type", "ClusterIP", "--tls", "self-signed", "--host", other}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		killed := b.run(ctx, "", func(p *os.Process) {
			go func() {
				// As soon as oauth2-proxy has the other issuer, and Dex has not.
				for ctx.Err() == nil {
					if out, err := b.tryKubectl("", "-n", "oauth2-proxy", "get", "configmap", "oauth2-proxy", "-o", "yaml"); err == nil && strings.Contains(out, other) {
						_ = p.Kill()
						return
					}
				}
			}()
		}, args...)
		if killed.Code == 0 {
			t.Fatalf("it was not killed: %s", killed)
		}
		if got := b.issuer(t); got != outer {
			t.Fatalf("Dex's issuer is %s already, so that nothing was interrupted", got)
		}
		b.signsIn(t, at, b.gatewayRoots(t), loginUser, loginPassword, profileNamespace)
		b.must(args...)
		if got := b.issuer(t); got != "https://"+other+"/dex" {
			t.Errorf("Dex's issuer is %s", got)
		}
		if got := b.must("identity", "list", "-o", "jsonpath={.items[0].callback}").Stdout; strings.TrimSpace(got) != "https://"+other+"/dex/callback" {
			t.Errorf("the connector's callback is %s", got)
		}
		if r := b.jupyter("login-url", "--check", "--identity", "oidc"); r.Code != 1 || !strings.Contains(r.Stderr, "CallbackUnregistered") {
			t.Errorf("the provider does not know it: %s", r)
		}
		b.signsIn(t, "https://"+other, b.gatewayRoots(t), loginUser, loginPassword, profileNamespace)
	})
	t.Run("without HTTPS the issuer is inside again, and the local user gets in", func(t *testing.T) {
		b := b.in(t)
		r := b.must("expose", "--type", "ClusterIP", "--tls", "off")
		wantSays(t, r.Stderr, "moves back to its name inside the cluster", "oidc redirect browsers")
		if got := b.issuer(t); got != "http://dex.auth.svc.cluster.local:5556/dex" {
			t.Errorf("Dex's issuer is %s", got)
		}
		b.logsInBy(t, "http://"+gatewayAddress, nil, "local", loginUser, loginPassword)
		b.must("identity", "remove", "oidc")
		b.healthy(t)
		wantSays(t, b.must("install", "--timeout", "5m").Stderr, "nothing to change")
	})
}

// issuer is what Dex calls itself, in the pods that answer.
func (b *bed) issuer(t *testing.T) string {
	t.Helper()
	_, body := b.get(t, "http://dex.auth.svc.cluster.local:5556/dex/.well-known/openid-configuration")
	var d struct{ Issuer string }
	if err := json.Unmarshal(body, &d); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return d.Issuer
}

// watchLogins asks as somebody who is logged in, and logs the local user in, again and again
// until it is stopped: neither may ever be refused.
func (b *bed) watchLogins(t *testing.T, person *browser, at string, roots *x509.CertPool) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan string)
	go func() {
		problem, asked, logins := "", 0, 0
		for ctx.Err() == nil && problem == "" {
			if p := person.get("/jupyter/api/config"); p.code != http.StatusOK {
				problem = fmt.Sprintf("who is logged in gets %d: %.200s", p.code, p.body)
			}
			asked++
			w := b.at(t, at, roots)
			form := w.follow(w.get("/oauth2/start?rd=%2Fjupyter%2F"))
			if formAction.FindString(form.body) == "" {
				problem = fmt.Sprintf("the local user gets no form: %d %.200s", form.code, form.body)
			} else if p := w.follow(w.send(form, loginUser, loginPassword)); p.code != http.StatusOK {
				problem = fmt.Sprintf("the local user gets %d: %.200s", p.code, p.body)
			}
			logins++
		}
		t.Logf("%d requests of who is logged in, %d logins of the local user", asked, logins)
		if problem == "" && logins < 3 {
			problem = fmt.Sprintf("only %d logins were tried", logins)
		}
		done <- problem
	}()
	return func() {
		t.Helper()
		cancel()
		if problem := <-done; problem != "" {
			t.Error(problem)
		}
	}
}

// entersBy chooses a connector and sends its form.
func (b *bed) entersBy(t *testing.T, at string, roots *x509.CertPool, connector, login, password string) page {
	t.Helper()
	w := b.at(t, at, roots)
	return w.send(w.chooses(connector), login, password)
}

// chooses goes to the form of a connector, by the link on Dex's page.
func (w *browser) chooses(connector string) page {
	w.t.Helper()
	p := w.follow(w.get("/oauth2/start?rd=%2Fjupyter%2F"))
	for _, link := range hrefs(p.body) {
		if u, err := url.Parse(link); err == nil && strings.HasSuffix(u.Path, "/auth/"+connector) {
			return w.follow(w.get(link))
		}
	}
	w.t.Fatalf("Dex's page has no link for %s: %d %.600s", connector, p.code, p.body)
	return page{}
}

func hrefs(body string) (out []string) {
	for _, part := range strings.Split(body, `href="`)[1:] {
		link, _, _ := strings.Cut(part, `"`)
		out = append(out, strings.ReplaceAll(link, "&amp;", "&"))
	}
	return out
}

// logsInBy logs somebody in by a connector that Dex has a form for.
func (b *bed) logsInBy(t *testing.T, at string, roots *x509.CertPool, connector, login, password string) *browser {
	t.Helper()
	var w *browser
	var p page
	// The gateway may still ask a pod of oauth2-proxy or Dex that has ended.
	eventually(t, login+" logs in by "+connector, func() bool {
		w = b.at(t, at, roots)
		if first := w.follow(w.get("/oauth2/start?rd=%2Fjupyter%2F")); !strings.Contains(first.body, "/auth/"+connector) {
			return false
		}
		p = w.follow(w.send(w.chooses(connector), login, password))
		return p.code == http.StatusOK && strings.Contains(p.body, "Jupyter")
	})
	return w
}

// gatewayRoots trust the certificate that the gateway has now.
func (b *bed) gatewayRoots(t *testing.T) *x509.CertPool {
	t.Helper()
	text, err := base64.StdEncoding.DecodeString(b.kubectl("-n", "istio-system", "get", "secret", "jupyter-gateway-tls", "-o", `jsonpath={.data.ca\.crt}`))
	roots := x509.NewCertPool()
	if err != nil || !roots.AppendCertsFromPEM(text) {
		t.Fatalf("no authority: %v", err)
	}
	return roots
}

// authority is a private one, as companies have.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	// file has its certificate.
	file string
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Example Company"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a := authority{cert, key, filepath.Join(t.TempDir(), "ca.pem")}
	if err := os.WriteFile(a.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644); err != nil {
		t.Fatal(err)
	}
	return a
}

// issue makes a certificate for names, and its key, in PEM.
func (a authority) issue(t *testing.T, names ...string) (cert, key []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, a.cert, &k.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
}

// dexImage is that of Dex: it is on the node, and small.
func dexImage(t *testing.T, images map[string]string) string {
	t.Helper()
	for name := range images {
		if isImage(name, "ghcr.io/dexidp/dex") {
			return name
		}
	}
	t.Fatal("there is no image of Dex")
	return ""
}

// slapd runs Debian's slapd in a pod: the program and its libraries are this machine's, and
// the image lends the pod its name. The directory has two people, one of them without an
// address, and two groups.
func (b *bed) slapd(t *testing.T, images map[string]string, ca authority) {
	t.Helper()
	dir := t.TempDir()
	cert, key := ca.issue(t, ldapHost, "ldap.directory.svc")
	hash := strings.TrimSpace(string(output(t, "slappasswd", "-s", adasPassword)))
	account := strings.TrimSpace(string(output(t, "slappasswd", "-s", ldapPassword)))
	for name, text := range map[string]string{
		"ldap.pem": string(cert), "ldap.key": string(key),
		"slapd.conf": fmt.Sprintf(`include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile %[1]s/slapd.pid
TLSCertificateFile %[1]s/ldap.pem
TLSCertificateKeyFile %[1]s/ldap.key
database mdb
suffix %[2]q
directory %[1]s/db
maxsize 10485760
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="cn=dex,%[2]s" read by * none
`, dir, ldapBase),
		"data.ldif": fmt.Sprintf(`dn: %[1]s
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: cn=dex,%[1]s
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: dex
userPassword: %[2]s

dn: ou=people,%[1]s
objectClass: organizationalUnit
ou: people

dn: ou=groups,%[1]s
objectClass: organizationalUnit
ou: groups

dn: uid=ada,ou=people,%[1]s
objectClass: inetOrgPerson
uid: ada
cn: Ada
sn: Lovelace
mail: ada@example.com
userPassword: %[3]s

dn: uid=bob,ou=people,%[1]s
objectClass: inetOrgPerson
uid: bob
cn: Bob
sn: Builder
userPassword: %[3]s

dn: cn=data,ou=groups,%[1]s
objectClass: groupOfNames
cn: data
member: uid=ada,ou=people,%[1]s

dn: cn=staff,ou=groups,%[1]s
objectClass: groupOfNames
cn: staff
member: uid=ada,ou=people,%[1]s
member: uid=bob,ou=people,%[1]s
`, ldapBase, account, hash),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "db"), 0o700); err != nil {
		t.Fatal(err)
	}
	output(t, "/usr/sbin/slapadd", "-f", filepath.Join(dir, "slapd.conf"), "-l", filepath.Join(dir, "data.ldif"))
	b.apply(fmt.Sprintf(`
apiVersion: v1
kind: Namespace
metadata: {name: directory}
---
apiVersion: v1
kind: Service
metadata: {name: ldap, namespace: directory}
spec: {selector: {app: ldap}, ports: [{name: ldap, port: 389}, {name: ldaps, port: 636}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: ldap, namespace: directory}
spec:
  selector: {matchLabels: {app: ldap}}
  strategy: {type: Recreate}
  template:
    metadata: {labels: {app: ldap}}
    spec:
      terminationGracePeriodSeconds: 5
      containers:
      - name: slapd
        image: %[1]s
        command: [/host/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2, --library-path, "/host/usr/lib/x86_64-linux-gnu:/host/lib/x86_64-linux-gnu", /host/usr/sbin/chroot, /host]
        args: [/usr/sbin/slapd, -d, "0", -h, "ldap:/// ldaps:///", -f, %[2]s/slapd.conf]
        securityContext: {runAsUser: 0, runAsGroup: 0}
        readinessProbe: {tcpSocket: {port: 636}, periodSeconds: 1}
        volumeMounts: [{name: host, mountPath: /host}]
      volumes: [{name: host, hostPath: {path: /}}]
`, dexImage(t, images), dir))
	b.kubectl("-n", "directory", "rollout", "status", "deployment/ldap", "--timeout=2m")
}

// provider runs a second Dex over HTTPS, with a user of its own and two clients: one whose
// callback is the given one, and one whose is not.
func (b *bed) provider(t *testing.T, images map[string]string, ca authority, callback string) {
	t.Helper()
	cert, key := ca.issue(t, providerHost, "login.provider.svc")
	hash, err := bcrypt.GenerateFromPassword([]byte(gracesPassword), bcrypt.MinCost+6)
	if err != nil {
		t.Fatal(err)
	}
	data := map[string]string{"tls.crt": string(cert), "tls.key": string(key), "config.yaml": fmt.Sprintf(`
issuer: %s
storage: {type: memory}
web: {https: 0.0.0.0:5554, tlsCert: /etc/dex/tls.crt, tlsKey: /etc/dex/tls.key}
oauth2: {skipApprovalScreen: true}
enablePasswordDB: true
staticPasswords:
- {email: %q, hash: %q, username: grace, userID: "1"}
staticClients:
- {id: jupyter, name: Notebooks, secret: %[4]q, redirectURIs: [%[5]q]}
- {id: elsewhere, name: Elsewhere, secret: %[4]q, redirectURIs: ["https://elsewhere.example.com/callback"]}
`, providerURL, grace, hash, clientSecret, callback)}
	secret, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "dex", "namespace": "provider"}, "stringData": data})
	if err != nil {
		t.Fatal(err)
	}
	b.apply(fmt.Sprintf(`
apiVersion: v1
kind: Namespace
metadata: {name: provider}
---
%s
---
apiVersion: v1
kind: Service
metadata: {name: login, namespace: provider}
spec: {selector: {app: login}, ports: [{name: https, port: 5554}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: login, namespace: provider}
spec:
  selector: {matchLabels: {app: login}}
  template:
    metadata: {labels: {app: login}}
    spec:
      containers:
      - name: dex
        image: %s
        command: [dex, serve, /etc/dex/config.yaml]
        securityContext: {runAsUser: 1001}
        readinessProbe: {tcpSocket: {port: 5554}, periodSeconds: 1}
        volumeMounts: [{name: config, mountPath: /etc/dex}]
      volumes: [{name: config, secret: {secretName: dex}}]
`, secret, dexImage(t, images)))
	b.kubectl("-n", "provider", "rollout", "status", "deployment/login", "--timeout=2m")
}

func output(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		var exit *exec.ExitError
		if ok := asExit(err, &exit); ok {
			t.Fatalf("%s: %v: %s", name, err, exit.Stderr)
		}
		t.Fatalf("%s: %v", name, err)
	}
	return out
}

func asExit(err error, to **exec.ExitError) bool {
	e, ok := err.(*exec.ExitError)
	*to = e
	return ok
}
