// Package list is `notebook list`.
package list

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/activity"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/form"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/notebook"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/show"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// Flags are what was typed.
type Flags struct {
	show.LookFlags
	show.AllNamespacesFlag
	activity, noActivity bool
}

// Options are what is meant.
type Options struct {
	show.LookOptions
	All bool
	// Activity: notebooks are asked what runs in them.
	Activity bool
}

func New(b *plugin.Base) *cobra.Command {
	f := &Flags{}
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		GroupID: notebook.GroupManage,
		Short:   "List notebooks with their state, and its cause",
		Long: `List notebooks with their state, and its cause.

STATE is Running, Starting, Failed, Stopping, Stopped, Deleting or Unknown. CAUSE is why a
notebook does not run; run kubectl jupyter notebook why to show the evidence and the
remedy. GPU is what the notebook requests.

IDLE is the time since something was last done in the notebook, or busy while a kernel is:
as the notebook controller has recorded it, if culling is enabled, or else as the notebook
itself says. Notebooks are asked in a single namespace only; with -A, use --activity. Without
it, the number of requests does not depend on the number of notebooks.

The exit code is 0 if the notebooks could be listed, in whatever state they are.`,
		Example: plugin.Examples(`
			# List the notebooks of your namespace
			kubectl jupyter notebook list

			# List the notebooks of all namespaces with images, nodes and volumes
			kubectl jupyter notebook list -A -o wide

			# Watch the notebooks of one namespace
			kubectl jupyter notebook list -n kubeflow-user-example-com --watch

			# List the notebooks that cannot start, and why
			kubectl jupyter notebook list -A -o json | jq -r '.notebooks[] | select(.state == "Failed") | "\(.namespace)/\(.name): \(.cause.summary)"'`),
		Args: plugin.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := f.ToOptions(b)
			return plugin.Run(cmd, o, err)
		},
	}
	f.LookFlags.Add(cmd)
	f.AllNamespacesFlag.Add(cmd, "notebooks")
	cmd.Flags().BoolVar(&f.activity, "activity", false, "If true, ask notebooks what runs in them also with -A")
	cmd.Flags().BoolVar(&f.noActivity, "no-activity", false, "If true, do not ask notebooks what runs in them")
	cmd.MarkFlagsMutuallyExclusive("activity", "no-activity")
	return cmd
}

// ToOptions checks what was typed.
func (f *Flags) ToOptions(b *plugin.Base) (*Options, error) {
	looks, err := f.LookFlags.Options(b)
	if err != nil {
		return nil, err
	}
	all, err := f.AllNamespacesFlag.Given(b)
	return &Options{LookOptions: looks, All: all, Activity: f.activity || !all && !f.noActivity}, err
}

// Run lists.
func (o *Options) Run(ctx context.Context) error {
	place, err := notebook.FindAll(ctx, o.Base, o.Timeout, o.All)
	if err != nil {
		return err
	}
	ask := activity.Remembering(place.Cluster)
	return o.Show(ctx, func(ctx context.Context) (view.Look, error) {
		l, err := notebooks.Read(ctx, place.Cluster, place.Namespace)
		if err != nil {
			return view.Look{}, err
		}
		if o.Activity {
			activity.Learn(ctx, ask, l)
		}
		return face(l, place.Namespace), nil
	})
}

func face(l *notebooks.List, namespace string) view.Look {
	problems := l.Problems
	if len(l.Notebooks) == 0 {
		problems = append(slices.Clone(problems), show.NoneFound("no notebooks found", namespace))
	}
	return view.Look{
		Grid:     func(wide bool) view.Grid { return grid(l, namespace == "", wide) },
		CSV:      func() [][]string { return rows(l) },
		Document: func() any { return l.Document(report.APIVersion) },
		Names: func() []string {
			var out []string
			for i := range l.Notebooks {
				out = append(out, "notebook.kubeflow.org/"+l.Notebooks[i].Name)
			}
			return out
		},
		Problems: problems,
	}
}

func grid(l *notebooks.List, all, wide bool) view.Grid {
	headers := []string{"NAME", "TYPE", "IMAGE", "STATE", "CAUSE", "GPU", "AGE", "IDLE"}
	return show.Rows(l.Notebooks, all, wide, headers, []string{"CREATOR", "NODE", "VOLUMES", "WHY"}, func(n *notebooks.Notebook) (string, []view.Cell, []view.Cell) {
		image := form.ShortImage(n.Image)
		if wide {
			image = n.Image
		}
		var cause, why string
		if n.Cause != nil {
			cause, why = n.Cause.Name, n.Cause.Summary
		}
		cells := []view.Cell{
			view.Text(n.Name), view.Text(string(n.Type)), view.Text(image), stateCell(n.State), view.Text(cause),
			view.Text(n.GPUText()), view.Text(show.Age(l.Time.Sub(n.Created))), idleCell(n, l.Time),
		}
		more := []view.Cell{view.Text(n.Creator), view.Text(n.Node), view.Text(strings.Join(n.Claims(), ",")), view.Text(why)}
		return n.Namespace, cells, more
	})
}

func stateCell(s notebooks.State) view.Cell {
	level := map[notebooks.State]view.Level{
		notebooks.Running: view.Calm, notebooks.Starting: view.Raised, notebooks.Failed: view.High,
		notebooks.Stopped: view.Faint, notebooks.Unknown: view.Faint,
	}[s]
	return view.Cell{Text: string(s), Level: level}
}

func idleCell(n *notebooks.Notebook, now time.Time) view.Cell {
	if n.State != notebooks.Running {
		return view.Cell{}
	}
	return show.Idle(n.Busy, n.Idle(now))
}

// rows are in base units; empty is not known or does not apply.
func rows(l *notebooks.List) [][]string {
	out := [][]string{strings.Split("namespace,name,type,image,state,cause,why,gpus,creator,node,volumes,created,stopped,last_activity,idle_seconds", ",")}
	for i := range l.Notebooks {
		n := &l.Notebooks[i]
		var cause, why, last, idle string
		if n.Cause != nil {
			cause, why = n.Cause.Name, n.Cause.Summary
		}
		if t, ok := n.LastActivity(l.Time).Get(); ok {
			last = show.Stamp(t)
		}
		if d, ok := n.Idle(l.Time).Get(); ok {
			idle = strconv.FormatInt(int64(d.Seconds()), 10)
		}
		out = append(out, []string{
			n.Namespace, n.Name, string(n.Type), n.Image, string(n.State), cause, why, strings.ReplaceAll(n.GPUText(), ",", ";"),
			n.Creator, n.Node, strings.Join(n.Claims(), ";"), show.Stamp(n.Created), show.Stamp(n.Stopped), last, idle,
		})
	}
	return out
}
