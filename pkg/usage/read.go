package usage

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
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
	requests atomic.Int64
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
	var claims map[string][]GPU
	var unclaimed []string
	together, asking := errgroup.WithContext(ctx)
	together.Go(func() (err error) {
		nodes, err = r.nodes(asking)
		return err
	})
	together.Go(func() error {
		figures = r.metrics(asking)
		return nil
	})
	if o.Claims != nil {
		together.Go(func() error {
			claims, unclaimed = o.Claims.GPUs(asking)
			return nil
		})
	}
	if err := together.Wait(); err != nil {
		return nil, err
	}
	problems := figures.enter(nodes, o.Now())
	s := &Snapshot{Time: o.Now(), Nodes: nodes}
	// Pods are asked for only where device plugins hand GPUs out.
	var withGPUs, withPlugin []string
	for i := range nodes {
		n := &nodes[i]
		if len(n.GPUs) > 0 {
			withPlugin = append(withPlugin, n.Name)
		}
		n.GPUs = append(n.GPUs, claims[n.Name]...)
		if len(n.GPUs) > 0 {
			withGPUs = append(withGPUs, n.Name)
		}
	}
	problems = append(problems, unclaimed...)
	var requested counted
	var live alive
	together, asking = errgroup.WithContext(ctx)
	if len(withPlugin) > 0 {
		together.Go(func() error {
			requested = r.requested(asking, withPlugin)
			return nil
		})
	}
	if o.Live != nil && len(withGPUs) > 0 {
		together.Go(func() error {
			live.devices, live.absent, live.problems = o.Live.Devices(asking, withGPUs)
			return nil
		})
	}
	if err := errors.Join(together.Wait(), ctx.Err()); err != nil {
		return nil, err
	}
	for i := range nodes {
		requested.enter(&nodes[i])
		live.enter(&nodes[i], o.Live != nil)
	}
	s.Problems = slices.Concat(problems, requested.problems(), live.problems)
	s.Requests = int(r.requests.Load())
	return s, nil
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
		r.requests.Add(1)
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
			r.requests.Add(1)
			if _, err := list[corev1.Node](ctx, r.REST(), named, func(n *corev1.Node) {
				node := r.node(n)
				found[i] = &node
			}); err != nil {
				return fmt.Errorf("node %s cannot be read: %w", name, err)
			}
			if found[i] == nil {
				return fmt.Errorf("node %s is not in %s: `kubectl get nodes` lists those that are", name, r.Target.Cluster)
			}
			return nil
		})
	}
	if err := together.Wait(); err != nil {
		return nil, err
	}
	for _, n := range found {
		out = append(out, *n)
	}
	return out, nil
}

func (r *reader) node(n *corev1.Node) Node {
	out := Node{
		Name: n.Name, Cordoned: n.Spec.Unschedulable, Created: n.CreationTimestamp.Time,
		CPU:    Amount{Capacity: n.Status.Capacity[corev1.ResourceCPU], Allocatable: n.Status.Allocatable[corev1.ResourceCPU]},
		Memory: Amount{Capacity: n.Status.Capacity[corev1.ResourceMemory], Allocatable: n.Status.Allocatable[corev1.ResourceMemory]},
		GPUs:   gpusOf(n, r.GPUResources),
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

// counted are requests by node and resource.
type counted struct {
	byNode map[string]map[string]int64
	// failed are the nodes whose pods could not be listed.
	failed map[string]error
}

// requested counts what the pods of nodes ask for.
func (r *reader) requested(ctx context.Context, nodes []string) counted {
	if len(nodes) > fewNodes {
		return r.requestedOfAll(ctx, nodes)
	}
	sums := make([]map[string]int64, len(nodes))
	errs := make([]error, len(nodes))
	var refused atomic.Pointer[error]
	var together errgroup.Group
	together.SetLimit(workers)
	for i, name := range nodes {
		together.Go(func() error {
			// Who may not list pods may not on any node.
			if e := refused.Load(); e != nil {
				errs[i] = *e
				return nil
			}
			sums[i] = map[string]int64{}
			errs[i] = r.pods(ctx, url.Values{
				"resourceVersion": {"0"},
				"fieldSelector":   {"spec.nodeName=" + name + ",status.phase!=Succeeded,status.phase!=Failed"},
			}, func(p *corev1.Pod) { r.count(sums[i], p) })
			if errs[i] != nil && (apierrors.IsForbidden(errs[i]) || apierrors.IsUnauthorized(errs[i])) {
				refused.CompareAndSwap(nil, &errs[i])
			}
			return nil
		})
	}
	_ = together.Wait() // its functions keep their errors
	out := counted{byNode: map[string]map[string]int64{}, failed: map[string]error{}}
	for i, name := range nodes {
		if errs[i] != nil {
			out.failed[name] = errs[i]
			continue
		}
		out.byNode[name] = sums[i]
	}
	return out
}

func (r *reader) requestedOfAll(ctx context.Context, nodes []string) counted {
	out := counted{byNode: map[string]map[string]int64{}, failed: map[string]error{}}
	for _, n := range nodes {
		out.byNode[n] = map[string]int64{}
	}
	err := r.pods(ctx, url.Values{
		"limit":         {fmt.Sprint(podsPage)},
		"fieldSelector": {"spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed"},
	}, func(p *corev1.Pod) {
		if sums, ok := out.byNode[p.Spec.NodeName]; ok {
			r.count(sums, p)
		}
	})
	if err != nil {
		// Half of the pages is not half of a number.
		clear(out.byNode)
		for _, n := range nodes {
			out.failed[n] = err
		}
	}
	return out
}

func (r *reader) count(sums map[string]int64, p *corev1.Pod) {
	if !Occupies(p) {
		return
	}
	for name, n := range PodGPUs(p, r.GPUResources) {
		sums[name] += n
	}
}

// pods lists pods, page by page where params has a limit.
func (r *reader) pods(ctx context.Context, params url.Values, each func(*corev1.Pod)) error {
	for {
		r.requests.Add(1)
		next, err := list[corev1.Pod](ctx, r.REST(), query{path: "/api/v1/pods", accept: acceptProtobuf, keep: podFields, params: params}, each)
		if err != nil || next == "" {
			return err
		}
		params.Set("continue", next)
	}
}

// enter writes the requests into a node's resources. What DRA allocates is known to its
// source.
func (c counted) enter(n *Node) {
	for i := range n.GPUs {
		g := &n.GPUs[i]
		if g.Origin != DevicePlugin {
			continue
		}
		if err, ok := c.failed[n.Name]; ok {
			g.Requested = Missing[int64](absence("pods", err))
			continue
		}
		g.Requested = Known(c.byNode[n.Name][g.Resource])
	}
}

func (c counted) problems() []string {
	var names []string
	for n := range c.failed {
		names = append(names, n)
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	why := absence("pods", c.failed[names[0]])
	return []string{fmt.Sprintf("what pods request of the GPUs of %s is not known: %s", some(names), why.Reason)}
}

// some names the first few of many.
func some(names []string) string {
	const few = 3
	if len(names) <= few+1 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}

// absence turns an error into why a number is not there. What is the resource that was
// asked for.
func absence(what string, err error) Absence {
	switch {
	case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
		return Absence{Forbidden: true, Reason: "the user may not list " + what + ": " + err.Error()}
	case errors.Is(err, context.DeadlineExceeded), apierrors.IsTimeout(err), apierrors.IsServerTimeout(err):
		return Absence{Reason: what + " were not answered in time: " + err.Error()}
	}
	return Absence{Reason: what + " cannot be listed: " + err.Error()}
}
