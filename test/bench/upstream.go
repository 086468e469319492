package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// step is one line of the installation that upstream's README of 26.03 and the scripts it
// refers to describe: build a directory, apply it, and wait for what they wait for.
type step struct {
	dir   string
	waits [][]string
}

// upstreamSteps are the directories that make up the stack that the plugin installs,
// in the README's order. The fifteenth is the first user's Profile, which the plugin
// installs too.
var upstreamSteps = []step{
	{dir: "common/kubeflow-namespace/base"},
	{dir: "common/cert-manager/base", waits: [][]string{
		{"wait", "--for=condition=Ready", "pod", "-l", "app in (cert-manager,webhook)", "--timeout=180s", "-n", "cert-manager"},
		{"wait", "--for=jsonpath={.subsets[0].addresses[0].targetRef.kind}=Pod", "endpoints", "-l", "app in (cert-manager,webhook)", "--timeout=180s", "-n", "cert-manager"},
	}},
	{dir: "common/cert-manager/overlays/kubeflow"},
	{dir: "common/istio/istio-crds/base"},
	{dir: "common/istio/istio-namespace/base"},
	{dir: "common/istio/istio-install/overlays/oauth2-proxy", waits: [][]string{
		{"wait", "--for=condition=Ready", "pods", "--all", "-n", "istio-system", "--timeout=300s"},
	}},
	{dir: "common/oauth2-proxy/overlays/m2m-dex-only", waits: [][]string{
		{"wait", "--for=condition=Ready", "pod", "-l", "app.kubernetes.io/name=oauth2-proxy", "--timeout=180s", "-n", "oauth2-proxy"},
	}},
	{dir: "common/istio/kubeflow-istio-resources/base"},
	{dir: "common/kubeflow-roles/base"},
	{dir: "common/dex/overlays/oauth2-proxy", waits: [][]string{
		{"wait", "--for=condition=Ready", "pods", "--all", "--timeout=180s", "-n", "auth"},
	}},
	{dir: "applications/dashboard/upstream/poddefaults-webhooks/overlays/cert-manager", waits: rolledOut("poddefaults-webhook-deployment")},
	{dir: "applications/dashboard/upstream/profile-controller/overlays/kubeflow-pss", waits: rolledOut("profiles-deployment")},
	{dir: "applications/notebooks-v1/upstream/jupyter-web-app/overlays/istio", waits: rolledOut("jupyter-web-app-deployment")},
	{dir: "applications/notebooks-v1/upstream/notebook-controller/overlays/kubeflow", waits: rolledOut("notebook-controller-deployment")},
	{dir: "common/user-namespace/base"},
}

// rolledOut is how upstream's scripts wait for the programs of dashboard and notebooks.
func rolledOut(deployment string) [][]string {
	return [][]string{{"-n", "kubeflow", "rollout", "status", "deployment/" + deployment, "--timeout=60s"}}
}

// allReady is how upstream's own tests wait for the end of an installation.
var allReady = []string{"wait", "--for=condition=Ready", "pods", "--all", "--all-namespaces", "--timeout=600s"}

// upstreamPause is the sleep of the README's retry loop.
const upstreamPause = 20 * time.Second

// attempts bounds the retries of one step.
const attempts = 6

func checkUpstream(dir string) error {
	if dir == "" {
		return fmt.Errorf("-upstream: name a clone of kubeflow/manifests at 26.03.1")
	}
	for _, s := range upstreamSteps {
		file := filepath.Join(dir, s.dir, "kustomization.yaml")
		if _, err := os.Stat(file); err != nil {
			return fmt.Errorf("-upstream %s: not a clone of kubeflow/manifests at 26.03.1: %w", dir, err)
		}
	}
	return nil
}

// habits are how a person goes through upstream's steps.
type habits struct {
	// waits are made where the README makes them, and for all pods at the end.
	waits bool
	// retries repeat a step that is refused, after upstreamPause.
	retries bool
	// retag replaces tags of images in the manifests; nil leaves them.
	retag func(manifests string) string
}

// sequence is a walk through upstream's steps.
type sequence struct {
	timed
	// refused counts the applies that failed, retried or not.
	refused int
	// asleep is the part of the wall time that was spent in upstreamPause.
	asleep time.Duration
	// objects that the steps describe, and those of them that are missing at the end.
	objects, lost int
	missing       []string
}

