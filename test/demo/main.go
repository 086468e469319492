// Command demo plays a session with the plugin on a throwaway cluster: it shows each
// command as a person types it, runs it, and takes the cluster down at the end.
// `make demo` builds what it needs and runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// step is one thing that is shown.
type step struct {
	// say comes before the command, for the person who watches.
	say string
	// args of kubectl.
	args []string
	// only for beds with such nodes; empty for all.
	only string
}

// session is what a person would type.
var session = []step{
	{say: "An empty cluster.", args: []string{"get", "nodes"}},
	{say: "What there is to install, and what needs what.", args: []string{"jupyter", "components"}},
	{say: "What an installation would create, without doing it (the first lines).", args: []string{"jupyter", "install", "--dry-run=server", "-o", "name"}},
	{say: "The whole stack, with one command.", args: []string{"jupyter", "install"}},
	{say: "Everything runs.", args: []string{"get", "pods", "--all-namespaces"}},
	{say: "A second time: nothing to change.", args: []string{"jupyter", "install"}},
	{args: []string{"jupyter", "version"}},
	{
		say:  "The web app is reached through the gateway. Simulated pods serve nothing, so this session only shows the way:",
		only: "simulated", args: nil,
	},
	{say: "Out again. Definitions and what belongs to people stay.", args: []string{"jupyter", "uninstall", "--yes"}},
}

// shownLines bounds what is shown of a long list.
const shownLines = 12

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

type demo struct {
	out        io.Writer
	dir        string
	devcluster string
	// kubectl finds the plugin on path.
	kubectl string
	path    string
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	bin := flags.String("bin", "bin", "directory of the built programs kubectl-jupyter, kubectl and devcluster")
	nodes := flags.String("nodes", "simulated", "what the nodes are: simulated or real")
	keep := flags.Bool("keep", false, "leave the cluster running at the end")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *bin, err = filepath.Abs(*bin); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "jupyter-demo-")
	if err != nil {
		return err
	}
	d := &demo{out: out, dir: dir, devcluster: filepath.Join(*bin, "devcluster"), kubectl: filepath.Join(*bin, "kubectl"), path: *bin + string(os.PathListSeparator) + os.Getenv("PATH")}
	defer func() {
		if *keep && err == nil {
			fmt.Fprintf(out, "\nThe cluster goes on:\n  export KUBECONFIG=%s\n  %s down --dir %s\n", filepath.Join(dir, "kubeconfig"), d.devcluster, dir)
			return
		}
		err = errors.Join(err, d.down(context.WithoutCancel(ctx)))
	}()
	d.say("A throwaway cluster: the control plane is real, the nodes are " + *nodes + ".")
	up := exec.CommandContext(ctx, d.devcluster, "up", "--dir", dir, "--nodes", *nodes)
	up.Stdout, up.Stderr = out, out
	if err := d.wait(up); err != nil {
		return fmt.Errorf("devcluster up: %w", err)
	}
	for _, s := range session {
		if s.only != "" && s.only != *nodes {
			continue
		}
		if err := d.play(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) say(text string) { fmt.Fprintf(d.out, "\n# %s\n", text) }

func (d *demo) play(ctx context.Context, s step) error {
	if s.say != "" {
		d.say(s.say)
	}
	if s.args == nil {
		fmt.Fprintln(d.out, "$ kubectl -n istio-system port-forward svc/istio-ingressgateway 8080:80\n$ open http://localhost:8080/")
		return nil
	}
	fmt.Fprintf(d.out, "$ kubectl %s\n", strings.Join(s.args, " "))
	cmd := exec.CommandContext(ctx, d.kubectl, s.args...)
	cmd.Env = append(os.Environ(), "PATH="+d.path, "KUBECONFIG="+filepath.Join(d.dir, "kubeconfig"))
	// The plugin's progress is for the terminal that somebody looks at.
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, d.out, os.Stderr
	var list *head
	if strings.Contains(strings.Join(s.args, " "), "--dry-run") {
		list = &head{w: d.out}
		cmd.Stdout = list
	}
	started := time.Now()
	err := d.wait(cmd)
	if list != nil {
		list.end()
	}
	if err != nil {
		return fmt.Errorf("kubectl %s: %w", strings.Join(s.args, " "), err)
	}
	if took := time.Since(started); took > time.Second {
		fmt.Fprintf(d.out, "# (%.1f s)\n", took.Seconds())
	}
	return nil
}

// wait runs a command that ends in good order when the demo is interrupted.
func (d *demo) wait(cmd *exec.Cmd) error {
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 30 * time.Second
	return cmd.Run()
}

func (d *demo) down(ctx context.Context) error {
	d.say("The cluster is taken down.")
	down := exec.CommandContext(ctx, d.devcluster, "down", "--dir", d.dir)
	down.Stdout, down.Stderr = d.out, d.out
	if err := down.Run(); err != nil {
		return fmt.Errorf("devcluster down --dir %s: %w", d.dir, err)
	}
	return os.RemoveAll(d.dir)
}

// head passes on the first lines and counts the rest.
type head struct {
	w     io.Writer
	lines int
	rest  int
}

func (h *head) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		if h.lines < shownLines {
			if _, err := io.WriteString(h.w, line); err != nil {
				return 0, err
			}
		} else if strings.HasSuffix(line, "\n") {
			h.rest++
		}
		if strings.HasSuffix(line, "\n") {
			h.lines++
		}
	}
	return len(p), nil
}

func (h *head) end() {
	if h.rest > 0 {
		fmt.Fprintf(h.w, "... and %d more\n", h.rest)
	}
}
