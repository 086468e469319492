// Package dra reads the GPUs that dynamic resource allocation hands out: what drivers
// publish in ResourceSlices, and what ResourceClaims have been given.
package dra

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
)

// Device is one device of a driver.
type Device struct {
	usage.DRADevice
	// Node is the one whose pods can have it; empty for a device that is not tied to one.
	Node string
	// Product, UUID and Profile (of a MIG device) as the driver says them; Memory in bytes.
	Product, UUID, Profile string
	Memory                 int64
	// Claims that have it, sorted by name. More than one where it can be shared.
	Claims []Claim
	// Unusable is why no new claim gets it; empty where one can.
	Unusable string
	// Gone: a claim has it, and no slice publishes it any more.
	Gone bool
}

// Claim is a ResourceClaim that has been given a device, and the pods it is reserved for.
type Claim struct {
	Namespace, Name string
	Pods            []string
}

// IsGPU tells whether a driver's devices are GPUs: gpu.nvidia.com, gpu.amd.com,
// gpu.intel.com and others call themselves so. Others are a user's own.
func IsGPU(driver string, others []string) bool {
	return strings.HasPrefix(driver, "gpu.") || slices.Contains(others, driver)
}

// pool is what a driver manages as one; only its newest generation counts.
type pool struct{ driver, name string }

// Inventory puts together what is there and who has it. Devices that are parts of one
// another (a GPU and its possible MIG devices) take from common counters: beside those that
// are given out, it has as many as can be had together, larger ones first. A device that a
// claim has and no slice publishes any more is part of it, as unusable.
func Inventory(slicesOfAll []resourcev1.ResourceSlice, claims []resourcev1.ResourceClaim, others []string) []Device {
	newest := map[pool]int64{}
	for _, s := range slicesOfAll {
		p := pool{s.Spec.Driver, s.Spec.Pool.Name}
		newest[p] = max(newest[p], s.Spec.Pool.Generation)
	}
	current := map[pool][]resourcev1.ResourceSlice{}
	for _, s := range slicesOfAll {
		p := pool{s.Spec.Driver, s.Spec.Pool.Name}
		if IsGPU(p.driver, others) && s.Spec.Pool.Generation == newest[p] {
			current[p] = append(current[p], s)
		}
	}
	given := allocations(claims)
	var out []Device
	for p, parts := range current {
		out = append(out, ofPool(p, parts, given)...)
	}
	for d, a := range given {
		if _, published := current[pool{d.Driver, d.Pool}]; IsGPU(d.Driver, others) && (!published || !a.seen) {
			gone := Device{DRADevice: d, Node: a.node, Claims: a.claims, Gone: true, Unusable: "its driver no longer publishes it"}
			if parts := current[pool{d.Driver, d.Pool}]; gone.Node == "" && len(parts) > 0 {
				gone.Node = text(parts[0].Spec.NodeName)
			}
			out = append(out, gone)
		}
	}
	slices.SortFunc(out, func(a, b Device) int {
		return cmp.Or(
			cmp.Compare(a.Node, b.Node), cmp.Compare(a.Driver, b.Driver), cmp.Compare(a.Pool, b.Pool),
			cmp.Compare(len(a.Device), len(b.Device)), cmp.Compare(a.Device, b.Device),
		)
	})
	return out
}

// given is a device that claims have.
type given struct {
	claims []Claim
	node   string
	seen   bool
}

// allocations are the devices that claims have, each once however many requests, shares
// and claims there are. Access for administrators takes nothing from anybody.
func allocations(claims []resourcev1.ResourceClaim) map[usage.DRADevice]*given {
	out := map[usage.DRADevice]*given{}
	for _, c := range claims {
		if c.Status.Allocation == nil {
			continue
		}
		claim := Claim{Namespace: c.Namespace, Name: c.Name}
		for _, r := range c.Status.ReservedFor {
			if r.APIGroup == "" && r.Resource == "pods" {
				claim.Pods = append(claim.Pods, r.Name)
			}
		}
		slices.Sort(claim.Pods)
		for _, r := range c.Status.Allocation.Devices.Results {
			if r.AdminAccess != nil && *r.AdminAccess {
				continue
			}
			k := usage.DRADevice{Driver: r.Driver, Pool: r.Pool, Device: r.Device}
			g := out[k]
			if g == nil {
				g = &given{node: nodeOf(c.Status.Allocation)}
				out[k] = g
			}
			if !slices.ContainsFunc(g.claims, func(o Claim) bool { return o.Namespace == claim.Namespace && o.Name == claim.Name }) {
				g.claims = append(g.claims, claim)
			}
		}
	}
	for _, g := range out {
		slices.SortFunc(g.claims, func(a, b Claim) int {
			return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
		})
	}
	return out
}

