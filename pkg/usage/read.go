package usage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
)

// Options of a Snapshot.
type Options struct {
	// Names are the nodes to look at; all that the selector finds when empty.
	Names    []string
	Selector string
	// Present leaves out names that are no nodes; without it they are an error.
	Present bool
	// GPUResources are further names of resources that count as GPUs.
	GPUResources []string
	// JSONMetrics asks for metrics in JSON instead of protobuf.
	JSONMetrics bool
	// Live and Claims add what runs on the GPUs, and those that ResourceClaims hand out.
	// nil leaves them out.
	Live   LiveSource
	Claims ClaimSource
	// Now is the clock; nil takes the system's.
	Now func() time.Time
}

// workers is how many requests are on their way at once. The API server limits how much
// it does at a time by itself; this only bounds what is in memory here.
const workers = 16

// nodeFields are what is read of a node.
var nodeFields = fieldsOf[corev1.Node](
	"metadata.name", "metadata.labels", "metadata.creationTimestamp",
	"spec.unschedulable", "status.capacity", "status.allocatable",
	"status.conditions.type", "status.conditions.status",
)

// reader is one look at the cluster.
type reader struct {
	*cluster.Cluster
	Options
}

// Read takes a snapshot. Without the nodes there is none, and that is its error; all
// else that cannot be had leaves a gap with a reason.
func Read(ctx context.Context, c *cluster.Cluster, o Options) (*Snapshot, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	r := &reader{Cluster: c, Options: o}
	var nodes []Node
	var figures measured
	var requested counted
	var claims map[string][]GPU
	var unclaimed []string
	var live alive
	// Everything is on its way at once, but for what needs the names of nodes with GPUs.
	together, asking := errgroup.WithContext(ctx)
	listed, claimed := make(chan struct{}), make(chan struct{})
	together.Go(func() (err error) {
		if nodes, err = r.nodes(asking); err != nil {
			return err
		}
		close(listed)
		// Pods are asked for only where device plugins hand GPUs out.
		if names := namesOf(nodes, nil); len(names) > 0 {
			requested = r.requested(asking, names)
		}
		return nil
	})
	together.Go(func() error {
		figures = r.metrics(asking)
		return nil
	})
	together.Go(func() error {
		defer close(claimed)
		if o.Claims != nil {
			claims, unclaimed = o.Claims.GPUs(asking)
		}
		return nil
	})
	together.Go(func() error {
		for _, fact := range []chan struct{}{listed, claimed} {
			select {
			case <-fact:
			case <-asking.Done():
				return nil
			}
		}
		if names := namesOf(nodes, claims); o.Live != nil && len(names) > 0 {
			live.devices, live.absent, live.problems = o.Live.Devices(asking, names)
		}
		return nil
	})
	if err := cmp.Or(together.Wait(), ctx.Err()); err != nil {
		return nil, err
	}
	s := &Snapshot{Time: o.Now(), Nodes: nodes}
	s.Problems = slices.Concat(figures.enter(nodes, s.Time), unclaimed, requested.problems(), live.problems, partly(nodes, live.devices))
	for i := range nodes {
		n := &nodes[i]
		n.GPUs = append(n.GPUs, claims[n.Name]...)
		requested.enter(n)
		live.enter(n, o.Live != nil)
	}
	return s, nil
}

// namesOf are the nodes that have GPUs, of their own or by claims.
func namesOf(nodes []Node, claims map[string][]GPU) []string {
	var out []string
	for _, n := range nodes {
		if len(n.GPUs) > 0 || len(claims[n.Name]) > 0 {
			out = append(out, n.Name)
		}
	}
	return out
}

