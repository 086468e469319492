// Package holders tells who has the GPUs of a cluster: one by one, by notebook, and who
// waits for one.
package holders

import (
	"cmp"
	"slices"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage/dra"
)

// State of a GPU.
type State string

// The states. A free GPU may be on a node where nothing can be scheduled.
const (
	Held     State = "held"
	Free     State = "free"
	Unusable State = "unusable"
	// Unknown: it could not be read who holds it.
	Unknown State = "unknown"
)

// Row is one GPU, one slice of one, or one slot on a shared one.
type Row struct {
	// Node is nil for a DRA device that belongs to no single node.
	Node     *usage.Node
	Resource string
	Origin   usage.Origin
	Product  string
	Sharing  usage.Sharing
	// Replicas is how many slots its GPU has; 1 where it is not shared.
	Replicas int64
	State    State
	// Why says more about a GPU that is unusable or of unknown state.
	Why usage.Absence
	// Device is nil where it is not known which of the node's this row is.
	Device *usage.Device
	// Pod holds it; Pod.Name is empty where nobody does.
	Pod Pod
	// Claims are the ResourceClaims, as NAMESPACE/NAME, that have a DRA device.
	Claims []string
	// Owner of the Profile that the holder's namespace belongs to; empty where nobody holds
	// it, or no Profile has that namespace.
	Owner usage.Maybe[string]
	// dark is why nothing is known of what the node's devices do; zero where something is.
	dark usage.Absence
}

// Pod is a holder.
type Pod struct {
	Namespace, Name string
	// Notebook is the one that the pod runs, empty where it runs none.
	Notebook string
	// Since is when the pod began to hold what it has: when the kubelet took it.
	Since time.Time
}

// Live is what the row's device does. That of a shared device is of all its holders.
func (r Row) Live() usage.Live {
	switch {
	case r.Device != nil:
		return r.Device.Live
	case r.dark != usage.Absence{}:
		return usage.LiveOf(nil, r.dark)
	}
	return usage.LiveOf(nil, usage.Absence{Reason: unplaced})
}

// unplaced is why nothing more is said of a row without a device.
const unplaced = "which of the node's devices this is cannot be determined"

// held is how many of one resource a pod has.
type held struct {
	Pod
	count int64
}

// assign makes the rows of one resource of a device plugin: as many as are allocatable or
// requested, and those that are broken. The API server knows how many each pod has; which
// ones, only the exporter can tell. Where it does not, a device is still known when there
// is no choice: when all that are left are one device, or belong to one pod, or to nobody.
func assign(n *usage.Node, g usage.GPU, devices []usage.Device, pods []held) []Row {
	row := Row{Node: n, Resource: g.Resource, Origin: g.Origin, Product: g.Product, Sharing: g.Sharing, Replicas: max(1, g.Replicas)}
	var waiting []Pod // one entry for each GPU that a pod has
	for _, p := range pods {
		for range p.count {
			waiting = append(waiting, p.Pod)
		}
	}
	free := max(0, g.Allocatable-int64(len(waiting)))
	broken := max(0, g.Capacity-max(g.Allocatable, int64(len(waiting))))

	var out []Row
	hold := func(p Pod, d *usage.Device) {
		r := row
		r.State, r.Pod, r.Device = Held, p, d
		out = append(out, r)
	}
	places := placesOf(g, devices)
	// What the exporter says goes first.
	places = slices.DeleteFunc(places, func(d *usage.Device) bool {
		for _, h := range d.Pods {
			i := slices.IndexFunc(waiting, func(p Pod) bool { return p.Namespace == h.Namespace && p.Name == h.Pod })
			// Of a shared device each holder takes one place.
			if i >= 0 && count(out, d, waiting[i]) == 0 {
				hold(waiting[i], d)
				waiting = slices.Delete(waiting, i, i+1)
				return true
			}
		}
		return false
	})
	left := len(places)
	switch {
	case len(waiting) > 0 && (same(places) || onePod(waiting) && len(waiting) >= left):
		n := min(len(waiting), left)
		for i := range n {
			hold(waiting[i], places[i])
		}
		waiting, places = waiting[n:], places[n:]
	case len(waiting) > 0:
		places = nil
	}
	for _, p := range waiting {
		hold(p, nil)
	}
	// The rest is free or broken. Where both are left, which is which is not known, unless
	// they are one device.
	if int64(len(places)) != free && !same(places) && (free > 0 && broken > 0 || int64(len(places)) > free+broken) {
		places = nil
	}
	next := func() *usage.Device {
		if len(places) == 0 {
			return nil
		}
		d := places[0]
		places = places[1:]
		return d
	}
	for range free {
		r := row
		r.State, r.Device = Free, next()
		out = append(out, r)
	}
	for range broken {
		r := row
		r.State, r.Device = Unusable, next()
		r.Why = usage.Absence{Reason: "the node has it but does not offer it: its device plugin reports it as unhealthy, or has not registered it yet"}
		out = append(out, r)
	}
	return out
}

