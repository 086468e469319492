//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// upgradeKills is how many upgrades the test of killed ones cuts off.
var upgradeKills = flag.Int("upgrade-kills", 3, "number of upgrades to kill at random moments")

// The releases of the tests: the oldest and the newest.
var olderRelease, newerRelease = components.ReleaseNames()[0], components.ReleaseNames()[len(components.ReleaseNames())-1]

// peoplesHome is the first user's namespace, and adasHome that of a second one.
const (
	peoplesHome = "kubeflow-user-example-com"
	adasHome    = "kubeflow-ada-example-com"
)

// people fills a cluster with what people would miss: a second user with a quota, a
// contributor, a notebook with its volume, a PodDefault.
func (b *bed) people() {
	b.t.Helper()
	if r := b.run(context.Background(), "a password of Ada\n", nil, "user", "add", "ada@example.com", "--cpu", "4", "--password-stdin"); r.Code != 0 {
		b.t.Fatal(r)
	}
	b.apply(`{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding,
  metadata: {name: user-ada-example-com-clusterrole-edit, namespace: ` + peoplesHome + `, annotations: {role: edit, user: ada@example.com}},
  roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: kubeflow-edit},
  subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: ada@example.com}]}`)
	b.apply(`{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: work, namespace: ` + peoplesHome + `},
  spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}`)
	b.apply(`{apiVersion: kubeflow.org/v1, kind: Notebook, metadata: {name: book, namespace: ` + peoplesHome + `},
  spec: {template: {spec: {containers: [{name: book, image: registry.example.com/jupyter:v1, volumeMounts: [{name: work, mountPath: /home/jovyan}]}],
    volumes: [{name: work, persistentVolumeClaim: {claimName: work}}]}}}}`)
	b.apply(`{apiVersion: kubeflow.org/v1alpha1, kind: PodDefault, metadata: {name: hello, namespace: ` + peoplesHome + `},
  spec: {selector: {matchLabels: {hello: "true"}}, env: [{name: HELLO, value: world}], tolerations: [{key: hello, operator: Exists}]}}`)
	eventually(b.t, "the notebook runs", func() bool {
		out, err := b.tryKubectl("", "-n", peoplesHome, "get", "pod", "book-0", "-o", "jsonpath={.status.phase}")
		return err == nil && out == "Running"
	})
}

// peoples is what people have, by object: specifications and data, without what a
// controller of the stack writes anew in each release.
func (b *bed) peoples() map[string]string {
	b.t.Helper()
	out := map[string]string{}
	for _, what := range [][]string{
		{"profiles", "-o", `jsonpath={range .items[*]}{.metadata.name} {.metadata.uid} {.spec}{"\n"}{end}`},
		{"notebooks,persistentvolumeclaims,poddefaults,resourcequotas", "-A", "-o", `jsonpath={range .items[*]}{.kind} {.metadata.namespace}/{.metadata.name} {.metadata.uid} {.spec}{"\n"}{end}`},
		{"pods", "-n", peoplesHome, "-o", `jsonpath={range .items[*]}{.metadata.name} {.metadata.uid} {.status.startTime}{"\n"}{end}`},
		{"rolebindings", "-n", peoplesHome, "-o", `jsonpath={range .items[*]}{.metadata.name} {.metadata.uid} {.roleRef.name} {.subjects}{"\n"}{end}`},
		{"passwords.dex.coreos.com", "-n", "auth", "-o", `jsonpath={range .items[*]}{.email} {.hash} {.userID}{"\n"}{end}`},
		{"secrets", "-n", "auth", "-o", `jsonpath={range .items[*]}{.metadata.name} {.metadata.uid} {.data}{"\n"}{end}`},
		{"secrets", "-n", "oauth2-proxy", "-o", `jsonpath={range .items[*]}{.metadata.name} {.metadata.uid} {.data}{"\n"}{end}`},
		{"namespaces", peoplesHome, adasHome, "kubeflow", "istio-system", "-o", `jsonpath={range .items[*]}{.metadata.name} {.metadata.uid}{"\n"}{end}`},
		{"services", "-n", "istio-system", "istio-ingressgateway", "-o", `jsonpath={.metadata.uid} {.spec.type} {.spec.clusterIP} {.spec.ports[*].nodePort}`},
		{"customresourcedefinitions", "-o", `jsonpath={range .items[*]}{.metadata.name} {.metadata.uid}{"\n"}{end}`},
	} {
		for _, line := range strings.Split(strings.TrimSpace(b.kubectl(append([]string{"get"}, what...)...)), "\n") {
			name, rest, _ := strings.Cut(line, " ")
			if strings.HasSuffix(name, ".istio.io") && strings.HasPrefix(name, "trafficextensions") {
				continue // new in the newer release
			}
			out[what[0]+" "+name+" "+rest] = ""
		}
	}
	return out
}

