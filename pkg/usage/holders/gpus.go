package holders

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/activity"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage/dra"
)

// Labels by which a pod runs a notebook: those of Kubeflow's notebooks v1 and v2.
const (
	NotebookLabel  = "notebook-name"
	WorkspaceLabel = "notebooks.kubeflow.org/workspace-name"
)

// Options of what is looked at.
type Options struct {
	// Nodes to look at, by name; all that Selector finds when empty.
	Nodes    []string
	Selector string
	// GPUResources are further names of resources and DRA drivers that count as GPUs.
	GPUResources []string
	// Live asks exporters what devices do; nil leaves that out.
	Live usage.LiveSource
	// Ask asks notebooks what runs in them; nil asks nobody.
	Ask activity.Ask
	// Unrecorded leaves out what the notebook controller has written of the use of notebooks:
	// it is of kernels only, and minutes old.
	Unrecorded bool
	// Owners: the Profiles are read, which say whom namespaces belong to.
	Owners bool
	// Now is the clock; nil takes the system's.
	Now func() time.Time
}

func (o Options) now() time.Time {
	if o.Now == nil {
		return time.Now()
	}
	return o.Now()
}

// GPUs are all GPUs one by one, and the pods that wait for one.
type GPUs struct {
	Time    time.Time
	Rows    []Row
	Waiting []Waiting
	// Exported: some node has an exporter, whether or not it answers.
	Exported bool
	// Problems are what is missing and why, one sentence each.
	Problems []string
}

// podPaths are what is read of a pod beside its requests.
var podPaths = []string{"metadata.name", "metadata.namespace", "metadata.labels", "metadata.creationTimestamp", "status.startTime"}

// ReadGPUs looks at every GPU. Without the nodes there is nothing to show, and that is its
// error; all else that cannot be had leaves a gap with a reason.
func ReadGPUs(ctx context.Context, c *cluster.Cluster, o Options) (*GPUs, error) {
	var nodes []usage.Node
	var claims dra.Reading
	var waiting []Waiting
	var unread string
	together, asking := errgroup.WithContext(ctx)
	together.Go(func() (err error) {
		nodes, err = usage.Nodes(asking, c, usage.Options{Names: o.Nodes, Selector: o.Selector, GPUResources: o.GPUResources})
		return err
	})
	together.Go(func() (err error) {
		claims, err = dra.Of(c, o.GPUResources).Read(asking)
		return err
	})
	var whose Owners
	together.Go(func() error {
		if o.Owners {
			whose = ReadOwners(asking, c, "")
		}
		return nil
	})
	var pending []*corev1.Pod
	together.Go(func() error {
		pending, unread = readPending(asking, c)
		return nil
	})
	if err := together.Wait(); err != nil {
		return nil, err
	}
	out := &GPUs{Time: o.now(), Problems: claims.Problems}
	if unread != "" {
		out.Problems = append(out.Problems, unread)
	}
	waiting, problem := waitingFor(ctx, c, pending, claims.Claims, o.GPUResources)
	if problem != "" {
		out.Problems = append(out.Problems, problem)
	}
	out.Waiting = waiting
	f, err := rowsOf(ctx, c, nodes, claims, o)
	if err != nil {
		return nil, err
	}
	out.Rows, out.Exported, out.Problems = f.rows, f.exported, append(out.Problems, f.problems...)
	if !o.Owners {
		return out, nil
	}
	for i := range out.Rows {
		out.Rows[i].Owner = usage.Known("")
		if namespace := out.Rows[i].Pod.Namespace; namespace != "" {
			out.Rows[i].Owner = whose.Of(namespace)
		}
	}
	out.Problems = append(out.Problems, whose.problems()...)
	return out, nil
}

// found are the rows of some nodes.
type found struct {
	rows     []Row
	exported bool
	problems []string
}

// mostRows bounds the rows of one resource of one node. What counts higher is a share of
// something, such as megabytes of memory, and no device.
const mostRows = 1000

