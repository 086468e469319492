package holders

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/activity"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage/dra"
)

// Notebook is what one notebook has and uses.
type Notebook struct {
	Namespace, Name string
	// Workspace: it is one of Kubeflow's second version of notebooks.
	Workspace bool
	// Owner of the namespace's Profile.
	Owner usage.Maybe[string]
	// Nodes that its pods are on: one, or none while it waits.
	Nodes []string
	// Phase of its pod.
	Phase corev1.PodPhase
	// CPU and Memory that its pods use, with all of their containers.
	CPU, Memory usage.Maybe[resource.Quantity]
	// Sampled is when the older of its pods' figures was taken.
	Sampled time.Time
	// CPURequested and MemoryRequested are what the scheduler counts for its pods.
	CPURequested, MemoryRequested resource.Quantity
	// GPUs is how many of which resource its pods have or, while they wait, want.
	GPUs map[string]int64
	// Products of those GPUs, as far as it is known which they are.
	Products []string
	// Live is what those GPUs do. That of a shared GPU is of all its holders: Shared is
	// set then.
	Live   usage.Live
	Shared bool
	// Created is when the older of its pods was.
	Created time.Time
	// Use is when it was last used, as its culler has written it or its server says.
	Use activity.Use
	// Server is where it answers; without a pod where it does not run.
	Server activity.Target

	pods []string
}

// Notebooks are all notebooks that have pods.
type Notebooks struct {
	Time      time.Time
	Notebooks []Notebook
	// Exported: some node of theirs has an exporter, whether or not it answers.
	Exported bool
	// Problems are what is missing and why, one sentence each.
	Problems []string
}

// selectors find the pods of notebooks; no selector can say "one label or another".
var selectors = []string{NotebookLabel, WorkspaceLabel}

// notebooksReader is one look.
type notebooksReader struct {
	*cluster.Cluster
	Options
	namespace string

	mu       sync.Mutex
	pods     []*corev1.Pod
	seen     map[string]bool
	figures  map[string]*metricsv1beta1.PodMetrics
	measured error
	owners   Owners
	records  records
	exported bool
	problems []string
}

// ReadNotebooks looks at the notebooks of a namespace, or of all when it is empty. Without
// the pods there is nothing to show, and that is its error; all else that cannot be had
// leaves a gap with a reason.
func ReadNotebooks(ctx context.Context, c *cluster.Cluster, namespace string, o Options) (*Notebooks, error) {
	r := &notebooksReader{Cluster: c, Options: o, namespace: namespace, seen: map[string]bool{}, figures: map[string]*metricsv1beta1.PodMetrics{}}
	together, asking := errgroup.WithContext(ctx)
	for _, label := range selectors {
		together.Go(func() error { return r.readPods(asking, label) })
		together.Go(func() error {
			err := usage.PodFigures(asking, c, namespace, label, func(m *metricsv1beta1.PodMetrics) {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.figures[m.Namespace+"/"+m.Name] = m
			})
			r.mu.Lock()
			defer r.mu.Unlock()
			r.measured = cmp.Or(r.measured, err)
			return nil
		})
	}
	together.Go(func() error {
		r.owners = ReadOwners(asking, c, namespace)
		return nil
	})
	together.Go(func() error {
		r.records = readRecords(asking, c, namespace)
		return nil
	})
	if err := together.Wait(); err != nil {
		return nil, err
	}
	out := &Notebooks{Time: o.now()}
	out.Notebooks = r.gather()
	var used map[string]activity.Use
	together, asking = errgroup.WithContext(ctx)
	together.Go(func() error { return r.gpus(asking, out.Notebooks) })
	together.Go(func() error {
		used = r.uses(asking, out.Notebooks, out.Time)
		return nil
	})
	if err := together.Wait(); err != nil {
		return nil, err
	}
	for i := range out.Notebooks {
		out.Notebooks[i].Use = used[out.Notebooks[i].key()]
	}
	out.Exported = r.exported
	if len(out.Notebooks) > 0 {
		out.Problems = slices.Concat(r.doubts(out.Notebooks, out.Time), r.owners.problems(), r.records.problems(), silent(out.Notebooks), r.problems)
	}
	return out, nil
}

