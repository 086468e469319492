//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// shares gives somebody a role in a namespace, another one, and none.
func (b *bed) shares(t *testing.T, ada, home string) {
	const bob = "bob@example.com"
	objects := func() string {
		return b.kubectl("-n", home, "get", "rolebindings,authorizationpolicies", "-l", "app.kubernetes.io/managed-by=kubectl-jupyter",
			"-o", `jsonpath={range .items[*]}{.kind} {.metadata.name} {.metadata.annotations.user} {.metadata.annotations.role} {.roleRef.name}{"\n"}{end}`)
	}
	shared := func() string {
		return strings.TrimSpace(b.must("user", "list", "-o", `jsonpath={range .items[?(@.email=="`+ada+`")].contributors[*]}{.email}={.role} {end}`).Stdout)
	}
	r := b.must("user", "share", home, bob, "--role", "edit")
	wantSays(t, r.Stdout, "namespace "+home+" shared with "+bob+" (edit)")
	wantSays(t, r.Stderr, `cluster "devcluster"`, "neither a password nor a Profile")
	if got, want := objects(), "RoleBinding user-bob-example-com-clusterrole-edit "+bob+" edit kubeflow-edit\nAuthorizationPolicy user-bob-example-com-clusterrole-edit "+bob+" edit \n"; got != want {
		t.Errorf("the objects are\n%swant\n%s", got, want)
	}
	if got := shared(); got != bob+"=edit" {
		t.Errorf("shared with %q", got)
	}
	wantSays(t, b.must("user", "list", "-o", "wide").Stdout, "SHARED WITH", bob+" (edit)")
	mayDo := func(verb string) bool {
		_, err := b.tryKubectl("", "auth", "can-i", verb, "notebooks.kubeflow.org", "-n", home, "--as", bob, "-q")
		return err == nil
	}
	if !mayDo("list") || !mayDo("create") {
		t.Error("who may edit may not list or create notebooks")
	}
	b.must("user", "share", home, bob, "--role", "view")
	if got := shared(); got != bob+"=view" || strings.Contains(objects(), "edit") {
		t.Errorf("shared with %q:\n%s", got, objects())
	}
	for verb, want := range map[string]bool{"list": true, "get": true, "create": false, "patch": false, "delete": false} {
		if got := mayDo(verb); got != want {
			t.Errorf("a viewer may %s notebooks: %t", verb, got)
		}
	}
	// An address that differs only in what names do not have is somebody else's.
	if r := b.jupyter("user", "share", home, "bob+example@com", "--role", "view"); r.Code != 1 || !strings.Contains(r.Stderr, "is that of") {
		t.Errorf("an address alike: %s", r)
	}
	for want, args := range map[string][]string{
		"owns namespace": {"user", "share", home, ada, "--role", "view"},
		"does not exist": {"user", "share", "kube-system", bob, "--role", "view"},
		"is not shared":  {"user", "unshare", home, "eve@example.com"},
	} {
		if r := b.jupyter(args...); r.Code != 1 || !strings.Contains(r.Stderr, want) {
			t.Errorf("%s: want %q: %s", strings.Join(args, " "), want, r)
		}
	}
	b.must("user", "unshare", home, bob)
	if got := objects() + shared(); got != "" {
		t.Errorf("after unshare there is still %s", got)
	}
}

