//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// role reads the role of a file in docs/rbac, and applies it.
func (b *bed) role(file, user string) rbacv1.ClusterRole {
	b.t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "rbac", file))
	if err != nil {
		b.t.Fatal(err)
	}
	var role rbacv1.ClusterRole
	if err := yaml.UnmarshalStrict(text, &role); err != nil {
		b.t.Fatalf("%s: %v", file, err)
	}
	b.bind(role, user)
	return role
}

// bind applies a role and gives it to a user who has no other.
func (b *bed) bind(role rbacv1.ClusterRole, user string) {
	b.t.Helper()
	role.APIVersion, role.Kind = "rbac.authorization.k8s.io/v1", "ClusterRole"
	text, err := yaml.Marshal(role)
	if err != nil {
		b.t.Fatal(err)
	}
	b.apply(string(text))
	b.kubectl("create", "clusterrolebinding", "test-"+user, "--clusterrole="+role.Name, "--user="+user)
}

// granting are the verbs that let somebody give what they do not have themselves. The
// server asks for them when it looks at a role; no request shows them.
var granting = []string{rbacv1.VerbAll, "escalate", "bind"}

// rights are the single rights of a role, without those of granting.
func rights(role rbacv1.ClusterRole) map[right]bool {
	all := map[right]bool{}
	for _, rule := range role.Rules {
		for _, verb := range rule.Verbs {
			for _, group := range rule.APIGroups {
				for _, resource := range rule.Resources {
					if !slices.Contains(granting, verb) {
						all[right{verb, group, resource}] = true
					}
				}
			}
		}
	}
	return all
}

// check compares a role with what was needed. What is in without was wanted and may be
// refused: a command does without it and says so.
func (w *witness) check(t *testing.T, role rbacv1.ClusterRole, without ...right) {
	t.Helper()
	needed := w.needed()
	for _, r := range without {
		if w.refused[r] == 0 {
			t.Errorf("was never refused, so that it is no exception: %s", r)
		}
		delete(needed, r)
		delete(w.refused, r)
	}
	for r, times := range w.refused {
		t.Errorf("refused %d times, so the role is not enough: %s", times, r)
	}
	lacking, idle := differ(needed, rights(role))
	for _, i := range idle {
		t.Errorf("in the role, and neither used nor asked about: %s", i)
	}
	for _, l := range lacking {
		t.Errorf("used or asked about, and not in the role: %s", l)
	}
}

// The installer's role is enough: with it every command does its work, and the server
// refuses no single request. It is not more: each of its rights was used, or was asked
// about by a command that begins nothing without it.
func TestTheInstallersRoleIsEnoughAndNotMore(t *testing.T) {
	b := newBed(t, "--metrics-server=true")
	admin := b.Kubeconfig
	role := b.role("installer.yaml", "ivy")
	w := newWitness(t, b, "ivy", "installers")
	asIvy := func(do func()) {
		b.Kubeconfig = w.kubeconfig
		defer func() { b.Kubeconfig = admin }()
		do()
	}
	t.Run("it may grant what the stack's own roles grant, by their names, and no other", func(t *testing.T) { b.mayGrant(t, role) })
	asIvy(func() {
		b.must("preflight")
		b.must("install", "--timeout", "3m")
		wantSays(t, b.must("install").Stderr, "nothing to change")
		b.must("status")
		b.must("user", "add", "ada@example.com")
		b.must("user", "list")
		b.must("user", "share", "kubeflow-ada-example-com", "user@example.com", "--role", "edit")
		b.must("user", "list", "-o", "wide")
		b.must("user", "unshare", "kubeflow-ada-example-com", "user@example.com")
		b.must("user", "isolate", "ada@example.com")
		b.must("user", "isolate", "ada@example.com", "--undo")
		b.must("user", "set-password", "ada@example.com")
		b.must("user", "set-password", "user@example.com")
		// Nobody forwards to a simulated pod, so that Dex is not asked.
		directory := []string{"identity", "add", "ldap", "--host", "ldap.example.com", "--user-base", "dc=example,dc=com", "--skip-provider-check"}
		b.must(directory...)
		b.must(append(directory, "--replace")...)
		wantSays(t, b.must("identity", "list").Stdout, "ldap.example.com")
		b.must("identity", "remove", "ldap")
		b.must("expose", "--type", "NodePort", "--tls", "self-signed", "--notebook-origin", "port", "--probe=false")
		// Nothing runs MetalLB here, so that its webhook never gets a certificate. What is
		// looked at when something fails is part of the rights.
		r := b.jupyter("expose", "--type", "LoadBalancer", "--install-metallb", "--address-pool", "10.0.1.240-10.0.1.250", "--yes", "--timeout", "10s")
		wantSays(t, r.Stderr, "WebhookCABundleMissing")
		b.must("expose", "--undo", "--remove-metallb", "--yes")
		b.must("expose", "--type", "ClusterIP", "--tls", "off")
		b.must("user", "remove", "ada@example.com", "--delete-namespace", "--yes")
		b.must("uninstall", "--delete-data", "--delete-crds", "--yes")
	})
	// No pool is there to be taken back, for want of a MetalLB that takes one.
	for _, resource := range []string{"ipaddresspools", "l2advertisements"} {
		w.used[right{"delete", "metallb.io", resource}]++
	}
	// The image of the first notebook is pulled by a Job; without the right it is not, and
	// nothing else is different.
	w.check(t, role, right{"create", "batch", "jobs"})
}

