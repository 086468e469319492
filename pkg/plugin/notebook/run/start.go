package run

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/fit"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/runs"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/notebook"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

const (
	// checking bounds what is asked before anything is created.
	checking = time.Minute
	// deleting bounds the deletion of a run whose command was interrupted.
	deleting = 15 * time.Second
)

// Run runs.
func (o *Options) Run(ctx context.Context) error {
	place, err := notebook.Find(ctx, o.base)
	if err != nil {
		return err
	}
	objects, err := o.prepare(ctx, place)
	if err != nil {
		return err
	}
	w := o.base.ErrOut
	if len(objects.Left) > 0 {
		fmt.Fprintf(w, "warning: the run does not have the notebook's other containers: %s\n", plugin.List(objects.Left))
	}
	if o.DryRun != plugin.DryRunNone {
		if o.DryRun == plugin.DryRunServer {
			if err := runs.Start(ctx, place.Cluster, objects, true); err != nil {
				return err
			}
		}
		return o.print(objects)
	}
	name := objects.Job.Name
	fmt.Fprintf(w, "Running %s as Job %s in %s.\n", o.Program.Title(), name, place)
	if err := runs.Start(ctx, place.Cluster, objects, false); err != nil {
		return err
	}
	if o.Detach {
		fmt.Fprintf(w, "To see its output: %s\n", logsCommand(place.Namespace, name))
		_, err := fmt.Fprintf(o.base.Out, "job.batch/%s created\n", name)
		return err
	}
	err = follow(ctx, o.base, place, name, &followOptions{output: o.Output, timeout: o.Timeout, follow: true})
	if o.Remove {
		return errors.Join(err, o.remove(ctx, place, name))
	}
	if ctx.Err() != nil {
		fmt.Fprintf(w, "\nThe run goes on. To see its output: %s\nTo end it: kubectl jupyter notebook run delete %s -n %s\n",
			logsCommand(place.Namespace, name), name, place.Namespace)
	}
	return err
}

func logsCommand(namespace, name string) string {
	return fmt.Sprintf("kubectl jupyter notebook run logs %s -n %s", name, namespace)
}

// remove deletes the run, also after Ctrl-C.
func (o *Options) remove(ctx context.Context, place *notebook.Place, name string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deleting)
	defer cancel()
	if err := runs.Delete(ctx, place.Cluster, place.Namespace, name); err != nil {
		return err
	}
	fmt.Fprintf(o.base.ErrOut, "Job %s deleted.\n", name)
	return nil
}

// print writes what would be created.
func (o *Options) print(objects *runs.Objects) error {
	all, err := objects.All()
	if err != nil {
		return err
	}
	return view.Manifests(o.base.Out, view.YAML, all)
}

// prepare makes the objects, and finds out whether they would run.
func (o *Options) prepare(ctx context.Context, place *notebook.Place) (*runs.Objects, error) {
	ctx, cancel := context.WithTimeout(ctx, checking)
	defer cancel()
	like, err := notebooks.GetObject(ctx, place.Cluster, place.Namespace, o.Like)
	if err != nil {
		return nil, err
	}
	facts, err := fit.Read(ctx, place.Cluster, place.Namespace)
	if err != nil {
		return nil, err
	}
	change := o.Change
	if err := place.Resolve(ctx, &change, facts); err != nil {
		return nil, err
	}
	objects, err := runs.Build(runs.Request{
		Program: o.Program, Like: like, Change: change, NoVolumes: o.NoVolumes, Sidecar: o.Sidecar, Keep: o.Keep, Deadline: o.Deadline,
	})
	if err != nil || o.DryRun == plugin.DryRunClient {
		return objects, err
	}
	tie, err := facts.Tie(objects.Pod())
	if err != nil {
		return nil, err
	}
	if tie != nil {
		fmt.Fprintln(o.base.ErrOut, "Note:", tie)
		tie.Bind(&objects.Job.Spec.Template.Spec)
	}
	verdict, err := facts.TryPod(ctx, runs.RefOf(place.Namespace, objects.Job.Name), objects.Pod())
	if err != nil {
		return nil, err
	}
	for _, p := range verdict.Problems {
		fmt.Fprintf(o.base.ErrOut, "warning: %s\n", p)
	}
	if len(verdict.Causes) == 0 {
		return objects, nil
	}
	failure := &rollout.Failure{Err: fmt.Errorf("a run like notebook %s would not start: nothing was created", o.Like), Causes: verdict.Causes}
	if tie != nil {
		failure.Err = fmt.Errorf("%w: nothing was created", tie.Refuse(verdict.Causes[0].Summary))
	}
	return nil, failure
}

// followOptions are how the output of a run is shown.
type followOptions struct {
	// output is the file for the executed notebook, empty where it is not wanted.
	output  string
	timeout time.Duration
	follow  bool
}

// follow shows what a run says; its error has the exit code of the program.
func follow(ctx context.Context, b *plugin.Base, place *notebook.Place, name string, o *followOptions) error {
	job, err := runs.Get(ctx, place.Cluster, place.Namespace, name)
	if err != nil {
		return err
	}
	f := &runs.Follower{
		Cluster: place.Cluster, Out: b.Out, Patience: o.timeout, Once: !o.follow,
		Progress: func(line string) { fmt.Fprintf(b.ErrOut, "%s: %s\n", name, line) },
		Causes: func(causes []report.Cause) {
			for _, c := range causes {
				fmt.Fprintf(b.ErrOut, "%s: %s: %s\n", name, c.Name, c.Summary)
			}
		},
	}
	end, err := f.Follow(ctx, job)
	if err != nil || end == nil {
		return err
	}
	if err := deliver(b, o.output, end); err != nil {
		return err
	}
	if end.Code == 0 {
		return nil
	}
	why := ""
	if end.Reason != "" && end.Reason != "Error" {
		why = " (" + end.Reason + ")"
	}
	fmt.Fprintf(b.ErrOut, "error: %s: the program ended with exit code %d%s\n", runs.RefOf(place.Namespace, name), end.Code, why)
	return plugin.Exited(end.Code)
}

// deliver writes the executed notebook to its file. That there is none is a warning where
// the program has failed, and a failure of its own where not.
func deliver(b *plugin.Base, file string, end *runs.End) error {
	switch {
	case end.Lost != nil && end.Code != 0:
		fmt.Fprintf(b.ErrOut, "warning: there is no executed notebook: %v\n", end.Lost)
		return nil
	case end.Lost != nil:
		return fmt.Errorf("there is no executed notebook: %w", end.Lost)
	case end.Notebook == nil:
		return nil
	case file == "":
		fmt.Fprintln(b.ErrOut, "The executed notebook is not written: specify a file with --output")
		return nil
	}
	if err := write(file, end.Notebook); err != nil {
		return fmt.Errorf("--output: %w", err)
	}
	fmt.Fprintf(b.ErrOut, "Executed notebook: %s\n", file)
	return nil
}

// write writes a file whole or not at all.
func write(file string, content []byte) error {
	part, err := os.CreateTemp(filepath.Dir(file), "."+strings.TrimPrefix(filepath.Base(file), ".")+".*")
	if err != nil {
		return err
	}
	_, err = part.Write(content)
	err = errors.Join(err, part.Chmod(0o644), part.Close())
	if err == nil {
		err = os.Rename(part.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(part.Name()))
	}
	return nil
}