// starts is a pod of a notebook as the API server would admit it now.
const starts = `{apiVersion: v1, kind: Pod, metadata: {name: starts, namespace: ` + peoplesHome + `, labels: {hello: "true"}}, spec: {containers: [{name: c, image: registry.example.com/c:v1}]}}`

// admitting sends that pod as a dry run, again and again until the returned function is
// called, which tells what was wrong with the answers and how many there were. A refusal
// counts, as does a PodDefault that is missing or applied twice.
func (b *bed) admitting() func() (int, []string) {
	stop, done := make(chan struct{}), make(chan struct{})
	var answers int
	var wrong []string
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
			out, err := b.tryKubectl(starts, "create", "--dry-run=server", "-o", "json", "-f", "-")
			var pod struct {
				Spec struct {
					Containers []struct {
						Name string
						Env  []struct{ Name string }
					}
					Tolerations []struct{ Key string }
				}
			}
			if err == nil {
				err = json.Unmarshal([]byte(out), &pod)
			}
			answers++
			if err != nil {
				wrong = append(wrong, err.Error())
				continue
			}
			hellos, tolerated := 0, 0
			for _, c := range pod.Spec.Containers {
				for _, e := range c.Env {
					if c.Name == "c" && e.Name == "HELLO" {
						hellos++
					}
				}
			}
			for _, toleration := range pod.Spec.Tolerations {
				if toleration.Key == "hello" {
					tolerated++
				}
			}
			if hellos != 1 || tolerated != 1 {
				wrong = append(wrong, fmt.Sprintf("the PodDefault's variable is there %d times, its toleration %d times", hellos, tolerated))
			}
		}
	}()
	return func() (int, []string) {
		close(stop)
		<-done
		return answers, wrong
	}
}

// wantUpgraded checks that nothing of the older release is left and that all is well.
func (b *bed) wantUpgraded(t *testing.T) {
	t.Helper()
	var said report.Report
	status := b.jupyter("status", "-o", "json")
	if err := json.Unmarshal([]byte(status.Stdout), &said); err != nil || said.State != report.Ready || said.Release != newerRelease || said.Newer != "" {
		t.Errorf("status: %v\n%s", err, status)
	}
	if slices.ContainsFunc(said.Causes, func(c report.Cause) bool { return c.Name == diagnose.UpgradeIncomplete }) {
		t.Errorf("status says that the upgrade is not complete: %s", status)
	}
	if got := strings.Fields(b.kubectl("get", "mutatingwebhookconfigurations", "-o", "jsonpath={.items[*].metadata.name}")); slices.Contains(got, "admission-webhook-mutating-webhook-configuration") {
		t.Errorf("two webhooks for PodDefaults: %v", got)
	}
	if got := b.kubectl("get", "mutatingwebhookconfigurations", "poddefaults-webhook-mutating-webhook-configuration", "-o", "jsonpath={.webhooks[*].matchConditions}"); got != "" {
		t.Errorf("the condition of the take-over is left: %s", got)
	}
	for what, args := range map[string][]string{
		"ReplicaSets of replaced Deployments": {"replicasets", "-A", "-l", memberSelector, "-o", "name"},
		"the copy of a policy":                {"authorizationpolicies", "-n", "kubeflow", "profiles-kfam-before-upgrade", "-o", "name", "--ignore-not-found"},
		"the older webhook's certificate":     {"secrets", "-n", "kubeflow", "webhook-certs", "-o", "name", "--ignore-not-found"},
		"the older webhook's Deployment":      {"deployments", "-n", "kubeflow", "admission-webhook-deployment", "-o", "name", "--ignore-not-found"},
	} {
		if left := b.kubectl(append([]string{"get"}, args...)...); left != "" {
			t.Errorf("left: %s: %s", what, left)
		}
	}
	if got := b.kubectl("get", "namespace", "kubeflow", "-o", `jsonpath={.metadata.labels.pod-security\.kubernetes\.io/enforce}`); got != "restricted" {
		t.Errorf("namespace kubeflow enforces %q", got)
	}
}

