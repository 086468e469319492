// Package run is `notebook run` and its subcommands.
package run

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/edits"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/runs"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/notebook"
)

// Flags are what was typed.
type Flags struct {
	notebook.ChangeFlags
	like                 string
	noVolumes, sidecar   bool
	detach, remove       bool
	output, keep, dryRun string
	timeout, deadline    time.Duration
	program              []string
	file                 string
}

// Options are what is meant.
type Options struct {
	base    *plugin.Base
	Like    string
	Program runs.Program
	Change  edits.Change
	// NoVolumes and Sidecar are those of a runs.Request.
	NoVolumes, Sidecar bool
	// Detach ends the command once the run is created; Remove deletes the run at the end.
	Detach, Remove bool
	// Output is the file for the executed notebook.
	Output            string
	Keep              time.Duration
	Timeout, Deadline time.Duration
	DryRun            string
}

// New is `notebook run`.
func New(b *plugin.Base) *cobra.Command {
	f := &Flags{}
	cmd := &cobra.Command{
		Use:     "run FILE.ipynb|FILE.py [ARG...]|-- COMMAND [ARG...] --like NAME",
		Aliases: []string{"runs"},
		GroupID: notebook.GroupWork,
		Short:   "Run a notebook file, a script or a command as a Job, with what a notebook has",
		Long: `Run a notebook file, a script or a command as a Job that has the image, volumes, variables,
PodDefaults and service account of a notebook: on the same hardware, or with --cpu, --memory
and --gpu on other. The notebook itself may be running or stopped.

The output of the program is printed, and its exit code is that of the command. A notebook
file is executed cell by cell with nbclient of the image, in the working directory of the
notebook; the executed notebook is written to FILE.executed.ipynb (--output), also if a cell
fails. It comes back through the log, up to 6 MiB compressed; a larger one is left on a
volume of the notebook, and the command says where. The file itself is delivered in a
ConfigMap, without its outputs, up to 960 KiB.

Before anything is created, the command checks as "notebook create" does whether the Job
would run. A volume that only one node can mount at a time, and that is mounted now, places
the Job on that node; if the node cannot take it, the Job is refused.

The Job's pod gets no Istio sidecar, because a Job does not end before its sidecar does;
services that require mutual TLS of the mesh do not accept its requests. Use --sidecar if the
mesh has native sidecars, as that of release 26.03 does.

On Ctrl-C, and with --detach, the Job keeps running; "notebook run logs" shows its output and
returns its exit code. It is deleted some time after its end (--keep).`,
		Example: plugin.Examples(`
			# Execute a notebook file with what notebook lab has; the result is train.executed.ipynb
			kubectl jupyter notebook run train.ipynb --like lab

			# Run a script on two GPUs and more memory, and do not wait for it
			kubectl jupyter notebook run train.py --like lab --gpu 2 --memory 64Gi --detach -- --epochs 20

			# Run a command of the image, and delete the Job afterwards
			kubectl jupyter notebook run --like lab --rm -- nvidia-smi

			# List the runs, and show the output of one
			kubectl jupyter notebook run list
			kubectl jupyter notebook run logs lab-run-x7k2p`),
		Args:              f.arguments,
		ValidArgsFunction: completeFile,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := f.ToOptions(b)
			return plugin.Run(cmd, o, err)
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&f.like, "like", "", "`NAME` of the notebook whose image, volumes, variables, PodDefaults and account the run has")
	f.ChangeFlags.Add(cmd)
	fs.BoolVar(&f.noVolumes, "no-volumes", false, "If true, do not mount the volumes of the notebook")
	fs.BoolVar(&f.sidecar, "sidecar", false, "If true, let Istio add its sidecar to the pod; the mesh must have native sidecars")
	fs.BoolVar(&f.detach, "detach", false, "If true, do not wait for the run: print its name")
	fs.BoolVar(&f.remove, "rm", false, "If true, delete the run when the command ends, also on Ctrl-C")
	fs.StringVar(&f.output, "output", "", "`File` for the executed notebook; by default, FILE.executed.ipynb in the current directory")
	fs.StringVar(&f.keep, "keep", "1d", "How long to keep the Job and its output after its end, such as 2h or 7d")
	fs.DurationVar(&f.deadline, "deadline", 0, "The length of time after which the program is ended; 0 means never")
	fs.DurationVar(&f.timeout, "timeout", notebook.DefaultTimeout, "The length of time to wait until the program starts; 0 means no timeout")
	fs.StringVar(&f.dryRun, "dry-run", plugin.DryRunNone, `Must be "none", "client" or "server". If client, print the objects; if server, also check them, without creating anything`)
	plugin.Complete(cmd, "dry-run", func() []string { return []string{plugin.DryRunNone, plugin.DryRunClient, plugin.DryRunServer} })
	if err := cmd.RegisterFlagCompletionFunc("like", notebook.CompleteNames(b, 0)); err != nil {
		panic(err) // a flag that does not exist: a mistake in the program
	}
	cmd.AddCommand(newListCommand(b), newLogsCommand(b), newDeleteCommand(b))
	return cmd
}

