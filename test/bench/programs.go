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
)

// find locates the programs that are measured.
func (b *bench) find(bin, kubectl string) error {
	var err error
	if b.plugin, err = built(bin, "kubectl-jupyter"); err != nil {
		return err
	}
	if b.devcluster, err = built(bin, "devcluster"); err != nil {
		return err
	}
	if kubectl == "" {
		if b.kubectl, err = built(bin, "kubectl"); err == nil {
			return nil
		}
		kubectl = "kubectl"
	}
	if b.kubectl, err = exec.LookPath(kubectl); err != nil {
		return fmt.Errorf("the peer: %w: run `make bench`, which builds it, or name one with -kubectl", err)
	}
	b.kubectl, err = filepath.Abs(b.kubectl)
	return err
}

func built(bin, name string) (string, error) {
	p, err := filepath.Abs(filepath.Join(bin, name))
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(p); err != nil {
		return "", fmt.Errorf("%s is not built: run `make bench`: %w", name, err)
	}
	return p, nil
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
	v, err := must(ctx, os.Environ(), nil, b.plugin, "version", "--client")
	if err != nil {
		return m, err
	}
	m.plugin = strings.TrimPrefix(strings.TrimSpace(v.stdout), "Client: ")
	v, err = must(ctx, os.Environ(), nil, b.kubectl, "version", "--client")
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
