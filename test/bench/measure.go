package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// sample is what one run of one or more processes took.
type sample struct {
	wall time.Duration
	// cpu is user and system time together.
	cpu time.Duration
	// rss is the largest resident set of any of the processes, in bytes.
	rss int64

	stdout, stderr string
	code           int
}

// add counts a process that ran after the others, or beside them.
func (s *sample) add(p *os.ProcessState, rss int64) {
	s.cpu += p.UserTime() + p.SystemTime()
	s.rss = max(s.rss, rss)
}

// command runs a program to its end. A non-zero exit is part of the sample.
func command(ctx context.Context, env []string, stdin io.Reader, name string, args ...string) (sample, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = env
	cmd.Stdin = stdin
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return sample{}, fmt.Errorf("%s: %w", name, err)
	}
	memory := watchMemory(cmd.Process.Pid)
	err := cmd.Wait()
	s := sample{wall: time.Since(begin)}
	s.add(cmd.ProcessState, memory())
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return s, fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	if err := ctx.Err(); err != nil {
		return s, err
	}
	s.stdout, s.stderr, s.code = stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
	return s, nil
}

// must is command for what has to succeed.
func must(ctx context.Context, env []string, stdin io.Reader, name string, args ...string) (sample, error) {
	s, err := command(ctx, env, stdin, name, args...)
	if err == nil && s.code != 0 {
		err = fmt.Errorf("%s %s: exit code %d: %s", name, strings.Join(args, " "), s.code, lastLines(s.stderr, 20))
	}
	return s, err
}

// repeat takes n samples of a command, after one that is thrown away: the first
// reads the program from the disk.
func repeat(ctx context.Context, n int, name string, args ...string) ([]sample, error) {
	var out []sample
	for i := range n + 1 {
		s, err := must(ctx, os.Environ(), nil, name, args...)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			out = append(out, s)
		}
	}
	return out, nil
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// median of an odd or even number of values; the values are not changed.
func median[T ~int64](values []T) T {
	if len(values) == 0 {
		return 0
	}
	v := slices.Sorted(slices.Values(values))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// of collects one quantity of many samples.
func of[S, T any](samples []S, what func(S) T) []T {
	out := make([]T, len(samples))
	for i, s := range samples {
		out[i] = what(s)
	}
	return out
}
