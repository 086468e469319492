// Package usage turns what a cluster says about its nodes, pods and GPUs into numbers:
// what is there, what is asked for, what is free and what is used. A number that
// cannot be had is absent with a reason; it is never a zero.
package usage

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
)

// StaleAfter is the age from which a sample no longer tells what a node does now.
const StaleAfter = 2 * time.Minute

// Absence is why a number is not known.
type Absence struct {
	// Forbidden: the user may not read it. Everything else is unknown.
	Forbidden bool
	// Reason is one lower-case sentence without a full stop.
	Reason string
}

// String is what a table shows in the place of the number.
func (a Absence) String() string {
	if a.Forbidden {
		return "<forbidden>"
	}
	return "<unknown>"
}

// Maybe is a value that may be absent. The zero value is absent without a reason.
type Maybe[T any] struct {
	value T
	known bool
	why   Absence
}

// Known is a value that is there.
func Known[T any](v T) Maybe[T] { return Maybe[T]{value: v, known: true} }

// Missing is a value that is not there, and why.
func Missing[T any](why Absence) Maybe[T] { return Maybe[T]{why: why} }

// Get returns the value and whether it is there.
func (m Maybe[T]) Get() (T, bool) { return m.value, m.known }

// Why is the reason of a value that is not there.
func (m Maybe[T]) Why() Absence { return m.why }

// Pointer is nil where the value is absent, as JSON's null.
func (m Maybe[T]) Pointer() *T {
	if !m.known {
		return nil
	}
	return &m.value
}

// MarshalJSON prints the value, or null.
func (m Maybe[T]) MarshalJSON() ([]byte, error) { return json.Marshal(m.Pointer()) }

// Float is the number that is nearest to a quantity. The quantity's own approximation
// multiplies, and prints 0.123456789 as 0.12345678900000001.
func Float(q resource.Quantity) float64 {
	f, err := strconv.ParseFloat(q.AsDec().String(), 64)
	if err != nil {
		return q.AsApproximateFloat64()
	}
	return f
}

// Amount is how much of CPU or memory a node has and uses.
type Amount struct {
	Used                  Maybe[resource.Quantity]
	Capacity, Allocatable resource.Quantity
}

// Of is what percentages refer to: the capacity, or what pods can have of it.
func (a Amount) Of(capacity bool) resource.Quantity {
	if capacity {
		return a.Capacity
	}
	return a.Allocatable
}

// Percent of the allocatable amount, or of the capacity. It may exceed 100; of nothing
// it is 0, as kubectl has it.
func (a Amount) Percent(capacity bool) Maybe[float64] {
	used, ok := a.Used.Get()
	if !ok {
		return Missing[float64](a.Used.Why())
	}
	whole := a.Of(capacity)
	if whole.IsZero() {
		return Known(0.0)
	}
	// Milli-units for memory too: the rounding then is kubectl's, to the last bit.
	return Known(float64(used.MilliValue()) / float64(whole.MilliValue()) * 100)
}

// Sample is when and over which time the metrics server measured.
type Sample struct {
	Time   time.Time
	Window time.Duration
	// Age is from Time to when it was read.
	Age time.Duration
}

// Stale tells whether the figures are too old to be believed.
func (s Sample) Stale() bool { return s.Age > StaleAfter }

// Node is one row of the overview.
type Node struct {
	Name            string
	Ready, Cordoned bool
	Created         time.Time
	CPU, Memory     Amount
	// Sample is nil where the node has no figures.
	Sample *Sample
	// GPUs has one entry for each resource, sorted by its name.
	GPUs []GPU
}

// Status is what the table says: Ready or NotReady, and whether it is cordoned.
func (n Node) Status() string {
	s := "NotReady"
	if n.Ready {
		s = "Ready"
	}
	if n.Cordoned {
		s += ",cordoned"
	}
	return s
}

// Origin tells who hands a resource out.
type Origin string

