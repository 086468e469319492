//go:build e2e_real

package e2e

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/bedkit"
)

var (
	upgrades = flag.Bool("upgrades", false, "test upgrades on a real node, which needs the programs of both releases")
	kills    = flag.Int("kills", 0, "how many running upgrades to kill at random moments; with -upgrades")
)

// upgradeBed is a node with the programs of both releases, and network policies in force.
func upgradeBed(t *testing.T) (*bed, map[string]string) {
	t.Helper()
	if !*upgrades {
		t.Skip("make e2e-upgrade runs it")
	}
	if os.Geteuid() != 0 {
		t.Fatal("a real node needs root: run it with sudo")
	}
	both := olderRelease + "," + newerRelease
	images := realImages(t, "--release", both)
	return newBed(t, "--nodes", "real", "--release", both, "--network-policies"), images
}

// oldStack installs the release that is upgraded.
func (b *bed) oldStack(t *testing.T) {
	t.Helper()
	if r := b.run(context.Background(), loginPassword, nil, "install", "--release", olderRelease, "--password-stdin", "--timeout", "5m"); r.Code != 0 {
		t.Fatalf("install: %s", r)
	}
}

// TestUpgradeOnARealNode upgrades while somebody has the web app and a notebook open over
// HTTPS. Envoy, istiod, its CNI plugin, cert-manager, Dex and oauth2-proxy of both releases
// are themselves; Kubeflow's own programs and the notebook are stand-ins.
func TestUpgradeOnARealNode(t *testing.T) {
	b, images := upgradeBed(t)
	b.oldStack(t)
	wantSays(t, b.must("status").Stdout, "release "+olderRelease, "Ready: ")
	host := strings.TrimPrefix(gateway, "http://")
	b.kubectl("-n", "istio-system", "patch", "service", "istio-ingressgateway", "-p", `{"spec":{"externalIPs":["`+gatewayAddress+`"]}}`)
	b.throughProxy(t)
	roots := b.selfSigned(t, host)
	image := echoImage(t, images)
	open := b.opensAt(t, "https://"+host, roots, image)
	b.quietNotebook(image)
	before, cert, url := b.notebookSidecar(openNotebook), b.certificate(), b.must("login-url").Stdout
	if !strings.HasPrefix(url, "https://"+host) {
		t.Errorf("the stack is reached at %s, want https://%s", url, host)
	}

	t.Run("nobody is without an answer for long, and the session and the notebook's memory survive", func(t *testing.T) {
		b := b.in(t)
		open.during(t, func() {
			started := time.Now()
			r := b.jupyter("upgrade", "--yes", "--timeout", "10m")
			t.Logf("the upgrade took %.0f s: %s", time.Since(started).Seconds(), r)
			if r.Code != 0 {
				t.Errorf("upgrade: exit code %d", r.Code)
			}
		})
		if now := b.notebookSidecar(openNotebook); now != before {
			t.Errorf("the notebook's sidecar was %s and is %s", before, now)
		}
	})
	t.Run("certificate and host are what they were", func(t *testing.T) {
		b := b.in(t)
		if now := b.certificate(); now != cert {
			t.Error("the gateway has another certificate: who trusts the old one is warned again")
		}
		if now := b.must("login-url").Stdout; now != url {
			t.Errorf("the stack was reached at %s, and is at %s", url, now)
		}
	})
	t.Run("status is Ready", func(t *testing.T) {
		b := b.in(t)
		wantSays(t, b.must("status").Stdout, "release "+newerRelease, "Ready: ")
	})
	t.Run("an idle notebook gets the new sidecar when that is asked, and a busy one does not", func(t *testing.T) {
		b := b.in(t)
		if _, err := open.ask(t.Context(), http.MethodPut, notebookPath+"kernel", "busy"); err != nil {
			t.Fatal(err)
		}
		wantSays(t, b.must("upgrade", "--yes", "--restart-notebooks=idle", "--timeout", "5m").Stderr,
			"Restarted: Notebook "+profileNamespace+"/"+quietNotebook, "Not restarted: Notebook "+profileNamespace+"/"+openNotebook+": 1 busy kernel")
		b.newSidecar(t, quietNotebook, before)
		open.stillThere(t)
		if now := b.notebookSidecar(openNotebook); now != before {
			t.Errorf("the busy notebook's sidecar was %s and is %s", before, now)
		}
		if _, err := open.ask(t.Context(), http.MethodPut, notebookPath+"kernel", "idle"); err != nil {
			t.Fatal(err)
		}
	})
	// From here on HTTPS comes and goes; the session holds for both.
	open.at, open.roots = gateway, nil
	t.Run("nobody is without an answer for long while pods of the new release are replaced", open.rollouts)
	t.Run("a person logs in and creates a notebook", func(t *testing.T) {
		b.in(t).login(t, loginPassword, imageOf(t, images, "/notebook-servers/jupyter-scipy:v1.11.0"))
	})
	t.Run("the notebook that was busy gets the new sidecar too", func(t *testing.T) {
		b := b.in(t)
		b.must("upgrade", "--yes", "--restart-notebooks=all", "--timeout", "5m")
		b.newSidecar(t, openNotebook, before)
	})
	t.Run("a second install changes nothing", func(t *testing.T) {
		b := b.in(t)
		wantSays(t, b.must("install", "--timeout", "5m").Stderr, "nothing to change")
	})
	t.Run("uninstall with all data leaves no object of the installation", func(t *testing.T) {
		b.in(t).goes(t)
	})
}

