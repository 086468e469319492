package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
)

func ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }

// seconds keeps two or three significant digits.
func seconds(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%.2f s", d.Seconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

func millis(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }

// megabytes are millions of bytes, as in the target.
func megabytes(bytes float64) string { return fmt.Sprintf("%.1f MB", bytes/1e6) }

func joined(parts []string) string { return strings.Join(parts, ", ") }

func head() [][]string {
	return [][]string{{"what", "runs", "median", "fastest", "slowest", "CPU of the command", "CPU of the cluster", "CPU of others", "peak memory"}}
}

func timedRow(what string, runs []timed) []string {
	walls := of(runs, wallOf)
	return []string{
		what, fmt.Sprint(len(runs)), seconds(median(walls)), seconds(slices.Min(walls)), seconds(slices.Max(walls)),
		seconds(median(of(runs, func(t timed) time.Duration { return t.cpu }))),
		seconds(median(of(runs, func(t timed) time.Duration { return t.bed }))),
		seconds(median(of(runs, func(t timed) time.Duration { return t.others }))),
		megabytes(float64(slices.Max(of(runs, func(t timed) int64 { return t.rss })))),
	}
}

func shortRow(what string, runs []sample) []string {
	walls := of(runs, func(s sample) time.Duration { return s.wall })
	return []string{
		what, fmt.Sprint(len(runs)), millis(median(walls)), millis(slices.Min(walls)), millis(slices.Max(walls)),
		millis(median(of(runs, func(s sample) time.Duration { return s.cpu }))),
		megabytes(float64(slices.Max(of(runs, func(s sample) int64 { return s.rss })))),
	}
}

// middle is the run of median length, the longer one of two.
func middle(runs []timed) timed {
	sorted := slices.SortedFunc(slices.Values(runs), func(a, b timed) int { return cmp.Compare(a.wall, b.wall) })
	return sorted[len(sorted)/2]
}

// quiet is the share of the machine that others may have before it is worth a word.
const quiet = 0.1

// shareNote says how busy the cluster itself was: where it had the machine to itself
// and no more to give, no client can be faster.
func shareNote(runs []timed) string {
	m := middle(runs)
	whole := time.Duration(runtime.NumCPU()) * m.wall
	note := fmt.Sprintf("In the run of median length, %s, the cluster (API server, etcd, controllers, cert-manager, stand-ins) spent %s on the CPU and the plugin %s: %.0f %% and %.0f %% of the machine's cores",
		seconds(m.wall), seconds(m.bed), seconds(m.cpu), 100*ratio(m.bed, whole), 100*ratio(m.cpu, whole))
	if share := ratio(m.others, whole); share > quiet {
		return note + fmt.Sprintf(". Something else spent %s, %.0f %%: the machine was not idle otherwise, and on an idle one the time is shorter.", seconds(m.others), 100*share)
	}
	return note + "."
}

// serverNote says how long the cluster alone would take if nothing in it had to wait.
func serverNote(runs []timed) string {
	m := middle(runs)
	cores := runtime.NumCPU()
	return fmt.Sprintf("The cluster alone needs at least %s for it: its CPU time on %d cores, if none of it had to wait for anything.", seconds(m.bed/time.Duration(cores)), cores)
}

func lostNote(how string, runs []sequence) string {
	lost := joined(of(runs, func(s sequence) string { return fmt.Sprint(s.lost) }))
	note := fmt.Sprintf("%s, the upstream sequence does not create %s of its %d objects (one number for each run)", how, lost, runs[0].objects)
	var where []string
	for _, r := range runs {
		for _, m := range r.missing {
			if !slices.Contains(where, m) {
				where = append(where, m)
			}
		}
	}
	if len(where) > 0 {
		note += ": those of " + joined(where)
	}
	return note + "."
}

var stateLine = regexp.MustCompile(`(?m)^ *([0-9.]+)s +([a-z0-9-]+) +(Accepted|Ready)$`)

// timeline reads from the plugin's own lines when each component reached a state.
func timeline(stderr, state string) string {
	var out []string
	for _, m := range stateLine.FindAllStringSubmatch(stderr, -1) {
		if m[3] == state {
			out = append(out, m[2]+" "+m[1])
		}
	}
	return joined(out)
}

// verdict is the figure in a few lines, for the terminal.
func (f *figure) verdict() string {
	var lines []string
	for _, c := range f.checks {
		lines = append(lines, fmt.Sprintf("%s  %s: %s (%s)", passed(c.met), f.title, c.value, c.what))
	}
	return strings.Join(lines, "\n         ")
}

func passed(met bool) string {
	if met {
		return "pass"
	}
	return "missed"
}

// byHand marks the part of the report that a person writes and that is kept.
const byHand = "<!-- From here on by hand; `make bench` keeps it. -->"

// ownTarget is make's name for the figures that need no clone of upstream, and have a
// report of their own.
var ownTarget = map[string]string{largeID: "bench-top", statusID: "bench-status", peopleID: "bench-people"}

// onRealNode tells that all figures were measured on a node that runs containers.
func onRealNode(figures []*figure) bool {
	return len(figures) > 0 && !slices.ContainsFunc(figures, func(f *figure) bool { return f.id != pullsID && f.id != fastPullsID })
}

func document(m machine, figures []*figure) string {
	var w strings.Builder
	w.WriteString("# Benchmarks\n\n")
	if len(figures) == 1 && ownTarget[figures[0].id] != "" {
		fmt.Fprintf(&w, "Written by `make %s`. Everything was measured in one run on one machine, on a cluster of test/devcluster with a real\n"+
			"control plane (etcd, kube-apiserver, kube-scheduler %s) and simulated nodes.\n\n", ownTarget[figures[0].id], m.server)
	} else if onRealNode(figures) {
		pullsHead(&w, m)
	} else {
		upstreamHead(&w, m)
	}
	fmt.Fprintf(&w, "Machine: %d cores (%s), %s of memory, %s; load %s when the run began. Built with %s.\n", m.cores, m.cpu, megabytes(float64(m.memory)), m.system, m.load, m.goes)
	fmt.Fprintf(&w, "Plugin: %s. Peer: kubectl (%s).\n\n", m.plugin, m.peer)
	rows := [][]string{{"figure", "target", "measured", ""}}
	for _, f := range figures {
		for _, c := range f.checks {
			rows = append(rows, []string{"(" + f.id + ") " + f.title, c.what, c.value, passed(c.met)})
		}
	}
	table(&w, rows)
	for _, f := range figures {
		fmt.Fprintf(&w, "\n## (%s) %s\n\n", f.id, strings.ToUpper(f.title[:1])+f.title[1:])
		table(&w, f.table)
		if len(f.notes) > 0 {
			w.WriteString("\n")
		}
		for _, n := range f.notes {
			fmt.Fprintf(&w, "- %s\n", n)
		}
	}
	return w.String()
}

// upstreamHead says how the figures against upstream's sequence were taken.
func upstreamHead(w *strings.Builder, m machine) {
	fmt.Fprintf(w, "Written by `make bench UPSTREAM=DIR`, DIR being a clone of kubeflow/manifests at 26.03.1.\n")
	fmt.Fprintf(w, "Both sides were measured in one run, each installation on a fresh cluster of test/devcluster: a real control plane (etcd,\nkube-apiserver, kube-controller-manager, kube-scheduler %s) and the real cert-manager on this machine, on which the\nplugin and kubectl run as well. Its nodes are simulated: no container runs, and a pod is Ready after a delay that\nsimulates the image pull. istiod, Dex, oauth2-proxy and Kubeflow's controllers are stand-ins.\n\n", m.server)
}

// pullsHead says how the figures with image pulls were taken.
func pullsHead(w *strings.Builder, m machine) {
	fmt.Fprintf(w, "Written by `make bench-pulls UPSTREAM=DIR`, DIR being a clone of kubeflow/manifests at 26.03.1.\n")
	fmt.Fprintf(w, "All sides were measured in one run, each on a fresh cluster of test/devcluster: a real control plane (etcd,\nkube-apiserver, kube-controller-manager, kube-scheduler %s) and one real node (kubelet, containerd, runc) on this machine, on which\nthe registry, the plugin and kubectl run as well. The node has no image but those of its own (pause, CoreDNS), and pulls over HTTPS from a real\nregistry whose bandwidth is limited, in all. cert-manager, istiod, Envoy, Dex, oauth2-proxy and JupyterLab are real programs, in images that were made\nfor the test: one layer, not compressed, and smaller than the published ones. Kubeflow's own controllers are stand-ins.\nUpstream's manifests get the tags of the images that there are: they name other patch releases. The first notebook is created by\n`kubectl jupyter notebook create` on all sides, with the proposals of the form, and the time ends when that says that it answers.\n\n", m.server)
}

// table writes a Markdown table; the first row is the head.
func table(w *strings.Builder, rows [][]string) {
	for i, r := range rows {
		fmt.Fprintf(w, "| %s |\n", strings.Join(r, " | "))
		if i == 0 {
			fmt.Fprintf(w, "|%s\n", strings.Repeat("---|", len(r)))
		}
	}
}

// write puts the report into the file, and keeps what a person wrote there.
func write(file, text string) error {
	if file == "-" {
		_, err := os.Stdout.WriteString(text)
		return err
	}
	old, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, kept, ok := strings.Cut(string(old), byHand); ok {
		text += "\n" + byHand + kept
	}
	return os.WriteFile(file, []byte(text), 0o644)
}
