package idle

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/activity"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage/holders"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return noon.Add(-d) }

func idleFor(d time.Duration) activity.Use {
	return activity.Use{Last: usage.Known(ago(d)), Source: activity.FromKernels, At: noon, Reading: &activity.Reading{At: noon, Last: ago(d), Kernels: []activity.Kernel{{State: "idle", Last: ago(d)}}}}
}

// busySince has a kernel that runs something and said its last word then.
func busySince(d time.Duration) activity.Use {
	return activity.Use{Last: usage.Known(noon), Source: activity.FromKernels, At: noon, Reading: &activity.Reading{At: noon, Last: ago(d), Kernels: []activity.Kernel{{State: "busy", Last: ago(d)}}}}
}

func silent() activity.Use {
	return activity.Use{Last: usage.Missing[time.Time](usage.Absence{Reason: "it did not answer"}), Err: errors.New("it did not answer")}
}

func lab(use activity.Use) holders.Notebook {
	return holders.Notebook{
		Namespace: "ada", Name: "lab", Owner: usage.Known("ada@example.com"), Phase: corev1.PodRunning, Created: ago(48 * time.Hour), GPUs: map[string]int64{"nvidia.com/gpu": 1}, Use: use,
		Server: activity.Target{Namespace: "ada", Name: "lab", Pod: "lab-0", Type: notebooks.Jupyter, Started: ago(48 * time.Hour)},
	}
}

// watched has a GPU of the notebook whose use had a peak; below zero it is not known.
func watched(peak float64) *holders.Watched {
	use := holders.WatchedUse{Peak: usage.Known(peak), Mean: usage.Known(peak), Samples: 40}
	if peak < 0 {
		none := usage.Missing[float64](usage.Absence{Reason: "no exporter"})
		use = holders.WatchedUse{Peak: none, Mean: none}
	}
	return &holders.Watched{
		GPUs: &holders.GPUs{Time: noon, Rows: []holders.Row{{State: holders.Held, Pod: holders.Pod{Namespace: "ada", Name: "lab-0", Notebook: "lab"}}}},
		Uses: []holders.WatchedUse{use}, Samples: 40,
	}
}

