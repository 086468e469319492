package holders

import (
	"fmt"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
)

// The machine-readable forms. Their fields keep their meaning as long as apiVersion stays;
// docs/top-notebooks.md describes them. CPU is in cores, memory in bytes, time in seconds.

// GPUsDocument is the whole of `top gpus -o json`.
type GPUsDocument struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Time       time.Time         `json:"time"`
	GPUs       []GPUDocument     `json:"gpus"`
	Waiting    []WaitingDocument `json:"waiting"`
	Problems   []string          `json:"problems"`
}

// GPUDocument is one GPU, slice or slot. What is null is not known or does not apply.
type GPUDocument struct {
	Node     *string       `json:"node"`
	Resource string        `json:"resource"`
	Origin   usage.Origin  `json:"origin"`
	Product  string        `json:"product,omitempty"`
	Sharing  usage.Sharing `json:"sharing,omitempty"`
	State    State         `json:"state"`
	// Schedulable: it is free and its node takes pods.
	Schedulable bool            `json:"schedulable"`
	Device      *DeviceDocument `json:"device"`
	Holder      *HolderDocument `json:"holder"`
	Claims      []string        `json:"claims,omitempty"`
	// HeldSince is when the holder's pod was started, HeldSeconds how long ago.
	HeldSince        *time.Time `json:"heldSince"`
	HeldSeconds      *float64   `json:"heldSeconds"`
	Utilization      *float64   `json:"utilizationPercent"`
	MemoryUsedBytes  *int64     `json:"memoryUsedBytes"`
	MemoryTotalBytes *int64     `json:"memoryTotalBytes"`
	// What follows is there where it was asked for: whose the holder's namespace is, the cost
	// since it was started, and what the GPU did while it was watched.
	Owner   *string  `json:"owner,omitempty"`
	Cost    *float64 `json:"cost,omitempty"`
	Peak    *float64 `json:"peakPercent,omitempty"`
	Mean    *float64 `json:"meanPercent,omitempty"`
	Samples *int     `json:"samples,omitempty"`
	// Missing has why a field is null, or why the state is what it is, by the field's name.
	Missing map[string]usage.MissingDocument `json:"missing,omitempty"`
}

// DeviceDocument says which device it is.
type DeviceDocument struct {
	UUID     string `json:"uuid,omitempty"`
	Index    string `json:"index,omitempty"`
	Instance string `json:"migInstance,omitempty"`
	Profile  string `json:"migProfile,omitempty"`
	Driver   string `json:"driver,omitempty"`
	Pool     string `json:"pool,omitempty"`
	Name     string `json:"name,omitempty"`
}

// HolderDocument is the pod that has a GPU.
type HolderDocument struct {
	Namespace string `json:"namespace"`
	Pod       string `json:"pod"`
	Notebook  string `json:"notebook,omitempty"`
}

// WaitingDocument is a pod that waits for GPUs.
type WaitingDocument struct {
	HolderDocument
	Created time.Time        `json:"created"`
	Wants   map[string]int64 `json:"wants"`
	Reason  string           `json:"reason,omitempty"`
	Message string           `json:"message,omitempty"`
}

// Document is the machine-readable form, with costs where there are rates.
func (g *GPUs) Document(apiVersion string, rates Rates) GPUsDocument {
	out := GPUsDocument{APIVersion: apiVersion, Kind: "GPUUsage", Time: g.Time.UTC(), GPUs: []GPUDocument{}, Waiting: []WaitingDocument{}, Problems: append([]string{}, g.Problems...)}
	for _, r := range g.Rows {
		d := r.document()
		if held, ok := g.HeldFor(r).Get(); ok {
			since, seconds := r.Pod.Since.UTC(), held.Seconds()
			d.HeldSince, d.HeldSeconds = &since, &seconds
		}
		if len(rates) > 0 && r.Pod.Name != "" {
			cost := g.Cost(r, rates)
			d.Cost = cost.Pointer()
			usage.Note(d.Missing, "cost", cost)
		}
		out.GPUs = append(out.GPUs, d)
	}
	for _, w := range g.Waiting {
		out.Waiting = append(out.Waiting, WaitingDocument{
			HolderDocument: HolderDocument{w.Namespace, w.Name, w.Notebook}, Created: w.Created.UTC(), Wants: w.Wants, Reason: w.Reason, Message: w.Message,
		})
	}
	return out
}

