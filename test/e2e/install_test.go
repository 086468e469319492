//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/bcrypt"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// finalReport is the last line of `install -o json`.
type finalReport struct {
	report.Report
	Password string `json:"password"`
}

func reportOf(t *testing.T, r result) finalReport {
	t.Helper()
	var last string
	lines := bufio.NewScanner(strings.NewReader(r.Stdout))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if !json.Valid(lines.Bytes()) {
			t.Fatalf("stdout has a line that is not JSON: %q", lines.Text())
		}
		last = lines.Text()
	}
	var out finalReport
	if err := json.Unmarshal([]byte(last), &out); err != nil || out.Kind != "Report" {
		t.Fatalf("stdout does not end with the report (%v): %s", err, r)
	}
	return out
}

// wantPassword checks that the hash which Dex reads belongs to the password.
func (b *bed) wantPassword(password string) {
	b.t.Helper()
	text := b.kubectl("-n", "auth", "get", "secret", "dex-passwords", "-o", "jsonpath={.data.DEX_USER_PASSWORD}")
	hash, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := bcrypt.CompareHashAndPassword(hash, []byte(password)); err != nil {
		b.t.Errorf("the cluster's hash does not belong to the password %q: %v", password, err)
	}
}

func TestInstallBringsEverythingInAndASecondRunChangesNothing(t *testing.T) {
	b := newBed(t)
	first := b.must("install", "-o", "json", "--timeout", "5m")
	out := reportOf(t, first)
	for _, c := range out.Components {
		if c.State != report.Ready || c.Ready != c.Objects || c.Objects == 0 {
			t.Errorf("component %s is %s with %d of %d objects ready", c.Name, c.State, c.Ready, c.Objects)
		}
	}
	if len(out.Components) != 14 {
		t.Errorf("%d components, want 14", len(out.Components))
	}
	wantSays(t, first.Stderr, "context")
	if out.Password == "" {
		t.Fatal("no password in the report")
	}
	b.wantPassword(out.Password)
	if strings.Contains(first.Stderr, out.Password) {
		t.Error("the password is on stderr too, although the report has it")
	}

	// What has been lost without anybody noticing, when people install by hand.
	wantSays(t, b.kubectl("get", "clusterissuer", "-o", "name"), "kubeflow-self-signing-issuer")
	wantSays(t, b.kubectl("get", "serviceaccount", "-A", "-o", "name"), "default-editor")
	for _, pod := range []string{"app=jupyter-web-app", "app=notebook-controller", "app=profile-controller"} {
		wantSays(t, b.kubectl("-n", "kubeflow", "get", "pods", "-l", pod, "-o", "jsonpath={.items[*].spec.containers[*].name} {.items[*].spec.initContainers[*].name}"), "istio-proxy")
	}

	before := b.versions(memberSelector)
	if rendered := strings.Count(b.must("render", "-o", "name").Stdout, "\n"); len(before) < rendered || rendered < 200 {
		t.Errorf("%d objects are in the inventory, want at least the %d of the manifests", len(before), rendered)
	}
	second := b.must("install", "--timeout", "5m")
	if diff := cmp.Diff(before, b.versions(memberSelector)); diff != "" {
		t.Errorf("the second run changed resource versions:\n%s", diff)
	}
	wantSays(t, second.Stderr, "nothing to change")
	if strings.Contains(strings.ToLower(second.Stdout+second.Stderr), "password:") {
		t.Errorf("the second run shows a password: %s", second)
	}

	dry := b.must("install", "--dry-run=server")
	if strings.Contains(dry.Stdout, "created") || strings.Contains(dry.Stdout, "configured") {
		t.Errorf("a dry run of an installed stack would change something: %s", dry)
	}

	// Others own these; our next run must leave them alone.
	b.kubectl("-n", "istio-system", "patch", "service", "istio-ingressgateway", "--type=merge", "-p", `{"spec":{"type":"NodePort"}}`)
	b.kubectl("-n", "istio-system", "scale", "deployment", "istiod", "--replicas=2")
	b.must("install", "--timeout", "5m")
	if got := b.kubectl("-n", "istio-system", "get", "service", "istio-ingressgateway", "-o", "jsonpath={.spec.type}"); got != "NodePort" {
		t.Errorf("install set the gateway Service's type back to %s", got)
	}
	if got := b.kubectl("get", "mutatingwebhookconfiguration", "istio-sidecar-injector", "-o", "jsonpath={.webhooks[*].clientConfig.caBundle}"); got == "" {
		t.Error("install blanked the injector's caBundle")
	}

	// Somebody edits a field of ours: named, not forced.
	b.kubectl("-n", "auth", "set", "image", "deployment/dex", "dex=example.com/dex:mine")
	conflict := b.jupyter("install", "--timeout", "5m")
	if conflict.Code == 0 {
		t.Errorf("install overwrote somebody's edit: %s", conflict)
	}
	wantSays(t, conflict.Stderr, "Deployment auth/dex", "image", "kubectl-set", "--adopt")
	b.must("install", "--adopt", "--timeout", "5m")
	wantSays(t, b.kubectl("-n", "auth", "get", "deployment", "dex", "-o", "jsonpath={.spec.template.spec.containers[0].image}"), "dexidp/dex:")
}

