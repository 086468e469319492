package data

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/container"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/copying"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/notebook"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// CpFlags are what was typed.
type CpFlags struct {
	container string
	force     bool
	output    string
}

// CpOptions are what is meant.
type CpOptions struct {
	target
	// Source and Target are paths; FromNotebook tells which of the two is in the notebook.
	Source, Target string
	FromNotebook   bool
	Force          bool
	Format         string
}

// NewCp is `notebook cp`.
func NewCp(b *plugin.Base) *cobra.Command {
	f := &CpFlags{}
	cmd := &cobra.Command{
		Use:     "cp SOURCE TARGET",
		GroupID: notebook.GroupWork,
		Short:   "Copy files and folders to and from a notebook",
		Long: `Copy files and folders to and from a notebook. One of SOURCE and TARGET is NAME:PATH, the
other a path of this machine. A PATH that does not begin with / begins in the working
directory of the notebook's image. If TARGET is a folder, the copy is placed in it.

Files grow under a temporary name next to the target, are compared with the source (SHA-256),
and only then get their name. If the connection breaks, the copy continues where it was, as
does the same command after it was interrupted. A file of the target with other contents is
only replaced with --force; one with the same contents is not copied again.

Permissions and modification times are kept. Symbolic links, devices and the folder lost+found
are not copied. The image needs a shell and the usual programs (find, head, tail, dd); without
tar many small files take longer, without sha256sum only sizes are compared.`,
		Example: plugin.Examples(`
			# Copy a file into the working directory of notebook lab
			kubectl jupyter notebook cp model.bin lab:

			# Copy a folder to a volume
			kubectl jupyter notebook cp ./data lab:/home/jovyan/

			# Copy the results back, and replace older ones
			kubectl jupyter notebook cp lab:/home/jovyan/results . --force`),
		Args: twoPaths,
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.ToOptions(b, args[0], args[1])
			return plugin.Run(cmd, o, err)
		},
	}
	fs := cmd.Flags()
	addContainer(cmd, &f.container)
	fs.BoolVar(&f.force, "force", false, "If true, replace files of the target that have other contents")
	fs.StringVarP(&f.output, "output", "o", "", "Output format. One of: (json, yaml, jsonpath=TEMPLATE), with the number of files and bytes, and how they were verified")
	plugin.Complete(cmd, "output", func() []string { return []string{view.JSON, view.YAML, view.JSONPath + "="} })
	return cmd
}

func twoPaths(cmd *cobra.Command, args []string) error {
	if len(args) == 2 {
		return nil
	}
	return plugin.UsageError(cmd, fmt.Errorf("%s requires a source and a target, got %s", cmd.CommandPath(), report.Count(len(args), "argument")))
}

// ToOptions checks what was typed.
func (f *CpFlags) ToOptions(b *plugin.Base, source, target string) (*CpOptions, error) {
	if f.output != "" {
		if err := view.CheckOutput(f.output); err != nil {
			return nil, err
		}
	}
	from, fromPath := inNotebook(source)
	to, toPath := inNotebook(target)
	o := &CpOptions{Source: fromPath, Target: toPath, FromNotebook: from != "", Force: f.force, Format: f.output}
	switch {
	case from != "" && to != "":
		return nil, fmt.Errorf("%s and %s are both in notebooks: copy to this machine first", source, target)
	case from == "" && to == "":
		return nil, fmt.Errorf("neither %s nor %s is in a notebook: write NAME:PATH for the one that is", source, target)
	case source == "" || target == "":
		return nil, errors.New("a path is empty: write . for the current directory")
	}
	o.target.base, o.Notebook, o.Container = b, from+to, f.container
	return o, nil
}

// inNotebook takes NAME:PATH apart; a path of this machine has no name.
func inNotebook(typed string) (name, path string) {
	name, path, is := strings.Cut(typed, ":")
	drive := runtime.GOOS == "windows" && len(name) == 1
	if !is || drive || notebooks.CheckName(name) != nil {
		return "", typed
	}
	return name, path
}

// Run copies.
func (o *CpOptions) Run(ctx context.Context) error {
	c, t, err := o.find(ctx, false)
	if err != nil {
		return err
	}
	inside, err := copying.Open(ctx, o.Notebook, func(ctx context.Context, command container.Command) error {
		return container.Exec(ctx, c, *t, command)
	})
	if err != nil {
		return err
	}
	var source, target copying.System = copying.Machine{}, inside
	if o.FromNotebook {
		source, target = inside, copying.Machine{}
	}
	from, to, err := copying.Resolve(ctx, source, o.Source, target, o.Target)
	if err != nil {
		return err
	}
	w := o.base.ErrOut
	if inside.Lacks("tar") {
		fmt.Fprintln(w, "The notebook's image has no tar: files are copied one by one, which takes longer.")
	}
	started := time.Now()
	meter := view.NewMeter(w, time.Now)
	result, err := copying.Copy(ctx, from, to, copying.Options{Force: o.Force, Notice: func(p copying.Progress) {
		if p.Broken != nil {
			meter.Say("The connection was lost, trying again: " + p.Broken.Error())
			return
		}
		meter.Show(string(p.Phase), p.Done, p.Bytes)
	}})
	meter.Close()
	if err != nil {
		return err
	}
	switch n := len(result.Left); {
	case n == 1:
		fmt.Fprintf(w, "warning: %s is a symbolic link or a device, and was not copied\n", result.Left[0])
	case n > 1:
		fmt.Fprintf(w, "warning: %d symbolic links or devices were not copied, such as %s\n", n, result.Left[0])
	}
	if result.Verified == copying.BySize {
		fmt.Fprintln(w, "warning: the notebook's image has no sha256sum: only the sizes were compared")
	}
	if o.Format != "" {
		return view.Document(o.base.Out, o.Format, result)
	}
	_, err = fmt.Fprintln(o.base.Out, summary(result, time.Since(started)))
	return err
}

// summary is a copy in one line.
func summary(r *copying.Result, took time.Duration) string {
	verified := "SHA-256 sums are equal"
	if r.Verified == copying.BySize {
		verified = "sizes are equal"
	}
	if r.Files == 0 && r.Same > 0 {
		return fmt.Sprintf("%s unchanged: %s had the same contents already", r.Target, report.Count(r.Same, "file"))
	}
	text := fmt.Sprintf("%s copied: %s, %s in %s; %s", r.Target, report.Count(r.Files, "file"), view.Bytes(r.Bytes), view.Elapsed(took), verified)
	if r.Resumed > 0 {
		text += fmt.Sprintf("; %s were there from an earlier run", view.Bytes(r.Resumed))
	}
	if r.Same > 0 {
		text += fmt.Sprintf("; %s had the same contents already", report.Count(r.Same, "file"))
	}
	return text
}
