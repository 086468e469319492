package install

import (
	"context"
	"fmt"
	"strings"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/preflight"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// examine runs the checks before an installation, or only looks at what is there. The
// error is for whoever installs: it says that nothing was changed, as does the report where
// machine is to have one.
func (o *InstallOptions) examine(ctx context.Context, c *cluster.Cluster, engine *rollout.Engine, plan *rollout.Plan, messages *plugin.Messages, machine *view.Events) (*rollout.Survey, error) {
	survey, err := o.look(ctx, c, engine, plan, messages)
	if err != nil && machine != nil {
		machine.Document(view.Result{Report: o.unbegun(c, plan, err)})
	}
	return survey, err
}

func (o *InstallOptions) look(ctx context.Context, c *cluster.Cluster, engine *rollout.Engine, plan *rollout.Plan, messages *plugin.Messages) (*rollout.Survey, error) {
	if o.SkipPreflight {
		survey, err := engine.Survey(ctx, plan)
		if err != nil {
			return nil, plugin.BeforeWriting(ctx, o.Timeout, err)
		}
		return survey, o.Intent.Refusal(survey.Conflicts())
	}
	facts, survey, err := preflight.Look(ctx, c, engine, preflight.OptionsFor(&o.Intent, plan, true))
	if err != nil {
		return nil, plugin.BeforeWriting(ctx, o.Timeout, err)
	}
	findings := preflight.Judge(facts)
	for _, w := range findings.Warnings() {
		warn(messages, w)
	}
	return survey, refused(c, findings.Fatal())
}

// warn says in a line or two what an installation goes on with.
func warn(m *plugin.Messages, c report.Cause) {
	todo, _, _ := strings.Cut(c.Remedy, "\n")
	if c.Name == diagnose.ServerUntested || todo == "" {
		fmt.Fprintf(m, "warning: %s\n", c.Summary)
		return
	}
	fmt.Fprintf(m, "warning: %s (what to do: %s)\n", c.Summary, todo)
}

// refused ends a run before its first write; nil where nothing is fatal.
func refused(c *cluster.Cluster, fatal []report.Cause) error {
	if len(fatal) == 0 {
		return nil
	}
	said := fmt.Sprintf("%s: %s", c.Where(), fatal[0].Summary)
	if more := len(fatal) - 1; more > 0 {
		said += fmt.Sprintf(", and %d more", more)
	}
	return &rollout.Failure{Err: fmt.Errorf("%s: nothing was changed", said), Causes: fatal}
}