// rowsOf asks for the pods and the live figures of the nodes that have GPUs.
func rowsOf(ctx context.Context, c *cluster.Cluster, nodes []usage.Node, claims dra.Reading, o Options) (out found, err error) {
	byNode := map[string][]dra.Device{}
	for _, d := range claims.Devices {
		byNode[d.Node] = append(byNode[d.Node], d)
	}
	var withGPUs []string
	for _, n := range nodes {
		if len(n.GPUs) > 0 || len(byNode[n.Name]) > 0 {
			withGPUs = append(withGPUs, n.Name)
		}
	}
	pods := podsByNode{}
	var absent, dark map[string]usage.Absence
	var devices usage.Devices
	if len(withGPUs) > 0 {
		var together errgroup.Group
		together.Go(func() error {
			absent = usage.PodsOn(ctx, c.REST(), withGPUs, podPaths, func(p *corev1.Pod) { pods.add(p, o.GPUResources) })
			return nil
		})
		if o.Live != nil {
			together.Go(func() error {
				devices, dark, out.problems = o.Live.Devices(ctx, withGPUs)
				return nil
			})
		}
		_ = together.Wait() // its functions keep their errors
	}
	if err := ctx.Err(); err != nil {
		return out, err
	}
	out.exported = len(devices)+len(dark) > 0
	if len(absent) > 0 {
		out.problems = append(out.problems, "pods that hold GPUs are unknown: "+firstReason(absent))
	}
	uncounted := map[string]bool{}
	for i := range nodes {
		n := &nodes[i]
		unlit := dark[n.Name]
		switch {
		case o.Live == nil:
			unlit.Reason = "live metrics were not requested"
		case len(devices[n.Name]) == 0 && unlit == usage.Absence{}:
			unlit.Reason = "no GPU metrics exporter runs on this node"
		}
		for j := range n.GPUs {
			g := n.GPUs[j]
			of := usage.DevicesOf(n, &g, devices[n.Name])
			holding := pods.of(n.Name, g.Resource)
			if max(g.Capacity, g.Allocatable, sum(holding)) > mostRows {
				uncounted[g.Resource] = true
				continue
			}
			var rows []Row
			if why, ok := absent[n.Name]; ok {
				rows = unlisted(n, g, of, why)
			} else {
				rows = assign(n, g, of, holding)
			}
			for k := range rows {
				rows[k].dark = unlit
			}
			out.rows = append(out.rows, rows...)
		}
		for _, d := range byNode[n.Name] {
			out.rows = append(out.rows, ofClaims(n, d, devices[n.Name], unlit, pods, claims.ClaimsAbsent)...)
		}
	}
	for _, resource := range slices.Sorted(maps.Keys(uncounted)) {
		out.problems = append(out.problems, fmt.Sprintf("%s is not listed per device: a node has more than %d; `kubectl jupyter top` shows the number", resource, mostRows))
	}
	if len(o.Nodes) == 0 && o.Selector == "" {
		for _, d := range byNode[""] {
			out.rows = append(out.rows, ofClaims(nil, d, nil, usage.Absence{Reason: "it does not belong to a single node, so no exporter reports it"}, pods, claims.ClaimsAbsent)...)
		}
	}
	return out, nil
}

func ofClaims(n *usage.Node, d dra.Device, devices []usage.Device, dark usage.Absence, pods podsByNode, absent *usage.Absence) []Row {
	out := claimed(n, d, devices, dark, pods.named)
	if absent != nil {
		for i := range out {
			out[i].State, out[i].Why = Unknown, *absent
		}
	}
	return out
}

// podsByNode are pods with what they have, by node and resource.
type podsByNode map[string]*podsOfNode

type podsOfNode struct {
	byResource map[string][]held
	all        map[string]Pod
}

func (b podsByNode) add(p *corev1.Pod, others []string) {
	n := b[p.Spec.NodeName]
	if n == nil {
		n = &podsOfNode{map[string][]held{}, map[string]Pod{}}
		b[p.Spec.NodeName] = n
	}
	pod := Pod{Namespace: p.Namespace, Name: p.Name, Notebook: NotebookOf(p), Since: p.CreationTimestamp.Time}
	if p.Status.StartTime != nil {
		pod.Since = p.Status.StartTime.Time
	}
	n.all[p.Namespace+"/"+p.Name] = pod
	for resource, count := range usage.PodGPUs(p, others) {
		n.byResource[resource] = append(n.byResource[resource], held{pod, count})
	}
}

func (b podsByNode) of(node, resource string) []held {
	if b[node] == nil {
		return nil
	}
	out := b[node].byResource[resource]
	sortPods(out)
	return out
}

// sum is how many they have together.
func sum(pods []held) (n int64) {
	for _, p := range pods {
		n += p.count
	}
	return n
}

// named is the pod of a name, with what is known of it.
func (b podsByNode) named(namespace, pod string) Pod {
	for _, n := range b {
		if p, ok := n.all[namespace+"/"+pod]; ok {
			return p
		}
	}
	return Pod{Namespace: namespace, Name: pod}
}

// NotebookOf is the notebook that a pod runs, or empty.
func NotebookOf(p *corev1.Pod) string {
	if n := p.Labels[NotebookLabel]; n != "" {
		return n
	}
	return p.Labels[WorkspaceLabel]
}

func firstReason(absent map[string]usage.Absence) string {
	var all []string
	for _, a := range absent {
		all = append(all, a.Reason)
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), "; ")
}
