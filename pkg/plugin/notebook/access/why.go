package access

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/why"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/notebook"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// WhyOptions are what is meant.
type WhyOptions struct {
	base    *plugin.Base
	Name    string
	Format  string
	Timeout time.Duration
}

// NewWhy is `notebook why`.
func NewWhy(b *plugin.Base) *cobra.Command {
	o := &WhyOptions{base: b}
	cmd := &cobra.Command{
		Use:     "why NAME",
		GroupID: notebook.GroupManage,
		Short:   "Show why a notebook does not start, or does not answer",
		Long: `Show why a notebook does not start, or does not answer, with the causes and remedies of
kubectl jupyter status.

Causes are, for example: a quota or LimitRange, no node with enough CPU, memory or GPUs, GPUs
that are free but not on one node, taints, an image that cannot be pulled, a volume, a
PodDefault, a crash, a scheduling gate such as that of Kueue, a missing sidecar, or a sidecar
with a certificate of an earlier installation. The server of a running notebook is asked
through the API server whether it answers.

Exit codes:
  0  the notebook runs and answers, or it is stopped
  1  it does not start or does not answer, it is still starting, or it does not exist
  2  the result could not be determined`,
		Example: plugin.Examples(`
			# Show why a notebook does not start
			kubectl jupyter notebook why vision

			# Print the names of the causes
			kubectl jupyter notebook why vision -o jsonpath='{.causes[*].name}'

			# Explain a notebook of another namespace, as YAML
			kubectl jupyter notebook why vision -n team-a -o yaml`),
		Args:              notebook.OneName,
		ValidArgsFunction: notebook.CompleteNames(b, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Name = args[0]
			return plugin.Run(cmd, o, o.check())
		},
	}
	fs := cmd.Flags()
	fs.StringVarP(&o.Format, "output", "o", view.FormatTable, "Output format. One of: (table, json, yaml, jsonpath=TEMPLATE)")
	fs.DurationVar(&o.Timeout, "timeout", time.Minute, "The length of time to wait before giving up on reading the cluster; 0 means no timeout")
	plugin.Complete(cmd, "output", func() []string { return []string{view.FormatTable, view.JSON, view.YAML, view.JSONPath + "="} })
	return cmd
}

func (o *WhyOptions) check() error {
	if err := view.CheckOutput(o.Format, view.FormatTable); err != nil {
		return err
	}
	return plugin.CheckTimeout(o.Timeout)
}

// Run shows why.
func (o *WhyOptions) Run(ctx context.Context) error {
	ctx, cancel := plugin.Within(ctx, o.Timeout)
	defer cancel()
	place, err := notebook.Find(ctx, o.base)
	if err != nil {
		return plugin.Unclear(err)
	}
	a, err := why.Ask(ctx, place.Cluster, place.Namespace, o.Name)
	switch {
	case notebooks.IsMissing(err):
		return err
	case err != nil:
		return plugin.Unclear(err)
	}
	if o.Format == view.FormatTable {
		err = o.print(o.base.Out, a, time.Now())
	} else {
		err = view.Document(o.base.Out, o.Format, a.Document(report.APIVersion, time.Now()))
	}
	switch {
	case err != nil:
		return err
	case a.Unclear():
		return plugin.Unclear(plugin.ErrSilent)
	case !a.Works():
		return plugin.ErrSilent
	}
	return nil
}

func (o *WhyOptions) print(w io.Writer, a *why.Answer, now time.Time) error {
	for _, p := range a.Problems {
		fmt.Fprintf(o.base.ErrOut, "warning: %s\n", p)
	}
	style := plugin.StyleFor(w)
	if _, err := fmt.Fprintf(w, "%s: %s%s\n", a.Notebook.Ref(), style.Bold(string(a.Notebook.State)), since(a, now)); err != nil {
		return err
	}
	if len(a.Causes) == 0 {
		return nil
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	return view.Causes(w, a.Causes, style)
}

// since is what there is to say behind the state.
func since(a *why.Answer, now time.Time) string {
	n := a.Notebook
	switch {
	case n.State == notebooks.Running && a.Serves != nil && *a.Serves:
		return fmt.Sprintf(" on node %s, and its server answers (asked through the API server)", n.Node)
	case n.State == notebooks.Running:
		return " on node " + n.Node
	case n.State == notebooks.Stopped:
		return fmt.Sprintf(" since %s: `kubectl jupyter notebook start %s -n %s` starts it", duration.HumanDuration(now.Sub(n.Stopped)), n.Name, n.Namespace)
	}
	return ""
}