// quietNotebook is one that nobody uses.
const quietNotebook = "quiet"

func (b *bed) quietNotebook(image string) {
	b.t.Helper()
	b.apply(fmt.Sprintf(`{apiVersion: kubeflow.org/v1, kind: Notebook, metadata: {name: %s, namespace: %s},
  spec: {template: {spec: {serviceAccountName: default-editor, containers: [{name: %[1]s, image: %[3]q}]}}}}`, quietNotebook, profileNamespace, image))
	b.kubectl("-n", profileNamespace, "wait", "notebook/"+quietNotebook, "--for=jsonpath={.status.readyReplicas}=1", "--timeout=2m")
}

// proxyOf prints the image of a pod's sidecar.
const proxyOf = `{.spec.initContainers[?(@.name=="istio-proxy")].image}`

// notebookSidecar is the image of a notebook's sidecar.
func (b *bed) notebookSidecar(name string) string {
	b.t.Helper()
	return b.kubectl("-n", profileNamespace, "get", "pod", name+"-0", "-o", "jsonpath="+proxyOf)
}

// newSidecar waits until a notebook runs with another sidecar.
func (b *bed) newSidecar(t *testing.T, name, before string) {
	t.Helper()
	eventually(t, "notebook "+name+" runs with the sidecar of release "+newerRelease, func() bool {
		out, err := b.tryKubectl("", "-n", profileNamespace, "get", "pod", name+"-0", "-o", `jsonpath=`+proxyOf+` {.status.conditions[?(@.type=="Ready")].status}`)
		return err == nil && strings.HasSuffix(out, " True") && !strings.Contains(out, before)
	})
}

// certificate is that of the gateway with its key and its authority, as they are stored.
func (b *bed) certificate() string {
	b.t.Helper()
	return b.kubectl("-n", "istio-system", "get", "secret", "jupyter-gateway-tls", "jupyter-gateway-ca", "-o", `jsonpath={range .items[*]}{.metadata.uid} {.data}{"\n"}{end}`)
}

// goes uninstalls everything.
func (b *bed) goes(t *testing.T) {
	t.Helper()
	b.must("uninstall", "--yes", "--delete-crds", "--delete-data")
	if left := b.versions(memberSelector); len(left) > 0 {
		t.Fatalf("left: %v", left)
	}
}

const (
	// killsOfOne is how many upgrades of one installation are killed at most, one after the
	// other; the next one may come to its end.
	killsOfOne = 8
	// latestKill is when one is killed at the latest, after it has begun to write. A whole
	// upgrade takes about a minute, and each goes on where the one before was killed.
	latestKill = 15 * time.Second
)

