package dra

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"
	resourcev1 "k8s.io/api/resource/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
)

// Source reads the GPUs of all DRA drivers of a cluster. It remembers nothing.
type Source struct {
	REST rest.Interface
	// Version of the API; v1 where it is empty.
	Version schema.GroupVersion
	// Drivers are names of further drivers whose devices count as GPUs.
	Drivers []string
}

// Of is the source of a cluster's devices, in the newest version of the API that its server
// has; nil, which reads nothing, where the server has none.
func Of(c *cluster.Cluster, drivers []string) *Source {
	for _, version := range versions {
		if _, err := c.Mapper.Resource(version.WithKind("ResourceSlice")); err == nil {
			return &Source{REST: c.REST(), Version: version, Drivers: drivers}
		}
	}
	return nil
}

// Claims is a source for usage.Read; nil where the server has no such devices.
func Claims(c *cluster.Cluster, drivers []string) usage.ClaimSource {
	if s := Of(c, drivers); s != nil {
		return s
	}
	return nil
}

// Reading is what was found.
type Reading struct {
	Devices []Device
	// Claims has every claim, also those that have been given nothing yet.
	Claims []resourcev1.ResourceClaim
	// ClaimsAbsent is set where claims could not be read: who has what is not known then.
	ClaimsAbsent *usage.Absence
	Problems     []string
}

// Read asks for slices and claims side by side. A server without the API has no such GPUs;
// that is no problem.
func (s *Source) Read(ctx context.Context) (Reading, error) {
	var out Reading
	if s == nil {
		return out, nil
	}
	var published []resourcev1.ResourceSlice
	var noSlices, noClaims error
	of := s.lists()
	var together errgroup.Group
	together.Go(func() error {
		noSlices = of.slices(ctx, func(o *resourcev1.ResourceSlice) { published = append(published, *o) })
		return nil
	})
	together.Go(func() error {
		noClaims = of.claims(ctx, func(o *resourcev1.ResourceClaim) { out.Claims = append(out.Claims, *o) })
		return nil
	})
	_ = together.Wait() // its functions keep their errors
	if err := ctx.Err(); err != nil {
		return out, err
	}
	if noSlices != nil {
		if !apierrors.IsNotFound(noSlices) {
			out.Problems = append(out.Problems, "DRA GPUs are unknown: "+usage.AbsenceOf("resourceslices.resource.k8s.io", noSlices).Reason)
		}
		return out, nil
	}
	if noClaims != nil {
		why := usage.AbsenceOf("resourceclaims.resource.k8s.io", noClaims)
		out.Claims, out.ClaimsAbsent = nil, &why
	}
	out.Devices = Inventory(published, out.Claims, s.Drivers)
	if out.ClaimsAbsent != nil && len(out.Devices) > 0 {
		out.Problems = append(out.Problems, "allocations of DRA GPUs are unknown: "+out.ClaimsAbsent.Reason)
	}
	return out, nil
}

// Classes hands out the classes of devices, from the server's cache.
func (s *Source) Classes(ctx context.Context, each func(*resourcev1.DeviceClass)) error {
	if s == nil {
		return nil
	}
	return s.lists().classes(ctx, each)
}

func (s *Source) lists() lists { return listsOf(s.REST, cmp.Or(s.Version, versions[0])) }

// GPUs implements usage.ClaimSource: one entry for each driver and product of a node.
func (s *Source) GPUs(ctx context.Context) (map[string][]usage.GPU, []string) {
	r, err := s.Read(ctx)
	if err != nil {
		return nil, nil // the whole command ends
	}
	problems := r.Problems
	byNode := map[string][]usage.GPU{}
	untied := 0
	for _, d := range r.Devices {
		if d.Node == "" {
			untied++
			continue
		}
		all := byNode[d.Node]
		i := slices.IndexFunc(all, func(g usage.GPU) bool { return g.Resource == d.Driver })
		if i < 0 {
			i = len(all)
			all = append(all, usage.GPU{Resource: d.Driver, Origin: usage.DRA, Product: d.Product, MemoryEach: d.Memory, Replicas: 1, Requested: usage.Known[int64](0)})
		}
		all[i] = with(all[i], d)
		if r.ClaimsAbsent != nil {
			all[i].Requested = usage.Missing[int64](*r.ClaimsAbsent)
		}
		byNode[d.Node] = all
	}
	if untied > 0 {
		problems = append(problems, fmt.Sprintf("%d DRA GPUs do not belong to a single node and are not shown: `kubectl jupyter top gpus` lists them", untied))
	}
	return byNode, problems
}

// with counts one more device. One that is held and broken keeps nobody else waiting, so it
// is on both sides of what is free. One that is held and gone is on one side only, as with
// device plugins: what is free then is less than nothing.
func with(g usage.GPU, d Device) usage.GPU {
	if g.Product != d.Product {
		g.Product = "" // several: top gpus has them one by one
	}
	if g.MemoryEach != d.Memory {
		g.MemoryEach = 0
	}
	if !d.Gone {
		g.Capacity++
	}
	if !d.Gone && (d.Unusable == "" || len(d.Claims) > 0) {
		g.Allocatable++
	}
	if n, ok := g.Requested.Get(); ok && len(d.Claims) > 0 {
		g.Requested = usage.Known(n + 1)
	}
	return g
}