func (r *notebooksReader) readPods(ctx context.Context, label string) error {
	err := usage.List(ctx, r.REST(), "/api/v1"+usage.Below(r.namespace)+"/pods", url.Values{
		"resourceVersion": {"0"}, "labelSelector": {label}, "fieldSelector": {"status.phase!=Succeeded,status.phase!=Failed"},
	}, append([]string{
		"spec.nodeName", "spec.overhead", "spec.resources", "spec.resourceClaims",
		"spec.containers.name", "spec.containers.resources", "spec.containers.ports",
		"spec.initContainers.name", "spec.initContainers.resources", "spec.initContainers.restartPolicy",
		"status", // small, and PodRequests reads half of it
	}, podPaths...), func(p *corev1.Pod) {
		if NotebookOf(p) == "" {
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		// One with both labels is listed twice.
		if key := p.Namespace + "/" + p.Name; !r.seen[key] {
			r.seen[key] = true
			r.pods = append(r.pods, p)
		}
	})
	if err != nil {
		where := "in namespace " + r.namespace
		if r.namespace == "" {
			where = "in all namespaces"
		}
		return fmt.Errorf("notebook pods cannot be listed %s: %w", where, err)
	}
	return nil
}

// gather groups pods by notebook.
func (r *notebooksReader) gather() []Notebook {
	byName := map[string]*Notebook{}
	for _, p := range r.pods {
		name := NotebookOf(p)
		workspace := p.Labels[NotebookLabel] == ""
		n := &Notebook{Namespace: p.Namespace, Name: name, Workspace: workspace}
		key := n.key()
		if byName[key] != nil {
			n = byName[key]
		} else {
			n = &Notebook{
				Namespace: p.Namespace, Name: name, Workspace: workspace, Owner: r.owners.Of(p.Namespace),
				Phase: p.Status.Phase, Created: p.CreationTimestamp.Time, GPUs: map[string]int64{},
				CPU: usage.Known(resource.Quantity{}), Memory: usage.Known(resource.Quantity{}),
				Server: activity.Target{Namespace: p.Namespace, Name: name, Type: r.records.typeOf(p.Namespace, name)},
			}
			byName[key] = n
		}
		n.add(p, r.figures[p.Namespace+"/"+p.Name], r.measured, r.GPUResources)
	}
	out := make([]Notebook, 0, len(byName))
	for _, key := range slices.Sorted(maps.Keys(byName)) {
		out = append(out, *byName[key])
	}
	return out
}

func (n *Notebook) add(p *corev1.Pod, m *metricsv1beta1.PodMetrics, failed error, others []string) {
	n.pods = append(n.pods, p.Name)
	n.serves(p)
	if node := p.Spec.NodeName; node != "" && !slices.Contains(n.Nodes, node) {
		n.Nodes = append(n.Nodes, node)
	}
	if p.CreationTimestamp.Time.Before(n.Created) {
		n.Created = p.CreationTimestamp.Time
	}
	requests := usage.PodRequests(p)
	n.CPURequested.Add(requests[corev1.ResourceCPU])
	n.MemoryRequested.Add(requests[corev1.ResourceMemory])
	for name, count := range usage.PodGPUs(p, others) {
		n.GPUs[name] += count
	}
	if m == nil {
		why := figuresAbsence(failed, p)
		n.CPU, n.Memory = usage.Missing[resource.Quantity](why), usage.Missing[resource.Quantity](why)
		return
	}
	if n.Sampled.IsZero() || m.Timestamp.Time.Before(n.Sampled) {
		n.Sampled = m.Timestamp.Time
	}
	for _, c := range m.Containers {
		n.CPU, n.Memory = plus(n.CPU, c.Usage[corev1.ResourceCPU]), plus(n.Memory, c.Usage[corev1.ResourceMemory])
	}
}

// plus keeps what is missing missing: one pod's figures are not those of two.
func plus(m usage.Maybe[resource.Quantity], q resource.Quantity) usage.Maybe[resource.Quantity] {
	sum, ok := m.Get()
	if !ok {
		return m
	}
	sum = sum.DeepCopy()
	sum.Add(q)
	return usage.Known(sum)
}

func figuresAbsence(failed error, p *corev1.Pod) usage.Absence {
	switch {
	case failed != nil:
		return usage.MetricsAbsence("pods", failed)
	case p.Spec.NodeName == "":
		return usage.Absence{Reason: "the pod is not scheduled yet"}
	}
	return usage.Absence{Reason: "metrics-server has no metrics for this pod yet"}
}

// doubts says once why CPU and memory are not known, or old.
func (r *notebooksReader) doubts(all []Notebook, now time.Time) []string {
	if r.measured != nil {
		return []string{"CPU and memory are unknown: " + usage.MetricsAbsence("pods", r.measured).Reason}
	}
	var out []string
	missing, stale, oldest := 0, 0, time.Duration(0)
	for _, n := range all {
		if _, ok := n.CPU.Get(); !ok && len(n.Nodes) > 0 {
			missing++
		}
		if age := now.Sub(n.Sampled); !n.Sampled.IsZero() && (usage.Sample{Age: age}).Stale() {
			stale, oldest = stale+1, max(oldest, age)
		}
	}
	if missing > 0 {
		out = append(out, fmt.Sprintf("CPU and memory of %d of %d notebooks are unknown: metrics-server has no metrics for them yet", missing, len(all)))
	}
	if stale > 0 {
		out = append(out, fmt.Sprintf("CPU and memory of %d of %d notebooks are stale, up to %s old: metrics-server has not scraped their nodes since", stale, len(all), oldest.Round(time.Second)))
	}
	return out
}

// gpus finds which devices the notebooks have, and what those do. It asks only for nodes
// that have one of them.
func (r *notebooksReader) gpus(ctx context.Context, all []Notebook) error {
	nodes := map[string]bool{}
	claims := false
	for _, p := range r.pods {
		claimed := len(p.Spec.ResourceClaims) > 0 || p.Status.ExtendedResourceClaimStatus != nil
		claims = claims || claimed
		if p.Spec.NodeName != "" && (claimed || len(usage.PodGPUs(p, r.GPUResources)) > 0) {
			nodes[p.Spec.NodeName] = true
		}
	}
	for i := range all {
		all[i].Live = usage.LiveOf(nil, usage.Absence{Reason: "it has no GPUs"})
	}
	if len(nodes) == 0 {
		return ctx.Err()
	}
	o := r.Options
	o.Nodes, o.Selector = slices.Sorted(maps.Keys(nodes)), ""
	// A pod outlives its node for a while. That is no reason to say nothing of the others.
	read, err := usage.Nodes(ctx, r.Cluster, usage.Options{Names: o.Nodes, Present: true, GPUResources: o.GPUResources})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		why := usage.AbsenceOf("nodes", err)
		r.problems = append(r.problems, "GPUs of notebooks are unknown: "+why.Reason)
		for i := range all {
			if len(all[i].GPUs) > 0 {
				all[i].Live = usage.LiveOf(nil, why)
			}
		}
		return nil
	}
	var reading dra.Reading
	if claims {
		if reading, err = dra.Of(r.Cluster, o.GPUResources).Read(ctx); err != nil {
			return err
		}
		r.problems = append(r.problems, reading.Problems...)
	}
	f, err := rowsOf(ctx, r.Cluster, read, reading, o)
	if err != nil {
		return err
	}
	r.exported = f.exported
	r.problems = append(r.problems, f.problems...)
	ofPods := byPod(f.rows)
	for i := range all {
		all[i].have(ofPods)
	}
	return nil
}

