// Package idle finds running notebooks that nobody uses, and says how that is known.
package idle

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/activity"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage/holders"
)

// Rule is what a notebook has to meet, all of it. What is zero is not asked for.
type Rule struct {
	// Idle is how long nothing has been done in it.
	Idle time.Duration
	// OlderThan is how long its pod has been there.
	OlderThan time.Duration
	// GPUBelow is a percentage that none of its GPUs reached while they were watched. One
	// without GPUs does not meet it.
	GPUBelow float64
	// Busy and Unknown take those too whose kernel runs something, or of which it is not
	// known what runs in them. They are left alone otherwise.
	Busy, Unknown bool
}

// Reason is why a notebook is left alone, in one word.
type Reason string

// The reasons.
const (
	NotRunning Reason = "NotRunning"
	IsBusy     Reason = "Busy"
	IsUnknown  Reason = "Unknown"
	InUse      Reason = "InUse"
	TooNew     Reason = "TooNew"
	NoGPU      Reason = "NoGPU"
	GPUInUse   Reason = "GPUInUse"
)

// Verdict is what becomes of one notebook.
type Verdict struct {
	holders.Notebook
	// GPU is what its GPUs did while they were watched; missing where they were not.
	GPU holders.WatchedUse
	// Stop is set where it meets the rule; otherwise Left and Why say why not.
	Stop bool
	Left Reason
	Why  string
}

// ParseDuration reads a time as people say it: 4h, 90m, 7d.
func ParseDuration(text string) (time.Duration, error) {
	d, err := model.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%q is not a length of time such as 4h, 90m or 7d", text)
	}
	return time.Duration(d), nil
}

// Judge applies a rule to notebooks. Watched is nil where the rule does not ask for GPUs.
func Judge(n *holders.Notebooks, watched *holders.Watched, r Rule) []Verdict {
	var out []Verdict
	for _, b := range n.Notebooks {
		v := Verdict{Notebook: b}
		if watched != nil {
			v.GPU = watched.OfNotebook(b.Namespace, b.Name)
		} else {
			none := usage.Missing[float64](usage.Absence{Reason: "GPUs were not watched"})
			v.GPU = holders.WatchedUse{Peak: none, Mean: none}
		}
		v.Left, v.Why = r.leaves(&v, n.Time)
		v.Stop = v.Left == ""
		out = append(out, v)
	}
	return out
}

// leaves says why a notebook is left alone; nothing where it is not.
func (r Rule) leaves(v *Verdict, now time.Time) (Reason, string) {
	switch {
	case v.Workspace:
		return NotRunning, "version 2 workspaces are not stopped by this command"
	case v.Phase != corev1.PodRunning || v.Server.Pod == "":
		return NotRunning, "it does not run"
	}
	if left, why := r.used(v.Use, now); left != "" {
		return left, why
	}
	if age := now.Sub(v.Created); age < r.OlderThan {
		return TooNew, "it was started " + duration.HumanDuration(age) + " ago"
	}
	if r.GPUBelow == 0 {
		return "", ""
	}
	peak, known := v.GPU.Peak.Get()
	switch {
	case len(v.GPUs) == 0:
		return NoGPU, "it has no GPU"
	case !known && r.Unknown:
	case !known:
		return IsUnknown, "whether its GPU is used is unknown: " + v.GPU.Peak.Why().Reason
	case peak >= r.GPUBelow:
		return GPUInUse, fmt.Sprintf("its GPU was used: up to %.0f%%", peak)
	}
	return "", ""
}

// used says why a notebook is left alone because of its use.
func (r Rule) used(u activity.Use, now time.Time) (Reason, string) {
	idle, known := u.Idle(now).Get()
	switch {
	case !known && r.Unknown:
		return "", ""
	case !known:
		return IsUnknown, u.Last.Why().Reason
	case u.Busy() && !r.Busy:
		return IsBusy, "a kernel is busy"
	case u.Busy():
		// Its last word may be old: one that waits for ever is busy too.
		idle = now.Sub(u.Reading.Last)
	}
	if idle < r.Idle {
		return InUse, "it was last used " + duration.HumanDuration(idle) + " ago"
	}
	return "", ""
}

// Still asks one notebook again, right before it is stopped: somebody may have come back
// meanwhile. It returns why it is left alone after all; nothing where it is not.
func (r Rule) Still(ctx context.Context, ask activity.Ask, v *Verdict, now func() time.Time) string {
	u := activity.Uses(ctx, ask, []activity.Subject{{Target: v.Server}}, now())[v.Server.Key()]
	_, why := r.used(u, now())
	return why
}
