package holders

import (
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/activity"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
)

// NotebooksDocument is the whole of `top notebooks -o json`.
type NotebooksDocument struct {
	APIVersion string             `json:"apiVersion"`
	Kind       string             `json:"kind"`
	Time       time.Time          `json:"time"`
	Notebooks  []NotebookDocument `json:"notebooks"`
	Problems   []string           `json:"problems"`
}

// NotebookDocument is one notebook. What is null is not known or does not apply.
type NotebookDocument struct {
	Namespace string   `json:"namespace"`
	Name      string   `json:"name"`
	Workspace bool     `json:"workspace"`
	Owner     *string  `json:"owner"`
	Nodes     []string `json:"nodes"`
	Phase     string   `json:"phase"`
	CPU       *float64 `json:"cpuCores"`
	Memory    *int64   `json:"memoryBytes"`
	// SampleTime is when CPU and memory were measured, SampleAge how long ago.
	SampleTime       *time.Time       `json:"sampleTime"`
	SampleAge        *float64         `json:"sampleAgeSeconds"`
	CPURequested     float64          `json:"cpuRequestedCores"`
	MemoryRequested  int64            `json:"memoryRequestedBytes"`
	GPUs             map[string]int64 `json:"gpus"`
	Utilization      *float64         `json:"gpuUtilizationPercent"`
	MemoryUsedBytes  *int64           `json:"gpuMemoryUsedBytes"`
	MemoryTotalBytes *int64           `json:"gpuMemoryTotalBytes"`
	// Shared: the figures of its GPUs are those of other holders too.
	Shared       bool       `json:"gpuShared"`
	Created      time.Time  `json:"created"`
	LastActivity *time.Time `json:"lastActivity"`
	Idle         *float64   `json:"idleSeconds"`
	// Activity is how the last activity is known; null where it is not.
	Activity *activity.Document `json:"activity"`
	// Missing has why a field is null, by its name.
	Missing map[string]usage.MissingDocument `json:"missing,omitempty"`
}

// Document is the machine-readable form.
func (n *Notebooks) Document(apiVersion string) NotebooksDocument {
	out := NotebooksDocument{APIVersion: apiVersion, Kind: "NotebookUsage", Time: n.Time.UTC(), Notebooks: []NotebookDocument{}, Problems: append([]string{}, n.Problems...)}
	for _, b := range n.Notebooks {
		out.Notebooks = append(out.Notebooks, b.document(n.Time))
	}
	return out
}

func (n Notebook) document(now time.Time) NotebookDocument {
	d := NotebookDocument{
		Namespace: n.Namespace, Name: n.Name, Workspace: n.Workspace, Owner: n.Owner.Pointer(), Nodes: append([]string{}, n.Nodes...), Phase: string(n.Phase),
		CPURequested: usage.Float(n.CPURequested), MemoryRequested: n.MemoryRequested.Value(),
		GPUs: n.GPUs, Shared: n.Shared, Created: n.Created.UTC(),
		Utilization: n.Live.Utilization.Pointer(), MemoryUsedBytes: n.Live.MemoryUsed.Pointer(), MemoryTotalBytes: n.Live.MemoryTotal.Pointer(),
		Missing: map[string]usage.MissingDocument{},
	}
	if q, ok := n.CPU.Get(); ok {
		cores := usage.Float(q)
		d.CPU = &cores
	}
	if q, ok := n.Memory.Get(); ok {
		bytes := q.Value()
		d.Memory = &bytes
	}
	if n.Sampled.IsZero() {
		usage.Note(d.Missing, "sampleTime", n.CPU)
		usage.Note(d.Missing, "sampleAgeSeconds", n.CPU)
	} else {
		at, age := n.Sampled.UTC(), now.Sub(n.Sampled).Seconds()
		d.SampleTime, d.SampleAge = &at, &age
	}
	if t, ok := n.Use.Last.Get(); ok {
		at := t.UTC()
		d.LastActivity = &at
	}
	d.Idle = usage.Seconds(n.Use.Idle(now))
	d.Activity = n.Use.Document()
	usage.Note(d.Missing, "owner", n.Owner)
	usage.Note(d.Missing, "cpuCores", n.CPU)
	usage.Note(d.Missing, "memoryBytes", n.Memory)
	usage.Note(d.Missing, "lastActivity", n.Use.Last)
	usage.Note(d.Missing, "idleSeconds", n.Use.Last)
	usage.Note(d.Missing, "activity", n.Use.Last)
	usage.Note(d.Missing, "gpuUtilizationPercent", n.Live.Utilization)
	usage.Note(d.Missing, "gpuMemoryUsedBytes", n.Live.MemoryUsed)
	usage.Note(d.Missing, "gpuMemoryTotalBytes", n.Live.MemoryTotal)
	return d
}
