package idle

import (
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/activity"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
)

// Document is the machine-readable form of a selection.
type Document struct {
	APIVersion string             `json:"apiVersion"`
	Kind       string             `json:"kind"`
	Time       time.Time          `json:"time"`
	Notebooks  []NotebookDocument `json:"notebooks"`
	Problems   []string           `json:"problems"`
}

// NotebookDocument is one notebook. What is null is not known or does not apply.
type NotebookDocument struct {
	Namespace string           `json:"namespace"`
	Name      string           `json:"name"`
	Owner     *string          `json:"owner"`
	GPUs      map[string]int64 `json:"gpus"`
	Created   time.Time        `json:"created"`
	Idle      *float64         `json:"idleSeconds"`
	// Activity is how the idle time is known.
	Activity *activity.Document `json:"activity"`
	// GPUPeak is the highest utilization while its GPUs were watched, GPUSamples in how many
	// samples.
	GPUPeak    *float64 `json:"gpuPeakPercent"`
	GPUSamples int      `json:"gpuSamples"`
	// Stop: it meets the conditions. Otherwise Left is one word, and Why a sentence.
	Stop bool   `json:"stop"`
	Left Reason `json:"left,omitempty"`
	Why  string `json:"why,omitempty"`
	// Stopped: it has been stopped by this command.
	Stopped bool `json:"stopped"`
	// Missing has why a field is null, by its name.
	Missing map[string]usage.MissingDocument `json:"missing,omitempty"`
}

// DocumentOf is the whole of a selection. Stopped tells which were stopped, by NAMESPACE/NAME.
func DocumentOf(apiVersion string, at time.Time, all []Verdict, stopped map[string]bool, problems []string) Document {
	out := Document{APIVersion: apiVersion, Kind: "IdleNotebooks", Time: at.UTC(), Notebooks: []NotebookDocument{}, Problems: append([]string{}, problems...)}
	for _, v := range all {
		d := NotebookDocument{
			Namespace: v.Namespace, Name: v.Name, Owner: v.Owner.Pointer(), GPUs: v.GPUs, Created: v.Created.UTC(), Activity: v.Use.Document(),
			GPUPeak: v.GPU.Peak.Pointer(), GPUSamples: v.GPU.Samples, Stop: v.Stop, Left: v.Left, Why: v.Why, Stopped: stopped[v.Namespace+"/"+v.Name],
			Idle: usage.Seconds(v.Use.Idle(at)), Missing: map[string]usage.MissingDocument{},
		}
		usage.Note(d.Missing, "idleSeconds", v.Use.Idle(at))
		usage.Note(d.Missing, "activity", v.Use.Idle(at))
		usage.Note(d.Missing, "gpuPeakPercent", v.GPU.Peak)
		out.Notebooks = append(out.Notebooks, d)
	}
	return out
}
