//go:build e2e_real

package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

var registryTests = flag.Bool("registry", false, "test pulls from a real registry on a real node")

// The names of the bed's registry, see test/devcluster/README.md.
const (
	bedRegistry   = "registry.devcluster.test"
	bedMirror     = "mirror.devcluster.test"
	mirrorAccount = "mirror:open sesame"
)

// registryBed is a real node that pulls every image from a registry.
func registryBed(t *testing.T, flags ...string) *bed {
	t.Helper()
	if !*registryTests {
		t.Skip("make e2e-registry runs it")
	}
	if os.Geteuid() != 0 {
		t.Fatal("a real node needs root: run it with sudo")
	}
	return newBed(t, append([]string{"--nodes", "real", "--registry"}, flags...)...)
}

// ca is the file with the registry's authority.
func (b *bed) ca(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(b.Dir, "state.json"))
	if err != nil {
		t.Fatal(err)
	}
	var s struct{ Registry struct{ CA string } }
	if err := json.Unmarshal(data, &s); err != nil || s.Registry.CA == "" {
		t.Fatalf("the bed names no CA of its registry (%v): %s", err, data)
	}
	return s.Registry.CA
}

// loggedIn is a variable for the plugin's environment: the directory of docker login.
func loggedIn(t *testing.T, host, account string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), ".docker")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, host, base64.StdEncoding.EncodeToString([]byte(account)))
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return "HOME=" + filepath.Dir(dir)
}

