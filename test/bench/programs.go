package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/bedkit"
)

// find locates the programs that are measured. Another kubectl may be the peer.
func (b *bench) find(bin, kubectl string) error {
	programs, err := bedkit.Find(bin)
	if err != nil {
		return err
	}
	if kubectl != "" {
		if programs.Kubectl, err = exec.LookPath(kubectl); err != nil {
			return fmt.Errorf("-kubectl: %w", err)
		}
		if programs.Kubectl, err = filepath.Abs(programs.Kubectl); err != nil {
			return err
		}
	}
	b.programs = programs
	return nil
}

// machine is what the figures were taken on.
type machine struct {
	cores  int
	cpu    string
	memory int64 // bytes
	system string
	load   string
	goes   string
	server string
	plugin string
	peer   string
}

func (b *bench) machine(ctx context.Context) (machine, error) {
	m := machine{cores: runtime.NumCPU(), system: runtime.GOOS + "/" + runtime.GOARCH, goes: runtime.Version(), server: b.server}
	m.cpu = field("/proc/cpuinfo", "model name")
	if kib, _, ok := strings.Cut(field("/proc/meminfo", "MemTotal"), " "); ok {
		n, err := strconv.ParseInt(kib, 10, 64)
		if err != nil {
			return m, fmt.Errorf("/proc/meminfo: MemTotal: %w", err)
		}
		m.memory = n * 1024
	}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.load, _, _ = strings.Cut(string(load), " ")
	}
	v, err := must(ctx, os.Environ(), nil, b.programs.Plugin, "version", "--client")
	if err != nil {
		return m, err
	}
	m.plugin = strings.TrimPrefix(strings.TrimSpace(v.stdout), "Client: ")
	v, err = must(ctx, os.Environ(), nil, b.programs.Kubectl, "version", "--client")
	if err != nil {
		return m, err
	}
	m.peer = strings.Join(strings.FieldsFunc(v.stdout, func(r rune) bool { return r == '\n' }), ", ")
	return m, nil
}

// field finds "name : value" in a file of /proc.
func field(file, name string) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
