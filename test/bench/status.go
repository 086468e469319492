package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"
)

// The targets of the status figure.
const (
	statusID     = "g"
	statusTarget = 300 * time.Millisecond
	statusShare  = 5 // at most one part in so many of what it replaces
	statusRuns   = 10
	fewNodes     = 5
	manyNodes    = 1000
)

// looked are the namespaces that people look through instead: those of the stack, the
// first user's, and kube-system.
var looked = []string{"cert-manager", "istio-system", "kubeflow", "auth", "oauth2-proxy", "kubeflow-user-example-com", "kube-system"}

// status is figure g: whether the stack works.
func (b *bench) status(ctx context.Context) (*figure, error) {
	var ours []timed
	var theirs []sample
	var few, many, others int
	err := b.withBed(ctx, 0, func(c *bed) error {
		if _, err := c.jupyter(ctx, "install", "--timeout=5m"); err != nil {
			return err
		}
		if _, err := c.settled(ctx); err != nil {
			return err
		}
		// Turn and turn about, so that both have the same machine.
		for range statusRuns {
			t, err := c.jupyter(ctx, "status")
			if err != nil {
				return err
			}
			ours = append(ours, t)
			s, err := c.getAll(ctx, c.Kubeconfig)
			if err != nil {
				return err
			}
			theirs = append(theirs, s)
		}
		var err error
		if few, err = c.requestsOf(ctx, b.statusOf); err != nil {
			return err
		}
		if others, err = c.requestsOf(ctx, func(ctx context.Context, kubeconfig string) error {
			_, err := c.getAll(ctx, kubeconfig)
			return err
		}); err != nil {
			return err
		}
		if err := c.addNodes(ctx, manyNodes-fewNodes); err != nil {
			return err
		}
		many, err = c.requestsOf(ctx, b.statusOf)
		return err
	})
	if err != nil {
		return nil, err
	}
	mine, peer := median(of(ours, wallOf)), median(of(theirs, func(s sample) time.Duration { return s.wall }))
	f := &figure{title: "status of the whole stack", checks: []check{
		{what: "at most " + millis(statusTarget), met: mine <= statusTarget, value: millis(mine)},
		{
			what: fmt.Sprintf("at most 1/%d of kubectl get all in %d namespaces", statusShare, len(looked)), met: mine*statusShare <= peer,
			value: fmt.Sprintf("%s against %s: 1/%.1f", millis(mine), millis(peer), ratio(peer, mine)),
		},
		{
			what: fmt.Sprintf("as many requests at %d nodes as at %d", manyNodes, fewNodes), met: few == many,
			value: fmt.Sprintf("%d and %d", many, few),
		},
	}}
	var samples []sample
	for _, t := range ours {
		samples = append(samples, t.sample)
	}
	f.table = [][]string{
		{"what", "runs", "median", "fastest", "slowest", "CPU", "peak memory"},
		shortRow("kubectl jupyter status", samples), shortRow("kubectl get all -n NS, one after the other", theirs),
	}
	f.notes = append(f.notes,
		fmt.Sprintf("Requests, counted between the program and the server: status %d, kubectl get all %d. The namespaces: %s.", few, others, strings.Join(looked, ", ")),
		shareNote(ours))
	return f, nil
}

// statusOf runs one status with another kubeconfig.
func (b *bench) statusOf(ctx context.Context, kubeconfig string) error {
	_, err := must(ctx, append(os.Environ(), "KUBECONFIG="+kubeconfig), nil, b.programs.Plugin, "status")
	return err
}

// requestsOf counts what f asks, dry runs with the rest.
func (b *bed) requestsOf(ctx context.Context, f func(context.Context, string) error) (int, error) {
	asked, err := b.counting(ctx, func(kubeconfig string) error { return f(ctx, kubeconfig) })
	n := 0
	for _, k := range asked {
		n += k
	}
	return n, err
}

// getAll is what people do instead of status.
func (b *bed) getAll(ctx context.Context, kubeconfig string) (sample, error) {
	var all sample
	for _, ns := range looked {
		s, err := must(ctx, append(os.Environ(), "KUBECONFIG="+kubeconfig), nil, b.programs.Kubectl, "get", "all", "-n", ns)
		if err != nil {
			return all, err
		}
		all.wall += s.wall
		all.cpu += s.cpu
		all.rss = max(all.rss, s.rss)
	}
	return all, nil
}

// addNodes adds nodes that nobody runs: how many there are is all that matters.
func (b *bed) addNodes(ctx context.Context, n int) error {
	var manifest strings.Builder
	for i := range n {
		fmt.Fprintf(&manifest, "{apiVersion: v1, kind: Node, metadata: {name: more-%d}}\n---\n", i)
	}
	_, err := must(ctx, b.Env(), strings.NewReader(manifest.String()), b.programs.Kubectl, "create", "-f", "-")
	return err
}