func TestAnObjectThatANewVersionDropsIsPruned(t *testing.T) {
	b := newBed(t)
	b.must("install", "--timeout", "5m")
	set := b.kubectl("-n", "kube-system", "get", "configmap", "kubectl-jupyter", "-o", `jsonpath={.metadata.labels.applyset\.kubernetes\.io/id}`)
	b.apply(`{apiVersion: v1, kind: ConfigMap, metadata: {name: dropped, namespace: auth, labels: {applyset.kubernetes.io/part-of: ` + set + `, kubectl-jupyter/component: dex}}}`)
	b.apply(`{apiVersion: v1, kind: ConfigMap, metadata: {name: somebodys, namespace: auth}}`)
	b.must("install", "--timeout", "5m")
	names := b.kubectl("-n", "auth", "get", "configmaps", "-o", "name")
	if strings.Contains(names, "configmap/dropped") || !strings.Contains(names, "configmap/somebodys") {
		t.Errorf("want dropped pruned and somebodys kept, have %s", names)
	}

	// The slim profile has fewer objects; what it leaves out goes.
	b.must("install", "--profile", "slim", "--timeout", "5m")
	if out := b.kubectl("get", "clusterissuers", "-o", "name"); strings.Contains(out, "kubeflow-self-signing-issuer") {
		t.Errorf("the slim profile left the issuer: %s", out)
	}
	if out := b.kubectl("-n", "istio-system", "get", "hpa", "-o", "name"); strings.TrimSpace(out) != "" {
		t.Errorf("the slim profile left autoscalers: %s", out)
	}
	// The profile is remembered.
	out := reportOf(t, b.must("install", "-o", "json", "--timeout", "5m"))
	if out.Profile != "slim" {
		t.Errorf("a run without --profile switched to %s", out.Profile)
	}
}

func TestAKilledInstallIsCompletedByTheNext(t *testing.T) {
	b := newBed(t)
	var last result
	for _, after := range []time.Duration{300 * time.Millisecond, time.Second, 3 * time.Second, 6 * time.Second} {
		last = b.run(context.Background(), "", func(p *os.Process) {
			timer := time.AfterFunc(after, func() { _ = p.Kill() })
			t.Cleanup(func() { timer.Stop() })
		}, "install", "--timeout", "5m")
	}
	if last.Code == 0 {
		t.Log("the last run was faster than the kill; the runs before it were cut off")
	}
	out := reportOf(t, b.must("install", "-o", "json", "--timeout", "5m"))
	for _, c := range out.Components {
		if c.State != report.Ready {
			t.Errorf("component %s is %s after the completing run", c.Name, c.State)
		}
	}
	// The password of a run that was killed is known to nobody; the completing run makes
	// another, unless a killed run got as far as showing it.
	shown := regexp.MustCompile(`(?i)password:?\s+(\S+)`).FindStringSubmatch(last.Stderr)
	switch {
	case out.Password != "":
		b.wantPassword(out.Password)
	case shown != nil:
		b.wantPassword(shown[1])
	default:
		t.Error("nobody has ever seen the first user's password")
	}
}

func TestTheFirstCtrlCSaysWhereItStood(t *testing.T) {
	b := newBed(t, "--pod-delay=1h")
	r := b.run(context.Background(), "", func(p *os.Process) {
		eventually(t, "a Deployment waits for its pods", func() bool {
			return b.kubectl("get", "deployments", "-A", "-o", "name") != ""
		})
		if err := p.Signal(syscall.SIGINT); err != nil {
			t.Error(err)
		}
	}, "install", "--timeout", "5m")
	if r.Code != 130 {
		t.Errorf("want exit code 130: %s", r)
	}
	wantSays(t, r.Stderr, "interrupted", "components are ready", "run install again to continue")

	// What it did not come to is missing, and neither Ready nor skipped.
	status := b.jupyter("status", "-o", "json")
	var said report.Report
	if err := json.Unmarshal([]byte(status.Stdout), &said); err != nil || status.Code == 0 {
		t.Fatalf("%v: %s", err, status)
	}
	if k := slices.IndexFunc(said.Causes, func(c report.Cause) bool { return c.Name == diagnose.InstallIncomplete }); k < 0 || !strings.Contains(said.Causes[k].Remedy, "kubectl jupyter install") {
		t.Errorf("the causes are %+v", said.Causes)
	}
	if len(said.LeftOut) > 0 {
		t.Errorf("%v are called skipped, and nobody skipped them", said.LeftOut)
	}
	for _, c := range said.Components {
		if c.State == report.Ready && c.Pods != nil {
			t.Errorf("component %s is ready where no pod runs: %+v", c.Name, c)
		}
	}
}

func TestAGivenPasswordIsUsedAndNotShown(t *testing.T) {
	b := newBed(t)
	const password = "correct horse battery staple"
	r := b.run(context.Background(), password+"\n", nil, "install", "--password-stdin", "--user-email", "ada@example.com", "--timeout", "5m")
	if r.Code != 0 {
		t.Fatal(r)
	}
	b.wantPassword(password)
	if strings.Contains(r.Stdout+r.Stderr, password) {
		t.Error("the password is in the output")
	}
	wantSays(t, b.kubectl("get", "profile", "kubeflow-ada-example-com", "-o", "jsonpath={.spec.owner.name}"), "ada@example.com")
	wantSays(t, b.kubectl("-n", "auth", "get", "configmap", "dex", "-o", "jsonpath={.data}"), "ada@example.com")

	again := b.run(context.Background(), "another one\n", nil, "install", "--password-stdin", "--timeout", "5m")
	if again.Code == 0 {
		t.Errorf("install changed a password: %s", again)
	}
	wantSays(t, again.Stderr, "--password-stdin", "auth/dex-passwords")
	b.wantPassword(password)
}
