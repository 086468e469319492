package main

import (
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// path is a way through the graph on which every step waits for the one before.
type path struct {
	steps []string
	took  time.Duration
}

func (p path) String() string { return strings.Join(p.steps, " -> ") }

func (p path) then(step string, d time.Duration) path {
	return path{append(slices.Clone(p.steps), step), p.took + d}
}

// longer returns the path that takes more time.
func longer(a, b path) path {
	if b.took > a.took {
		return b
	}
	return a
}

// longestPath is the least time that an installation can take when every pod takes
// delay to become Ready and everything else takes none: the longest chain of pods that
// wait for pods. It follows the catalogue's edges kind by kind, as the engine does.
func longestPath(rendered []components.Rendered, delay time.Duration) path {
	c := &chains{delay: delay, by: map[string]components.Rendered{}, known: map[string]path{}}
	var out path
	for _, r := range rendered {
		c.by[r.Component.Name] = r
		c.order = append(c.order, r.Component.Name)
	}
	for _, r := range rendered {
		out = longer(out, c.until(r.Component.Name, components.Ready))
	}
	return out
}

type chains struct {
	delay time.Duration
	by    map[string]components.Rendered
	order []string
	known map[string]path
}

// until is the longest chain that ends with a condition of a component.
func (c *chains) until(name string, condition components.Condition) path {
	r, ok := c.by[name]
	if !ok {
		return path{} // not part of the installation, or in the cluster already
	}
	id := name + "/" + string(condition)
	if p, ok := c.known[id]; ok {
		return p
	}
	var out path
	switch gate := r.Component.Gate(condition); {
	case gate != nil:
		out = c.gate(gate)
	case condition == components.Ready:
		out = c.objects(r, func(string) bool { return true }, true)
		for i := range r.Component.Gates {
			out = longer(out, c.gate(&r.Component.Gates[i]))
		}
	case condition == components.Established:
		out = c.objects(r, func(kind string) bool { return kind == "CustomResourceDefinition" }, false)
	default: // Accepted
		out = c.objects(r, func(string) bool { return true }, false)
	}
	c.known[id] = out
	return out
}

// gate needs the pods of its workload, and what its probes need.
func (c *chains) gate(gate *components.Gate) path {
	out := c.workload(gate.Workload)
	for _, need := range gate.Needs {
		out = longer(out, c.until(need.Component, need.Condition))
	}
	return out
}

// workload is the longest chain that ends with a Deployment, named NAMESPACE/NAME,
// being ready.
func (c *chains) workload(name string) path {
	for _, n := range c.order {
		r := c.by[n]
		for _, u := range r.Objects {
			if u.GetKind() == "Deployment" && u.GetNamespace()+"/"+u.GetName() == name {
				return c.object(r, u, true)
			}
		}
	}
	return path{}
}

// objects is the longest chain that ends with one of some objects being accepted, or
// ready.
func (c *chains) objects(r components.Rendered, which func(kind string) bool, ready bool) path {
	var out path
	for _, u := range r.Objects {
		if which(u.GetKind()) {
			out = longer(out, c.object(r, u, ready))
		}
	}
	return out
}

func (c *chains) object(r components.Rendered, u *unstructured.Unstructured, ready bool) path {
	var out path
	for _, need := range r.Component.Needs {
		if need.Gates(u.GetKind()) {
			out = longer(out, c.until(need.Component, need.Condition))
		}
	}
	if first := u.GetAnnotations()[rollout.StartsAfterAnnotation]; first != "" {
		out = longer(out, c.workload(first))
	}
	if ready && slices.Contains(components.WorkloadKinds, u.GetKind()) {
		out = out.then(r.Component.Name+" ("+u.GetName()+")", c.delay)
	}
	return out
}