// TestUpgradesThatAreKilledConverge kills upgrades at random moments: several of one
// installation in a row, each further on. The next run completes it, and nothing of people's
// is lost; how long they had no answer is logged. A kill counts only where the run had begun
// to write and had not ended.
func TestUpgradesThatAreKilledConverge(t *testing.T) {
	if *kills == 0 {
		t.Skip("-kills says how many")
	}
	b, images := upgradeBed(t)
	image := echoImage(t, images)
	killed, installations := 0, 0
	var slowest time.Duration
	for killed < *kills && !t.Failed() {
		installations++
		t.Run(fmt.Sprint("installation ", installations), func(t *testing.T) {
			b := b.in(t)
			b.oldStack(t)
			b.people(image)
			open := b.opens(t, image)
			before := b.peoples()
			asking := open.asks(t)
			ended, n := false, 0
			for n < killsOfOne && killed < *kills && !ended {
				after := rand.N(latestKill) //nolint:gosec // any moment will do
				said, hit := b.killedUpgrade(t, after)
				if ended = !hit; !ended {
					n++
					killed++
					t.Logf("kill %d, %.1f s after the run had begun to write; it had said last: %s", killed, after.Seconds(), said)
				}
			}
			if n == 0 {
				t.Fatal("the upgrade ended before it was killed: this proves nothing")
			}
			started := time.Now()
			if !ended {
				// Either command completes it.
				verb := []string{"upgrade", "--yes"}
				if installations%2 == 0 {
					verb = []string{"install"}
				}
				if r := b.jupyter(append(verb, "--timeout", "10m")...); r.Code != 0 {
					t.Fatalf("%v after the kills: %s", verb, r)
				}
				slowest = max(slowest, time.Since(started))
				t.Logf("%s completed it in %.0f s", verb[0], time.Since(started).Seconds())
			}
			b.nobodyLeaves()
			for name, silence := range asking.Stop() {
				t.Logf("%-10s %s", name, silence)
			}
			open.stillThere(t)
			b.wantUpgraded(t)
			if diff := cmp.Diff(before, b.peoples()); diff != "" {
				t.Errorf("what people have is not what it was:\n%s", diff)
			}
			wantSays(t, b.must("install").Stderr, "nothing to change")
			b.goes(t)
		})
	}
	t.Logf("%d kills of running upgrades of %d installations; the slowest run that completed one took %.0f s", killed, installations, slowest.Seconds())
}

// begins is a stream that tells when a run has begun to write.
type begins struct {
	text  bytes.Buffer
	began chan struct{}
}

func (w *begins) Write(p []byte) (int, error) {
	n, err := w.text.Write(p)
	if w.began != nil && strings.Contains(w.text.String(), "Upgrading release ") {
		close(w.began)
		w.began = nil
	}
	return n, err
}

// killedUpgrade runs an upgrade and kills it some time after it has begun to write; false
// where it had come to its end before. Said is its last line.
func (b *bed) killedUpgrade(t *testing.T, after time.Duration) (said string, hit bool) {
	t.Helper()
	began, ended := make(chan struct{}), make(chan struct{})
	stderr := &begins{began: began}
	cmd := exec.CommandContext(t.Context(), b.Plugin, "upgrade", "--yes", "--timeout", "10m")
	cmd.Env, cmd.Stderr = b.Env(), stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		select {
		case <-began:
		case <-ended:
			return
		}
		select {
		case <-time.After(after):
			_ = cmd.Process.Kill() // one that has ended is not hit
		case <-ended:
		}
	}()
	err := cmd.Wait()
	close(ended)
	var exit *exec.ExitError
	switch {
	case err == nil:
	case !errors.As(err, &exit) || exit.ExitCode() != -1:
		t.Fatalf("an upgrade that was not killed failed: %v\n%s", err, bedkit.Tail(stderr.text.String()))
	default:
		hit = true
	}
	return lastLine(stderr.text.String()), hit
}

// lastLine of what a program has printed.
func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}
