package rollout

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

const (
	// explainEvery is how often a run that makes no progress looks for causes. It reads
	// pods and events, which no single watch covers.
	explainEvery = 10 * time.Second
	// explainFor bounds the last look after a run has ended.
	explainFor = 15 * time.Second
)

// progress works out a component's state and tells it, one at a time for each
// component: a state worked out earlier must not be told later.
func (r *run) progress(n *node) {
	n.telling.Lock()
	defer n.telling.Unlock()
	row := r.row(n)
	n.mu.Lock()
	n.state = row.State
	n.mu.Unlock()
	done := n.acceptedNow()
	if row.State == report.Progressing || row.State == report.Ready {
		done = row.Ready
	}
	r.events.emit(report.Event{Kind: report.EventComponent, Component: n.Component.Name, State: row.State, Done: done, Total: row.Objects})
}

func (n *node) acceptedNow() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.acceptedN
}

func (r *run) row(n *node) report.Component {
	row := report.Component{Name: n.Component.Name, Title: n.Component.Title, Version: n.Component.Version}
	gated := true
	for i := range n.Component.Gates {
		gate := &n.Component.Gates[i]
		gated = gated && (!r.possible(gate) || n.gates[gate.Condition].holds())
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.existing {
		row.Objects = len(n.Objects) + len(n.Component.Produces)
	}
	row.Ready = n.readyN
	row.Changes = map[report.Action]int{}
	for k, v := range n.changes {
		row.Changes[k] = v
	}
	switch {
	case n.ready.holds() && gated:
		row.State = report.Ready
	case n.accepted.holds() && r.options.Wait:
		row.State = report.Progressing
	case n.accepted.holds():
		row.State = report.Accepted
	case n.acceptedN > 0:
		row.State = report.Applying
	default:
		row.State = report.Waiting
	}
	row.Elapsed = n.elapsed(row.State, r.started)
	return row
}

// elapsed is how long the component took until it was ready, or has taken so far.
func (n *node) elapsed(s report.State, started time.Time) float64 {
	if s == report.Ready && n.finished.IsZero() {
		n.finished = time.Now()
	}
	if s == report.Waiting {
		return 0
	}
	if n.begun.IsZero() {
		n.begun = time.Now()
	}
	end := n.finished
	if end.IsZero() {
		end = time.Now()
	}
	return end.Sub(n.begun).Seconds()
}

func (r *run) report() *report.Report {
	out := &report.Report{
		APIVersion: report.APIVersion, Kind: "Report", Release: r.plan.Release.Name, Profile: r.plan.Settings.Profile,
		Target: r.cluster.Target, Elapsed: time.Since(r.started).Seconds(),
	}
	pruned := map[string]int{}
	for _, m := range r.survey.pruned {
		pruned[m.component]++
	}
	for _, n := range r.graph.nodes {
		row := r.row(n)
		if p := pruned[row.Name]; p > 0 {
			row.Changes[report.Pruned] = p
			delete(pruned, row.Name)
		}
		out.Components = append(out.Components, row)
	}
	// Components that are not in the plan any more, such as a dropped kustomization.
	for _, name := range slices.Sorted(maps.Keys(pruned)) {
		out.Components = append(out.Components, report.Component{Name: name, State: report.Removed, Changes: map[report.Action]int{report.Pruned: pruned[name]}})
	}
	return out
}

// explainWhileWaiting names causes while there is still time to do something about
// them, and gives up on what cannot heal.
func (r *run) explainWhileWaiting(ctx context.Context) error {
	if r.options.Explain == nil {
		return nil
	}
	ticker := time.NewTicker(explainEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		for _, c := range r.options.Explain(ctx, r.subjects()) {
			if ctx.Err() != nil {
				return nil
			}
			if r.options.Hopeless != nil && r.options.Hopeless(c) {
				return fmt.Errorf("%s cannot become ready: %s", c.Object, c.Summary)
			}
			if c.Severity >= report.Error {
				r.events.warn(c.Component, c.Object, c.Name+": "+c.Summary)
			}
		}
	}
}

// failure says why a run ended, with the causes that the cluster shows.
func (r *run) failure(ctx context.Context, err error, out *report.Report) *Failure {
	f := &Failure{Err: err, Stood: stood(out)}
	switch {
	case ctx.Err() != nil && !errors.Is(context.Cause(ctx), ErrTimeout):
		f.Err = fmt.Errorf("%w: %s; run %s again to continue", ErrInterrupted, f.Stood, r.plan.command())
		return f
	case errors.Is(err, ErrTimeout):
		f.Err = fmt.Errorf("%w: %s", err, f.Stood)
	default:
		f.Err = fmt.Errorf("%w; %s", err, f.Stood)
	}
	if r.plan.From != nil {
		f.Err = fmt.Errorf("%w; %s", f.Err, r.standing(ctx))
	}
	subjects := r.subjects()
	if r.options.Explain != nil {
		if ctx.Err() != nil {
			ctx = context.WithoutCancel(ctx) // the caller's time is up, and the causes are still to be found
		}
		explaining, cancel := context.WithTimeout(ctx, explainFor)
		defer cancel()
		f.Causes = r.options.Explain(explaining, subjects)
	}
	if len(f.Causes) == 0 {
		f.Causes = unexplained(subjects)
	}
	out.Causes = f.Causes
	return f
}

// command that completes a run of the plan.
func (p *Plan) command() string {
	if p.From != nil {
		return "upgrade"
	}
	return "install"
}

// unexplained is what is left to say when nothing in the cluster tells more: which
// objects are not ready, and what was last heard of them.
func unexplained(subjects []Subject) []report.Cause {
	var out []report.Cause
	for _, s := range subjects {
		out = append(out, report.Cause{Name: "NotReady", Severity: report.Delay, Component: s.Component, Object: s.Ref, Summary: s.Message})
	}
	return out
}

// stood is one line: how far every component came.
func stood(out *report.Report) string {
	var ready int
	var rest []string
	for _, c := range out.Components {
		switch c.State {
		case report.Removed:
			continue
		case report.Ready:
			ready++
			continue
		}
		rest = append(rest, fmt.Sprintf("%s %s (%d of %d ready)", c.Name, strings.ToLower(string(c.State)), c.Ready, c.Objects))
	}
	line := fmt.Sprintf("%d of %d components are ready", ready, ready+len(rest))
	if len(rest) > 0 {
		line += "; not ready: " + strings.Join(rest, ", ")
	}
	return line
}
