package run

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/utils/ptr"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/runs"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/notebook"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/show"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// ListFlags are what was typed.
type ListFlags struct {
	show.LookFlags
	show.AllNamespacesFlag
}

// ListOptions are what is meant.
type ListOptions struct {
	show.LookOptions
	All bool
}

func newListCommand(b *plugin.Base) *cobra.Command {
	f := &ListFlags{}
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List runs with their state and exit code",
		Long: `List runs with their state and exit code, the newest first.

STATE is Suspended (by a queue, for example), Waiting, Running, Succeeded or Failed. A run is
deleted some time after its end, as "notebook run --keep" specified.`,
		Example: plugin.Examples(`
			# List the runs of your namespace
			kubectl jupyter notebook run list

			# Watch the runs of all namespaces, with nodes and reasons
			kubectl jupyter notebook run list -A -o wide --watch

			# Print the names of the runs that have failed
			kubectl jupyter notebook run list -o json | jq -r '.runs[] | select(.state == "Failed") | .name'`),
		Args: plugin.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := f.ToOptions(b)
			return plugin.Run(cmd, o, err)
		},
	}
	f.LookFlags.Add(cmd)
	f.AllNamespacesFlag.Add(cmd, "runs")
	return cmd
}

// ToOptions checks what was typed.
func (f *ListFlags) ToOptions(b *plugin.Base) (*ListOptions, error) {
	looks, err := f.LookFlags.Options(b)
	if err != nil {
		return nil, err
	}
	all, err := f.AllNamespacesFlag.Given(b)
	return &ListOptions{LookOptions: looks, All: all}, err
}

// Run lists.
func (o *ListOptions) Run(ctx context.Context) error {
	place, err := notebook.FindAll(ctx, o.Base, o.Timeout, o.All)
	if err != nil {
		return err
	}
	return o.Show(ctx, func(ctx context.Context) (view.Look, error) {
		l, err := runs.Read(ctx, place.Cluster, place.Namespace)
		if err != nil {
			return view.Look{}, err
		}
		return face(l, place.Namespace), nil
	})
}

// document is the whole of `notebook run list -o json`.
type document struct {
	APIVersion string     `json:"apiVersion"`
	Kind       string     `json:"kind"`
	Time       time.Time  `json:"time"`
	Runs       []runs.Run `json:"runs"`
	Problems   []string   `json:"problems"`
}

func face(l *runs.List, namespace string) view.Look {
	problems := slices.Clone(l.Problems)
	if len(l.Runs) == 0 {
		problems = append(problems, show.NoneFound("no runs found", namespace))
	}
	return view.Look{
		Grid: func(wide bool) view.Grid { return grid(l, namespace == "", wide) },
		CSV:  func() [][]string { return rows(l) },
		Document: func() any {
			return document{report.APIVersion, "RunList", l.Time.UTC(), append([]runs.Run{}, l.Runs...), append([]string{}, l.Problems...)}
		},
		Names: func() []string {
			var out []string
			for _, r := range l.Runs {
				out = append(out, "job.batch/"+r.Name)
			}
			return out
		},
		Problems: problems,
	}
}

var levels = map[runs.State]view.Level{
	runs.Running: view.Calm, runs.Waiting: view.Raised, runs.Suspended: view.Raised, runs.Failed: view.High, runs.Succeeded: view.Faint,
}

func grid(l *runs.List, all, wide bool) view.Grid {
	headers := []string{"NAME", "LIKE", "PROGRAM", "STATE", "CODE", "GPU", "DURATION", "AGE"}
	return show.Rows(l.Runs, all, wide, headers, []string{"REASON", "NODE"}, func(r *runs.Run) (string, []view.Cell, []view.Cell) {
		took := ""
		if d, ok := r.Took(l.Time); ok {
			took = show.Age(d)
		}
		return r.Namespace, []view.Cell{
			view.Text(r.Name), view.Text(r.Like), view.Text(r.Program),
			{Text: string(r.State), Level: levels[r.State]},
			view.Text(code(*r)),
			view.Text(usage.CountsText(r.GPUs, "%d", ",")), view.Text(took), view.Text(show.Age(l.Time.Sub(r.Created))),
		}, []view.Cell{view.Text(r.Reason), view.Text(r.Node)}
	})
}

func code(r runs.Run) string {
	if r.Code == nil {
		return ""
	}
	return strconv.Itoa(*r.Code)
}

// rows are in base units; empty is not known or does not apply.
func rows(l *runs.List) [][]string {
	out := [][]string{strings.Split("namespace,name,like,kind,program,state,reason,exit_code,node,gpus,created,started,ended", ",")}
	for _, r := range l.Runs {
		out = append(out, []string{
			r.Namespace, r.Name, r.Like, string(r.Kind), r.Program, string(r.State), r.Reason, code(r), r.Node, usage.CountsText(r.GPUs, "%d", ";"),
			show.Stamp(r.Created), show.Stamp(ptr.Deref(r.Started, time.Time{})), show.Stamp(ptr.Deref(r.Ended, time.Time{})),
		})
	}
	return out
}
