//go:build e2e || e2e_real

// Package e2e runs the built plugin against a real control plane with simulated nodes.
// `make test` builds both and runs it; by hand:
//
//	make build devcluster && go test -tags e2e ./test/e2e/
//
// Every test gets a cluster of its own, so that none depends on another; those with
// simulated nodes run four at a time.
package e2e

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/bedkit"
)

// bed is one throwaway cluster.
type bed struct {
	*bedkit.Bed
	t *testing.T
}

// programs are the built ones.
func programs(t *testing.T) bedkit.Programs {
	t.Helper()
	p, err := bedkit.Find(filepath.Join("..", "..", "bin"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// newBed starts a cluster that ends with the test. Tests with clusters run side by side,
// as many as -parallel says: each cluster has its own network and its own directory.
func newBed(t *testing.T, flags ...string) *bed {
	t.Helper()
	sideBySide(t)
	return startBed(t, flags...)
}

// startBed is newBed for a test that runs side by side with others already.
func startBed(t *testing.T, flags ...string) *bed {
	t.Helper()
	var said bytes.Buffer
	up, err := programs(t).Up(context.Background(), t.TempDir(), &said, append([]string{"--metrics-server=false"}, flags...)...)
	b := &bed{up, t}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the bed said:\n%s", &said)
		}
		if err := b.Down(context.Background(), &said); err != nil {
			t.Errorf("%v\n%s", err, &said)
		}
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, &said)
	}
	return b
}

// in is the bed for a part of a test.
func (b *bed) in(t *testing.T) *bed {
	same := *b.Bed
	return &bed{&same, t}
}

// state is what the cluster says of itself.
func (b *bed) state() bedkit.State {
	b.t.Helper()
	s, err := b.State()
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

type result = bedkit.Result

// jupyter runs the plugin as `kubectl jupyter ARGS` would.
func (b *bed) jupyter(args ...string) result {
	b.t.Helper()
	return b.run(context.Background(), "", nil, args...)
}

// run is jupyter with a standard input and something to do once the process runs.
func (b *bed) run(ctx context.Context, stdin string, started func(*os.Process), args ...string) result {
	b.t.Helper()
	r, err := b.Jupyter(ctx, stdin, started, args...)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// must runs the plugin and fails the test when it fails.
func (b *bed) must(args ...string) result {
	b.t.Helper()
	r := b.jupyter(args...)
	if r.Code != 0 {
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
	return b.Kubectl(context.Background(), stdin, args...) // also in a cleanup, when the test's context has ended
}

// apply sends a manifest as somebody else would.
func (b *bed) apply(manifest string) {
	b.t.Helper()
	if _, err := b.tryKubectl(manifest, "apply", "-f", "-"); err != nil {
		b.t.Fatal(err)
	}
}

// wantSays fails the test for every text that is not in s.
func wantSays(t *testing.T, s string, texts ...string) {
	t.Helper()
	for _, w := range texts {
		if !strings.Contains(s, w) {
			t.Errorf("the output does not say %q:\n%s", w, bedkit.Tail(s))
		}
	}
}

// eventually polls what has no watch of its own, such as the effect of another process.
// Where it does not come, otherwise tells what was there instead.
func eventually(t *testing.T, what string, check func() bool, otherwise ...func()) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !check() {
		if time.Now().After(deadline) {
			for _, tell := range otherwise {
				tell()
			}
			t.Fatalf("after a minute, still not: %s", what)
		}
		<-time.After(100 * time.Millisecond)
	}
}