func TestAnUpgradeKeepsWhatPeopleHaveAndRefusesNoPod(t *testing.T) {
	b := newBed(t)
	b.must("install", "--release", olderRelease, "--timeout", "5m")
	b.people()
	before := b.peoples()
	wantSays(t, b.must("status").Stdout, "Newer:    release "+newerRelease)
	wantSays(t, b.must("version").Stdout, "release "+newerRelease+" is newer (kubectl jupyter upgrade)")

	unasked := b.versions(memberSelector)
	if r := b.jupyter("upgrade"); r.Code == 0 || !strings.Contains(r.Stderr, "use --yes to upgrade; nothing was changed") {
		t.Errorf("nobody was asked: %s", r)
	}
	dry := b.must("upgrade", "--dry-run=server")
	wantSays(t, dry.Stderr, "Nothing is changed.", "Deployment kubeflow/profiles-deployment", "Secret kubeflow/webhook-certs", "2 Profiles with their namespaces", "1 notebook with its volumes")
	wantSays(t, dry.Stdout, "deployment.apps/profiles-deployment -n kubeflow replaced (server dry run)")
	if diff := cmp.Diff(unasked, b.versions(memberSelector)); diff != "" {
		t.Errorf("nothing was to be changed:\n%s", diff)
	}

	b.role("installer.yaml", "uma")
	if r := b.jupyter("upgrade", "--yes", "--as", "uma"); r.Code == 0 || !strings.Contains(r.Stderr, "replicasets.apps: ") || !strings.Contains(r.Stderr, "nothing was changed") {
		t.Errorf("with the installer's rights alone: %s", r)
	}
	b.kubectl("apply", "-f", filepath.Join("..", "..", "docs", "rbac", "upgrader.yaml"))
	b.kubectl("create", "clusterrolebinding", "test-upgrader", "--clusterrole=kubectl-jupyter-upgrader", "--user=uma")
	finish := b.admitting()
	out := reportOf(t, b.must("upgrade", "--yes", "--as", "uma", "-o", "json", "--timeout", "5m"))
	answers, wrong := finish()
	t.Logf("%d pods were admitted meanwhile", answers)
	if len(wrong) > 0 {
		t.Errorf("of %d pods that started during the upgrade, %d did not as they should; the first: %s", answers, len(wrong), wrong[0])
	}
	if out.Password != "" || out.Release != newerRelease {
		t.Errorf("release %s, and a new password: %v", out.Release, out.Password != "")
	}
	for _, c := range out.Components {
		if c.State != report.Ready || c.Ready != c.Objects {
			t.Errorf("component %s is %s with %d of %d objects ready", c.Name, c.State, c.Ready, c.Objects)
		}
	}
	b.wantUpgraded(t)
	if diff := cmp.Diff(before, b.peoples()); diff != "" {
		t.Errorf("what people have is not what it was:\n%s", diff)
	}
	eventually(t, "the namespaces of users enforce the level of the newer release", func() bool {
		return b.kubectl("get", "namespace", peoplesHome, "-o", `jsonpath={.metadata.labels.pod-security\.kubernetes\.io/enforce}`) == "baseline"
	})

	t.Run("a second run and an install change nothing, and there is no way back", func(t *testing.T) {
		b := b.in(t)
		before := b.versions(memberSelector)
		wantSays(t, b.must("upgrade").Stderr, "Nothing to upgrade: release "+newerRelease+" is installed")
		wantSays(t, b.must("install").Stderr, "nothing to change")
		for _, args := range [][]string{{"upgrade", "--to", olderRelease, "--yes"}, {"install", "--release", olderRelease}} {
			r := b.jupyter(args...)
			if r.Code == 0 {
				t.Errorf("%v: %s", args, r)
			}
			wantSays(t, r.Stderr, "release "+newerRelease+" is installed", "nothing was changed", "baseline")
		}
		if diff := cmp.Diff(before, b.versions(memberSelector)); diff != "" {
			t.Errorf("resource versions have changed:\n%s", diff)
		}
	})
	t.Run("a notebook gets a new sidecar when it is asked for", func(t *testing.T) {
		b := b.in(t)
		uid := func() string {
			return b.kubectl("-n", peoplesHome, "get", "pods", "-l", "notebook-name=book", "-o", "jsonpath={.items[*].metadata.uid}")
		}
		was := uid()
		wantSays(t, b.jupyter("status").Stdout, diagnose.VersionSkew, "Notebook "+peoplesHome+"/book", "kubectl jupyter upgrade --restart-notebooks=idle")
		// Nobody can ask a simulated notebook what runs in it.
		wantSays(t, b.must("upgrade", "--restart-notebooks=idle").Stderr, "Not restarted: Notebook "+peoplesHome+"/book: whether it is in use is unknown")
		if now := uid(); now != was {
			t.Errorf("the notebook was restarted: %s", now)
		}
		wantSays(t, b.must("upgrade", "--restart-notebooks=all").Stderr, "Restarted: Notebook "+peoplesHome+"/book")
		eventually(t, "the notebook has another pod, with a sidecar of the newer release", func() bool {
			out, err := b.tryKubectl("", "-n", peoplesHome, "get", "pod", "book-0", "-o", "jsonpath={.metadata.uid} {.spec.initContainers[*].image}")
			return err == nil && !strings.HasPrefix(out, was) && strings.Contains(out, "1.30")
		})
	})
}

