// Command bench times the plugin against upstream's own way of installing the same
// stack, on throwaway control planes with simulated nodes, and writes the figures down.
//
//	make bench UPSTREAM=DIR
//
// DIR is a clone of kubeflow/manifests at 26.03.1. A missed target is a line in the
// report, not a failure: the exit code is 0 as long as everything could be measured.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/bedkit"
)

// bench is one run of the program.
type bench struct {
	programs bedkit.Programs
	// upstream is the clone.
	upstream string
	runs     int
	// topNodes replaces the sizes of figure f.
	topNodes              int
	podDelay, acceptDelay time.Duration
	log                   io.Writer
	// server is what the last bed ran.
	server string
}

// measurement makes one figure of the report.
type measurement struct {
	id   string
	make func(*bench, context.Context) (*figure, error)
}

var measurements = []measurement{
	{"a", (*bench).accepted},
	{"b", (*bench).ready},
	{"c", (*bench).again},
	{"d", (*bench).render},
	{"e", (*bench).size},
	{largeID, (*bench).top},
	{statusID, (*bench).status},
	{peopleID, (*bench).people},
	{pullsID, (*bench).pullsSlow},
	{fastPullsID, (*bench).pullsFast},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if mine, err := asked(ctx, os.Args[1:]); mine {
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	b := &bench{log: os.Stderr}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	bin := flags.String("bin", "bin", "directory of kubectl-jupyter, devcluster and kubectl")
	kubectl := flags.String("kubectl", "", "the peer's kubectl; by default the one in -bin, else the one on PATH")
	only := flags.String("only", "", "figures to measure, such as a,c; all when empty")
	out := flags.String("out", filepath.Join("docs", "benchmarks.md"), "file to write the report to; - prints it")
	flags.StringVar(&b.upstream, "upstream", "", "clone of kubeflow/manifests at 26.03.1")
	flags.IntVar(&b.runs, "runs", 3, "how often each installation is timed")
	flags.DurationVar(&b.acceptDelay, "accept-delay", 0, "time until a pod of figure a is Ready")
	flags.DurationVar(&b.podDelay, "pod-delay", 20*time.Second, "simulated image pull of figure b")
	flags.IntVar(&b.topNodes, "top-nodes", 0, "number of nodes of figure f; 0 takes the sizes of the report")
	if err := flags.Parse(args); err != nil {
		return err
	}
	chosen, err := choose(*only)
	if err != nil {
		return err
	}
	if b.runs < 1 {
		return fmt.Errorf("-runs %d: at least one run", b.runs)
	}
	if err := b.find(*bin, *kubectl); err != nil {
		return err
	}
	if needsUpstream(chosen) {
		if err := checkUpstream(b.upstream); err != nil {
			return err
		}
	}
	machine, err := b.machine(ctx)
	if err != nil {
		return err
	}
	var figures []*figure
	var failed error
	for _, m := range chosen {
		b.say("figure %s", m.id)
		f, err := m.make(b, ctx)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("figure %s could not be measured: %w", m.id, err))
			if ctx.Err() != nil {
				return failed
			}
			continue
		}
		f.id = m.id
		b.say("%s", f.verdict())
		figures = append(figures, f)
	}
	machine.server = b.server
	return errors.Join(failed, write(*out, document(machine, figures)))
}

// needsUpstream tells whether a figure is measured against upstream's manifests.
func needsUpstream(chosen []measurement) bool {
	return slices.ContainsFunc(chosen, func(m measurement) bool { return slices.Contains([]string{"a", "b", "d", pullsID, fastPullsID}, m.id) })
}

func choose(only string) ([]measurement, error) {
	if only == "" {
		return measurements, nil
	}
	var out []measurement
	for _, id := range strings.Split(only, ",") {
		i := slices.IndexFunc(measurements, func(m measurement) bool { return m.id == strings.TrimSpace(id) })
		if i < 0 {
			return nil, fmt.Errorf("-only: there is no figure %q: the figures are a to j", id)
		}
		out = append(out, measurements[i])
	}
	return out, nil
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.log, time.Now().Format("15:04:05 ")+format+"\n", args...)
}
