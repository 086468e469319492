package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The smoke test starts real beds, which takes some seconds each and needs
// Linux with user namespaces, or root. `go test` alone leaves it out:
//
//	go test -run Smoke -smoke [-devcluster PATH] .
var (
	smoke   = flag.Bool("smoke", false, "start real beds")
	program = flag.String("devcluster", "", "the program to test; built when empty")
)

type bedUnderTest struct {
	t   *testing.T
	bin string
	dir string
}

type status struct {
	Phase      string `json:"phase"`
	PID        int    `json:"pid"`
	Proxy      string `json:"proxy"`
	Kubeconfig string `json:"kubeconfig"`
}

func newBed(t *testing.T) bedUnderTest {
	t.Helper()
	if !*smoke {
		t.Skip("starts real beds; run with -smoke")
	}
	bin := *program
	if bin == "" {
		bin = filepath.Join(t.TempDir(), "devcluster")
		build := exec.Command("go", "build", "-trimpath", "-o", bin, ".")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build: %v\n%s", err, out)
		}
	}
	bin, err := filepath.Abs(bin)
	if err != nil {
		t.Fatal(err)
	}
	return bedIn(t, bin)
}

func bedIn(t *testing.T, bin string) bedUnderTest {
	b := bedUnderTest{t, bin, filepath.Join(t.TempDir(), "bed")}
	t.Cleanup(func() {
		if out, err := exec.Command(bin, "down", "--dir", b.dir).CombinedOutput(); err != nil {
			t.Errorf("down: %v\n%s", err, out)
		}
		if _, err := os.Stat(b.dir); !os.IsNotExist(err) {
			t.Errorf("down left the bed's directory: %v", err)
		}
	})
	return b
}

// purgeAfter removes what a real node keeps for the next bed in the same directory.
func (b bedUnderTest) purgeAfter() {
	b.t.Cleanup(func() {
		if out, err := exec.Command(b.bin, "down", "--purge", "--dir", b.dir).CombinedOutput(); err != nil {
			b.t.Errorf("down --purge: %v\n%s", err, out)
		}
	})
}

// run runs a subcommand on the bed and returns both outputs and the exit code.
func (b bedUnderTest) run(stdin string, name string, args ...string) (string, int) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, b.bin, append([]string{name, "--dir", b.dir}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		b.t.Fatalf("%s: %v", name, err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// ok runs a subcommand that has to succeed.
func (b bedUnderTest) ok(name string, args ...string) string {
	b.t.Helper()
	out, code := b.run("", name, args...)
	if code != 0 {
		b.t.Fatalf("%s %q: exit code %d\n%s", name, args, code, out)
	}
	return out
}

func (b bedUnderTest) status() status {
	b.t.Helper()
	var s status
	out, _ := b.run("", "status", "-o", "json")
	if err := json.NewDecoder(bytes.NewBufferString(out)).Decode(&s); err != nil {
		b.t.Fatalf("%v\n%s", err, out)
	}
	return s
}

const web = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: oauth2-proxy}
spec:
  replicas: 2
  selector: {matchLabels: {app: p}}
  template:
    metadata: {labels: {app: p}}
    spec:
      containers: [{name: p, image: "registry.example/oauth2-proxy:1", resources: {limits: {nvidia.com/gpu: 1}}}]
---
apiVersion: v1
kind: Service
metadata: {name: p}
spec: {selector: {app: p}, ports: [{port: 80, targetPort: 4180}]}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
`

func TestSmokeABedFromUpToDown(t *testing.T) {
	b := newBed(t)
	if out := b.ok("up", "--node-count", "3", "--gpu-nodes", "1", "--metrics-server=false"); !strings.Contains(out, "stand-in") || !strings.Contains(out, "simulated") {
		t.Errorf("up does not say what is not real:\n%s", out)
	}
	s := b.status()
	if s.Phase != "ready" {
		t.Fatalf("phase %s", s.Phase)
	}
	if out := b.ok("kubectl", "get", "nodes", "-o", "name"); strings.Count(out, "node/") != 3 {
		t.Errorf("nodes:\n%s", out)
	}
	if out, code := b.run(web, "kubectl", "apply", "-f", "-"); code != 0 {
		t.Fatal(out)
	}
	b.ok("kubectl", "rollout", "status", "deployment/oauth2-proxy", "--timeout=60s")
	b.ok("kubectl", "wait", "--for=jsonpath={.status.phase}=Bound", "pvc/data", "--timeout=30s")

	t.Run("the stand-in behind a Service is reached from outside", func(t *testing.T) {
		proxy, err := url.Parse(s.Proxy)
		if err != nil {
			t.Fatal(err)
		}
		c := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{Proxy: http.ProxyURL(proxy)}}
		// The behaviour starts when its pod is Ready: it may need a moment more.
		for deadline := time.Now().Add(20 * time.Second); ; {
			r, err := c.Get("http://p.default.svc/ping")
			if err == nil {
				body, _ := io.ReadAll(r.Body)
				_ = r.Body.Close()
				if r.StatusCode == http.StatusOK && string(body) == "OK" {
					return
				}
			}
			if time.Now().After(deadline) {
				t.Fatalf("no answer: %v", err)
			}
		}
	})
	t.Run("a command inside sees no network but the bed's", func(t *testing.T) {
		if out := b.ok("exec", "--", "cat", "/proc/net/dev"); !strings.Contains(out, "lo:") || strings.Contains(out, "eth0:") {
			t.Errorf("interfaces:\n%s", out)
		}
	})
	t.Run("a command inside hands its exit code back", func(t *testing.T) {
		if _, code := b.run("", "exec", "--", "sh", "-c", "exit 9"); code != 9 {
			t.Errorf("exit code %d", code)
		}
	})
	t.Run("a second up is refused", func(t *testing.T) {
		if out, code := b.run("", "up"); code == 0 || !strings.Contains(out, "runs in") {
			t.Errorf("exit code %d\n%s", code, out)
		}
	})
}

func TestSmokeABedThatIsKilledLeavesNothing(t *testing.T) {
	b := newBed(t)
	b.ok("up", "--metrics-server")
	pid := b.status().PID
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); processesOf(t, b.dir) > 0; {
		if time.Now().After(deadline) {
			t.Fatalf("%d processes of the bed are still there", processesOf(t, b.dir))
		}
	}
	if s := b.status(); s.Phase != "failed" {
		t.Errorf("phase %s after a kill", s.Phase)
	}
	b.ok("up", "--metrics-server=false")
	if s := b.status(); s.Phase != "ready" || s.PID == pid {
		t.Errorf("phase %s, process %d", s.Phase, s.PID)
	}
}

func TestSmokeTwoBedsSideBySideKnowNothingOfEachOther(t *testing.T) {
	a := newBed(t)
	b := bedIn(t, a.bin)
	a.ok("up", "--metrics-server=false")
	b.ok("up", "--metrics-server=false")
	a.ok("kubectl", "create", "namespace", "only-here")
	if out := b.ok("kubectl", "get", "namespaces"); strings.Contains(out, "only-here") {
		t.Errorf("the second bed has the first one's namespace:\n%s", out)
	}
}

// processesOf counts the processes that name the bed's directory.
func processesOf(t *testing.T, dir string) int {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		// A process that has ended in the meantime, or a zombie, has no command line.
		line, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if err == nil && bytes.Contains(line, []byte(dir)) {
			n++
		}
	}
	return n
}