func TestAnUpgradeThatCannotFinishLeavesThePreviousProgramsServing(t *testing.T) {
	b := newBed(t)
	b.must("install", "--release", olderRelease, "--profile", "slim", "--timeout", "5m")
	endpoints := func() string {
		return b.kubectl("-n", "kubeflow", "get", "endpointslices", "-l", "kubernetes.io/service-name=profiles-kfam", "-o", "jsonpath={.items[*].endpoints[*].addresses[*]}")
	}
	before := endpoints()
	const missing = "--image=ghcr.io/kubeflow/dashboard/profile-controller=images.invalid/profile-controller:v1"
	r := b.run(context.Background(), "", func(p *os.Process) {
		eventually(t, "the new pod waits for its image", func() bool {
			out, err := b.tryKubectl("", "-n", "kubeflow", "get", "pods", "-l", "app=profile-controller", "-o", "jsonpath={.items[*].status.containerStatuses[*].state.waiting.reason}")
			return err == nil && strings.Contains(out, "ImagePull")
		})
		if err := p.Signal(syscall.SIGINT); err != nil {
			t.Error(err)
		}
	}, "upgrade", "--yes", "--timeout", "5m", missing)
	if r.Code != 130 {
		t.Errorf("want exit code 130: %s", r)
	}
	wantSays(t, r.Stderr, "interrupted", "run upgrade again to continue")
	if now := endpoints(); now != before || before == "" {
		t.Errorf("the Service had the endpoints %q and has %q", before, now)
	}
	wantSays(t, b.kubectl("-n", "kubeflow", "get", "authorizationpolicy", "profiles-kfam-before-upgrade", "-o", "jsonpath={.spec.selector.matchLabels}"), "profiles")
	if got := b.kubectl("get", "namespace", "kubeflow", "-o", `jsonpath={.metadata.labels.pod-security\.kubernetes\.io/enforce}`); got != "privileged" {
		t.Errorf("namespace kubeflow enforces %q although programs of release %s run in it", got, olderRelease)
	}
	if got := b.kubectl("get", "networkpolicies", "-A", "-o", "name"); got != "" {
		t.Errorf("network policies cut off programs of release %s: %s", olderRelease, got)
	}
	wantSays(t, b.jupyter("status").Stdout, diagnose.UpgradeIncomplete, "kubectl jupyter upgrade")
	wantSays(t, b.jupyter("install", "--only", "dex").Stderr, "the upgrade from release "+olderRelease+" to release "+newerRelease+" is not complete, nothing was changed")
	b.must("upgrade", "--yes", "--timeout", "5m", "--image=ghcr.io/kubeflow/dashboard/profile-controller=ghcr.io/kubeflow/dashboard/profile-controller:v2.0.0")
	b.wantUpgraded(t)
}

// Each cluster takes one upgrade that is cut off at moments that become later and later, until
// one comes to its end; -upgrade-kills says how many are cut off in all.
func TestAKilledUpgradeIsCompletedByTheNext(t *testing.T) {
	sideBySide(t)
	for kills, run := 0, 1; kills < *upgradeKills; run++ {
		if !t.Run(fmt.Sprint("cluster ", run), func(t *testing.T) {
			b := startBed(t)
			b.must("install", "--release", olderRelease, "--profile", "slim", "--timeout", "5m")
			b.people()
			before := b.peoples()
			for range 10 {
				after := time.Duration(500+rand.IntN(15000)) * time.Millisecond
				killed := b.run(context.Background(), "", func(p *os.Process) {
					timer := time.AfterFunc(after, func() { _ = p.Kill() })
					t.Cleanup(func() { timer.Stop() })
				}, "upgrade", "--yes", "--timeout", "5m")
				if killed.Code == 0 {
					break
				}
				if kills++; kills >= *upgradeKills {
					break
				}
				t.Logf("killed after %s", after)
			}
			var said report.Report
			if err := json.Unmarshal([]byte(b.jupyter("status", "-o", "json").Stdout), &said); err != nil {
				t.Fatal(err)
			}
			begun := said.Release == newerRelease
			if i := slices.IndexFunc(said.Causes, func(c report.Cause) bool { return c.Name == diagnose.UpgradeIncomplete }); begun && i < 0 {
				t.Logf("the last run was faster than the kill: %v", said.Causes)
			} else if begun && !strings.Contains(said.Causes[i].Remedy, "kubectl jupyter upgrade") {
				t.Errorf("the cause is %+v", said.Causes[i])
			}
			// Either command completes it, once it has been begun.
			verb := []string{"upgrade", "--yes"}
			if begun && run%2 == 0 {
				verb = []string{"install"}
			}
			b.must(append(verb, "--timeout", "5m")...)
			b.wantUpgraded(t)
			if diff := cmp.Diff(before, b.peoples()); diff != "" {
				t.Errorf("what people have is not what it was:\n%s", diff)
			}
			wantSays(t, b.must("install").Stderr, "nothing to change")
		}) {
			return
		}
	}
}
