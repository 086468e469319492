package holders

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
)

// Share is what the pods of a namespace, or of all namespaces of an owner, use of nodes.
type Share struct {
	Name  usage.Maybe[string]
	Pods  int
	Nodes int
	// CPU and Memory are of the pods with figures; Unknown counts the others.
	CPU, Memory                   resource.Quantity
	Unknown                       int
	CPURequested, MemoryRequested resource.Quantity
	// GPUs that device plugins gave them, by resource.
	GPUs map[string]int64

	nodes map[string]bool
}

// Shares is who uses the nodes.
type Shares struct {
	Time     time.Time
	Shares   []Share
	Problems []string
}

// sharePage is how many pods a page has.
const sharePage = 500

// ReadShares adds up the pods of nodes by namespace, or by the owners of namespaces. Without
// the pods there is nothing to show, and that is its error.
func ReadShares(ctx context.Context, c *cluster.Cluster, by By, o Options) (*Shares, error) {
	var nodes []usage.Node
	var whose Owners
	var unmeasured error
	figures := map[string]*metricsv1beta1.PodMetrics{}
	var mu sync.Mutex
	together, asking := errgroup.WithContext(ctx)
	together.Go(func() (err error) {
		nodes, err = usage.Nodes(asking, c, usage.Options{Names: o.Nodes, Selector: o.Selector, GPUResources: o.GPUResources})
		return err
	})
	together.Go(func() error {
		if by == ByOwner {
			whose = ReadOwners(asking, c, "")
		}
		return nil
	})
	together.Go(func() error {
		err := usage.PodFigures(asking, c, "", "", func(m *metricsv1beta1.PodMetrics) {
			mu.Lock()
			defer mu.Unlock()
			figures[m.Namespace+"/"+m.Name] = m
		})
		mu.Lock()
		defer mu.Unlock()
		unmeasured = err
		return nil
	})
	if err := together.Wait(); err != nil {
		return nil, err
	}
	out := &Shares{Time: o.now()}
	wanted := map[string]bool{}
	for _, n := range nodes {
		wanted[n.Name] = true
	}
	all := map[string]*Share{}
	pods, missing := 0, 0
	err := usage.List(ctx, c.REST(), "/api/v1/pods", url.Values{
		"limit": {fmt.Sprint(sharePage)}, "fieldSelector": {"spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed"},
	}, append([]string{
		"spec.nodeName", "spec.overhead", "spec.resources", "spec.resourceClaims", "spec.containers.name", "spec.containers.resources",
		"spec.initContainers.name", "spec.initContainers.resources", "spec.initContainers.restartPolicy", "status",
	}, podPaths...), func(p *corev1.Pod) {
		if !wanted[p.Spec.NodeName] {
			return
		}
		name := usage.Known(p.Namespace)
		if by == ByOwner {
			name = whose.Of(p.Namespace)
		}
		text, _ := name.Get()
		s := all[text]
		if s == nil {
			s = &Share{Name: name, GPUs: map[string]int64{}, nodes: map[string]bool{}}
			all[text] = s
		}
		pods++
		if !s.add(p, figures[p.Namespace+"/"+p.Name], o.GPUResources) {
			missing++
		}
	})
	if err != nil {
		return nil, fmt.Errorf("pods cannot be listed in all namespaces: %w", err)
	}
	for _, s := range all {
		s.Nodes = len(s.nodes)
		out.Shares = append(out.Shares, *s)
	}
	slices.SortFunc(out.Shares, func(a, b Share) int { return cmp.Compare(rank(a.Name), rank(b.Name)) })
	switch {
	case unmeasured != nil:
		out.Problems = append(out.Problems, "CPU and memory are unknown: "+usage.MetricsAbsence("pods", unmeasured).Reason)
	case missing > 0:
		out.Problems = append(out.Problems, fmt.Sprintf("CPU and memory of %d of %d pods are unknown: metrics-server has no metrics for them yet", missing, pods))
	}
	out.Problems = append(out.Problems, whose.problems()...)
	return out, nil
}

// add counts a pod, and tells whether it has figures.
func (s *Share) add(p *corev1.Pod, m *metricsv1beta1.PodMetrics, others []string) bool {
	s.Pods++
	s.nodes[p.Spec.NodeName] = true
	requests := usage.PodRequests(p)
	s.CPURequested.Add(requests[corev1.ResourceCPU])
	s.MemoryRequested.Add(requests[corev1.ResourceMemory])
	for name, count := range usage.PodGPUs(p, others) {
		s.GPUs[name] += count
	}
	if m == nil {
		s.Unknown++
		return false
	}
	for _, c := range m.Containers {
		s.CPU.Add(c.Usage[corev1.ResourceCPU])
		s.Memory.Add(c.Usage[corev1.ResourceMemory])
	}
	return true
}
