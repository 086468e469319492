package usage

import "time"

// The machine-readable forms. Their fields keep their meaning as long as apiVersion stays;
// docs/top.md describes them. CPU is in cores, memory in bytes, time in seconds.

// Kind of the document.
const Kind = "NodeUsage"

// Document is the whole of `-o json`.
type Document struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Time       time.Time `json:"time"`
	// PercentOf is what percentages refer to: allocatable or capacity.
	PercentOf string         `json:"percentOf"`
	Nodes     []NodeDocument `json:"nodes"`
	Total     *TotalDocument `json:"total,omitempty"`
	Problems  []string       `json:"problems"`
}

// NodeDocument is one node.
type NodeDocument struct {
	Name     string          `json:"name"`
	Ready    bool            `json:"ready"`
	Cordoned bool            `json:"cordoned"`
	Created  time.Time       `json:"created"`
	CPU      AmountDocument  `json:"cpu"`
	Memory   AmountDocument  `json:"memory"`
	Sample   *SampleDocument `json:"sample"`
	GPUs     []GPUDocument   `json:"gpus"`
}

// AmountDocument is CPU in cores or memory in bytes.
type AmountDocument struct {
	Used        *float64 `json:"used"`
	Percent     *float64 `json:"percent"`
	Capacity    float64  `json:"capacity"`
	Allocatable float64  `json:"allocatable"`
	// Missing is why Used and Percent are null.
	Missing *MissingDocument `json:"missing,omitempty"`
}

// MissingDocument is why a number is null.
type MissingDocument struct {
	Forbidden bool   `json:"forbidden"`
	Reason    string `json:"reason"`
}

// SampleDocument is when a node was measured.
type SampleDocument struct {
	Time          time.Time `json:"time"`
	WindowSeconds float64   `json:"windowSeconds"`
	AgeSeconds    float64   `json:"ageSeconds"`
	Stale         bool      `json:"stale"`
}

// GPUDocument is one GPU resource of a node, or of all nodes together.
type GPUDocument struct {
	Resource string  `json:"resource"`
	Origin   Origin  `json:"origin"`
	Product  string  `json:"product,omitempty"`
	Sharing  Sharing `json:"sharing,omitempty"`
	// Replicas is how many slots one GPU has.
	Replicas         int64    `json:"replicas"`
	MemoryEachBytes  int64    `json:"memoryEachBytes,omitempty"`
	Nodes            int      `json:"nodes,omitempty"`
	Capacity         int64    `json:"capacity"`
	Allocatable      int64    `json:"allocatable"`
	Requested        *int64   `json:"requested"`
	Free             *int64   `json:"free"`
	Schedulable      *int64   `json:"schedulable"`
	Utilization      *float64 `json:"utilizationPercent"`
	MemoryUsedBytes  *int64   `json:"memoryUsedBytes"`
	MemoryTotalBytes *int64   `json:"memoryTotalBytes"`
	// Missing has why a field is null, by its name.
	Missing map[string]MissingDocument `json:"missing,omitempty"`
}

// TotalDocument is all nodes together.
type TotalDocument struct {
	Nodes int `json:"nodes"`
	Ready int `json:"ready"`
	// Unknown counts the nodes that are in neither CPU nor Memory.
	Unknown int            `json:"unknown"`
	CPU     AmountDocument `json:"cpu"`
	Memory  AmountDocument `json:"memory"`
	GPUs    []GPUDocument  `json:"gpus"`
}

// Document is the machine-readable form of a snapshot. capacity tells what percentages
// refer to, total whether the sum is part of it.
func (s *Snapshot) Document(apiVersion string, capacity, total bool) Document {
	d := Document{APIVersion: apiVersion, Kind: Kind, Time: s.Time.UTC(), PercentOf: "allocatable", Nodes: []NodeDocument{}, Problems: append([]string{}, s.Problems...)}
	if capacity {
		d.PercentOf = "capacity"
	}
	for _, n := range s.Nodes {
		node := NodeDocument{
			Name: n.Name, Ready: n.Ready, Cordoned: n.Cordoned, Created: n.Created.UTC(),
			CPU: n.CPU.document(capacity), Memory: n.Memory.document(capacity), GPUs: []GPUDocument{},
		}
		if n.Sample != nil {
			node.Sample = &SampleDocument{Time: n.Sample.Time.UTC(), WindowSeconds: n.Sample.Window.Seconds(), AgeSeconds: n.Sample.Age.Seconds(), Stale: n.Sample.Stale()}
		}
		for _, g := range n.GPUs {
			node.GPUs = append(node.GPUs, g.document(n.Schedulable(g)))
		}
		d.Nodes = append(d.Nodes, node)
	}
	if total {
		t := s.Total()
		d.Total = &TotalDocument{Nodes: t.Nodes, Ready: t.Ready, Unknown: t.Unknown, CPU: t.CPU.document(capacity), Memory: t.Memory.document(capacity), GPUs: []GPUDocument{}}
		for _, g := range t.GPUs {
			sum := g.document(g.Schedulable)
			sum.Nodes = g.Nodes
			d.Total.GPUs = append(d.Total.GPUs, sum)
		}
	}
	return d
}

func (a Amount) document(capacity bool) AmountDocument {
	d := AmountDocument{
		Capacity: Float(a.Capacity), Allocatable: Float(a.Allocatable),
		Percent: a.Percent(capacity).Pointer(),
	}
	if q, ok := a.Used.Get(); ok {
		used := Float(q)
		d.Used = &used
	} else {
		d.Missing = &MissingDocument{a.Used.Why().Forbidden, a.Used.Why().Reason}
	}
	return d
}

func (g GPU) document(schedulable Maybe[int64]) GPUDocument {
	d := GPUDocument{
		Resource: g.Resource, Origin: g.Origin, Product: g.Product, Sharing: g.Sharing, Replicas: g.Replicas, MemoryEachBytes: g.MemoryEach,
		Capacity: g.Capacity, Allocatable: g.Allocatable,
		Requested: g.Requested.Pointer(), Free: g.Free().Pointer(), Schedulable: schedulable.Pointer(),
		Utilization: g.Live.Utilization.Pointer(), MemoryUsedBytes: g.Live.MemoryUsed.Pointer(), MemoryTotalBytes: g.Live.MemoryTotal.Pointer(),
		Missing: map[string]MissingDocument{},
	}
	Note(d.Missing, "requested", g.Requested)
	Note(d.Missing, "free", g.Free())
	Note(d.Missing, "schedulable", schedulable)
	Note(d.Missing, "utilizationPercent", g.Live.Utilization)
	Note(d.Missing, "memoryUsedBytes", g.Live.MemoryUsed)
	Note(d.Missing, "memoryTotalBytes", g.Live.MemoryTotal)
	return d
}

// Note has why a field is null, where it is.
func Note[T any](missing map[string]MissingDocument, field string, m Maybe[T]) {
	if _, ok := m.Get(); !ok {
		missing[field] = MissingDocument(m.Why())
	}
}

// Seconds is a field with a time; nil where it is not known.
func Seconds(m Maybe[time.Duration]) *float64 {
	d, ok := m.Get()
	if !ok {
		return nil
	}
	seconds := d.Seconds()
	return &seconds
}