// appliesAList adds people of a list, and finds it again as it is.
func (b *bed) appliesAList(t *testing.T, adas string) {
	dir := t.TempDir()
	list, passwords := filepath.Join(dir, "people.yaml"), filepath.Join(dir, "passwords.csv")
	write := func(text string) {
		if err := os.WriteFile(list, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const people = `
defaults:
  quota: {requests.storage: 100Gi}
users:
- email: ada@example.com
  quota: {cpu: 4, gpu: 1}
  contributors: [{email: fay@example.com, role: view}]
- email: fay@example.com
  isolate: true
- email: gil@example.com
  profile: lab
  password: false
`
	write(people)
	before := b.versions("")
	r := b.must("user", "apply", "-f", list, "--diff")
	if got, want := r.Stdout, "~ ada@example.com: shared with fay@example.com (view)\n"+
		"+ fay@example.com: new namespace kubeflow-fay-example-com; generated password; quota requests.storage=100Gi; isolated\n"+
		"+ gil@example.com: new namespace lab; quota requests.storage=100Gi\n"; got != want {
		t.Errorf("the list would change\n%swant\n%s", got, want)
	}
	if r := b.jupyter("user", "apply", "-f", list); r.Code != 1 || !strings.Contains(r.Stderr, "--passwords-file") {
		t.Errorf("without a file for passwords: %s", r)
	}
	compareVersions(t, before, b.versions(""))

	r = b.must("user", "apply", "-f", list, "--passwords-file", passwords)
	wantSays(t, r.Stderr, `cluster "devcluster"`, "1 generated password in "+passwords)
	info, err := os.Stat(passwords)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file of passwords: %v, %v", info, err)
	}
	text, _ := os.ReadFile(passwords)
	rows := strings.Split(strings.TrimSpace(string(text)), "\n")
	email, secret, _ := strings.Cut(rows[len(rows)-1], ",")
	if len(rows) != 2 || email != "fay@example.com" || len(secret) != 20 {
		t.Errorf("%d rows of passwords, the last for %s", len(rows), email)
	}
	if all := r.Stdout + r.Stderr; strings.Contains(all, secret) {
		t.Errorf("a password is in the output:\n%s", all)
	}
	if got := b.kubectl("get", "profile", "kubeflow-fay-example-com", "-o", "jsonpath={.spec.owner.name} {.spec.resourceQuotaSpec.hard}"); got != `fay@example.com {"requests.storage":"100Gi"}` {
		t.Errorf("the Profile: %s", got)
	}
	b.kubectl("-n", "kubeflow-fay-example-com", "get", "networkpolicy", "kubectl-jupyter-isolation")
	b.kubectl("-n", adas, "get", "authorizationpolicy", "user-fay-example-com-clusterrole-view")
	wantSays(t, b.must("user", "apply", "-f", list).Stderr, "Nothing to change")

	// A file that is there may be the only place of other passwords.
	write(people + "- email: hal@example.com\n")
	if r := b.jupyter("user", "apply", "-f", list, "--passwords-file", passwords); r.Code != 1 || !strings.Contains(r.Stderr, "exists and may be the only place") {
		t.Errorf("a file that is there: %s", r)
	}
	if now, _ := os.ReadFile(passwords); string(now) != string(text) {
		t.Error("the file of passwords was changed")
	}
	write("users:\n- email: ada@example.com\n  profile: lab\n")
	if r := b.jupyter("user", "apply", "-f", list); r.Code != 1 || !strings.Contains(r.Stderr, "Profile lab belongs to gil@example.com") {
		t.Errorf("somebody else's Profile: %s", r)
	}

	// Who is no longer in the list keeps everything, and with --prune all but the password.
	write("users:\n- email: ada@example.com\n  contributors: []\n")
	wantSays(t, b.must("user", "apply", "-f", list).Stderr, "Nothing to change")
	r = b.jupyter("user", "apply", "-f", list, "--prune")
	if r.Code != 1 {
		t.Errorf("pruned without being asked: %s", r)
	}
	wantSays(t, r.Stderr, "fay@example.com: password", "fay@example.com: role view in namespace "+adas, "--yes")
	r = b.run(context.Background(), "", nil, "user", "apply", "-f", list, "--prune", "--yes", "-o", "json")
	var result struct {
		Items []struct{ Email, Change, Error string }
	}
	if err := json.Unmarshal([]byte(r.Stdout), &result); err != nil || r.Code != 0 || len(result.Items) != 2 {
		t.Fatalf("%v: %s", err, r)
	}
	if got := result.Items[1].Email + ": " + result.Items[1].Change + result.Items[1].Error; got != "fay@example.com: password removed" {
		t.Errorf("pruned: %s", got)
	}
	b.kubectl("get", "profile", "kubeflow-fay-example-com")
	if got := b.kubectl("-n", "auth", "get", "passwords.dex.coreos.com", "-o", "jsonpath={.items[*].email}"); got != "ada@example.com" {
		t.Errorf("Dex knows %q", got)
	}

	// Removing says what of theirs is still there.
	b.must("user", "share", "kubeflow-fay-example-com", "ada@example.com", "--role", "edit")
	b.must("user", "share", adas, "gil@example.com", "--role", "view")
	b.apply(`{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: home, namespace: ` + adas + `}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}`)
	wantSays(t, b.must("user", "remove", "ada@example.com").Stderr, "Kept: namespace "+adas, "home (1Gi)", "shared with: gil@example.com (view)", "Still shared with ada@example.com: kubeflow-fay-example-com")
	b.must("user", "unshare", "kubeflow-fay-example-com", "ada@example.com")
	b.must("user", "unshare", adas, "gil@example.com")
	b.must("user", "add", "ada@example.com")
	for _, email := range []string{"fay@example.com", "gil@example.com"} {
		b.must("user", "remove", email, "--delete-namespace", "--yes")
	}
}
