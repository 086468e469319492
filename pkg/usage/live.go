package usage

import (
	"fmt"
	"slices"
	"strings"
)

// alive is what a LiveSource has found.
type alive struct {
	devices  Devices
	absent   map[string]Absence
	problems []string
}

// HasLive tells whether there is an exporter at all: without one, columns of live figures
// would say <unknown> on every line.
func (s *Snapshot) HasLive() bool {
	for _, n := range s.Nodes {
		for _, g := range n.GPUs {
			if _, ok := g.Live.Utilization.Get(); ok {
				return true
			}
			if _, ok := g.Live.MemoryUsed.Get(); ok {
				return true
			}
			if g.Live.tried {
				return true
			}
		}
	}
	return false
}

// enter gives each resource of a node the figures of its devices.
func (a alive) enter(n *Node, asked bool) {
	for i := range n.GPUs {
		g := &n.GPUs[i]
		why, tried := a.absent[n.Name]
		switch {
		case !asked:
			why = Absence{Reason: "live metrics were not requested"}
		case tried:
		case len(a.devices[n.Name]) == 0:
			why = Absence{Reason: "no GPU metrics exporter runs on this node"}
		default:
			why = Absence{Reason: "the exporter on this node has no metrics for this resource"}
		}
		devices := DevicesOf(n, g, a.devices[n.Name])
		if g.Origin == DevicePlugin && whole(devices) {
			g.share(int64(len(devices)))
		}
		g.Live = LiveOf(devices, why)
		g.Live.tried = tried
	}
}

// whole tells that none of the devices is a slice.
func whole(devices []Device) bool {
	return !slices.ContainsFunc(devices, func(d Device) bool { return d.Instance != "" })
}

// partly says of which nodes some devices lack a figure that others have: it is unknown for
// all of them, and would be so without a reason.
func partly(nodes []Node, devices Devices) []string {
	var out []string
	for i := range nodes {
		for j := range nodes[i].GPUs {
			of := DevicesOf(&nodes[i], &nodes[i].GPUs[j], devices[nodes[i].Name])
			var lacking []string
			for _, d := range of {
				if _, ok := d.Live.Utilization.Get(); !ok {
					lacking = append(lacking, strings.TrimSuffix(d.UUID+" instance "+d.Instance, " instance "))
				}
			}
			if len(lacking) > 0 && len(lacking) < len(of) {
				out = append(out, fmt.Sprintf("GPU utilization of node %s is unknown: %d of %d devices of %s have none (%s); `kubectl jupyter top gpus` shows the others",
					nodes[i].Name, len(lacking), len(of), nodes[i].GPUs[j].Resource, strings.Join(lacking[:min(len(lacking), 2)], ", ")))
			}
		}
	}
	return out
}

// DevicesOf are the devices that a resource of a node counts. A slice belongs to its own
// resource (1g.5gb to nvidia.com/mig-1g.5gb); where the node has none, every GPU is sliced
// in the same way and its slices are what nvidia.com/gpu counts.
func DevicesOf(n *Node, g *GPU, devices []Device) []Device {
	if !strings.HasPrefix(g.Resource, nvidia) && !(g.Origin == DRA && strings.HasSuffix(g.Resource, "."+strings.TrimSuffix(nvidia, "/"))) {
		return nil // no exporter of other vendors is read
	}
	name := strings.TrimSuffix(g.Resource, ".shared")
	if strings.HasPrefix(name, nvidia+"mig-") {
		var out []Device
		for _, d := range devices {
			if d.Instance != "" && migResource(d.Profile) == name {
				out = append(out, d)
			}
		}
		return out
	}
	sliced := map[string]bool{}
	for _, d := range devices {
		if d.Instance != "" {
			sliced[d.UUID] = true
		}
	}
	var entire, parts []Device
	for _, d := range devices {
		switch {
		case d.Instance == "" && !sliced[d.UUID]:
			entire = append(entire, d)
		case d.Instance != "" && !n.has(migResource(d.Profile)):
			parts = append(parts, d)
		}
	}
	if len(entire) > 0 {
		return entire
	}
	return parts
}

// migResource is the resource of a profile; + is not allowed in its name.
func migResource(profile string) string {
	return nvidia + "mig-" + strings.ReplaceAll(profile, "+", ".")
}

func (n *Node) has(name string) bool {
	for _, g := range n.GPUs {
		if strings.TrimSuffix(g.Resource, ".shared") == name {
			return true
		}
	}
	return false
}

// LiveOf is the mean utilization of devices and the sum of their memory. A figure that
// one device lacks is unknown for all of them: a part would look like the whole.
func LiveOf(devices []Device, none Absence) Live {
	if len(devices) == 0 {
		return Live{Utilization: Missing[float64](none), MemoryUsed: Missing[int64](none), MemoryTotal: Missing[int64](none)}
	}
	util := sum(devices, func(d Device) Maybe[float64] { return d.Live.Utilization })
	if total, ok := util.Get(); ok {
		util = Known(total / float64(len(devices)))
	}
	return Live{
		Utilization: util,
		MemoryUsed:  sum(devices, func(d Device) Maybe[int64] { return d.Live.MemoryUsed }),
		MemoryTotal: sum(devices, func(d Device) Maybe[int64] { return d.Live.MemoryTotal }),
	}
}

func sum[T int64 | float64](devices []Device, of func(Device) Maybe[T]) Maybe[T] {
	var total T
	for _, d := range devices {
		v, ok := of(d).Get()
		if !ok {
			return of(d)
		}
		total += v
	}
	return Known(total)
}
