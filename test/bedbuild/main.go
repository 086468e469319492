// Command bedbuild builds the throwaway cluster's programs and says how far it is: the
// first time, all of Kubernetes is compiled, and a silent quarter of an hour looks
// like a hang. With -servers it builds control planes of other versions.
package main

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// sayEvery is how often a build that goes on says so.
const sayEvery = 20 * time.Second

// program is one binary of the bed.
type program struct {
	name, dir, pkg string
	tags           string
	ldflags        []string
	what           string
}

func main() {
	bin := flag.String("bin", "bin", "directory to build into")
	servers := flag.String("servers", "", "directory with a Go module for each version of a control plane; they are built instead, into a directory of BIN for each")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	build := run
	if *servers != "" {
		build = func(ctx context.Context, bin string) error { return controlPlanes(ctx, bin, *servers) }
	}
	if err := build(ctx, *bin); err != nil {
		fmt.Fprintln(os.Stderr, "bedbuild:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, bin string) error {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return err
	}
	kubernetes, err := kubernetesOf(ctx, "test/devcluster")
	if err != nil {
		return err
	}
	programs := []program{
		{name: "devcluster", dir: "test/devcluster", pkg: ".", what: "etcd, the Kubernetes control plane, kubelet and kwok"},
		// That of the default release of the stack.
		{
			name: "cert-manager", dir: "test/devcluster/images/26.03/cert-manager", pkg: "github.com/cert-manager/cert-manager/devcluster",
			tags: "certmanager_1_20", what: "the real cert-manager",
		},
		// Tests and the demo call the real kubectl, which a fresh machine may not have.
		{
			name: "kubectl", dir: "test/devcluster", pkg: "k8s.io/kubernetes/cmd/kubectl", what: "kubectl",
			ldflags: []string{"-s", "-w", "-X", "k8s.io/component-base/version.gitVersion=" + strings.TrimSpace(kubernetes)},
		},
	}
	if _, err := os.Stat(filepath.Join(bin, "devcluster")); os.IsNotExist(err) {
		fmt.Fprintln(os.Stderr, "Building the throwaway cluster from source: Kubernetes and cert-manager. The first time takes about nine minutes on two cores, since everything is compiled; after that it is seconds.")
	}
	for _, p := range programs {
		if err := build(ctx, p, filepath.Join(bin, p.name)); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

// controlPlanes builds the tools of every module in a directory: one version of Kubernetes
// each, compiled for itself.
func controlPlanes(ctx context.Context, bin, servers string) error {
	modules, err := filepath.Glob(filepath.Join(servers, "*", "go.mod"))
	if err != nil {
		return err
	}
	if len(modules) == 0 {
		return fmt.Errorf("%s has no directory with a go.mod", servers)
	}
	for _, file := range modules {
		dir := filepath.Dir(file)
		kubernetes, err := kubernetesOf(ctx, dir)
		if err != nil {
			return err
		}
		parts := strings.Split(strings.TrimPrefix(kubernetes, "v"), ".")
		if len(parts) != 3 {
			return fmt.Errorf("%s: k8s.io/kubernetes %q is not a version", file, kubernetes)
		}
		out, err := filepath.Abs(filepath.Join(bin, filepath.Base(dir)))
		if err != nil {
			return err
		}
		if err := os.MkdirAll(out, 0o755); err != nil {
			return err
		}
		p := program{
			name: "Kubernetes " + kubernetes, dir: dir, pkg: "tool", what: "a control plane",
			tags:    "providerless", // without the clouds that were part of it up to 1.30
			ldflags: []string{"-s", "-w", "-X", gitVersion + kubernetes, "-X", gitMajor + parts[0], "-X", gitMinor + parts[1]},
		}
		if err := build(ctx, p, out+string(filepath.Separator)); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

// The linker's flags that tell a component its version.
const (
	gitVersion = "k8s.io/component-base/version.gitVersion="
	gitMajor   = "k8s.io/component-base/version.gitMajor="
	gitMinor   = "k8s.io/component-base/version.gitMinor="
)

func kubernetesOf(ctx context.Context, dir string) (string, error) {
	out, err := output(ctx, "go", "list", "-C", dir, "-m", "-f", "{{.Version}}", "k8s.io/kubernetes")
	return strings.TrimSpace(out), err
}

// build compiles one program. The compiler's own words are kept for the case that it fails.
func build(ctx context.Context, p program, out string) error {
	started := time.Now()
	args := []string{"build", "-C", p.dir, "-v", "-o", out}
	if p.tags != "" {
		args = append(args, "-tags", p.tags)
	}
	if p.ldflags != nil {
		args = append(args, "-ldflags", strings.Join(p.ldflags, " "))
	}
	cmd := exec.CommandContext(ctx, "go", append(args, p.pkg)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	var compiled, downloaded atomic.Int64
	done := make(chan struct{})
	go say(done, p, started, &compiled, &downloaded)
	said := read(stderr, &compiled, &downloaded)
	err = cmd.Wait()
	close(done)
	if err != nil {
		_, _ = os.Stderr.Write(said)
		return err
	}
	if time.Since(started) > sayEvery {
		fmt.Fprintf(os.Stderr, "  %s is built (%s)\n", p.name, time.Since(started).Round(time.Second))
	}
	return nil
}

// read counts the packages that `go build -v` names, and keeps everything else.
func read(r io.Reader, compiled, downloaded *atomic.Int64) []byte {
	var other bytes.Buffer
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "go: downloading "):
			downloaded.Add(1)
		case line != "" && !strings.ContainsAny(line, " :#\t"):
			compiled.Add(1)
		default:
			fmt.Fprintln(&other, line)
		}
	}
	return other.Bytes()
}

func say(done <-chan struct{}, p program, started time.Time, compiled, downloaded *atomic.Int64) {
	ticker := time.NewTicker(sayEvery)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
			fmt.Fprintf(os.Stderr, "  %s (%s): %d modules downloaded, %d packages compiled, %s\n",
				p.name, p.what, downloaded.Load(), compiled.Load(), time.Since(started).Round(time.Second))
		}
	}
}

func output(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return string(out), nil
}