// placesOf are the devices, each as often as it has slots.
func placesOf(g usage.GPU, devices []usage.Device) []*usage.Device {
	slots := int64(1)
	if g.Slots() {
		slots = max(1, g.Replicas)
	}
	var out []*usage.Device
	for i := range devices {
		for range slots {
			out = append(out, &devices[i])
		}
	}
	return out
}

func count(rows []Row, d *usage.Device, p Pod) int {
	n := 0
	for _, r := range rows {
		if r.Device == d && r.Pod == p {
			n++
		}
	}
	return n
}

// same tells whether all places are one device.
func same(places []*usage.Device) bool {
	return len(places) > 0 && !slices.ContainsFunc(places, func(d *usage.Device) bool { return d != places[0] })
}

func onePod(pods []Pod) bool {
	return !slices.ContainsFunc(pods, func(p Pod) bool { return p != pods[0] })
}

// unlisted makes the rows of a resource whose node's pods could not be listed: the holders
// are those that the exporter names.
func unlisted(n *usage.Node, g usage.GPU, devices []usage.Device, why usage.Absence) []Row {
	row := Row{Node: n, Resource: g.Resource, Origin: g.Origin, Product: g.Product, Sharing: g.Sharing, Replicas: max(1, g.Replicas), State: Unknown, Why: why}
	var out []Row
	for _, d := range placesOf(g, devices) {
		r := row
		r.Device = d
		for _, h := range d.Pods {
			if p := (Pod{Namespace: h.Namespace, Name: h.Pod}); count(out, d, p) == 0 {
				r.State, r.Pod, r.Why = Held, p, usage.Absence{}
				break
			}
		}
		out = append(out, r)
	}
	for int64(len(out)) < g.Capacity {
		out = append(out, row)
	}
	return out
}

// claimed makes the row of a DRA device, one for each pod that shares it.
func claimed(n *usage.Node, d dra.Device, devices []usage.Device, dark usage.Absence, pod func(namespace, pod string) Pod) []Row {
	row := Row{Node: n, Resource: d.Driver, Origin: usage.DRA, Product: d.Product, Device: live(d, devices, dark), Replicas: 1, State: Free}
	if d.Unusable != "" {
		row.State, row.Why = Unusable, usage.Absence{Reason: d.Unusable}
	}
	var pods []Pod
	for _, c := range d.Claims {
		row.State = Held
		row.Claims = append(row.Claims, c.Namespace+"/"+c.Name)
		for _, p := range c.Pods {
			pods = append(pods, pod(c.Namespace, p))
		}
	}
	if len(pods) == 0 {
		return []Row{row}
	}
	var out []Row
	for _, p := range pods {
		r := row
		r.Pod = p
		out = append(out, r)
	}
	return out
}

// live is what an exporter says about a DRA device, which is known by the names of its
// driver or by its UUID; without an exporter, what the driver says.
func live(d dra.Device, devices []usage.Device, dark usage.Absence) *usage.Device {
	for i, e := range devices {
		if e.Claimed == d.DRADevice || e.Claimed == (usage.DRADevice{}) && d.UUID != "" && e.UUID == d.UUID && e.Instance == "" {
			out := devices[i]
			out.Claimed = d.DRADevice
			return &out
		}
	}
	if dark == (usage.Absence{}) {
		dark.Reason = "the exporter does not report this device"
	}
	figures := usage.LiveOf(nil, dark)
	if d.Memory > 0 {
		figures.MemoryTotal = usage.Known(d.Memory)
	}
	return &usage.Device{Node: d.Node, UUID: d.UUID, Profile: d.Profile, Product: d.Product, Claimed: d.DRADevice, Live: figures}
}

// sortPods brings pods into the order of their names, so that rows do not jump.
func sortPods(pods []held) {
	slices.SortFunc(pods, func(a, b held) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
}
