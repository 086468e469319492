package exposure

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// Undo is what there is to take back.
type Undo struct {
	Detection Detection `json:"detection"`
	// Service is what the gateway's Service becomes; nil where expose has changed nothing of it.
	Service *Before `json:"service,omitempty"`
	// Pool is ours, where it is there and nobody else uses it.
	Pool *Pool `json:"pool,omitempty"`
	// MetalLB is to be taken out too.
	MetalLB bool `json:"metallb,omitempty"`
	// Kept says what stays, and why.
	Kept []string `json:"kept,omitempty"`
}

// Nothing tells that there is nothing to take back.
func (u *Undo) Nothing() bool { return u.Service == nil && u.Pool == nil && !u.MetalLB }

// NewUndo finds out what exposing the gateway has changed. MetalLB goes only where that
// was asked for, and this program brought it, and nobody else has an address of it.
func (s *Snapshot) NewUndo(removeMetalLB bool) (*Undo, error) {
	svc := s.Gateway()
	u := &Undo{Detection: s.Detect()}
	if svc != nil {
		record, err := recordOf(svc)
		if err != nil {
			return nil, err
		}
		if record != nil {
			before := record.Before
			// What was never set has not to be put back either.
			if record.Set.IPFamilyPolicy == "" {
				before.IPFamilyPolicy = ""
			}
			if record.Set.LoadBalancerIP == "" {
				before.LoadBalancerIP = ""
			}
			u.Service = &before
		}
	}
	pools := s.customPools()
	if u.Detection.Provider == MetalLBConfigMap || u.Detection.Provider == MetalLBMixed {
		pools = append(pools, s.legacyPools()...)
	}
	var foreign []string
	for _, p := range pools {
		if !p.Ours {
			foreign = append(foreign, p.Name)
			continue
		}
		if users := s.usersOf(p); len(users) > 0 {
			u.Kept = append(u.Kept, fmt.Sprintf("pool %s is kept: %s", p.Name, users[0]))
			continue
		}
		u.Pool = &p
	}
	d := u.Detection
	switch others := s.given(); {
	case d.Provider != MetalLB && d.Provider != MetalLBConfigMap:
		if removeMetalLB {
			return nil, unfit(InputMetalLB, "MetalLB does not assign addresses here, %s does: omit the flag", d)
		}
	case !d.Ours:
		if removeMetalLB {
			return nil, unfit(InputMetalLB, "%s has another owner: omit the flag", d)
		}
		u.Kept = append(u.Kept, fmt.Sprintf("%s is kept: it has another owner", d))
	case !removeMetalLB:
		u.Kept = append(u.Kept, fmt.Sprintf("%s is kept unless its removal is requested", d))
	case len(foreign) > 0:
		return nil, unfit(InputMetalLB, "MetalLB has pools of another owner (%s): delete them first, or omit the flag", foreign[0])
	default:
		others = slices.DeleteFunc(others, func(g Given) bool { return g.Service == ServiceRef })
		if len(others) > 0 {
			return nil, unfit(InputMetalLB, "%s has the address %s from it and would lose it: omit the flag", others[0].Service, others[0].Address)
		}
		u.MetalLB = true
	}
	return u, nil
}

// Changes is what taking back would do, without MetalLB's own objects.
func (u *Undo) Changes() []Change {
	var out []Change
	if u.Service != nil {
		out = append(out, Change{Object: ServiceRef, Action: report.Configured, Note: "type " + string(u.Service.Type)})
	}
	switch {
	case u.Pool == nil:
	case u.Pool.Ref.Kind == "ConfigMap":
		out = append(out, Change{Object: u.Pool.Ref, Action: report.Configured})
	default:
		advertisement := report.Ref{Group: l2Kind.Group, Kind: l2Kind.Kind, Namespace: u.Pool.Ref.Namespace, Name: PoolName}
		out = append(out, Change{Object: advertisement, Action: report.Deleted}, Change{Object: u.Pool.Ref, Action: report.Deleted})
	}
	return out
}

// usersOf are other Services that have an address of a pool.
func (s *Snapshot) usersOf(p Pool) []string {
	var out []string
	for _, g := range s.given() {
		if g.Service != ServiceRef && slices.ContainsFunc(p.Ranges, func(r Range) bool { return r.contains(g.Address) }) {
			out = append(out, fmt.Sprintf("%s has %s from it", g.Service, g.Address))
		}
	}
	return out
}

// Undo takes back the Service's fields, then our pool. MetalLB itself is the rollout
// engine's to remove.
func (a *Applier) Undo(ctx context.Context, u *Undo) ([]Change, error) {
	var changes []Change
	if u.Service != nil {
		c, err := a.restore(ctx, *u.Service)
		if err != nil {
			return changes, err
		}
		changes = append(changes, c)
	}
	if u.Pool == nil {
		return changes, nil
	}
	if u.Pool.Ref.Kind == "ConfigMap" {
		c, err := a.config(ctx, u.Pool.Ref, nil)
		if err != nil {
			return changes, err
		}
		return append(changes, c), nil
	}
	// First nobody is told of the addresses any more, then there are none.
	for _, gk := range []schema.GroupKind{l2Kind, poolKind} {
		ref := report.Ref{Group: gk.Group, Kind: gk.Kind, Namespace: u.Pool.Ref.Namespace, Name: PoolName}
		resource, err := a.Cluster.Mapper.Preferred(gk)
		if err != nil {
			return changes, fmt.Errorf("%s: %w", ref, err)
		}
		client := a.Cluster.Dynamic.Resource(resource.GroupVersionResource).Namespace(ref.Namespace)
		err = rollout.Retry(ctx, a.Say, func(ctx context.Context) error {
			return client.Delete(ctx, ref.Name, metav1.DeleteOptions{DryRun: a.dryRun()})
		})
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return changes, fmt.Errorf("%s: %w", ref, err)
		}
		changes = append(changes, Change{Object: ref, Action: report.Deleted})
	}
	return changes, nil
}

// restore puts back what the Service was. A field that is left out of what our manager
// sends is removed where nobody else owns it, and the server gives the type ClusterIP to a
// Service that has none; anything else has to be said.
func (a *Applier) restore(ctx context.Context, b Before) (Change, error) {
	set := Set{Annotations: b.Annotations, LoadBalancerIP: b.LoadBalancerIP, IPFamilyPolicy: b.IPFamilyPolicy}
	if b.Type != corev1.ServiceTypeClusterIP {
		set.Type = b.Type
	}
	object, err := set.object(nil)
	if err != nil {
		return Change{}, err
	}
	return a.send(ctx, &unstructured.Unstructured{Object: object})
}

// Rights that taking back needs, beside those of removing MetalLB.
func (u *Undo) Rights() []rollout.Right {
	var rights []rollout.Right
	if u.Service != nil {
		rights = append(rights, writes(Namespace, schema.GroupResource{Resource: "services"}, "get", "patch")...)
	}
	switch {
	case u.Pool == nil:
	case u.Pool.Ref.Kind == "ConfigMap":
		rights = append(rights, writes(u.Pool.Ref.Namespace, schema.GroupResource{Resource: "configmaps"}, "get", "update")...)
	default:
		for _, plural := range []string{"ipaddresspools", "l2advertisements"} {
			rights = append(rights, writes(u.Pool.Ref.Namespace, schema.GroupResource{Group: poolKind.Group, Resource: plural}, "delete")...)
		}
	}
	return rights
}