// nodes reads the nodes, from the API server's cache: a node's labels and capacity do
// not change from one second to the next.
func (r *reader) nodes(ctx context.Context) ([]Node, error) {
	var out []Node
	add := func(n *corev1.Node) { out = append(out, r.node(n)) }
	q := query{path: "/api/v1/nodes", accept: acceptProtobuf, keep: nodeFields, params: url.Values{"resourceVersion": {"0"}}}
	if len(r.Names) == 0 {
		if r.Selector != "" {
			q.params.Set("labelSelector", r.Selector)
		}
		if _, err := list[corev1.Node](ctx, r.REST(), q, add); err != nil {
			return nil, fmt.Errorf("nodes cannot be listed: %w", err)
		}
		return out, nil
	}
	found := make([]*Node, len(r.Names))
	together, ctx := errgroup.WithContext(ctx)
	together.SetLimit(workers)
	for i, name := range r.Names {
		together.Go(func() error {
			named := q
			named.params = url.Values{"resourceVersion": {"0"}, "fieldSelector": {"metadata.name=" + name}}
			if _, err := list[corev1.Node](ctx, r.REST(), named, func(n *corev1.Node) {
				node := r.node(n)
				found[i] = &node
			}); err != nil {
				return fmt.Errorf("node %s cannot be read: %w", name, err)
			}
			if found[i] == nil && !r.Present {
				return fmt.Errorf("node %s does not exist in %s: `kubectl get nodes` lists the nodes", name, r.Target.Cluster)
			}
			return nil
		})
	}
	if err := together.Wait(); err != nil {
		return nil, err
	}
	for _, n := range found {
		if n != nil {
			out = append(out, *n)
		}
	}
	return out, nil
}

func (r *reader) node(n *corev1.Node) Node {
	out := Node{
		Name: n.Name, Cordoned: n.Spec.Unschedulable, Created: n.CreationTimestamp.Time,
		CPU:    Amount{Capacity: n.Status.Capacity[corev1.ResourceCPU], Allocatable: n.Status.Allocatable[corev1.ResourceCPU]},
		Memory: Amount{Capacity: n.Status.Capacity[corev1.ResourceMemory], Allocatable: n.Status.Allocatable[corev1.ResourceMemory]},
		GPUs:   GPUsOf(n, r.GPUResources),
	}
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			out.Ready = c.Status == corev1.ConditionTrue
		}
	}
	return out
}

// Limits of counting requests node by node.
const (
	// fewNodes is up to how many nodes with GPUs each is asked for its pods: the API
	// server finds them in an index of its cache. Above, one walk through all pods is
	// less work for it than as many lists.
	fewNodes = 1000
	// podsPage is how many pods it sends at a time then.
	podsPage = 500
)

// counted are requests by node and resource, and why those of a node are not known.
type counted struct {
	byNode map[string]map[string]int64
	absent map[string]Absence
}

// requested counts what the pods of nodes ask for.
func (r *reader) requested(ctx context.Context, nodes []string) counted {
	out := counted{byNode: map[string]map[string]int64{}}
	out.absent = PodsOn(ctx, r.REST(), nodes, nil, func(p *corev1.Pod) {
		for name, n := range PodGPUs(p, r.GPUResources) {
			if out.byNode[p.Spec.NodeName] == nil {
				out.byNode[p.Spec.NodeName] = map[string]int64{}
			}
			out.byNode[p.Spec.NodeName][name] += n
		}
	})
	return out
}

// enter writes the requests into a node's resources. What DRA allocates is known to its
// source.
func (c counted) enter(n *Node) {
	for i := range n.GPUs {
		g := &n.GPUs[i]
		if g.Origin != DevicePlugin {
			continue
		}
		if why, ok := c.absent[n.Name]; ok {
			g.Requested = Missing[int64](why)
			continue
		}
		g.Requested = Known(c.byNode[n.Name][g.Resource])
	}
}

func (c counted) problems() []string {
	if len(c.absent) == 0 {
		return nil
	}
	names := slices.Sorted(maps.Keys(c.absent))
	return []string{fmt.Sprintf("GPU requests on %s are unknown: %s", some(names), c.absent[names[0]].Reason)}
}

// some names the first few of many.
func some(names []string) string {
	const few = 3
	if len(names) <= few+1 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}

// AbsenceOf turns the error of a list into why its numbers are not there. What is the
// resource that was asked for.
func AbsenceOf(what string, err error) Absence {
	switch {
	case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
		return Absence{Forbidden: true, Reason: "the user is not allowed to list " + what + ": " + err.Error()}
	case errors.Is(err, context.DeadlineExceeded), apierrors.IsTimeout(err), apierrors.IsServerTimeout(err):
		return Absence{Reason: "the list of " + what + " timed out: " + err.Error()}
	}
	return Absence{Reason: what + " cannot be listed: " + err.Error()}
}
