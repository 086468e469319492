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
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/bedkit"
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
	{say: "Check whether the stack can be installed.", args: []string{"jupyter", "preflight"}},
	{say: "Install the stack.", args: []string{"jupyter", "install"}},
	{say: "Show whether the stack works.", args: []string{"jupyter", "status"}},
	{say: "Install again: there is nothing to change.", args: []string{"jupyter", "install"}},
	{
		say:  "Test each hop of the login, through the API server, because there is no external address.",
		args: []string{"jupyter", "login-url", "--check", "--port-forward"}, only: "real",
	},
	{say: "List the users.", args: []string{"jupyter", "user", "list"}},
	{say: "Show the resource usage of nodes, and free GPUs.", args: []string{"jupyter", "top"}},
	{say: "Uninstall the stack. CustomResourceDefinitions and data of users are kept.", args: []string{"jupyter", "uninstall", "--yes"}},
}

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
	bed *bedkit.Bed
	out io.Writer
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	bin := flags.String("bin", "bin", "directory with the programs kubectl-jupyter, kubectl and devcluster")
	nodes := flags.String("nodes", "simulated", "type of the nodes: simulated or real")
	keep := flags.Bool("keep", false, "if true, keep the cluster running at the end")
	if err := flags.Parse(args); err != nil {
		return err
	}
	programs, err := bedkit.Find(*bin)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "jupyter-demo-")
	if err != nil {
		return err
	}
	d := &demo{out: out}
	d.say("A throwaway cluster: the control plane is real, the nodes are " + *nodes + ".")
	d.bed, err = programs.Up(ctx, dir, out, "--nodes", *nodes)
	defer func() {
		if *keep && err == nil {
			fmt.Fprintf(out, "\nThe cluster is still running:\n  export KUBECONFIG=%s\n  %s down --dir %s\n", d.bed.Kubeconfig, programs.Devcluster, dir)
			return
		}
		err = errors.Join(err, d.down(context.WithoutCancel(ctx)))
	}()
	if err != nil {
		return err
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
	d.say(s.say)
	fmt.Fprintf(d.out, "$ kubectl %s\n", strings.Join(s.args, " "))
	started := time.Now()
	// The plugin's progress is for the terminal that somebody looks at.
	if err := d.bed.Play(ctx, os.Stdin, d.out, os.Stderr, d.bed.Programs.Kubectl, s.args...); err != nil {
		return fmt.Errorf("kubectl %s: %w", strings.Join(s.args, " "), err)
	}
	if took := time.Since(started); took > time.Second {
		fmt.Fprintf(d.out, "# (%.1f s)\n", took.Seconds())
	}
	return nil
}

func (d *demo) down(ctx context.Context) error {
	d.say("Delete the cluster.")
	if err := d.bed.Down(ctx, d.out); err != nil {
		return err
	}
	return os.RemoveAll(d.bed.Dir)
}
