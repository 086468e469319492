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

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// upgradeKills is how many upgrades the test of killed ones cuts off.
var upgradeKills = flag.Int("upgrade-kills", 3, "number of upgrades to kill at random moments")

// simulatedImage is pulled by nobody.
const simulatedImage = "registry.example.com/jupyter:v1"

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

func TestAnUpgradeKeepsWhatPeopleHaveAndRefusesNoPod(t *testing.T) {
	b := newBed(t)
	b.must("install", "--release", olderRelease, "--timeout", "5m")
	b.people(simulatedImage)
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

	wantSays(t, b.must("preflight", "--release", newerRelease).Stdout, "The stack can be upgraded", "Next: kubectl jupyter upgrade --to "+newerRelease)

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
			b.people(simulatedImage)
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
