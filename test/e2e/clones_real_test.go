//go:build e2e_real

package e2e

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// TestClonesOnARealNode installs real clones of kubeflow/manifests onto a node that runs
// containers and enforces network policies, and logs in. The programs are the bed's, in the
// place of the clone's: those of the release whose Istio is nearer. Kubeflow's own and the
// notebook are stand-ins.
func TestClonesOnARealNode(t *testing.T) {
	if *clonesDir == "" {
		t.Skip("it needs clones of kubeflow/manifests: make e2e-clones-real CLONES=DIR")
	}
	if os.Geteuid() != 0 {
		t.Fatal("a real node needs root: run it with sudo")
	}
	for name, dir := range clonesIn(t, *clonesDir) {
		t.Run(name, func(t *testing.T) { cloneOnARealNode(t, dir) })
	}
}

func cloneOnARealNode(t *testing.T, dir string) {
	rendered := strings.Fields(program(t, "images", "--manifests", dir))
	release := "26.03"
	if slices.ContainsFunc(rendered, func(ref string) bool {
		return strings.Contains(ref, "/pilot:1.22") || strings.Contains(ref, "/pilot:1.24")
	}) {
		release = "1.10"
	}
	images := realImages(t, "--release", release)
	b := newBed(t, "--nodes", "real", "--release", release, "--network-policies")
	flags := []string{"--manifests", dir}
	for _, ref := range rendered {
		if have := sameProgram(images, ref); have != "" && have != ref {
			flags = append(flags, "--image", components.Repository(ref)+"="+have)
			t.Logf("%s stands for %s", have, ref)
		}
	}
	if r := b.run(context.Background(), loginPassword, nil, slices.Concat([]string{"install"}, flags, []string{"--password-stdin", "--timeout", "8m"})...); r.Code != 0 {
		t.Fatalf("install: %s", r)
	}
	t.Run("status is Ready", func(t *testing.T) {
		wantSays(t, b.in(t).must("status").Stdout, "release clone-", "Ready: ")
	})
	t.Run("a person logs in through the gateway, creates a notebook and opens it, and nobody else does", func(t *testing.T) {
		b.in(t).login(t, loginPassword, notebookImage(t, images))
	})
	t.Run("every probe of the way in passes", func(t *testing.T) {
		b := b.in(t)
		b.throughProxy(t)
		b.kubectl("-n", "istio-system", "patch", "service", "istio-ingressgateway", "-p", `{"spec":{"externalIPs":["`+gatewayAddress+`"]}}`)
		b.healthy(t)
		passed := 0
		c := b.checkLogin(t, loginPassword)
		for _, p := range c.Probes {
			t.Logf("%-16s %-8s %s", p.Hop, p.Outcome, p.Came)
			switch p.Outcome {
			case "Passed":
				passed++
			case "Failed":
				t.Errorf("probe %s: %s, %s", p.Hop, p.Came, p.Cause)
			}
		}
		if passed < 8 {
			t.Errorf("%d probes passed: %s", passed, c.result)
		}
	})
	t.Run("a second install changes nothing", func(t *testing.T) {
		b := b.in(t)
		wantSays(t, b.must(slices.Concat([]string{"install"}, flags, []string{"--timeout", "5m"})...).Stderr, "nothing to change")
	})
	t.Run("uninstall with all data leaves no object of the installation", func(t *testing.T) {
		b.in(t).goes(t)
	})
}

// program runs the plugin without a cluster and returns what it printed.
func program(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(programs(t).Plugin, args...).Output()
	if err != nil {
		t.Fatalf("kubectl jupyter %s: %v", strings.Join(args, " "), err)
	}
	return string(out)
}

// sameProgram is the bed's image of a program; empty where it has none.
func sameProgram(images map[string]string, ref string) string {
	want := path.Base(components.Repository(ref))
	for _, name := range slices.Sorted(maps.Keys(images)) {
		if path.Base(components.Repository(name)) == want {
			return name
		}
	}
	return ""
}
