// Package edit is `notebook edit`.
package edit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/edits"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/notebook"
)

// Flags are what was typed.
type Flags struct {
	notebook.ChangeFlags
	yes, resume, undo bool
	dryRun            string
	timeout           time.Duration
}

// Options are what is meant.
type Options struct {
	base   *plugin.Base
	Name   string
	Change edits.Change
	// Continue and Undo are for an edit that was interrupted.
	Continue, Undo bool
	Yes            bool
	DryRun         string
	Timeout        time.Duration
}

// New is `notebook edit`.
func New(b *plugin.Base) *cobra.Command {
	f := &Flags{}
	cmd := &cobra.Command{
		Use:     "edit NAME",
		GroupID: notebook.GroupManage,
		Short:   "Change CPU, memory, GPUs, image or variables of a notebook",
		Long: `Change CPU, memory, GPUs, image or environment variables of a notebook.

The old and the new values are shown first, and whether quota, nodes and webhooks allow the
new ones is checked as for "notebook create". Then a running notebook is stopped, changed
and started again, and the command waits until it is ready. If it does not get ready within
the timeout, or if waiting cannot help, it gets its old values back, is started again, and
the command fails. Volumes are kept; kernels and terminals end.

A stopped notebook is changed and stays stopped.

While an edit is in progress, the notebook has the old and the new values in an annotation.
If the command is interrupted, run it again with --continue or with --undo.`,
		Example: plugin.Examples(`
			# Give a notebook more memory
			kubectl jupyter notebook edit lab --memory 16Gi

			# Add a GPU and take an image that can use it, without the prompt for confirmation
			kubectl jupyter notebook edit lab --gpu 1 --image pytorch-cuda-full --yes

			# Set a variable, remove another, and show what would change
			kubectl jupyter notebook edit lab --env HF_HOME=/data/hf --env DEBUG- --dry-run=server

			# Undo an edit that was interrupted
			kubectl jupyter notebook edit lab --undo`),
		Args:              notebook.OneName,
		ValidArgsFunction: notebook.CompleteNames(b, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.ToOptions(b, args[0])
			return plugin.Run(cmd, o, err)
		},
	}
	f.ChangeFlags.Add(cmd)
	fs := cmd.Flags()
	fs.BoolVar(&f.resume, "continue", false, "If true, finish an edit that was interrupted")
	fs.BoolVar(&f.undo, "undo", false, "If true, put back the values from before an edit that was interrupted")
	fs.BoolVarP(&f.yes, "yes", "y", false, "If true, do not prompt for confirmation")
	fs.StringVar(&f.dryRun, "dry-run", plugin.DryRunNone, `Must be "none" or "server". If server, show what would change and check it, without changing anything`)
	fs.DurationVar(&f.timeout, "timeout", notebook.DefaultTimeout, "The length of time to wait until the notebook has stopped, and again until it is ready; 0 means no timeout")
	plugin.Complete(cmd, "dry-run", func() []string { return []string{plugin.DryRunNone, plugin.DryRunServer} })
	return cmd
}

// ToOptions checks what was typed.
func (f *Flags) ToOptions(b *plugin.Base, name string) (*Options, error) {
	change, err := f.ChangeFlags.Change()
	if err != nil {
		return nil, err
	}
	o := &Options{base: b, Name: name, Change: change, Continue: f.resume, Undo: f.undo, Yes: f.yes, DryRun: f.dryRun, Timeout: f.timeout}
	switch {
	case f.resume && f.undo:
		return nil, errors.New("--continue and --undo cannot be used together")
	case (f.resume || f.undo) && !change.Empty():
		return nil, errors.New("--continue and --undo are for the values of the interrupted edit: omit the new ones")
	case !f.resume && !f.undo && change.Empty():
		return nil, errors.New("nothing to change: specify --cpu, --memory, --gpu, --image or --env")
	case f.dryRun != plugin.DryRunNone && f.dryRun != plugin.DryRunServer:
		return nil, fmt.Errorf("--dry-run: unknown value %q: must be none or server", f.dryRun)
	}
	return o, plugin.CheckTimeout(f.timeout)
}

// Run edits.
func (o *Options) Run(ctx context.Context) error {
	place, err := notebook.Find(ctx, o.base)
	if err != nil {
		return err
	}
	editor := edits.NewEditor(place.Cluster, place.Namespace)
	editor.Timeout = o.Timeout
	editor.Say = func(line string) { fmt.Fprintf(o.base.ErrOut, "%s: %s\n", o.Name, line) }
	u, err := notebooks.GetObject(ctx, place.Cluster, place.Namespace, o.Name)
	if err != nil {
		return err
	}
	begun, err := edits.Interrupted(u)
	if err != nil {
		return err
	}
	if o.Continue || o.Undo {
		return o.finish(ctx, place, editor, begun)
	}
	if begun != nil {
		return fmt.Errorf("%s: an edit of %s was interrupted: finish it with --continue, or take it back with --undo, first",
			begun.Notebook.Ref(), begun.Began().Local().Format(time.DateTime))
	}
	return o.edit(ctx, place, editor, u)
}