func completeFile(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return []string{"ipynb", "py"}, cobra.ShellCompDirectiveFilterFileExt
}

// arguments tells a file and what follows it from a command, which begins after a dash.
func (f *Flags) arguments(cmd *cobra.Command, args []string) error {
	f.program = args
	if cmd.ArgsLenAtDash() == 0 || len(args) == 0 {
		return nil
	}
	f.file, f.program = args[0], args[1:]
	return nil
}

// ToOptions checks what was typed, and reads the file.
func (f *Flags) ToOptions(b *plugin.Base) (*Options, error) {
	o := &Options{
		base: b, Like: f.like, NoVolumes: f.noVolumes, Sidecar: f.sidecar, Detach: f.detach, Remove: f.remove,
		Output: f.output, Timeout: f.timeout, Deadline: f.deadline, DryRun: f.dryRun,
	}
	var content []byte
	if f.file != "" {
		var err error
		if content, err = os.ReadFile(f.file); err != nil {
			return nil, fmt.Errorf("%w: specify a .ipynb or .py file, or a command after --", err)
		}
	}
	var err error
	if o.Program, err = runs.NewProgram(filepath.ToSlash(f.file), content, f.program); err != nil {
		return nil, err
	}
	if f.like == "" {
		return nil, errors.New("--like is required: the notebook whose image, volumes and account the run has")
	}
	if o.Change, err = f.ChangeFlags.Change(); err != nil {
		return nil, err
	}
	if o.Keep, err = notebook.ParseAge("keep", f.keep); err != nil {
		return nil, err
	}
	switch {
	case f.detach && f.remove:
		return nil, errors.New("--detach and --rm cannot be used together: the run would be deleted before it has ended")
	case f.output != "" && o.Program.Kind != runs.Notebook:
		return nil, errors.New("--output is for notebook files: the output of other programs is printed")
	case f.output != "" && f.detach:
		return nil, errors.New("--output and --detach cannot be used together: `kubectl jupyter notebook run logs NAME --output FILE` fetches the executed notebook later")
	case f.deadline < 0 || f.deadline%time.Second != 0:
		return nil, fmt.Errorf("--deadline: %s is not a whole number of seconds", f.deadline)
	}
	if err := errors.Join(plugin.CheckTimeout(f.timeout), plugin.CheckDryRun(f.dryRun)); err != nil {
		return nil, err
	}
	if o.Program.Kind == runs.Notebook && o.Output == "" {
		o.Output = strings.TrimSuffix(filepath.Base(f.file), filepath.Ext(f.file)) + ".executed.ipynb"
	}
	return o, writable(o.Output)
}

// writable refuses a file that could not be written at the end of a long run.
func writable(file string) error {
	if file == "" {
		return nil
	}
	if at, err := os.Stat(file); err == nil && at.IsDir() {
		return fmt.Errorf("--output: %s is a directory: specify a file", file)
	}
	if at, err := os.Stat(filepath.Dir(file)); err != nil || !at.IsDir() {
		return fmt.Errorf("--output: the directory %s does not exist", filepath.Dir(file))
	}
	return nil
}
