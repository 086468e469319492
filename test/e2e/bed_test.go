//go:build e2e || e2e_real

// Package e2e runs the built plugin against a real control plane with simulated nodes.
// `make test` builds both and runs it; by hand:
//
//	make build devcluster && go test -tags e2e ./test/e2e/
//
// Every test gets a cluster of its own, so that none depends on another.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// bed is one throwaway cluster.
type bed struct {
	t          *testing.T
	dir        string
	kubeconfig string
}

// program finds a built binary: by its environment variable, or in bin/.
func program(t *testing.T, env, name string) string {
	t.Helper()
	p := os.Getenv(env)
	if p == "" {
		p = filepath.Join("..", "..", "bin", name)
	}
	p, err := filepath.Abs(p)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(p); err != nil {
		t.Fatalf("%s is not built: run `make build devcluster` (%v)", name, err)
	}
	return p
}

// newBed starts a cluster that ends with the test.
func newBed(t *testing.T, flags ...string) *bed {
	t.Helper()
	b := &bed{t: t, dir: t.TempDir()}
	b.kubeconfig = filepath.Join(b.dir, "kubeconfig")
	devcluster := program(t, "DEVCLUSTER", "devcluster")
	out, err := exec.Command(devcluster, append([]string{"up", "--dir", b.dir, "--metrics-server=false"}, flags...)...).CombinedOutput()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the bed said:\n%s", out)
		}
		if out, err := exec.Command(devcluster, "down", "--dir", b.dir).CombinedOutput(); err != nil {
			t.Errorf("devcluster down: %v\n%s", err, out)
		}
	})
	if err != nil {
		t.Fatalf("devcluster up: %v\n%s", err, out)
	}
	return b
}

// result is what a command did.
type result struct {
	stdout, stderr string
	code           int
}

func (r result) String() string {
	return fmt.Sprintf("exit code %d\n--- stdout\n%s--- stderr\n%s", r.code, tail(r.stdout), tail(r.stderr))
}

func tail(s string) string {
	if len(s) > 6000 {
		return "...\n" + s[len(s)-6000:]
	}
	return s
}

// jupyter runs the plugin as `kubectl jupyter ARGS` would.
func (b *bed) jupyter(args ...string) result {
	b.t.Helper()
	return b.run(context.Background(), "", nil, args...)
}

// run is jupyter with a standard input and something to do once the process runs.
func (b *bed) run(ctx context.Context, stdin string, started func(*os.Process), args ...string) result {
	b.t.Helper()
	cmd := exec.CommandContext(ctx, program(b.t, "KUBECTL_JUPYTER", "kubectl-jupyter"), args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+b.kubeconfig, "NO_COLOR=1")
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	if started != nil {
		started(cmd.Process)
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		b.t.Fatal(err)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// must runs the plugin and fails the test when it fails.
func (b *bed) must(args ...string) result {
	b.t.Helper()
	r := b.jupyter(args...)
	if r.code != 0 {
		b.t.Fatalf("kubectl jupyter %s: %s", strings.Join(args, " "), r)
	}
	return r
}

// kubectl runs the real kubectl and returns what it printed.
func (b *bed) kubectl(args ...string) string {
	b.t.Helper()
	out, err := b.tryKubectl("", args...)
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

func (b *bed) tryKubectl(stdin string, args ...string) (string, error) {
	b.t.Helper()
	cmd := exec.Command(program(b.t, "DEVCLUSTER", "devcluster"), append([]string{"kubectl", "--dir", b.dir, "--"}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("kubectl %s: %w\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return stdout.String(), nil
}

// apply sends a manifest as somebody else would.
func (b *bed) apply(manifest string) {
	b.t.Helper()
	if _, err := b.tryKubectl(manifest, "apply", "-f", "-"); err != nil {
		b.t.Fatal(err)
	}
}

const memberSelector = "applyset.kubernetes.io/part-of"

// versions maps every object that a selector finds to its resourceVersion. An autoscaler's
// moves whenever its controller looks, so its generation stands for it.
func (b *bed) versions(selector string) map[string]string {
	b.t.Helper()
	kinds := strings.Fields(b.kubectl("api-resources", "--verbs=list", "-o", "name"))
	kinds = slices.DeleteFunc(kinds, func(k string) bool {
		return k == "events" || k == "events.events.k8s.io" || strings.HasSuffix(k, "metrics.k8s.io") || k == "componentstatuses"
	})
	args := []string{"get", strings.Join(kinds, ","), "-A", "-o", "json", "--ignore-not-found"}
	if selector != "" {
		args = append(args, "-l", selector)
	}
	var list struct {
		Items []struct {
			APIVersion string
			Kind       string
			Metadata   struct {
				Namespace, Name, ResourceVersion string
				Generation                       int
			}
		}
	}
	if text := b.kubectl(args...); text != "" {
		if err := json.Unmarshal([]byte(text), &list); err != nil {
			b.t.Fatal(err)
		}
	}
	out := map[string]string{}
	for _, i := range list.Items {
		version := i.Metadata.ResourceVersion
		if i.Kind == "HorizontalPodAutoscaler" {
			version = fmt.Sprint("generation ", i.Metadata.Generation)
		}
		out[i.Kind+"."+i.APIVersion+" "+i.Metadata.Namespace+"/"+i.Metadata.Name] = version
	}
	return out
}

// wantSays fails the test for every text that is not in s.
func wantSays(t *testing.T, s string, texts ...string) {
	t.Helper()
	for _, w := range texts {
		if !strings.Contains(s, w) {
			t.Errorf("the output does not say %q:\n%s", w, tail(s))
		}
	}
}

// eventually polls what has no watch of its own, such as the effect of another process.
func eventually(t *testing.T, what string, check func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !check() {
		if time.Now().After(deadline) {
			t.Fatalf("after a minute, still not: %s", what)
		}
		<-time.After(100 * time.Millisecond)
	}
}
