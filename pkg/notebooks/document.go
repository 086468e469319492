package notebooks

import (
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
)

// ListKind of the document.
const ListKind = "NotebookList"

// ListDocument is the whole of `notebook list -o json`. Its fields keep their meaning as
// long as apiVersion stays; docs/notebooks.md describes them.
type ListDocument struct {
	APIVersion string     `json:"apiVersion"`
	Kind       string     `json:"kind"`
	Time       time.Time  `json:"time"`
	Notebooks  []Document `json:"notebooks"`
	Problems   []string   `json:"problems"`
}

// Document is one notebook. What is null is not known or does not apply.
type Document struct {
	Namespace string           `json:"namespace"`
	Name      string           `json:"name"`
	Type      Type             `json:"type"`
	Image     string           `json:"image"`
	Creator   string           `json:"creator,omitempty"`
	State     State            `json:"state"`
	Cause     *report.Cause    `json:"cause"`
	GPUs      map[string]int64 `json:"gpus"`
	Volumes   []string         `json:"volumes"`
	Pod       string           `json:"pod,omitempty"`
	Node      string           `json:"node,omitempty"`
	Created   time.Time        `json:"created"`
	// Started is when its container was.
	Started      *time.Time `json:"started"`
	Stopped      *time.Time `json:"stopped"`
	LastActivity *time.Time `json:"lastActivity"`
	Idle         *float64   `json:"idleSeconds"`
	// Missing has why a field is null that should not be, by its name.
	Missing map[string]usage.MissingDocument `json:"missing,omitempty"`
}

// Document is the machine-readable form.
func (l *List) Document(apiVersion string) ListDocument {
	out := ListDocument{APIVersion: apiVersion, Kind: ListKind, Time: l.Time.UTC(), Notebooks: []Document{}, Problems: append([]string{}, l.Problems...)}
	for i := range l.Notebooks {
		out.Notebooks = append(out.Notebooks, l.Notebooks[i].Document(l.Time))
	}
	return out
}

// Document is the machine-readable form of one.
func (n *Notebook) Document(now time.Time) Document {
	d := Document{
		Namespace: n.Namespace, Name: n.Name, Type: n.Type, Image: n.Image, Creator: n.Creator, State: n.State, Cause: n.Cause,
		GPUs: n.GPUs, Volumes: append([]string{}, n.Claims()...), Pod: n.Pod, Node: n.Node, Created: n.Created.UTC(),
		Started: stamp(n.Started), Stopped: stamp(n.Stopped), Missing: map[string]usage.MissingDocument{},
	}
	last := n.LastActivity(now)
	if t, ok := last.Get(); ok {
		d.LastActivity = stamp(t)
	}
	if d.Idle = usage.Seconds(n.Idle(now)); d.Idle == nil && n.State == Running {
		why := usage.MissingDocument(last.Why())
		d.Missing["lastActivity"], d.Missing["idleSeconds"] = why, why
	}
	return d
}

func stamp(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// LastActivity is when something was last done in it, as its server says, or as the
// controller has written it down lately. The controller knows kernels, and so nothing of VS
// Code and RStudio.
func (n *Notebook) LastActivity(now time.Time) usage.Maybe[time.Time] {
	if n.Used != nil {
		return *n.Used
	}
	if at, _, ok := Recorded(n.Annotations, now); ok && n.Type == Jupyter {
		return usage.Known(at)
	}
	return usage.Missing[time.Time](usage.Absence{Reason: "the notebook controller does not record its activity, and the notebook was not asked"})
}

// Idle is how long nothing has happened in it; of one that does not run, nothing is said.
func (n *Notebook) Idle(now time.Time) usage.Maybe[time.Duration] {
	last := n.LastActivity(now)
	t, ok := last.Get()
	switch {
	case n.State != Running:
		return usage.Missing[time.Duration](usage.Absence{Reason: "the notebook does not run"})
	case !ok:
		return usage.Missing[time.Duration](last.Why())
	}
	return usage.Known(max(0, now.Sub(t)))
}
