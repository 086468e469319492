package exposure

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// Change is what was done, or would be, to one object.
type Change struct {
	Object report.Ref    `json:"object"`
	Action report.Action `json:"action"`
	// Note says what is particular about it.
	Note string `json:"note,omitempty"`
}

// Applier writes what a plan says.
type Applier struct {
	Cluster *cluster.Cluster
	// DryRun has the server check everything and keep nothing.
	DryRun bool
	// Say is told what is waited for, and why; it must not be nil.
	Say func(string)
}

func (a *Applier) dryRun() []string {
	if a.DryRun {
		return []string{metav1.DryRunAll}
	}
	return nil
}

const metalLBVersion = "metallb.io/v1beta1"

// objects of MetalLB's custom resources that make our pool.
func (p *PoolPlan) objects() (pool, advertisement *unstructured.Unstructured) {
	spec := map[string]any{"addresses": anys(texts(p.Ranges))}
	if slices.ContainsFunc(p.Ranges, Range.hasBuggy) {
		spec["avoidBuggyIPs"] = true
	}
	object := func(kind string, spec map[string]any) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": metalLBVersion, "kind": kind,
			"metadata": map[string]any{"namespace": p.Namespace, "name": PoolName}, "spec": spec,
		}}
	}
	return object(poolKind.Kind, spec), object(l2Kind.Kind, map[string]any{"ipAddressPools": []any{PoolName}})
}

// Objects are what the plan for a pool writes.
func (p *PoolPlan) Objects() []report.Ref {
	if p.Provider == MetalLBConfigMap {
		return []report.Ref{{Kind: "ConfigMap", Namespace: p.Namespace, Name: p.ConfigMap}}
	}
	pool, advertisement := p.objects()
	return []report.Ref{cluster.RefOf(pool), cluster.RefOf(advertisement)}
}

// Pool writes our pool and its advertisement. MetalLB's webhook may need a moment after
// its controller was started: what it says is told, and asked again, until ctx ends.
func (a *Applier) Pool(ctx context.Context, p *PoolPlan) ([]Change, error) {
	if p.Provider == MetalLBConfigMap {
		c, err := a.config(ctx, p.Objects()[0], p.Ranges)
		return done(c, err)
	}
	pool, advertisement := p.objects()
	objects := []*unstructured.Unstructured{pool, advertisement}
	if a.DryRun {
		if _, _, err := a.Cluster.For(pool); err != nil {
			return []Change{{Object: cluster.RefOf(pool), Action: report.Created, Note: "not tried: MetalLB defines its kind"}, {Object: cluster.RefOf(advertisement), Action: report.Created}}, nil
		}
	} else if err := rollout.Enlist(ctx, a.Cluster, objects...); err != nil {
		return nil, err
	}
	var changes []Change
	for _, u := range objects {
		c, err := a.send(ctx, u)
		if err != nil {
			return changes, err
		}
		changes = append(changes, c)
	}
	return changes, nil
}

// send applies one object of ours.
func (a *Applier) send(ctx context.Context, u *unstructured.Unstructured) (Change, error) {
	c := Change{Object: cluster.RefOf(u), Action: report.Created}
	client, _, err := a.Cluster.For(u)
	if err != nil {
		return c, fmt.Errorf("%s: %w", c.Object, err)
	}
	live, err := client.Get(ctx, u.GetName(), metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return c, fmt.Errorf("%s: %w", c.Object, err)
	}
	err = rollout.Retry(ctx, a.Say, func(ctx context.Context) error {
		now, err := client.Apply(ctx, u.GetName(), u, metav1.ApplyOptions{FieldManager: FieldManager, Force: true, DryRun: a.dryRun()})
		if err != nil || live == nil {
			return err
		}
		c.Action = report.Configured
		if same(live, now) {
			c.Action = report.Unchanged
		}
		return nil
	})
	if err != nil {
		return c, fmt.Errorf("%s: %w", c.Object, err)
	}
	return c, nil
}

// same tells whether nothing has changed that anybody would see. A dry run leaves the
// resourceVersion as it is.
func same(before, after *unstructured.Unstructured) bool {
	seen := func(u *unstructured.Unstructured) map[string]any {
		u = u.DeepCopy()
		u.SetManagedFields(nil)
		u.SetResourceVersion("")
		u.SetGeneration(0)
		delete(u.Object, "status")
		return u.Object
	}
	return reflect.DeepEqual(seen(before), seen(after))
}

// patient is how often a ConfigMap is read again that somebody else keeps writing: for
// some ten seconds.
var patient = wait.Backoff{Steps: 30, Duration: 10 * time.Millisecond, Factor: 1.4, Jitter: 0.5, Cap: time.Second}

