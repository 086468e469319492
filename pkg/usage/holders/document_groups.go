package holders

import (
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
)

// GroupsDocument is the whole of a view with --by: Groups has GPUGroupDocument,
// NotebookGroupDocument or ShareDocument.
type GroupsDocument[T any] struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Time       time.Time `json:"time"`
	By         By        `json:"by"`
	Groups     []T       `json:"groups"`
	Problems   []string  `json:"problems"`
}

func groupsDocument[G, T any](apiVersion, kind string, at time.Time, by By, groups []G, document func(G) T, problems []string) GroupsDocument[T] {
	out := GroupsDocument[T]{APIVersion: apiVersion, Kind: kind, Time: at.UTC(), By: by, Groups: []T{}, Problems: append([]string{}, problems...)}
	for _, g := range groups {
		out.Groups = append(out.Groups, document(g))
	}
	return out
}

// GPUGroupDocument is one group of GPUs. What is null is not known or does not apply; the
// name of what belongs to nobody is empty.
type GPUGroupDocument struct {
	Name             *string                          `json:"name"`
	Resource         string                           `json:"resource"`
	Count            int64                            `json:"count"`
	Held             int64                            `json:"held"`
	Schedulable      int64                            `json:"schedulable"`
	Utilization      *float64                         `json:"utilizationPercent"`
	MemoryUsedBytes  *int64                           `json:"memoryUsedBytes"`
	MemoryTotalBytes *int64                           `json:"memoryTotalBytes"`
	HeldHours        *float64                         `json:"heldHours"`
	Cost             *float64                         `json:"cost"`
	Missing          map[string]usage.MissingDocument `json:"missing,omitempty"`
}

// GPUGroupsDocument is the machine-readable form of groups of GPUs.
func (g *GPUs) GPUGroupsDocument(apiVersion string, by By, groups []GPUGroup, problems []string) GroupsDocument[GPUGroupDocument] {
	return groupsDocument(apiVersion, "GPUGroups", g.Time, by, groups, func(g GPUGroup) GPUGroupDocument {
		d := GPUGroupDocument{
			Name: g.Name.Pointer(), Resource: g.Resource, Count: g.Count, Held: g.Held, Schedulable: g.Schedulable,
			Utilization: g.Live.Utilization.Pointer(), MemoryUsedBytes: g.Live.MemoryUsed.Pointer(), MemoryTotalBytes: g.Live.MemoryTotal.Pointer(),
			HeldHours: g.HeldHours.Pointer(), Cost: g.Cost.Pointer(), Missing: map[string]usage.MissingDocument{},
		}
		usage.Note(d.Missing, "name", g.Name)
		usage.Note(d.Missing, "utilizationPercent", g.Live.Utilization)
		usage.Note(d.Missing, "memoryUsedBytes", g.Live.MemoryUsed)
		usage.Note(d.Missing, "memoryTotalBytes", g.Live.MemoryTotal)
		usage.Note(d.Missing, "heldHours", g.HeldHours)
		usage.Note(d.Missing, "cost", g.Cost)
		return d
	}, problems)
}

// NotebookGroupDocument is one group of notebooks.
type NotebookGroupDocument struct {
	Name  *string `json:"name"`
	Count int     `json:"count"`
	Busy  int     `json:"busy"`
	// CPU and Memory are of the notebooks whose use is known; Unknown counts the others.
	CPU             float64                          `json:"cpuCores"`
	Memory          int64                            `json:"memoryBytes"`
	Unknown         int                              `json:"unknown"`
	CPURequested    float64                          `json:"cpuRequestedCores"`
	MemoryRequested int64                            `json:"memoryRequestedBytes"`
	GPUs            map[string]int64                 `json:"gpus"`
	GPUHours        map[string]float64               `json:"gpuHours"`
	Utilization     *float64                         `json:"gpuUtilizationPercent"`
	Idle            *float64                         `json:"idleSeconds"`
	Missing         map[string]usage.MissingDocument `json:"missing,omitempty"`
}

// GroupsDocument is the machine-readable form of groups of notebooks.
func (n *Notebooks) GroupsDocument(apiVersion string, by By, groups []NotebookGroup, problems []string) GroupsDocument[NotebookGroupDocument] {
	return groupsDocument(apiVersion, "NotebookGroups", n.Time, by, groups, func(g NotebookGroup) NotebookGroupDocument {
		d := NotebookGroupDocument{
			Name: g.Name.Pointer(), Count: g.Count, Busy: g.Busy, CPU: usage.Float(g.CPU), Memory: g.Memory.Value(), Unknown: g.Unknown,
			CPURequested: usage.Float(g.CPURequested), MemoryRequested: g.MemoryRequested.Value(), GPUs: g.GPUs, GPUHours: g.GPUHours,
			Utilization: g.Utilization.Pointer(), Idle: usage.Seconds(g.Idle), Missing: map[string]usage.MissingDocument{},
		}
		usage.Note(d.Missing, "name", g.Name)
		usage.Note(d.Missing, "gpuUtilizationPercent", g.Utilization)
		usage.Note(d.Missing, "idleSeconds", g.Idle)
		return d
	}, problems)
}

// ShareDocument is what the pods of one owner or namespace use of nodes.
type ShareDocument struct {
	Name            *string                          `json:"name"`
	Pods            int                              `json:"pods"`
	Nodes           int                              `json:"nodes"`
	CPU             float64                          `json:"cpuCores"`
	Memory          int64                            `json:"memoryBytes"`
	Unknown         int                              `json:"unknown"`
	CPURequested    float64                          `json:"cpuRequestedCores"`
	MemoryRequested int64                            `json:"memoryRequestedBytes"`
	GPUs            map[string]int64                 `json:"gpus"`
	Missing         map[string]usage.MissingDocument `json:"missing,omitempty"`
}

// Document is the machine-readable form.
func (s *Shares) Document(apiVersion string, by By) GroupsDocument[ShareDocument] {
	return groupsDocument(apiVersion, "NodeShares", s.Time, by, s.Shares, func(g Share) ShareDocument {
		d := ShareDocument{
			Name: g.Name.Pointer(), Pods: g.Pods, Nodes: g.Nodes, CPU: usage.Float(g.CPU), Memory: g.Memory.Value(), Unknown: g.Unknown,
			CPURequested: usage.Float(g.CPURequested), MemoryRequested: g.MemoryRequested.Value(), GPUs: g.GPUs, Missing: map[string]usage.MissingDocument{},
		}
		usage.Note(d.Missing, "name", g.Name)
		return d
	}, s.Problems)
}