// TestAMirrorWithAPrivateCAAndALogin fills a mirror from the registries of all images, which
// the bed's registry stands for, and installs from it onto a real node: containerd pulls every
// image, with the pull secret that install copies. Kubeflow's own programs are stand-ins.
func TestAMirrorWithAPrivateCAAndALogin(t *testing.T) {
	b := registryBed(t, "--registry-login", mirrorAccount)
	images := realImages(t)
	b.throughProxy(t)
	ca := b.ca(t)
	const list = "images.txt"
	dir := t.TempDir()
	var lines []string
	for image := range strings.Lines(b.must("images").Stdout) {
		if _, ok := images[strings.TrimSpace(image)]; ok {
			lines = append(lines, strings.TrimSpace(image))
		}
	}
	if err := os.WriteFile(filepath.Join(dir, list), []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	copying := []string{"images", "copy", "-f", filepath.Join(dir, list), "--to", bedMirror, "--registry-ca", ca}
	preflight := []string{"preflight", "--registry", bedMirror, "--image-pull-secret", "mirror", "--registry-ca", ca, "-o", "json"}

	t.Run("without a login nothing is copied, and the answer says so", func(t *testing.T) {
		b := b.in(t)
		b.Vars = []string{"HOME=" + t.TempDir()}
		if r := b.jupyter(copying...); r.Code != 1 || !strings.Contains(r.Stderr, "401 Unauthorized") {
			t.Errorf("copy: %s", r)
		}
	})
	b.Vars = []string{loggedIn(t, bedMirror, mirrorAccount)}
	b.kubectl("create", "secret", "docker-registry", "mirror", "--docker-server="+bedMirror, "--docker-username=mirror", "--docker-password=open sesame")
	t.Run("a copy that is interrupted goes on where it was", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		r := b.run(ctx, "", func(p *os.Process) {
			go func() {
				eventuallySent(ctx, b, 100<<20)
				_ = p.Signal(os.Interrupt)
			}()
		}, copying...)
		if r.Code == 0 {
			t.Fatalf("the copy was not interrupted: %s", r)
		}
		first := strings.Count(r.Stdout, " copied\n")
		before := b.sent(t)
		r = b.must(copying...)
		t.Logf("interrupted after %d images; the second run:\n%s", first, r.Stdout)
		if got := strings.Count(r.Stdout, " exists\n"); got != first {
			t.Errorf("%d images existed, want %d", got, first)
		}
		if got := strings.Count(r.Stdout, " copied\n"); got != len(lines)-first {
			t.Errorf("%d images were copied, want %d", got, len(lines)-first)
		}
		t.Logf("the second run has read %d MB", (b.sent(t)-before)>>20)
		before = b.sent(t)
		if r := b.must(copying...); strings.Count(r.Stdout, " exists\n") != len(lines) || b.sent(t)-before > 1<<20 {
			t.Errorf("a third copy has read %d bytes: %s", b.sent(t)-before, r)
		}
	})
	t.Run("the mirror has the digests and the platform of the originals", func(t *testing.T) {
		digests := func(args ...string) map[string]string {
			var all []struct {
				Image, Digest string
				Platforms     []string
			}
			r := b.jupyter(append([]string{"images", "dex", "istio", "--digests", "--registry-ca", ca, "-o", "json"}, args...)...)
			if err := json.Unmarshal([]byte(r.Stdout), &all); err != nil {
				t.Fatalf("%v: %s", err, r)
			}
			out := map[string]string{}
			for _, i := range all {
				name := i.Image[strings.LastIndex(i.Image, "/"):]
				if i.Digest == "" || len(i.Platforms) != 1 {
					t.Errorf("image %+v has no digest or platform", i)
				}
				out[name] = i.Digest
			}
			return out
		}
		if there, here := digests(), digests("--registry", bedMirror); len(here) == 0 || fmt.Sprint(there) != fmt.Sprint(here) {
			t.Errorf("digests are %v in the mirror and %v where they come from", here, there)
		}
	})
	t.Run("preflight asks the mirror from this machine, with the pull secret, and names what it does not have", func(t *testing.T) {
		b := b.in(t)
		b.Vars = []string{"HOME=" + t.TempDir()} // the pull secret is all there is
		var p struct {
			Checks []struct{ Check, Result, Found string }
			Causes []report.Cause
		}
		r := b.jupyter(preflight...)
		if err := json.Unmarshal([]byte(r.Stdout), &p); err != nil {
			t.Fatalf("%v: %s", err, r)
		}
		i := slices.IndexFunc(p.Checks, func(c struct{ Check, Result, Found string }) bool { return c.Check == "registry" })
		if i < 0 || p.Checks[i].Result != "warning" || !strings.Contains(p.Checks[i].Found, "asked from this machine") {
			t.Errorf("checks %+v", p.Checks)
		}
		// The form's other notebook images are not made in the bed.
		if !slices.ContainsFunc(p.Causes, func(c report.Cause) bool { return c.Name == diagnose.ImagesMissing && c.Severity == report.Warning }) {
			t.Errorf("causes %+v", p.Causes)
		}
		r = b.jupyter("preflight", "--registry", bedRegistry+"/nothing", "--registry-ca", ca)
		wantSays(t, r.Stdout, diagnose.ImagesMissing, "kubectl jupyter images copy --to")
		if r.Code != 1 {
			t.Errorf("an empty registry: %s", r)
		}
	})

	started := time.Now()
	r := b.run(t.Context(), loginPassword, nil, "install", "--registry", bedMirror, "--image-pull-secret", "mirror", "--password-stdin", "--timeout", "8m")
	if r.Code != 0 {
		t.Fatalf("install: %s", r)
	}
	t.Logf("installed in %s, every image pulled from the mirror", time.Since(started).Round(time.Second))
	t.Run("status finds nothing wrong", func(t *testing.T) { wantSays(t, b.must("status").Stdout, "Ready: 14 components") })
	t.Run("every container of the stack is the mirror's, sidecars included", func(t *testing.T) {
		out := b.kubectl("get", "pods", "-A", "-o", `jsonpath={range .items[*]}{.metadata.namespace}{range .spec['initContainers','containers'][*]} {.image}{end}{"\n"}{end}`)
		for line := range strings.Lines(out) {
			namespace, all, _ := strings.Cut(strings.TrimSpace(line), " ")
			for image := range strings.FieldsSeq(all) {
				if namespace != "kube-system" && !strings.HasPrefix(image, bedMirror+"/") {
					t.Errorf("namespace %s runs %s", namespace, image)
				}
			}
		}
	})
	t.Run("a notebook is pulled from the mirror with the pull secret", func(t *testing.T) {
		r := b.must("notebook", "create", "lab", "-n", profileNamespace, "--no-volume", "--cpu", "0.2", "--memory", "512Mi", "--timeout", "5m", "--image", strings.Replace(notebookImage(t, images), "ghcr.io/", bedMirror+"/", 1))
		wantSays(t, r.Stdout, "created")
		if got := b.kubectl("-n", profileNamespace, "get", "pod", "lab-0", "-o", "jsonpath={.spec.imagePullSecrets[*].name} {.status.phase}"); !strings.Contains(got, "kubectl-jupyter-image-pull") || !strings.HasSuffix(got, "Running") {
			t.Errorf("the notebook's pod has %q", got)
		}
	})
	t.Run("a person who is added gets the pull secret too, and a later Profile with the next install", func(t *testing.T) {
		if r := b.run(t.Context(), "a difference engine\n", nil, "user", "add", "ada@example.com", "--password-stdin"); r.Code != 0 {
			t.Fatal(r)
		}
		has := func(namespace string) string {
			out, _ := b.tryKubectl("", "-n", namespace, "get", "secret/kubectl-jupyter-image-pull", "serviceaccount/default-editor", "-o", "jsonpath={.items[*].type} {.items[*].imagePullSecrets[*].name}")
			return strings.TrimSpace(out)
		}
		const want = "kubernetes.io/dockerconfigjson kubectl-jupyter-image-pull"
		if got := has("kubeflow-ada-example-com"); got != want {
			t.Errorf("ada's namespace has %q", got)
		}
		b.apply(`{"apiVersion": "kubeflow.org/v1", "kind": "Profile", "metadata": {"name": "grace"}, "spec": {"owner": {"kind": "User", "name": "grace@example.com"}}}`)
		b.must("install", "--timeout", "5m")
		if got := has("grace"); got != want {
			t.Errorf("grace's namespace has %q", got)
		}
	})
	t.Run("new credentials reach all copies with the next install, and none is left once there is to be none", func(t *testing.T) {
		b.kubectl("delete", "secret", "mirror")
		b.kubectl("create", "secret", "docker-registry", "mirror", "--docker-server="+bedMirror, "--docker-username=other", "--docker-password=x")
		b.must("install", "--timeout", "5m")
		want := b.kubectl("get", "secret", "mirror", "-o", `jsonpath={.data.\.dockerconfigjson}`)
		copies := func() []string {
			return strings.Fields(b.kubectl("get", "secrets", "-A", "--field-selector", "metadata.name=kubectl-jupyter-image-pull", "-o", `jsonpath={range .items[*]}{.data.\.dockerconfigjson}{"\n"}{end}`))
		}
		got := copies()
		if len(got) != 9 || slices.ContainsFunc(got, func(s string) bool { return s != want }) {
			t.Errorf("%d copies, want 9 with the new credentials: six namespaces with pods of the stack and three of people", len(got))
		}
		b.must("install", "--registry", "", "--image-pull-secret", "", "--timeout", "5m")
		if got := copies(); len(got) > 0 {
			t.Errorf("%d copies are left", len(got))
		}
		if got := b.kubectl("-n", profileNamespace, "get", "serviceaccount", "default-editor", "-o", "jsonpath={.imagePullSecrets}"); strings.Contains(got, "kubectl-jupyter") {
			t.Errorf("the ServiceAccount still names it: %s", got)
		}
	})
}

// traffic is what the bed's registry has sent, in bytes.
func traffic(b *bed) (int64, error) {
	transport, err := b.Transport()
	if err != nil {
		return 0, err
	}
	defer transport.CloseIdleConnections()
	r, err := (&http.Client{Transport: transport}).Get("http://" + bedRegistry + "/devcluster/traffic")
	if err != nil {
		return 0, err
	}
	defer func() { _ = r.Body.Close() }()
	var s struct{ Bytes int64 }
	err = json.NewDecoder(r.Body).Decode(&s)
	return s.Bytes, err
}

func (b *bed) sent(t *testing.T) int64 {
	t.Helper()
	n, err := traffic(b)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// eventuallySent returns once the registry has sent so much more, or ctx has ended.
func eventuallySent(ctx context.Context, b *bed, more int64) {
	from, err := traffic(b)
	if err != nil {
		return
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if n, err := traffic(b); err != nil || n-from > more {
				return
			}
		}
	}
}
