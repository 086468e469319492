package dcgm

import "github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"

// Overview is a reading in the form of the table of nodes.
func (r Reading) Overview(nodes []string) (devices usage.Devices, absent map[string]usage.Absence, problems []string) {
	devices, absent = usage.Devices{}, map[string]usage.Absence{}
	if r.Problem != "" {
		problems = append(problems, r.Problem)
	}
	for _, name := range nodes {
		n, exported := r.Nodes[name]
		switch {
		case exported && n.Absence != nil:
			absent[name] = *n.Absence
		case exported:
			for _, d := range n.Devices {
				devices[name] = append(devices[name], d.overview(name))
			}
		case r.Absence != nil:
			absent[name] = *r.Absence
		}
	}
	return devices, absent, problems
}

func (d Device) overview(node string) usage.Device {
	out := usage.Device{
		Node: node, UUID: d.UUID, Index: d.Index, Instance: d.Instance, Profile: d.Profile, Product: d.Model, Live: d.Live(),
	}
	// Of a device that several pods share, none is the holder.
	if len(d.Pods) == 1 {
		out.Namespace, out.Pod, out.Container = d.Pods[0].Namespace, d.Pods[0].Name, d.Pods[0].Container
	}
	return out
}

// Live is what the device does, absent where the exporter has no value.
func (d Device) Live() usage.Live {
	why := usage.Absence{Reason: "the exporter has no value of it"}
	return usage.Live{
		Utilization: maybe(d.Utilization, why),
		MemoryUsed:  maybe(d.MemoryUsed, why),
		MemoryTotal: maybe(d.MemoryTotal, why),
	}
}

func maybe[T any](v *T, why usage.Absence) usage.Maybe[T] {
	if v == nil {
		return usage.Missing[T](why)
	}
	return usage.Known(*v)
}