// nodeOf is the one node that an allocation is good for, if it is one.
func nodeOf(a *resourcev1.AllocationResult) string {
	if a.NodeSelector == nil || len(a.NodeSelector.NodeSelectorTerms) != 1 {
		return ""
	}
	for _, f := range a.NodeSelector.NodeSelectorTerms[0].MatchFields {
		if f.Key == "metadata.name" && f.Operator == "In" && len(f.Values) == 1 {
			return f.Values[0]
		}
	}
	return ""
}

// candidate is a device that nobody has, with what it would take.
type candidate struct {
	Device
	takes []resourcev1.DeviceCounterConsumption
}

func ofPool(p pool, parts []resourcev1.ResourceSlice, taken map[usage.DRADevice]*given) []Device {
	complete := int64(len(parts)) >= parts[0].Spec.Pool.ResourceSliceCount
	left := counters{}
	for _, s := range parts {
		for _, set := range s.Spec.SharedCounters {
			left[set.Name] = map[string]resource.Quantity{}
			for name, c := range set.Counters {
				left[set.Name][name] = c.Value.DeepCopy()
			}
		}
	}
	var out []Device
	var free []candidate
	for _, s := range parts {
		for _, d := range s.Spec.Devices {
			one := describe(p, s, d)
			if g := taken[one.DRADevice]; g != nil {
				if !g.seen {
					g.seen = true
					one.Claims = g.claims
					left.take(d.ConsumesCounters)
					out = append(out, one)
				}
				continue
			}
			if !complete {
				one.Unusable = fmt.Sprintf("its pool has %d of %d ResourceSlices", len(parts), parts[0].Spec.Pool.ResourceSliceCount)
			}
			free = append(free, candidate{one, d.ConsumesCounters})
		}
	}
	slices.SortStableFunc(free, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.Memory, a.Memory), cmp.Compare(a.Device.Device, b.Device.Device))
	})
	for _, c := range free {
		if left.take(c.takes) {
			out = append(out, c.Device)
		}
	}
	return out
}

// counters are what partitions of devices take from, by set and name.
type counters map[string]map[string]resource.Quantity

// take subtracts, unless something would not be enough. What claims have been given is
// subtracted first, so it is always enough for them.
func (c counters) take(all []resourcev1.DeviceCounterConsumption) bool {
	for _, d := range all {
		for name, n := range d.Counters {
			if have := c[d.CounterSet][name]; have.Cmp(n.Value) < 0 {
				return false
			}
		}
	}
	for _, d := range all {
		for name, n := range d.Counters {
			have := c[d.CounterSet][name]
			have.Sub(n.Value)
			c[d.CounterSet][name] = have
		}
	}
	return true
}

// describe reads a device's own words. Drivers choose the names of attributes; these are
// those of NVIDIA's, AMD's and Intel's drivers.
func describe(p pool, s resourcev1.ResourceSlice, d resourcev1.Device) Device {
	out := Device{DRADevice: usage.DRADevice{Driver: p.driver, Pool: p.name, Device: d.Name}, Node: cmp.Or(text(s.Spec.NodeName), text(d.NodeName))}
	attribute := func(names ...string) string {
		for _, n := range names {
			for _, q := range []string{n, p.driver + "/" + n} {
				if v := text(d.Attributes[resourcev1.QualifiedName(q)].StringValue); v != "" {
					return v
				}
			}
		}
		return ""
	}
	out.Product = attribute("productName", "model")
	out.UUID = attribute("uuid")
	out.Profile = attribute("profile")
	for _, q := range []string{"memory", p.driver + "/memory"} {
		if c, ok := d.Capacity[resourcev1.QualifiedName(q)]; ok {
			out.Memory = c.Value.Value()
			break
		}
	}
	for _, t := range d.Taints {
		if t.Effect == resourcev1.DeviceTaintEffectNoSchedule || t.Effect == resourcev1.DeviceTaintEffectNoExecute {
			out.Unusable = fmt.Sprintf("its driver has tainted it: %s", t.Key)
		}
	}
	return out
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