// The viewer's role is enough to be told whether the stack works, why not, and who uses
// what. It reads no Secret, no password's hash and no log, and writes nothing, dry runs
// included: the commands say what they could not see, and end as they would have.
func TestTheViewersRoleIsEnoughAndNotMore(t *testing.T) {
	b := newBed(t, "--metrics-server=true")
	b.must("install", "--timeout", "3m")
	b.must("expose", "--type", "NodePort", "--probe=false")
	role := b.role("viewer.yaml", "vic")
	w := newWitness(t, b, "vic", "viewers")
	admin := b.Kubeconfig
	asVic := func(do func()) {
		b.Kubeconfig = w.kubeconfig
		defer func() { b.Kubeconfig = admin }()
		do()
	}
	asVic(func() {
		wantSays(t, b.must("status").Stdout, "Ready: 14 components", "could not be tried")
		b.must("status", "--wait", "--timeout", "1m")
		b.must("top")
		b.must("top", "notebooks", "-A")
		b.must("top", "gpus")
		wantSays(t, b.must("login-url").Stdout, "http://10.0.1.")
		b.must("login-url", "--explain")
		wantSays(t, b.must("version").Stdout, "Installed: release")
	})
	// What is looked at when something fails is part of the rights.
	b.kubectl("cordon", "--selector=!none")
	b.kubectl("delete", "pod", "--namespace=auth", "--all", "--wait=false")
	asVic(func() {
		eventually(t, "status says that Dex has no node", func() bool {
			r := b.jupyter("status")
			return r.Code == 1 && strings.Contains(r.Stdout, "nodes are cordoned")
		})
		wantSays(t, b.must("support-bundle", "--file", filepath.Join(t.TempDir(), "bundle.tar.gz")).Stderr, "Secrets")
	})
	for _, refused := range [][]string{{"install"}, {"user", "add", "eve@example.com"}, {"expose", "--type", "ClusterIP"}, {"uninstall", "--yes"}} {
		if r := b.jupyter(append(refused, "--as=vic")...); r.Code != 1 {
			t.Errorf("a viewer may %s: %s", strings.Join(refused, " "), r)
		}
	}
	w.check(t, role,
		right{"list", "", "secrets"}, right{"get", "", "secrets"}, right{"get", "", "pods/log"}, right{"list", "dex.coreos.com", "passwords"},
		right{"create", "", "pods"}, right{"create", "cert-manager.io", "certificates"}, right{"create", "cert-manager.io", "certificaterequests"},
		right{"create", "networking.istio.io", "gateways"})
}
