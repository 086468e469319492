package lifecycle

import (
	"io"
	"strings"
	"testing"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/activity"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/idle"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/show"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage/holders"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

func TestWhatWouldBeStoppedAndHowThatIsKnown(t *testing.T) {
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	quiet := activity.Use{Last: usage.Known(now.Add(-5 * time.Hour)), Source: activity.FromKernels, At: now.Add(-2 * time.Second), Reading: &activity.Reading{
		At: now, Last: now.Add(-5 * time.Hour), Kernels: []activity.Kernel{{State: "idle", Last: now.Add(-5 * time.Hour)}},
	}}
	busy := activity.Use{Last: usage.Known(now), Source: activity.FromKernels, At: now.Add(-2 * time.Second), Reading: &activity.Reading{At: now, Kernels: []activity.Kernel{{State: "busy"}}}}
	silent := activity.Use{Last: usage.Missing[time.Time](usage.Absence{Reason: "it did not answer"})}
	peak := func(percent float64) holders.WatchedUse {
		return holders.WatchedUse{Peak: usage.Known(percent), Samples: 40}
	}
	notebook := func(name string, use activity.Use) holders.Notebook {
		return holders.Notebook{Namespace: "kubeflow-ada", Name: name, Owner: usage.Known("ada@example.com"), GPUs: map[string]int64{"nvidia.com/gpu": 1}, Created: now.Add(-50 * time.Hour), Use: use}
	}
	all := []idle.Verdict{
		{Notebook: notebook("lab", quiet), GPU: peak(1.5), Stop: true},
		{Notebook: notebook("train", busy), GPU: peak(90), Left: idle.IsBusy, Why: "a kernel is busy"},
		{Notebook: notebook("r", silent), GPU: peak(0), Left: idle.IsUnknown, Why: "it did not answer"},
	}
	o := &IdleOptions{Rule: idle.Rule{Idle: 4 * time.Hour, GPUBelow: 5}}
	for format, want := range map[string]string{
		view.FormatTable: `
NAMESPACE      NAME   OWNER             GPU                AGE    IDLE   KNOWN BY                                           GPU-PEAK   SAMPLES
kubeflow-ada   lab    ada@example.com   nvidia.com/gpu:1   2d2h   5h     1 kernel, 0 terminals, 0 connections (2s ago)      1%         40
`,
		view.FormatWide: `
NAMESPACE      NAME    OWNER             GPU                AGE    IDLE        KNOWN BY                                              GPU-PEAK   SAMPLES   STOP   WHY NOT
kubeflow-ada   lab     ada@example.com   nvidia.com/gpu:1   2d2h   5h          1 kernel, 0 terminals, 0 connections (2s ago)          1%         40        yes    -
kubeflow-ada   train   ada@example.com   nvidia.com/gpu:1   2d2h   busy        1 kernel (1 busy), 0 terminals, 0 connections (2s ago)   90%        40        -      a kernel is busy
kubeflow-ada   r       ada@example.com   nvidia.com/gpu:1   2d2h   <unknown>   it did not answer                                     0%         40        -      it did not answer
`,
		view.Name: "\nnotebook.kubeflow.org/lab\n",
	} {
		var b strings.Builder
		look := show.LookOptions{Base: &plugin.Base{IOStreams: genericiooptions.IOStreams{Out: io.Discard}}, Format: format, Headers: true}.Looks()
		if err := look.Print(&b, o.face(all, now, nil, nil), true); err != nil {
			t.Fatal(err)
		}
		if fields(b.String()) != fields(want) {
			t.Errorf("%s: got\n%s", format, b.String())
		}
	}
	if got, want := summary(all, 1, "cluster x"), "In cluster x, 1 notebook of 3 meet all conditions. Left alone: 1 Busy, 1 Unknown (-o wide shows why).\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	rows := o.face(all, now, map[string]bool{"kubeflow-ada/lab": true}, nil).CSV()
	if len(rows) != 4 || len(rows[1]) != len(rows[0]) || rows[1][len(rows[1])-1] != "true" || rows[2][len(rows[2])-1] != "false" {
		t.Errorf("csv: %v", rows)
	}
}

// fields are the words of a text, whatever is between them.
func fields(s string) string { return strings.Join(strings.Fields(s), " ") }