// upstreamSequence goes through the steps on a fresh bed.
func (b *bed) upstreamSequence(ctx context.Context, h habits) (sequence, error) {
	var out sequence
	done := b.watch()
	begin := time.Now()
	for _, s := range upstreamSteps {
		for attempt := 1; ; attempt++ {
			apply := b.buildAndApply
			if h.retag != nil {
				apply = func(ctx context.Context, s step, total *sample) (bool, error) {
					return b.retagAndApply(ctx, s, h.retag, total)
				}
			}
			ok, err := apply(ctx, s, &out.sample)
			if err != nil {
				return out, err
			}
			if ok {
				break
			}
			out.refused++
			if !h.retries {
				break
			}
			if attempt == attempts {
				return out, fmt.Errorf("%s: still refused after %d attempts: %s", s.dir, attempts, lastLines(out.stderr, 5))
			}
			out.asleep += upstreamPause
			timer := time.NewTimer(upstreamPause)
			select {
			case <-timer.C:
			case <-ctx.Done():
				return out, ctx.Err()
			}
		}
		if !h.waits {
			continue
		}
		for _, w := range s.waits {
			if err := b.wait(ctx, &out.sample, w); err != nil {
				return out, err
			}
		}
	}
	if h.waits {
		if err := b.wait(ctx, &out.sample, allReady); err != nil {
			return out, err
		}
	}
	out.wall = time.Since(begin)
	out.timed = done(out.sample)
	return out, b.countLost(ctx, &out)
}

func (b *bed) wait(ctx context.Context, total *sample, args []string) error {
	s, err := b.must(ctx, args...)
	total.cpu += s.cpu
	total.rss = max(total.rss, s.rss)
	return err
}

// buildAndApply is `kubectl kustomize DIR | kubectl apply -f -`. It tells whether
// everything was accepted.
func (b *bed) buildAndApply(ctx context.Context, s step, total *sample) (bool, error) {
	build := exec.CommandContext(ctx, b.programs.Kubectl, "kustomize", filepath.Join(b.upstream, s.dir))
	apply := exec.CommandContext(ctx, b.programs.Kubectl, "apply", "-f", "-")
	build.Env, apply.Env = b.Env(), b.Env()
	// An os pipe, as a shell makes it: both run at the same time.
	read, write, err := os.Pipe()
	if err != nil {
		return false, err
	}
	var said, refused strings.Builder
	build.Stdout, build.Stderr = write, &said
	apply.Stdin, apply.Stderr = read, &refused
	err = build.Start()
	write.Close()
	if err != nil {
		read.Close()
		return false, err
	}
	err = apply.Start()
	read.Close()
	if err != nil {
		return false, err
	}
	builds, applies := watchMemory(build.Process.Pid), watchMemory(apply.Process.Pid)
	built, applied := build.Wait(), apply.Wait()
	total.add(build.ProcessState, builds())
	total.add(apply.ProcessState, applies())
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if built != nil {
		return false, fmt.Errorf("kubectl kustomize %s: %w: %s", s.dir, built, lastLines(said.String(), 5))
	}
	total.stderr = refused.String()
	return applied == nil, nil
}

// retagAndApply is buildAndApply with other tags of images.
func (b *bed) retagAndApply(ctx context.Context, s step, retag func(string) string, total *sample) (bool, error) {
	built, err := b.must(ctx, "kustomize", filepath.Join(b.upstream, s.dir))
	if err != nil {
		return false, err
	}
	applied, err := command(ctx, b.Env(), strings.NewReader(retag(built.stdout)), b.programs.Kubectl, "apply", "-f", "-")
	if err != nil {
		return false, err
	}
	total.cpu += built.cpu + applied.cpu
	total.rss = max(total.rss, built.rss, applied.rss)
	total.stderr = applied.stderr
	return applied.code == 0, nil
}

// countLost looks for every object of the steps: what was refused and never sent
// again is not there.
func (b *bed) countLost(ctx context.Context, out *sequence) error {
	for _, s := range upstreamSteps {
		built, err := b.must(ctx, "kustomize", filepath.Join(b.upstream, s.dir))
		if err != nil {
			return err
		}
		wanted := countObjects(built.stdout)
		found, err := must(ctx, b.Env(), strings.NewReader(built.stdout), b.programs.Kubectl, "get", "-f", "-", "--ignore-not-found", "-o", "name")
		if err != nil {
			return err
		}
		there := len(strings.Fields(found.stdout))
		out.objects += wanted
		out.lost += wanted - there
		if there < wanted {
			out.missing = append(out.missing, s.dir)
		}
	}
	return nil
}

// countObjects counts the documents of what kustomize wrote, which puts the kind of
// each at the start of a line.
func countObjects(stream string) int {
	n := 0
	for line := range strings.Lines(stream) {
		if strings.HasPrefix(line, "kind: ") {
			n++
		}
	}
	return n
}