// byPod are rows by NAMESPACE/POD.
func byPod(rows []Row) map[string][]Row {
	out := map[string][]Row{}
	for _, r := range rows {
		key := r.Pod.Namespace + "/" + r.Pod.Name
		out[key] = append(out[key], r)
	}
	return out
}

// have takes the GPUs of the notebook's pods out of all rows.
func (n *Notebook) have(all map[string][]Row) {
	var rows []Row
	for _, pod := range n.pods {
		rows = append(rows, all[n.Namespace+"/"+pod]...)
	}
	var devices []usage.Device
	unknown := usage.Absence{}
	for _, r := range rows {
		if r.Product != "" && !slices.Contains(n.Products, r.Product) {
			n.Products = append(n.Products, r.Product)
		}
		if r.Origin == usage.DRA {
			n.GPUs[r.Resource]++
		}
		if r.Device == nil {
			unknown = r.Live().Utilization.Why()
			continue
		}
		shared := r.Sharing != usage.NotShared || len(r.Device.Pods) > 1 || len(r.Claims) > 1
		n.Shared = n.Shared || shared
		// Two slots of one GPU are one device.
		if !slices.ContainsFunc(devices, func(d usage.Device) bool {
			return d.Node == r.Device.Node && d.UUID == r.Device.UUID && d.Instance == r.Device.Instance && d.Claimed == r.Device.Claimed
		}) {
			devices = append(devices, *r.Device)
		}
	}
	switch {
	case len(n.GPUs) == 0:
	case len(n.Nodes) == 0:
		n.Live = usage.LiveOf(nil, usage.Absence{Reason: "the pod is not scheduled yet"})
	case unknown != usage.Absence{}:
		n.Live = usage.LiveOf(nil, unknown)
	case len(devices) == 0:
		n.Live = usage.LiveOf(nil, usage.Absence{Reason: "which of the node's devices it has cannot be determined"})
	default:
		n.Live = usage.LiveOf(devices, usage.Absence{})
	}
}

// GPUText is what it has, as in nvidia.com/gpu:2.
func (n Notebook) GPUText() string { return usage.CountsText(n.GPUs, "%d", ",") }
