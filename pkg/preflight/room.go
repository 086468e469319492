package preflight

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	podresource "k8s.io/component-helpers/resource"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

const (
	// page bounds one answer of the server, in objects.
	page = 500
	// maxCounted bounds the nodes whose pods are added up, one request each. The largest
	// come first: what does not fit on these fits nowhere, or the cluster is very full.
	maxCounted = 64
	// firstCounted nodes are looked at first; each further round takes twice as many.
	firstCounted = 8
)

// core reads built-in kinds as protobuf: a node or a pod costs a tenth of what its JSON
// costs to read.
type core struct{ rest.Interface }

func newCore(c *cluster.Cluster) (*core, error) {
	config := rest.CopyConfig(c.Config)
	config.APIPath, config.GroupVersion = "/api", &schema.GroupVersion{Version: "v1"}
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("context %q: %w", c.Target.Context, err)
	}
	return &core{client}, nil
}

func (c *core) list(ctx context.Context, path string, o metav1.ListOptions, out runtime.Object) error {
	return c.Get().AbsPath(path).VersionedParams(&o, scheme.ParameterCodec).Do(ctx).Into(out)
}

func (c *core) get(ctx context.Context, path string, out runtime.Object) error {
	return c.Get().AbsPath(path).Do(ctx).Into(out)
}

// room reads the nodes, and what the largest of them have left, until everything has a
// place or the bound is reached.
func (l *looker) room(ctx context.Context, missing func(components.PodRequest) bool) error {
	nodes, err := l.nodes(ctx)
	if err != nil {
		return err
	}
	open, excluded := split(nodes, l.pods)
	l.facts.Open, l.facts.Excluded = open, excluded
	err = l.count(ctx, missing)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.facts.done[readPods] = true
	if err != nil && l.facts.failed[readPods] == nil {
		l.facts.failed[readPods] = fmt.Errorf("%s: %w", readPods, err)
	}
	return nil
}

// nodes reads all nodes, a page at a time, and keeps what is needed of them.
func (l *looker) nodes(ctx context.Context) ([]corev1.Node, error) {
	var all []corev1.Node
	for next := ""; ; {
		var list corev1.NodeList
		if err := l.core.list(ctx, "/api/v1/nodes", metav1.ListOptions{Limit: page, Continue: next}, &list); err != nil {
			return nil, err
		}
		for i := range list.Items {
			list.Items[i].Status.Images, list.Items[i].ManagedFields = nil, nil
		}
		all = append(all, list.Items...)
		if next = list.Continue; next == "" {
			return all, nil
		}
	}
}

func (l *looker) count(ctx context.Context, missing func(components.PodRequest) bool) error {
	f := l.facts
	open := slices.Clone(f.Open)
	slices.SortStableFunc(open, func(a, b *corev1.Node) int {
		x, y := allocatable(a), allocatable(b)
		return cmp.Or(cmp.Compare(y.Memory, x.Memory), cmp.Compare(y.CPU, x.CPU), cmp.Compare(a.Name, b.Name))
	})
	f.Capacity = &Capacity{Nodes: len(f.Open) + len(f.Excluded), Open: len(open)}
	pods, notebook := l.pods, l.notebook
	var d Demand
	for batch := firstCounted; len(f.Rooms) < min(len(open), maxCounted); batch *= 2 {
		from := len(f.Rooms)
		rooms, err := l.rooms(ctx, open[from:min(from+batch, len(open), maxCounted)])
		if err != nil {
			return err
		}
		f.Rooms = append(f.Rooms, rooms...)
		if d = weigh(f.Profile, pods, notebook, f.Rooms); d.Fits && d.NotebookFits {
			break
		}
	}
	for _, r := range f.Rooms {
		f.Capacity.Left = f.Capacity.Left.plus(r.Left.positive())
	}
	f.Capacity.Counted = len(f.Rooms)
	f.Capacity.Stuck = stuck(pods, l.rolling, f.Rooms)
	if len(open) > 0 {
		f.Capacity.Demands = []Demand{d}
	}
	if len(open) > 0 && d.Fits && d.NotebookFits {
		return nil
	}
	f.Autoscaler = l.autoscaler(ctx)
	if len(open) == 0 || l.options.Smaller == nil {
		return nil
	}
	profile, rendered, err := l.options.Smaller(ctx)
	if err != nil || rendered == nil {
		return err
	}
	if pods, notebook, err = podsOf(rendered, missing); err != nil {
		return err
	}
	f.Capacity.Demands = append(f.Capacity.Demands, weigh(profile, pods, notebook, f.Rooms))
	return nil
}

// rooms asks for the pods of some nodes, side by side. The server has an index for that.
func (l *looker) rooms(ctx context.Context, nodes []*corev1.Node) ([]Room, error) {
	rooms := make([]Room, len(nodes))
	errs := make([]error, len(nodes))
	var work sync.WaitGroup
	for i, n := range nodes {
		work.Go(func() { rooms[i], errs[i] = l.roomOn(ctx, n) })
	}
	work.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return rooms, nil
}

func (l *looker) roomOn(ctx context.Context, n *corev1.Node) (Room, error) {
	r := Room{Node: n, Left: allocatable(n), Pods: n.Status.Allocatable.Pods().Value()}
	o := metav1.ListOptions{
		// Finished pods hold nothing. What the server has in memory is new enough.
		FieldSelector:   fields.ParseSelectorOrDie("status.phase!=Succeeded,status.phase!=Failed,spec.nodeName=" + n.Name).String(),
		ResourceVersion: "0",
	}
	var list corev1.PodList
	if err := l.core.list(ctx, "/api/v1/pods", o, &list); err != nil {
		return r, fmt.Errorf("of node %s: %w", n.Name, err)
	}
	for i := range list.Items {
		// What a pod holds that is being deleted goes to one that waits, such as its successor
		// after a run that was interrupted while it replaced programs.
		if list.Items[i].DeletionTimestamp != nil {
			continue
		}
		requests := podresource.PodRequests(&list.Items[i], podresource.PodResourcesOptions{UseStatusResources: true})
		r.Left = r.Left.minus(Size{requests.Cpu().MilliValue(), requests.Memory().Value()})
		r.Pods--
	}
	return r, nil
}

// autoscaler tells what adds nodes here. A size that does not fit now may fit then.
func (l *looker) autoscaler(ctx context.Context) string {
	if _, err := l.cluster.Mapper.Preferred(schema.GroupKind{Group: "karpenter.sh", Kind: "NodePool"}); err == nil {
		return "Karpenter (kind NodePool is served)"
	}
	err := l.core.get(ctx, "/api/v1/namespaces/kube-system/configmaps/cluster-autoscaler-status", &corev1.ConfigMap{})
	if err == nil {
		return "the cluster autoscaler (ConfigMap kube-system/cluster-autoscaler-status)"
	}
	return ""
}