func TestOnlyWhatMeetsTheWholeRuleIsStopped(t *testing.T) {
	hours := Rule{Idle: 4 * time.Hour}
	gpus := Rule{Idle: 4 * time.Hour, GPUBelow: 5}
	without := func(change func(*holders.Notebook)) holders.Notebook {
		n := lab(idleFor(5 * time.Hour))
		change(&n)
		return n
	}
	for name, tc := range map[string]struct {
		n       holders.Notebook
		rule    Rule
		watched *holders.Watched
		left    Reason
		why     string
	}{
		"idle for longer":                            {n: lab(idleFor(5 * time.Hour)), rule: hours},
		"idle for exactly as long":                   {n: lab(idleFor(4 * time.Hour)), rule: hours},
		"used since":                                 {n: lab(idleFor(3 * time.Hour)), rule: hours, left: InUse, why: "last used 3h ago"},
		"a kernel is busy":                           {n: lab(busySince(9 * time.Hour)), rule: hours, left: IsBusy, why: "a kernel is busy"},
		"a kernel is busy, whatever the rule is":     {n: lab(busySince(9 * time.Hour)), rule: Rule{OlderThan: time.Hour}, left: IsBusy},
		"a busy kernel was asked for":                {n: lab(busySince(9 * time.Hour)), rule: Rule{Idle: 4 * time.Hour, Busy: true}},
		"a busy kernel that has just said something": {n: lab(busySince(time.Hour)), rule: Rule{Idle: 4 * time.Hour, Busy: true}, left: InUse},
		"nobody knows what runs in it":               {n: lab(silent()), rule: hours, left: IsUnknown, why: "it did not answer"},
		"the unknown was asked for":                  {n: lab(silent()), rule: Rule{Idle: 4 * time.Hour, Unknown: true}},
		"the unknown, whatever the rule is":          {n: lab(silent()), rule: Rule{OlderThan: time.Hour}, left: IsUnknown},
		"old enough":                                 {n: lab(idleFor(5 * time.Hour)), rule: Rule{OlderThan: 24 * time.Hour}},
		"idle, and started lately":                   {n: lab(idleFor(5 * time.Hour)), rule: Rule{Idle: time.Hour, OlderThan: 7 * 24 * time.Hour}, left: TooNew, why: "started 2d ago"},
		"its GPU does nothing":                       {n: lab(idleFor(5 * time.Hour)), rule: gpus, watched: watched(4.9)},
		"its GPU was used":                           {n: lab(idleFor(5 * time.Hour)), rule: gpus, watched: watched(60), left: GPUInUse, why: "up to 60%"},
		"its GPU is unknown":                         {n: lab(idleFor(5 * time.Hour)), rule: gpus, watched: watched(-1), left: IsUnknown, why: "no exporter"},
		"its GPU is unknown, which was asked for":    {n: lab(idleFor(5 * time.Hour)), rule: Rule{Idle: 4 * time.Hour, GPUBelow: 5, Unknown: true}, watched: watched(-1)},
		"the GPU does nothing, a kernel does":        {n: lab(busySince(0)), rule: gpus, watched: watched(0), left: IsBusy},
		"it has no GPU": {
			n: without(func(n *holders.Notebook) { n.GPUs, n.Name = nil, "cpu" }), rule: gpus, watched: watched(0), left: NoGPU,
		},
		"it waits for a node":    {n: without(func(n *holders.Notebook) { n.Phase = corev1.PodPending }), rule: hours, left: NotRunning},
		"its server has crashed": {n: without(func(n *holders.Notebook) { n.Server.Pod = "" }), rule: hours, left: NotRunning},
		"a workspace":            {n: without(func(n *holders.Notebook) { n.Workspace = true }), rule: hours, left: NotRunning, why: "version 2"},
	} {
		t.Run(name, func(t *testing.T) {
			all := Judge(&holders.Notebooks{Time: noon, Notebooks: []holders.Notebook{tc.n}}, tc.watched, tc.rule)
			v := all[0]
			if v.Left != tc.left || v.Stop != (tc.left == "") || !strings.Contains(v.Why, tc.why) {
				t.Errorf("stop: %v, left because of %q: %q; want %q: %q", v.Stop, v.Left, v.Why, tc.left, tc.why)
			}
			d := DocumentOf("v1", noon, all, map[string]bool{"ada/lab": true}, nil).Notebooks[0]
			if _, known := v.Use.Last.Get(); known != (d.Idle != nil) || known != (d.Missing["idleSeconds"].Reason == "") || d.Stop != v.Stop || d.Stopped != (v.Name == "lab") {
				t.Errorf("the document has %+v", d)
			}
			if _, err := json.Marshal(d); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestANotebookThatSomebodyCameBackToIsLeftAlone(t *testing.T) {
	rule := Rule{Idle: 4 * time.Hour}
	v := Judge(&holders.Notebooks{Time: noon, Notebooks: []holders.Notebook{lab(idleFor(5 * time.Hour))}}, nil, rule)[0]
	for name, tc := range map[string]struct {
		answer activity.Result
		why    string
	}{
		"nothing has happened":               {activity.Result{Reading: idleFor(5 * time.Hour).Reading}, ""},
		"a cell was started":                 {activity.Result{Reading: busySince(0).Reading}, "a kernel is busy"},
		"a cell has run meanwhile":           {activity.Result{Reading: idleFor(time.Minute).Reading}, "last used 60s ago"},
		"it does not answer now":             {activity.Result{Err: errors.New("connection refused")}, "connection refused"},
		"it is of a kind that never answers": {activity.Result{Err: activity.ErrSilent}, "RStudio"},
	} {
		t.Run(name, func(t *testing.T) {
			ask := func(context.Context, []activity.Target) map[string]activity.Result {
				return map[string]activity.Result{"ada/lab": tc.answer}
			}
			why := rule.Still(t.Context(), ask, &v, func() time.Time { return noon })
			if (why == "") != (tc.why == "") || !strings.Contains(why, tc.why) {
				t.Errorf("left because of %q, want %q", why, tc.why)
			}
		})
	}
}
