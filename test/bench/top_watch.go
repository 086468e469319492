package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// refreshInterval is between the beginnings of two refreshes.
const refreshInterval = 2 * time.Second

// refreshes are what n refreshes of `top --watch` cost, each counted from one table to the
// next. How long one takes cannot be seen from outside: the command waits in between.
func (b *bed) refreshes(ctx context.Context, n int) (out []timed, err error) {
	cmd := exec.CommandContext(ctx, b.programs.Plugin, "top", "--watch", "--interval", refreshInterval.String())
	cmd.Env, cmd.Stderr = b.Env(), b.log
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	defer func() {
		_ = stdout.Close() // a table that nobody reads would be written forever
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // it ends by the signal
	}()
	tables, pid := bufio.NewScanner(stdout), cmd.Process.Pid
	if err := untilNext(tables); err != nil { // the first is what `top` is as well
		return nil, err
	}
	for range n {
		spent, done := cpuOf(pid), b.watch()
		if err := untilNext(tables); err != nil {
			return nil, err
		}
		out = append(out, done(sample{cpu: cpuOf(pid) - spent, rss: highWater(pid)}))
	}
	return out, nil
}

// untilNext reads up to the empty line that is between two tables.
func untilNext(tables *bufio.Scanner) error {
	for tables.Scan() {
		if tables.Text() == "" {
			return nil
		}
	}
	return errors.Join(errors.New("top --watch has ended"), tables.Err())
}

// cpuOf is what a process has spent so far.
func cpuOf(pid int) time.Duration {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, _, spent, _ := parseStat(string(data))
	return spent
}

// costRow is timedRow for what only CPU time is known of.
func costRow(what string, runs []timed) []string {
	row := timedRow(what, runs)
	row[2], row[3], row[4] = "-", "-", "-"
	return row
}
