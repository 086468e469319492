//go:build e2e

package e2e

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// follows starts a watch, changes something, and reads about it.
func (b *bed) follows() {
	t := b.t
	cmd := exec.CommandContext(t.Context(), programs(t).Plugin, "status", "--watch")
	cmd.Env = b.Env()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			lines <- s.Text()
		}
	}()
	reads := func(text string) time.Duration {
		t.Helper()
		began := time.Now()
		timer := time.NewTimer(30 * time.Second)
		defer timer.Stop()
		for {
			select {
			case l, open := <-lines:
				if !open {
					t.Fatalf("the watch ended before it said %q", text)
				}
				if strings.Contains(l, text) {
					return time.Since(began)
				}
			case <-timer.C:
				t.Fatalf("the watch does not say %q", text)
			}
		}
	}
	reads("Ready: 14 components")
	b.kubectl("-n", "kubeflow", "delete", "virtualservice", "jupyter-web-app-jupyter-web-app")
	if took := reads("jupyter-web-app      Failed 1/1 RouteMissing"); took > 5*time.Second {
		t.Errorf("the change was told after %s: by a timer and not by a watch", took)
	}
	b.must("install", "--timeout", "2m")
	reads("Ready: 14 components")
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for range lines {
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("an interrupted watch ends with %d, want 130", code)
	}
}

// requests counts what one status asks of the API server.
func (b *bed) requests() int {
	b.t.Helper()
	return strings.Count(b.must("status", "-v", "6").Stderr, " verb=")
}

func (b *bed) asksTheSame() {
	few := b.requests()
	var nodes strings.Builder
	const many = 1000
	for i := range many {
		fmt.Fprintf(&nodes, "{apiVersion: v1, kind: Node, metadata: {name: large-%d, labels: {type: none}}}\n---\n", i)
	}
	if _, err := b.tryKubectl(nodes.String(), "create", "-f", "-"); err != nil {
		b.t.Fatal(err)
	}
	if n := strings.Count(b.kubectl("get", "nodes", "-o", "name"), "\n"); n < many {
		b.t.Fatalf("%d nodes", n)
	}
	lots := b.requests()
	b.t.Logf("requests: %d, and %d with %d nodes more", few, lots, many)
	if few == 0 || lots != few {
		b.t.Errorf("%d requests with few nodes, %d with %d", few, lots, many)
	}
}
