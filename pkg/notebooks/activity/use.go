package activity

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
)

// Use is when a notebook was last used, as far as anybody knows, and who says so.
type Use struct {
	// Last is when something was last done in it; missing with the reason.
	Last usage.Maybe[time.Time]
	// Source says what Last was learned from, At when; zero where that is not known.
	Source Source
	At     time.Time
	// Reading is what its server said; nil where that was not asked, or did not answer.
	Reading *Reading
	// Err is why a notebook that was asked has not said anything.
	Err error
}

// Busy tells that a kernel runs something, as far as its server was asked.
func (u Use) Busy() bool { return u.Reading != nil && u.Reading.Busy() > 0 }

// Idle is how long nothing has been done in it; zero while a kernel is busy.
func (u Use) Idle(now time.Time) usage.Maybe[time.Duration] {
	last, ok := u.Last.Get()
	switch {
	case !ok:
		return usage.Missing[time.Duration](u.Last.Why())
	case u.Busy():
		return usage.Known(time.Duration(0))
	}
	return usage.Known(max(0, now.Sub(last)))
}

// Text says in short how the use is known: what runs, who said so and how long ago.
func (u Use) Text(now time.Time) string {
	if _, ok := u.Last.Get(); !ok {
		return u.Last.Why().Reason
	}
	from := string(u.Source)
	if r := u.Reading; r != nil && u.Source != FromHeartbeat {
		from = Result{Reading: r}.Text()
	}
	if u.At.IsZero() {
		return from
	}
	return fmt.Sprintf("%s (%s ago)", from, duration.HumanDuration(max(0, now.Sub(u.At))))
}

// Document is the machine-readable form. What notebooks are called that kernels run is their
// owner's business.
type Document struct {
	Source Source `json:"source"`
	// Time is when the source was asked, or when it looked.
	Time *time.Time `json:"time"`
	// What follows is null where its server was not asked.
	Kernels     []KernelDocument   `json:"kernels"`
	Terminals   []TerminalDocument `json:"terminals"`
	Connections *int               `json:"connections"`
}

// KernelDocument is one kernel.
type KernelDocument struct {
	Name        string    `json:"name"`
	State       string    `json:"state"`
	Last        time.Time `json:"lastActivity"`
	Connections int       `json:"connections"`
}

// TerminalDocument is one terminal.
type TerminalDocument struct {
	Last time.Time `json:"lastActivity"`
}

// Document is nil where the use is not known.
func (u Use) Document() *Document {
	if _, ok := u.Last.Get(); !ok {
		return nil
	}
	d := &Document{Source: u.Source}
	if !u.At.IsZero() {
		at := u.At.UTC()
		d.Time = &at
	}
	if r := u.Reading; r != nil {
		d.Kernels, d.Terminals, d.Connections = []KernelDocument{}, []TerminalDocument{}, &r.Connections
		for _, k := range r.Kernels {
			d.Kernels = append(d.Kernels, KernelDocument{k.Name, k.State, k.Last.UTC(), k.Connections})
		}
		for _, t := range r.Terminals {
			d.Terminals = append(d.Terminals, TerminalDocument{t.Last.UTC()})
		}
	}
	return d
}

// Subject is a notebook whose use is to be found out.
type Subject struct {
	Target
	// Annotations are those of the Notebook, among which the controller writes.
	Annotations map[string]string
}

// Ask asks the servers of notebooks, as Read does.
type Ask func(context.Context, []Target) map[string]Result

// Uses says when notebooks were last used, by key: what the controller has written lately,
// else what their servers say, which ask is for. Without it nobody is asked.
//
// The controller knows kernels. What it writes of VS Code and RStudio is when they were
// started, and is not taken.
func Uses(ctx context.Context, ask Ask, subjects []Subject, now time.Time) map[string]Use {
	out := make(map[string]Use, len(subjects))
	var targets []Target
	for _, s := range subjects {
		last, looked, recorded := notebooks.Recorded(s.Annotations, now)
		switch {
		case recorded && s.Type == notebooks.Jupyter:
			out[s.Key()] = Use{Last: usage.Known(last), Source: FromController, At: looked}
		case s.Pod == "" || s.Started.IsZero():
			out[s.Key()] = unknown(usage.Absence{Reason: "its server does not run"})
		case ask == nil:
			out[s.Key()] = unknown(usage.Absence{Reason: "the notebook controller does not record its activity, and the notebook was not asked"})
		default:
			targets = append(targets, s.Target)
		}
	}
	if len(targets) == 0 {
		return out
	}
	for key, r := range ask(ctx, targets) {
		if r.Err != nil {
			u := unknown(absenceOf(r.Err))
			u.Err = r.Err
			out[key] = u
			continue
		}
		out[key] = Use{Last: usage.Known(r.Reading.LastAt(r.Reading.At)), Source: r.Reading.Source, At: r.Reading.At, Reading: r.Reading}
	}
	return out
}

// Learn finds out when the notebooks of a list were last used.
func Learn(ctx context.Context, ask Ask, l *notebooks.List) {
	var subjects []Subject
	for i := range l.Notebooks {
		if n := &l.Notebooks[i]; n.State == notebooks.Running {
			subjects = append(subjects, Subject{Target: TargetOf(n), Annotations: n.Annotations})
		}
	}
	used := Uses(ctx, ask, subjects, l.Time)
	for i := range l.Notebooks {
		n := &l.Notebooks[i]
		if u, ok := used[TargetOf(n).Key()]; ok && n.State == notebooks.Running {
			n.Used, n.Busy = &u.Last, u.Busy()
		}
	}
}

func unknown(why usage.Absence) Use { return Use{Last: usage.Missing[time.Time](why)} }

func absenceOf(err error) usage.Absence {
	if IsForbidden(err) {
		return usage.Absence{Forbidden: true, Reason: "the user is not allowed to connect to the notebook (create pods/portforward): " + err.Error()}
	}
	return usage.Absence{Reason: "the notebook did not say what runs in it: " + err.Error()}
}

// fresh is how long a reading is taken for the present by whoever looks again and again.
const fresh = 30 * time.Second

// Remembering asks, and asks nobody twice within half a minute: a watch that refreshes every
// few seconds would keep all notebooks busy with answers.
func Remembering(c *cluster.Cluster) Ask {
	return remembering(func(ctx context.Context, all []Target) map[string]Result { return Read(ctx, c, all) }, time.Now)
}

func remembering(ask Ask, now func() time.Time) Ask {
	type answer struct {
		Result
		target Target
		at     time.Time
	}
	var mu sync.Mutex
	said := map[string]answer{}
	return func(ctx context.Context, all []Target) map[string]Result {
		mu.Lock()
		defer mu.Unlock()
		out, at := make(map[string]Result, len(all)), now()
		var again []Target
		for _, t := range all {
			// A pod that was made anew is another one.
			if a, ok := said[t.Key()]; ok && a.target == t && at.Sub(a.at) < fresh {
				out[t.Key()] = a.Result
				continue
			}
			again = append(again, t)
		}
		if len(again) == 0 {
			return out
		}
		answers := ask(ctx, again)
		for _, t := range again {
			out[t.Key()] = answers[t.Key()]
			if ctx.Err() == nil {
				said[t.Key()] = answer{answers[t.Key()], t, at}
			}
		}
		return out
	}
}