func (r Row) document() GPUDocument {
	live := r.Live()
	d := GPUDocument{
		Resource: r.Resource, Origin: r.Origin, Product: r.Product, Sharing: r.Sharing, State: r.State, Schedulable: r.Schedulable(), Claims: r.Claims,
		Utilization: live.Utilization.Pointer(), MemoryUsedBytes: live.MemoryUsed.Pointer(), MemoryTotalBytes: live.MemoryTotal.Pointer(),
		Missing: map[string]usage.MissingDocument{},
	}
	if r.Node != nil {
		d.Node = &r.Node.Name
	}
	if r.Pod.Name != "" {
		d.Holder = &HolderDocument{r.Pod.Namespace, r.Pod.Name, r.Pod.Notebook}
	}
	if v := r.Device; v != nil {
		d.Device = &DeviceDocument{v.UUID, v.Index, v.Instance, v.Profile, v.Claimed.Driver, v.Claimed.Pool, v.Claimed.Device}
	}
	if r.Device == nil {
		d.Missing["device"] = usage.MissingDocument{Reason: unplaced}
	}
	if r.State == Unknown && d.Holder == nil {
		d.Missing["holder"] = usage.MissingDocument(r.Why)
	}
	if r.Why.Reason != "" {
		d.Missing["state"] = usage.MissingDocument(r.Why)
	}
	if owner, ok := r.Owner.Get(); ok && owner != "" {
		d.Owner = &owner
	}
	usage.Note(d.Missing, "utilizationPercent", live.Utilization)
	usage.Note(d.Missing, "memoryUsedBytes", live.MemoryUsed)
	usage.Note(d.Missing, "memoryTotalBytes", live.MemoryTotal)
	return d
}

// Schedulable tells whether a new pod could get this GPU.
func (r Row) Schedulable() bool {
	return r.State == Free && (r.Node == nil || r.Node.Ready && !r.Node.Cordoned)
}

// StateText is the state, and what is wrong with the node of a GPU that is free.
func (r Row) StateText() string {
	s := string(r.State)
	if r.State == Free && r.Node != nil {
		if !r.Node.Ready {
			s += ",NotReady"
		}
		if r.Node.Cordoned {
			s += ",cordoned"
		}
	}
	return s
}

// DeviceText names the device on its node, as 0, 0/7 for a MIG instance, or as a DRA
// driver calls it; empty where it is not known.
func (r Row) DeviceText() string {
	switch d := r.Device; {
	case d == nil:
		return ""
	case d.Claimed.Device != "" && r.Origin == usage.DRA:
		return d.Claimed.Device
	case d.Instance != "":
		return fmt.Sprintf("%s/%s", d.Index, d.Instance)
	default:
		return d.Index
	}
}

// WasteDocument is the whole of `top gpus --waste -o json`.
type WasteDocument struct {
	GPUsDocument
	// Started is when the first sample was taken, the document's time when the last one was.
	Started time.Time `json:"started"`
	Samples int       `json:"samples"`
	// Below is what counts as unused.
	Below float64 `json:"belowPercent"`
}

// Document is the machine-readable form, of GPUs that were below a percentage.
func (w *Watched) Document(apiVersion string, rates Rates, below float64, problems []string) WasteDocument {
	d := WasteDocument{GPUsDocument: w.GPUs.Document(apiVersion, rates), Started: w.Started.UTC(), Samples: w.Samples, Below: below}
	d.Kind, d.Waiting, d.Problems = "GPUWaste", []WaitingDocument{}, append([]string{}, problems...)
	for i, u := range w.Uses {
		d.GPUs[i].Peak, d.GPUs[i].Mean, d.GPUs[i].Samples = u.Peak.Pointer(), u.Mean.Pointer(), &u.Samples
	}
	return d
}
