// Package bedkit starts a throwaway cluster, runs programs against it and reads what they
// print. Tests, benchmarks and the demo have it in common.
package bedkit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Programs are the built ones, by absolute paths.
type Programs struct {
	// Bin is the directory that `make build devcluster` fills.
	Bin string
	// Plugin is kubectl-jupyter.
	Plugin, Devcluster, Kubectl string
}

// Find locates the programs in a directory. KUBECTL_JUPYTER and DEVCLUSTER name others.
func Find(bin string) (Programs, error) {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return Programs{}, err
	}
	p := Programs{Bin: bin}
	for _, want := range []struct {
		file, env string
		path      *string
	}{
		{"kubectl-jupyter", "KUBECTL_JUPYTER", &p.Plugin},
		{"devcluster", "DEVCLUSTER", &p.Devcluster},
		{"kubectl", "", &p.Kubectl},
	} {
		*want.path = filepath.Join(bin, want.file)
		if other := os.Getenv(want.env); want.env != "" && other != "" {
			if *want.path, err = filepath.Abs(other); err != nil {
				return p, err
			}
		}
		if _, err := os.Stat(*want.path); err != nil {
			return p, fmt.Errorf("%s is not built: run `make build devcluster`: %w", want.file, err)
		}
	}
	return p, nil
}

// Bed is one throwaway cluster.
type Bed struct {
	Programs
	// Dir holds its state, its logs and the kubeconfig of its administrator.
	Dir string
	// Kubeconfig is the file that programs are run with; the administrator's at first.
	Kubeconfig string
	// Vars are further variables of the plugin's environment, NAME=VALUE.
	Vars []string
}

// Up starts a cluster in a directory, with further arguments of `devcluster up`. What it
// says goes to says. Where it fails there may still be something to take down.
func (p Programs) Up(ctx context.Context, dir string, says io.Writer, args ...string) (*Bed, error) {
	b := &Bed{Programs: p, Dir: dir}
	b.Kubeconfig = b.administrator()
	cmd := exec.CommandContext(ctx, p.Devcluster, append([]string{"up", "--dir", dir}, args...)...)
	cmd.Stdout, cmd.Stderr = says, says
	if err := orderly(cmd).Run(); err != nil {
		return b, fmt.Errorf("devcluster up: %w", err)
	}
	return b, nil
}

// Down ends the cluster. Its directory stays.
func (b *Bed) Down(ctx context.Context, says io.Writer) error {
	cmd := exec.CommandContext(ctx, b.Devcluster, "down", "--dir", b.Dir)
	cmd.Stdout, cmd.Stderr = says, says
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("devcluster down --dir %s: %w", b.Dir, err)
	}
	return nil
}

// Env is the environment of programs that are run against the cluster.
func (b *Bed) Env() []string { return append(env(b.Kubeconfig), b.Vars...) }

func env(kubeconfig string) []string {
	return append(os.Environ(), "KUBECONFIG="+kubeconfig, "NO_COLOR=1")
}

// administrator is the kubeconfig that Up has written.
func (b *Bed) administrator() string { return filepath.Join(b.Dir, "kubeconfig") }

// State is what the cluster says of itself, as far as anybody reads it.
type State struct {
	// PID of the process that everything else is a child of.
	PID int `json:"pid"`
	// Proxy reaches every Service and pod of the cluster, whose network nothing else enters.
	Proxy string `json:"proxy"`
}

// State reads what the cluster says of itself.
func (b *Bed) State() (State, error) {
	file := filepath.Join(b.Dir, "state.json")
	data, err := os.ReadFile(file)
	if err != nil {
		return State{}, err
	}
	var s State
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("%s: %w", file, err)
	}
	return s, nil
}

// Transport goes through the cluster's proxy, which reaches every Service.
func (b *Bed) Transport() (*http.Transport, error) {
	s, err := b.State()
	if err != nil {
		return nil, err
	}
	proxy, err := url.Parse(s.Proxy)
	if err != nil {
		return nil, fmt.Errorf("the proxy of %s: %w", b.Dir, err)
	}
	return &http.Transport{Proxy: http.ProxyURL(proxy)}, nil
}

// Result is what a command did.
type Result struct {
	Stdout, Stderr string
	Code           int
}

func (r Result) String() string {
	return fmt.Sprintf("exit code %d\n--- stdout\n%s--- stderr\n%s", r.Code, Tail(r.Stdout), Tail(r.Stderr))
}

// Tail shortens a long text to its end.
func Tail(s string) string {
	const most = 6000 // bytes
	if len(s) > most {
		return "...\n" + s[len(s)-most:]
	}
	return s
}

// Run runs a program to its end, in a directory (empty for the current one); another exit
// code than 0 is part of the result. Started, which may be nil, is called once the process
// runs.
func Run(ctx context.Context, dir string, env []string, stdin string, started func(*os.Process), program string, args ...string) (Result, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env, cmd.Stdin = dir, env, strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		return Result{}, err
	}
	if started != nil {
		started(cmd.Process)
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return Result{}, fmt.Errorf("%s %s: %w", filepath.Base(program), strings.Join(args, " "), err)
	}
	return Result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}, nil
}

// Jupyter runs the plugin as `kubectl jupyter ARGS` would.
func (b *Bed) Jupyter(ctx context.Context, stdin string, started func(*os.Process), args ...string) (Result, error) {
	return Run(ctx, "", b.Env(), stdin, started, b.Plugin, args...)
}

// Kubectl runs the real kubectl as the cluster's administrator, whatever Kubeconfig is, and returns what it printed.
func (b *Bed) Kubectl(ctx context.Context, stdin string, args ...string) (string, error) {
	r, err := Run(ctx, "", env(b.administrator()), stdin, nil, b.Programs.Kubectl, args...)
	if err == nil && r.Code != 0 {
		err = fmt.Errorf("exit code %d\n%s", r.Code, r.Stderr)
	}
	if err != nil {
		return "", fmt.Errorf("kubectl %s: %w", strings.Join(args, " "), err)
	}
	return r.Stdout, nil
}

// Play runs a command with the streams of whoever looks on, and ends it in good order
// when ctx does.
func (b *Bed) Play(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	// kubectl finds the plugin on PATH.
	cmd.Env = append(os.Environ(), "PATH="+b.Bin+string(os.PathListSeparator)+os.Getenv("PATH"), "KUBECONFIG="+b.Kubeconfig)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, stderr
	return orderly(cmd).Run()
}

// orderly has a command interrupted, and killed only when that does not help.
func orderly(cmd *exec.Cmd) *exec.Cmd {
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 30 * time.Second
	return cmd
}
