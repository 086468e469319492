// Package connect is `notebook connect`.
package connect

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/forward"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/listen"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/notebook"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// usualPort is Jupyter's own.
const usualPort = 8888

// Variable is where a program that --exec runs finds the URL.
const Variable = "JUPYTER_SERVER"

// Flags are what was typed.
type Flags struct {
	listen listen.Flags
	exec   bool
	output string
}

// Options are what is meant.
type Options struct {
	base   *plugin.Base
	Name   string
	Listen forward.Options
	// AnyPort takes another one where the port is taken.
	AnyPort bool
	// Command is what to run; empty forwards until Ctrl-C.
	Command []string
	Format  string
}

// New is `notebook connect`.
func New(b *plugin.Base) *cobra.Command {
	f := &Flags{}
	cmd := &cobra.Command{
		Use:     "connect NAME [--exec -- COMMAND [ARGUMENT...]]",
		GroupID: notebook.GroupWork,
		Short:   "Connect a local port to the server of a notebook, for IDEs and programs",
		Long: `Connect a local port to the server of a notebook, through the API server: without the gateway,
its login and its cookie. The URL, with the path below which the server answers, is what
VS Code, JetBrains IDEs and JupyterLab Desktop take as an existing Jupyter server.

The URL is written to standard output, everything else to standard error. The command runs
until Ctrl-C, and reconnects when the connection breaks or the notebook is restarted. With
--exec, it runs a command with the URL in the variable JUPYTER_SERVER, writes nothing to
standard output itself, and ends with the command and its exit code.

Notebooks of the web app's images require no token: the port is as good as the notebook for
all users of this machine. You need permission to create pods/portforward.`,
		Example: plugin.Examples(`
			# Connect http://127.0.0.1:8888/notebook/NAMESPACE/lab/ until Ctrl-C
			kubectl jupyter notebook connect lab

			# Use any free port, and print only the URL, for use by programs
			kubectl jupyter notebook connect lab --port 0 -o jsonpath={.url}

			# Run a program of this machine that works with the notebook's server
			kubectl jupyter notebook connect lab --exec -- python3 client.py`),
		Args: nameAndCommand(f),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.ToOptions(b, args, cmd.Flags().Changed("port"))
			return plugin.Run(cmd, o, err)
		},
		ValidArgsFunction: notebook.CompleteNames(b, 1),
	}
	f.listen.Add(cmd, usualPort, "Port of this machine to listen on; 0 selects a free port, as does a port that is in use if the flag is not set")
	fs := cmd.Flags()
	fs.BoolVar(&f.exec, "exec", false, "If true, run the command after -- with the URL in the variable "+Variable+", and end with it")
	fs.StringVarP(&f.output, "output", "o", "", "Output format. One of: (json, yaml, jsonpath=TEMPLATE), with the URL, the local address and the pod")
	plugin.Complete(cmd, "output", func() []string { return []string{view.JSON, view.YAML, view.JSONPath + "="} })
	return cmd
}

// nameAndCommand takes NAME, and with --exec -- COMMAND.
func nameAndCommand(f *Flags) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		names, dash := args, cmd.ArgsLenAtDash()
		if dash >= 0 {
			names = args[:dash]
		}
		switch {
		case f.exec && (dash < 0 || len(args) == dash):
			return plugin.UsageError(cmd, errors.New("--exec requires a command: write it after --, as in --exec -- python3 client.py"))
		case !f.exec && dash >= 0:
			return plugin.UsageError(cmd, errors.New("a command after -- requires --exec"))
		}
		return notebook.OneName(cmd, names)
	}
}

// ToOptions checks what was typed.
func (f *Flags) ToOptions(b *plugin.Base, args []string, portGiven bool) (*Options, error) {
	at, err := f.listen.Options()
	if err != nil {
		return nil, err
	}
	o := &Options{base: b, Name: args[0], Listen: at, AnyPort: !portGiven, Command: args[1:], Format: f.output}
	switch {
	case f.output != "" && f.exec:
		return nil, errors.New("--output and --exec cannot be used together: standard output is the command's")
	case f.output != "":
		return o, view.CheckOutput(f.output)
	case f.exec:
		program, err := exec.LookPath(args[1])
		if err != nil {
			return nil, fmt.Errorf("--exec: %s is not a program of this machine: %w", args[1], err)
		}
		o.Command = append([]string{program}, args[2:]...)
		if o.AnyPort {
			o.Listen.Port = 0
		}
	}
	return o, nil
}

// connected is the machine-readable form.
type connected struct {
	URL       string         `json:"url"`
	Address   string         `json:"address"`
	Namespace string         `json:"namespace"`
	Notebook  string         `json:"notebook"`
	Type      notebooks.Type `json:"type"`
	Pod       string         `json:"pod"`
	// TokenRequired tells that the server asks for a token or a password of its own.
	TokenRequired bool `json:"tokenRequired"`
}

// Run connects until it is interrupted, or until the command has ended.
func (o *Options) Run(ctx context.Context) error {
	place, err := notebook.Find(ctx, o.base)
	if err != nil {
		return err
	}
	n, err := notebooks.Get(ctx, place.Cluster, place.Namespace, o.Name)
	if err != nil {
		return err
	}
	if err := n.NeedsRunning(); err != nil {
		return err
	}
	// A command that is told to end may need the server for that.
	linked, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	if len(o.Command) == 0 {
		linked = ctx
	}
	notice := &notices{tell: listen.Tell(o.base.ErrOut)}
	f, err := o.start(linked, place.Cluster, n, notice.take)
	if err != nil {
		return err
	}
	out := connected{
		URL:     urlOf(f.Address, notebooks.Prefix(n.Type, n.Namespace, n.Name)),
		Address: f.Address, Namespace: n.Namespace, Notebook: n.Name, Type: n.Type, Pod: f.Pod,
	}
	server := awaitServer(ctx, out.URL, n.Type)
	notice.resume()
	out.TokenRequired = server.token
	if server.err != nil && len(o.Command) > 0 {
		return fmt.Errorf("%s: %w", n.Ref(), server.err)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	w := o.base.ErrOut
	listen.WarnOpen(w, f.Address, "the notebook")
	o.say(n, out, server)
	if len(o.Command) > 0 {
		go func() {
			if err := f.Wait(); err != nil {
				fmt.Fprintf(w, "warning: the connection to %s has ended: %v\n", n.Ref(), err)
			}
		}()
		return o.command(ctx, out.URL)
	}
	return listen.Serve(f, o.base.Out, o.Format, out.URL, out)
}

// start listens, on another port where nobody asked for this one and it is taken.
func (o *Options) start(ctx context.Context, c *cluster.Cluster, n *notebooks.Notebook, notice func(forward.Notice)) (*forward.Forward, error) {
	target := forward.Target{Namespace: n.Namespace, Service: n.Name, Port: notebooks.ServicePort}
	at := o.Listen
	at.Notice = notice
	f, err := forward.Start(ctx, c, target, at)
	if o.AnyPort && errors.Is(err, syscall.EADDRINUSE) {
		at.Port = 0
		f, err = forward.Start(ctx, c, target, at)
	}
	return f, err
}
