package run

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/runs"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/notebook"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/show"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
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
	c, err := o.Connect(ctx)
	if err != nil {
		return err
	}
	namespace := ""
	if !o.All {
		within, cancel := plugin.Within(ctx, o.Timeout)
		defer cancel()
		if namespace, err = notebook.Namespace(within, o.Base, c); err != nil {
			return err
		}
	}
	return o.Show(ctx, func(ctx context.Context) (view.Look, error) {
		l, err := runs.Read(ctx, c, namespace)
		if err != nil {
			return view.Look{}, err
		}
		return face(l, namespace), nil
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
		none := "no runs found"
		if namespace != "" {
			none += " in namespace " + namespace + ": use -A for all namespaces"
		}
		problems = append(problems, none)
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
	out := view.Grid{Headers: []string{"NAME", "LIKE", "PROGRAM", "STATE", "CODE", "GPU", "DURATION", "AGE"}}
	if all {
		out.Headers = append([]string{"NAMESPACE"}, out.Headers...)
	}
	if wide {
		out.Headers = append(out.Headers, "REASON", "NODE")
	}
	for _, r := range l.Runs {
		took := ""
		if d, ok := r.Took(l.Time); ok {
			took = duration.HumanDuration(d)
		}
		row := []view.Cell{
			view.Text(r.Name), view.Text(r.Like), view.Text(r.Program),
			{Text: string(r.State), Level: levels[r.State]},
			view.Text(code(r)),
			view.Text(gpus(r, ",")), view.Text(took), view.Text(duration.HumanDuration(max(0, l.Time.Sub(r.Created)))),
		}
		if all {
			row = append([]view.Cell{view.Text(r.Namespace)}, row...)
		}
		if wide {
			row = append(row, view.Text(r.Reason), view.Text(r.Node))
		}
		out.Rows = append(out.Rows, row)
	}
	return out
}

func code(r runs.Run) string {
	if r.Code == nil {
		return ""
	}
	return strconv.Itoa(*r.Code)
}

func gpus(r runs.Run, separator string) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(r.GPUs)) {
		out = append(out, fmt.Sprintf("%s:%d", name, r.GPUs[name]))
	}
	return strings.Join(out, separator)
}

// rows are in base units; empty is not known or does not apply.
func rows(l *runs.List) [][]string {
	stamp := func(t *time.Time) string {
		if t == nil {
			return ""
		}
		return t.UTC().Format(time.RFC3339)
	}
	out := [][]string{strings.Split("namespace,name,like,kind,program,state,reason,exit_code,node,gpus,created,started,ended", ",")}
	for _, r := range l.Runs {
		out = append(out, []string{
			r.Namespace, r.Name, r.Like, string(r.Kind), r.Program, string(r.State), r.Reason, code(r), r.Node, gpus(r, ";"),
			stamp(&r.Created), stamp(r.Started), stamp(r.Ended),
		})
	}
	return out
}
