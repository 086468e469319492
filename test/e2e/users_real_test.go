//go:build e2e_real

package e2e

import (
	"context"
	"os"
	"strings"
	"testing"
)

// TestPeopleAndHTTPS has the real Dex, the real oauth2-proxy, the real cert-manager and Envoy with istiod's
// configuration say who may come in, and over what. The web app behind them is a stand-in, as the list says.
func TestPeopleAndHTTPS(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("a real node needs root: run it with sudo")
	}
	if !realProxy(realImages(t)) {
		t.Skip("the proxy is a stand-in, which knows no login: see the list above for why")
	}
	b := newBed(t, "--nodes", "real", "--network-policies")
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
		wantSays(t, r.Stderr, "Dex accepts the password of "+ada)
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
		wantSays(t, r.Stderr, "Dex accepts the password of user@example.com")
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
		wantSays(t, b.must("uninstall", "--yes").Stderr, "user accounts are deleted only with --delete-data")
		b.must("install", "--timeout", "5m")
		b.signsIn(t, gateway, nil, ada, second, "kubeflow-ada-example-com")
	})
	t.Run("with --delete-namespace everything of theirs goes", func(t *testing.T) {
		if r := b.jupyter("user", "remove", ada, "--delete-namespace"); r.Code != 1 || !strings.Contains(r.Stderr, "home (1Gi)") || !strings.Contains(r.Stderr, "--yes") {
			t.Fatalf("without --yes: %s", r)
		}
		b.must("user", "remove", ada, "--delete-namespace", "--yes")
		for _, kind := range []string{"namespace/kubeflow-ada-example-com", "profile/kubeflow-ada-example-com"} {
			if out, err := b.tryKubectl("", "get", kind); err == nil {
				t.Errorf("%s is still there:\n%s", kind, out)
			}
		}
	})
}
