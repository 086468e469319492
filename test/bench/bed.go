package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/bedkit"
)

// bed is one throwaway cluster with simulated nodes.
type bed struct {
	*bench
	*bedkit.Bed
	pid int
}

// withBed runs f on a fresh cluster whose pods are Ready delay after their volumes are.
func (b *bench) withBed(ctx context.Context, delay time.Duration, f func(*bed) error) error {
	return b.withBedOf(ctx, []string{"--pod-delay=" + delay.String()}, f)
}

// withBedOf runs f on a fresh cluster that was started with further arguments.
func (b *bench) withBedOf(ctx context.Context, args []string, f func(*bed) error) (err error) {
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	var said bytes.Buffer
	up, err := b.programs.Up(ctx, dir, &said, append([]string{"--metrics-server=false"}, args...)...)
	cluster := &bed{bench: b, Bed: up}
	defer func() {
		// The bed has to go even when the run was interrupted.
		down, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		if failed := up.Down(down, &said); failed != nil && err == nil {
			err = fmt.Errorf("%w: %s", failed, &said)
		}
		if err == nil {
			err = os.RemoveAll(dir)
		}
	}()
	if err != nil {
		return fmt.Errorf("%w: %s", err, lastLines(said.String(), 20))
	}
	state, err := up.State()
	if err != nil {
		return err
	}
	cluster.pid = state.PID
	if err := cluster.readVersion(ctx); err != nil {
		return err
	}
	return f(cluster)
}

func (b *bed) readVersion(ctx context.Context) error {
	s, err := b.must(ctx, "get", "--raw", "/version")
	if err != nil {
		return err
	}
	var v struct {
		GitVersion string `json:"gitVersion"`
	}
	if err := json.Unmarshal([]byte(s.stdout), &v); err != nil {
		return fmt.Errorf("/version: %w", err)
	}
	b.server = v.GitVersion
	return nil
}

// must runs kubectl against the bed.
func (b *bed) must(ctx context.Context, args ...string) (sample, error) {
	return must(ctx, b.Env(), nil, b.programs.Kubectl, args...)
}

// jupyter runs the plugin against the bed.
func (b *bed) jupyter(ctx context.Context, args ...string) (timed, error) {
	done := b.watch()
	s, err := must(ctx, b.Env(), nil, b.programs.Plugin, args...)
	return done(s), err
}

// timed is a sample together with the CPU time that others spent meanwhile.
type timed struct {
	sample
	// bed is etcd, API server, controllers and stand-ins.
	bed time.Duration
	// others is everything else on the machine, which is not part of the measurement.
	others time.Duration
}

// watch begins to count; the function it returns ends it.
func (b *bed) watch() func(sample) timed {
	bed, machine := b.cpu(), busy()
	return func(s sample) timed {
		t := timed{sample: s, bed: b.cpu() - bed}
		// The clock ticks of a process are rounded, so the difference may be below nothing.
		t.others = max(0, busy()-machine-t.bed-s.cpu)
		return t
	}
}

// busy is the CPU time that the whole machine has spent so far, all cores together.
func busy() time.Duration {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(data), "\n")
	return parseBusy(line)
}

// parseBusy reads the first line of /proc/stat: user, nice, system, idle, iowait,
// irq, softirq. What is not idle or waiting is busy.
func parseBusy(line string) time.Duration {
	fields := strings.Fields(line)
	if len(fields) < 8 || fields[0] != "cpu" {
		return 0
	}
	var total time.Duration
	for i, f := range fields[1:8] {
		if i == 3 || i == 4 {
			continue
		}
		ticks, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0
		}
		total += time.Duration(ticks) * clockTick
	}
	return total
}

// clockTick is the unit of /proc/PID/stat. The kernel shows user space a hundredth of
// a second on every architecture that Go runs on.
const clockTick = 10 * time.Millisecond

// cpu is what the bed's process and its children have spent so far.
func (b *bed) cpu() time.Duration {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	spent, parent := map[int]time.Duration{}, map[int]int{}
	for _, file := range stats {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended meanwhile
		}
		if pid, ppid, d, ok := parseStat(string(data)); ok {
			spent[pid], parent[pid] = d, ppid
		}
	}
	var total time.Duration
	for pid, d := range spent {
		for at := pid; at > 1; at = parent[at] {
			if at == b.pid {
				total += d
				break
			}
		}
	}
	return total
}

// parseStat reads a line of /proc/PID/stat: the process, its parent, and the user and
// system time of itself and of the children that it has waited for.
func parseStat(line string) (pid, ppid int, spent time.Duration, ok bool) {
	// The name, in parentheses, may hold spaces and parentheses.
	open, end := strings.Index(line, "("), strings.LastIndex(line, ")")
	if open < 0 || end < 0 {
		return 0, 0, 0, false
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line[:open]))
	fields := strings.Fields(line[end+1:])
	if err != nil || len(fields) < 15 {
		return 0, 0, 0, false
	}
	ppid, err = strconv.Atoi(fields[1])
	if err != nil {
		return 0, 0, 0, false
	}
	for _, f := range fields[11:15] {
		ticks, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, 0, 0, false
		}
		spent += time.Duration(ticks) * clockTick
	}
	return pid, ppid, spent, true
}
