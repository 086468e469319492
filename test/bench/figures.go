package main

import (
	"context"
	"debug/elf"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// The targets.
const (
	acceptedShare = 3.5                    // (a) at most one part in so many of upstream's time
	pathSlack     = 1.1                    // (b) times the longest path
	readyShare    = 2                      // (b) less than one part in so many of upstream's time
	againTarget   = time.Second            // (c)
	renderTarget  = 200 * time.Millisecond // (d)
	versionTarget = 25 * time.Millisecond  // (e)
	binaryTarget  = 55e6                   // (e) bytes
	shortRuns     = 20                     // of commands that take less than a second
)

// figure is one measured target.
type figure struct {
	id, title string
	checks    []check
	table     [][]string // the first row is the head
	notes     []string
}

// check is one number held against its bound.
type check struct {
	what  string
	met   bool
	value string
}

func wallOf(s timed) time.Duration { return s.wall }

// accepted is figure a: the time until every object is in.
func (b *bench) accepted(ctx context.Context) (*figure, error) {
	var ours []timed
	var once, retried []sequence
	for i := range b.runs {
		b.say("run %d of %d: kubectl jupyter", i+1, b.runs)
		if err := b.withBed(ctx, b.acceptDelay, func(c *bed) error {
			t, err := c.jupyter(ctx, "install", "--wait=false", "--timeout=5m")
			ours = append(ours, t)
			return err
		}); err != nil {
			return nil, err
		}
		for _, h := range []struct {
			habits
			into *[]sequence
		}{{habits{}, &once}, {habits{retries: true}, &retried}} {
			b.say("run %d of %d: upstream, retries %t", i+1, b.runs, h.retries)
			if err := b.withBed(ctx, b.acceptDelay, func(c *bed) error {
				s, err := c.upstreamSequence(ctx, h.habits)
				*h.into = append(*h.into, s)
				return err
			}); err != nil {
				return nil, err
			}
		}
	}
	mine := median(of(ours, wallOf))
	theirs := median(of(retried, func(s sequence) time.Duration { return s.wall }))
	awake := median(of(retried, func(s sequence) time.Duration { return s.wall - s.asleep }))
	through := median(of(once, func(s sequence) time.Duration { return s.wall }))
	f := &figure{title: fmt.Sprintf("until every object is accepted, with pods that take %s", b.acceptDelay)}
	f.checks = append(f.checks, check{
		what: fmt.Sprintf("at most 1/%.1f of the upstream sequence, repeated until every object is accepted", acceptedShare),
		met:  ratio(theirs, mine) >= acceptedShare, value: fmt.Sprintf("%s against %s: 1/%.1f", seconds(mine), seconds(theirs), ratio(theirs, mine)),
	})
	f.table = head()
	f.table = append(f.table, timedRow("kubectl jupyter install --wait=false", ours))
	f.table = append(f.table, timedRow("upstream, each step repeated after 20 s while it fails", of(retried, func(s sequence) timed { return s.timed })))
	f.table = append(f.table, timedRow("upstream, each step once", of(once, func(s sequence) timed { return s.timed })))
	f.notes = append(f.notes,
		fmt.Sprintf("Without its sleeps the repeated sequence takes %s, %.1f times the plugin's time; each step once, ignoring failures, %s, %.1f times the plugin's time.",
			seconds(awake), ratio(awake, mine), seconds(through), ratio(through, mine)),
		lostNote("Each step once, without upstream's waits", once),
		fmt.Sprintf("With repetition, steps failed %s times (one number for each run).", joined(of(retried, func(s sequence) string { return fmt.Sprint(s.refused) }))),
		shareNote(ours), serverNote(ours),
		"When the plugin had applied each component, in the run of median length, in seconds since the start: "+timeline(middle(ours).stderr, "Accepted")+".")
	return f, nil
}

// ready is figure b: the time until everything runs, with image pulls.
func (b *bench) ready(ctx context.Context) (*figure, error) {
	longest, err := b.longestPath(ctx)
	if err != nil {
		return nil, err
	}
	var ours []timed
	var theirs []sequence
	for i := range b.runs {
		b.say("run %d of %d: kubectl jupyter", i+1, b.runs)
		if err := b.withBed(ctx, b.podDelay, func(c *bed) error {
			t, err := c.jupyter(ctx, "install", "--timeout=10m")
			ours = append(ours, t)
			return err
		}); err != nil {
			return nil, err
		}
		b.say("run %d of %d: upstream", i+1, b.runs)
		if err := b.withBed(ctx, b.podDelay, func(c *bed) error {
			s, err := c.upstreamSequence(ctx, habits{waits: true})
			theirs = append(theirs, s)
			return err
		}); err != nil {
			return nil, err
		}
	}
	mine := median(of(ours, wallOf))
	upstream := median(of(theirs, func(s sequence) time.Duration { return s.wall }))
	f := &figure{title: fmt.Sprintf("until everything is Ready, with image pulls of %s a pod", b.podDelay)}
	f.checks = []check{
		{
			what:  fmt.Sprintf("within %.0f %% of the longest path, %s", (pathSlack-1)*100, longest.took),
			met:   float64(mine) <= pathSlack*float64(longest.took),
			value: fmt.Sprintf("%s: %+.1f %%", seconds(mine), 100*(ratio(mine, longest.took)-1)),
		},
		{
			what:  fmt.Sprintf("less than 1/%d of the upstream sequence with its waits", readyShare),
			met:   mine*readyShare < upstream,
			value: fmt.Sprintf("%s against %s: 1/%.1f", seconds(mine), seconds(upstream), ratio(upstream, mine)),
		},
	}
	f.table = head()
	f.table = append(f.table, timedRow("kubectl jupyter install", ours))
	f.table = append(f.table, timedRow("upstream, with the waits of its README", of(theirs, func(s sequence) timed { return s.timed })))
	f.notes = append(f.notes,
		fmt.Sprintf("The longest path of the catalogue's graph, %s for each pod on it: %s. If several paths have the same length, this is the first.", b.podDelay, longest),
		lostNote("With its waits, but without a retry", theirs),
		shareNote(ours),
		"When each component of the plugin was Ready, in the run of median length, in seconds since the start: "+timeline(middle(ours).stderr, "Ready")+".")
	return f, nil
}

func (b *bench) longestPath(ctx context.Context) (path, error) {
	source, err := components.NewEmbedded(components.DefaultRelease)
	if err != nil {
		return path{}, err
	}
	names, err := rollout.Select(source.Release(), components.ProfileDefault, nil, nil, nil)
	if err != nil {
		return path{}, err
	}
	rendered, err := source.Render(ctx, names, components.Options{})
	return longestPath(rendered, b.podDelay), err
}

// again is figure c: an install where everything is installed.
func (b *bench) again(ctx context.Context) (*figure, error) {
	f := &figure{title: "a second install"}
	var ours []timed
	var asked map[string]int
	var changed []string
	objects := 0
	err := b.withBed(ctx, 0, func(c *bed) error {
		if _, err := c.jupyter(ctx, "install", "--timeout=5m"); err != nil {
			return err
		}
		before, err := c.settled(ctx)
		if err != nil {
			return err
		}
		objects = len(before)
		for range max(b.runs, 5) {
			t, err := c.jupyter(ctx, "install", "--timeout=5m")
			if err != nil {
				return err
			}
			ours = append(ours, t)
		}
		// One more, counted and not timed: the proxy takes time of its own.
		if asked, err = c.counting(ctx, func(kubeconfig string) error {
			_, err := must(ctx, append(os.Environ(), "KUBECONFIG="+kubeconfig), nil, b.programs.Plugin, "install", "--timeout=5m")
			return err
		}); err != nil {
			return err
		}
		after, err := c.versions(ctx)
		changed = moved(before, after)
		return err
	})
	if err != nil {
		return nil, err
	}
	mine := median(of(ours, wallOf))
	f.checks = []check{
		{what: "at most " + seconds(againTarget), met: mine <= againTarget, value: seconds(mine)},
		{
			what: "no write that changes an object", met: len(changed) == 0,
			value: fmt.Sprintf("%d of %d objects have another resourceVersion after %d more installs", len(changed), objects, len(ours)+1),
		},
	}
	f.table = append(head(), timedRow("kubectl jupyter install, again", ours))
	var kinds []string
	for _, k := range slices.Sorted(maps.Keys(asked)) {
		kinds = append(kinds, fmt.Sprintf("%s %d", k, asked[k]))
	}
	f.notes = append(f.notes, "Its requests, counted between the plugin and the server: "+strings.Join(kinds, ", ")+
		". The write (the inventory) sends the existing content and changes nothing.", shareNote(ours))
	if len(changed) > 0 {
		f.notes = append(f.notes, "Changed: "+strings.Join(changed, ", ")+".")
	}
	return f, nil
}

// render is figure d: the manifests alone, without a cluster.
func (b *bench) render(ctx context.Context) (*figure, error) {
	ours, err := repeat(ctx, shortRuns, b.programs.Plugin, "render")
	if err != nil {
		return nil, err
	}
	var peer []sample
	for range max(b.runs, 3) {
		var all sample
		for _, s := range upstreamSteps {
			one, err := must(ctx, os.Environ(), nil, b.programs.Kubectl, "kustomize", filepath.Join(b.upstream, s.dir))
			if err != nil {
				return nil, err
			}
			all.wall += one.wall
			all.cpu += one.cpu
			all.rss = max(all.rss, one.rss)
		}
		peer = append(peer, all)
	}
	mine, theirs := median(of(ours, func(s sample) time.Duration { return s.wall })), median(of(peer, func(s sample) time.Duration { return s.wall }))
	f := &figure{title: "render", checks: []check{{what: "at most " + millis(renderTarget), met: mine <= renderTarget, value: millis(mine)}}}
	f.table = [][]string{
		{"what", "runs", "median", "fastest", "slowest", "CPU", "peak memory"},
		shortRow("kubectl jupyter render", ours), shortRow(fmt.Sprintf("kubectl kustomize, upstream's %d directories one after the other", len(upstreamSteps)), peer),
	}
	f.notes = append(f.notes, fmt.Sprintf("kubectl kustomize takes %.1f times as long.", ratio(theirs, mine)))
	return f, nil
}

// size is figure e: what the program weighs and how fast it starts.
func (b *bench) size(ctx context.Context) (*figure, error) {
	ours, err := repeat(ctx, shortRuns, b.programs.Plugin, "version", "--client")
	if err != nil {
		return nil, err
	}
	peer, err := repeat(ctx, shortRuns, b.programs.Kubectl, "version", "--client")
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(b.programs.Plugin)
	if err != nil {
		return nil, err
	}
	theirs, err := os.Stat(b.programs.Kubectl)
	if err != nil {
		return nil, err
	}
	mine := median(of(ours, func(s sample) time.Duration { return s.wall }))
	f := &figure{title: "start-up and size", checks: []check{
		{what: "version --client in at most " + millis(versionTarget), met: mine <= versionTarget, value: millis(mine)},
		{
			what: "a binary of at most " + megabytes(binaryTarget) + ", stripped", met: info.Size() <= binaryTarget && stripped(b.programs.Plugin),
			value: megabytes(float64(info.Size())) + map[bool]string{true: "", false: ", not stripped"}[stripped(b.programs.Plugin)],
		},
	}}
	f.table = [][]string{
		{"what", "runs", "median", "fastest", "slowest", "CPU", "peak memory", "binary"},
		append(shortRow("kubectl-jupyter version --client", ours), megabytes(float64(info.Size()))),
		append(shortRow("kubectl version --client", peer), megabytes(float64(theirs.Size()))),
	}
	return f, nil
}

// stripped tells whether a program has no symbol table.
func stripped(file string) bool {
	e, err := elf.Open(file)
	if err != nil {
		return false
	}
	defer e.Close()
	return e.Section(".symtab") == nil && e.Section(".debug_info") == nil && e.Section(".zdebug_info") == nil
}