const (
	// DevicePlugin resources are asked for by name, in a container's limits.
	DevicePlugin Origin = "DevicePlugin"
	// DRA resources are devices of a driver, asked for with a ResourceClaim.
	DRA Origin = "DRA"
)

// Sharing is how one GPU serves several pods.
type Sharing string

const (
	// NotShared: one pod for each GPU or slice.
	NotShared Sharing = ""
	// TimeSlicing and MPS: what is counted are slots, not GPUs.
	TimeSlicing Sharing = "time-slicing"
	MPS         Sharing = "mps"
	// Slots: a device is counted several times, in a way that its plugin does not name.
	Slots Sharing = "slots"
)

// GPU is one GPU resource of one node. Different resources are never summed: a slice is
// not a GPU.
type GPU struct {
	// Resource is its name, such as nvidia.com/mig-1g.5gb; of DRA, the driver's.
	Resource string
	Origin   Origin
	// Product as the node's labels or the driver say it; empty where they do not.
	Product string
	Sharing Sharing
	// Replicas is how many slots a shared GPU has; 1 otherwise.
	Replicas int64
	// MemoryEach is the memory of one whole GPU in bytes, 0 where no label says it.
	MemoryEach int64
	// Capacity is what the node has, Allocatable what of it is healthy.
	Capacity, Allocatable int64
	// Requested by pods that are bound to the node and not finished; of DRA, allocated.
	Requested Maybe[int64]
	Live      Live
}

// Live is what the devices of one resource do at this moment.
type Live struct {
	// Utilization is the mean over the devices, in percent.
	Utilization Maybe[float64]
	// MemoryUsed and MemoryTotal are sums over the devices, in bytes.
	MemoryUsed, MemoryTotal Maybe[int64]
	// tried: an exporter is there and could not be read.
	tried bool
}

// Free is what is allocatable and not requested. It is negative where pods hold devices
// that have become unhealthy.
func (g GPU) Free() Maybe[int64] {
	r, ok := g.Requested.Get()
	if !ok {
		return Missing[int64](g.Requested.Why())
	}
	return Known(g.Allocatable - r)
}

// Schedulable is how many of the resource a new pod can get on this node: none while it
// is not ready or cordoned.
func (n Node) Schedulable(g GPU) Maybe[int64] {
	if !n.Ready || n.Cordoned {
		return Known[int64](0)
	}
	free, ok := g.Free().Get()
	if !ok {
		return g.Free()
	}
	return Known(max(0, free))
}

// Device is one GPU, or one MIG slice of it, as an exporter on its node sees it.
type Device struct {
	Node string
	// UUID of the whole GPU; Index is its number on the node.
	UUID, Index string
	// Instance is the MIG slice's ID, Profile its profile such as 1g.5gb; empty for a
	// whole GPU.
	Instance, Profile string
	Product           string
	Live              Live
	// Pods hold it, where the exporter knows: none of a free one, several of a shared one.
	Pods []Holder
	// Claimed is what its DRA driver calls it, where the exporter knows.
	Claimed DRADevice
}

// Holder is a pod that has a device.
type Holder struct{ Namespace, Pod, Container string }

// DRADevice names a device of dynamic resource allocation, in the whole cluster.
type DRADevice struct{ Driver, Pool, Device string }

// Devices are the devices of each node, by its name.
type Devices map[string][]Device

// LiveSource reads what devices do right now. Nodes are those with GPUs. What could not
// be read of a node is in absent, by its name; a node in neither has no exporter.
type LiveSource interface {
	Devices(ctx context.Context, nodes []string) (devices Devices, absent map[string]Absence, problems []string)
}

// ClaimSource reads GPUs that dynamic resource allocation hands out, by node.
type ClaimSource interface {
	GPUs(ctx context.Context) (byNode map[string][]GPU, problems []string)
}

// Snapshot is the overview at one moment.
type Snapshot struct {
	Time  time.Time
	Nodes []Node
	// Problems are what is missing in it and why, one sentence each.
	Problems []string
}