// config edits MetalLB's ConfigMap: our pool with these ranges, or without it where there
// are none. Nobody's change is overwritten: when somebody else writes at the same moment,
// their text is read and edited again.
func (a *Applier) config(ctx context.Context, ref report.Ref, ranges []Range) (Change, error) {
	c := Change{Object: ref, Action: report.Configured}
	client := a.Cluster.Dynamic.Resource(configMapsResource).Namespace(ref.Namespace)
	err := retry.RetryOnConflict(patient, func() error {
		live, err := client.Get(ctx, ref.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			if ranges == nil {
				c.Action = report.Unchanged
				return nil
			}
			text, err := editConfig("", ranges)
			if err != nil {
				return err
			}
			c.Action = report.Created
			_, err = client.Create(ctx, &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": "v1", "kind": "ConfigMap",
				"metadata": map[string]any{"namespace": ref.Namespace, "name": ref.Name}, "data": map[string]any{configKey: text},
			}}, metav1.CreateOptions{FieldManager: FieldManager, DryRun: a.dryRun()})
			return err
		}
		if err != nil {
			return err
		}
		was, _, _ := unstructured.NestedString(live.Object, "data", configKey)
		text, err := editConfig(was, ranges)
		if err != nil {
			return fmt.Errorf("key %s: %w", configKey, err)
		}
		if text == was {
			c.Action = report.Unchanged
			return nil
		}
		if err := unstructured.SetNestedField(live.Object, text, "data", configKey); err != nil {
			return err
		}
		// The resourceVersion that was read goes along: the server refuses what is outdated.
		_, err = client.Update(ctx, live, metav1.UpdateOptions{FieldManager: FieldManager, DryRun: a.dryRun()})
		if apierrors.IsConflict(err) {
			a.Say("it was changed in the meantime and is read again")
		}
		return err
	})
	if err != nil {
		return c, fmt.Errorf("%s: %w", c.Object, err)
	}
	return c, nil
}

// Service makes the gateway's Service what the plan says.
func (a *Applier) Service(ctx context.Context, p *Plan) ([]Change, error) {
	if p.Unchanged {
		return []Change{{Object: ServiceRef, Action: report.Unchanged}}, nil
	}
	object, err := p.Set.object(&p.record)
	if err != nil {
		return nil, err
	}
	c, err := a.send(ctx, &unstructured.Unstructured{Object: object})
	if apierrors.IsInvalid(err) && p.Set.IPFamilyPolicy != "" {
		err = fmt.Errorf("an address of each family requires a dual-stack cluster: %w", err)
	}
	return done(c, err)
}

// done leaves out a change that was not made.
func done(c Change, err error) ([]Change, error) {
	if err != nil {
		return nil, err
	}
	return []Change{c}, nil
}

// Rights that a plan's writes need, beside those of installing MetalLB.
func (p *Plan) Rights() []rollout.Right {
	rights := []rollout.Right{
		{Verb: "get", Namespace: Namespace, Resource: schema.GroupResource{Resource: "services"}},
		{Verb: "watch", Namespace: Namespace, Resource: schema.GroupResource{Resource: "services"}},
	}
	if !p.Unchanged {
		rights = append(rights, rollout.Right{Verb: "patch", Namespace: Namespace, Resource: schema.GroupResource{Resource: "services"}})
	}
	switch {
	case p.Pool == nil || p.Pool.Action == report.Unchanged:
	case p.Pool.Provider == MetalLBConfigMap:
		rights = append(rights, writes(p.Pool.Namespace, schema.GroupResource{Resource: "configmaps"}, "get", "create", "update")...)
	default:
		for _, plural := range []string{"ipaddresspools", "l2advertisements"} {
			rights = append(rights, writes(p.Pool.Namespace, schema.GroupResource{Group: poolKind.Group, Resource: plural}, "get", "create", "patch")...)
		}
		rights = append(rights, writes(rollout.InventoryNamespace, schema.GroupResource{Resource: "configmaps"}, "get", "update")...)
	}
	return rights
}

func writes(namespace string, resource schema.GroupResource, verbs ...string) []rollout.Right {
	out := make([]rollout.Right, len(verbs))
	for i, v := range verbs {
		out[i] = rollout.Right{Verb: v, Namespace: namespace, Resource: resource}
	}
	return out
}

var errNoGateway = errors.New("the gateway's Service has been deleted in the meantime")

// hasAddress tells whether a Service has what a plan is after: an address, of the ranges
// or the very ones that were asked for.
func (p *Plan) hasAddress(svc *corev1.Service, wanted []string) bool {
	var have []string
	for _, i := range svc.Status.LoadBalancer.Ingress {
		have = append(have, i.IP+i.Hostname)
	}
	if len(have) == 0 {
		return false
	}
	for _, w := range wanted {
		if !slices.Contains(have, w) {
			return false
		}
	}
	if p.Pool == nil {
		return true
	}
	// The one that it had of other ranges will be taken away.
	pools := []Pool{{Ours: true, Ranges: p.Pool.Ranges}}
	s := &Snapshot{Services: []corev1.Service{*svc}}
	return slices.ContainsFunc(s.given(), func(g Given) bool { return heldBy(pools, g.Address) })
}
