package preflight

import (
	"cmp"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// Size is an amount of what the scheduler counts.
type Size struct {
	// CPU in thousandths of a core, Memory in bytes.
	CPU    int64 `json:"cpuMilli"`
	Memory int64 `json:"memoryBytes"`
}

func (s Size) String() string {
	return fmt.Sprintf("%s cpu and %dMi memory", resource.NewMilliQuantity(s.CPU, resource.DecimalSI), s.Memory>>20)
}

func (s Size) plus(o Size) Size { return Size{s.CPU + o.CPU, s.Memory + o.Memory} }

func (s Size) minus(o Size) Size { return Size{s.CPU - o.CPU, s.Memory - o.Memory} }

func (s Size) holds(o Size) bool { return s.CPU >= o.CPU && s.Memory >= o.Memory }

func (s Size) positive() Size { return Size{max(s.CPU, 0), max(s.Memory, 0)} }

// Pod is one pod that has to find a node.
type Pod struct {
	Size
	// Of is the workload, as in Deployment istio-system/istiod.
	Of string
	// PerNode: it runs on every node that it may run on.
	PerNode bool
	Spec    *corev1.PodSpec
}

// Room is what a node has left.
type Room struct {
	Node *corev1.Node
	// Left is allocatable less the requests of the pods on the node, Pods how many more it takes.
	Left Size
	Pods int64
}

// Demand is what a profile asks for.
type Demand struct {
	Profile string `json:"profile"`
	// Pods that have to find a node, and what they request together.
	Pods    int  `json:"pods"`
	Request Size `json:"request"`
	// Largest is the pod that asks for the most memory.
	Largest   Size   `json:"largest"`
	LargestOf string `json:"largestOf,omitempty"`
	// Notebook is the default one, with its sidecar.
	Notebook Size `json:"notebook"`
	// Fits tells whether a place was found for all pods, NotebookFits for a notebook beside them.
	Fits         bool `json:"fits"`
	NotebookFits bool `json:"notebookFits"`

	// proven: no arrangement can exist, since a sum or one pod is too large
	proven bool
	why    string
}

// Capacity is the whole arithmetic.
type Capacity struct {
	// Nodes that take pods, out of all; Counted are those whose pods were added up.
	Nodes   int `json:"nodes"`
	Open    int `json:"open"`
	Counted int `json:"counted"`
	// Left on the counted nodes together.
	Left Size `json:"left"`
	// Demands of the chosen profile, then of a smaller one where the first does not fit.
	Demands []Demand `json:"demands"`
	// Stuck is the largest pod that a rollout cannot start while the one before it runs.
	Stuck *Pod `json:"-"`
}

// podsOf lists the pods of the workloads that are still to come, and the default notebook
// where there will be a web app to start one.
func podsOf(rendered []components.Rendered, missing func(components.PodRequest) bool) (pods []Pod, notebook *Pod, err error) {
	sum, err := components.Requests(rendered)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range sum.Pods {
		if !missing(p) {
			continue
		}
		for range p.Pods {
			pods = append(pods, podOf(p))
		}
	}
	n, ok, err := components.Notebook(rendered)
	if err != nil || !ok {
		return pods, nil, err
	}
	one := podOf(n)
	one.Of = "the default notebook"
	return pods, &one, nil
}

func podOf(p components.PodRequest) Pod {
	return Pod{Size{p.CPU.MilliValue(), p.Memory.Value()}, fmt.Sprintf("%s %s/%s", p.Kind, p.Namespace, p.Name), p.PerNode, p.Spec}
}

// weigh works out what pods ask for and whether they find a place on the rooms.
func weigh(profile string, pods []Pod, notebook *Pod, rooms []Room) Demand {
	pods = onEveryNode(pods, rooms)
	d := Demand{Profile: profile, Pods: len(pods), Fits: true, NotebookFits: true}
	for _, p := range pods {
		d.Request = d.Request.plus(p.Size)
		if p.Memory > d.Largest.Memory || p.Memory == d.Largest.Memory && p.CPU > d.Largest.CPU {
			d.Largest, d.LargestOf = p.Size, p.Of
		}
	}
	left, homeless := arrange(pods, rooms)
	if homeless != nil {
		d.Fits, d.NotebookFits = false, false
		d.proven, d.why = impossible(d.Request, pods, rooms)
		if !d.proven {
			d.why = fmt.Sprintf("the sum fits, but no node fits %s (%s)", homeless.Of, homeless.Size)
		}
		return d
	}
	if notebook != nil {
		d.Notebook = notebook.Size
		_, homeless = arrange([]Pod{*notebook}, left)
		d.NotebookFits = homeless == nil
	}
	return d
}

// onEveryNode makes of a DaemonSet's pod one for each node, which no other node will do for.
func onEveryNode(pods []Pod, rooms []Room) []Pod {
	var out []Pod
	for _, p := range pods {
		if !p.PerNode {
			out = append(out, p)
			continue
		}
		for _, r := range rooms {
			if allows(r.Node, p.Spec) {
				bound := p
				bound.Spec = p.Spec.DeepCopy()
				bound.Spec.NodeName = r.Node.Name
				out = append(out, bound)
			}
		}
	}
	return out
}

// impossible tells whether it is certain that the pods do not fit, and why.
func impossible(all Size, pods []Pod, rooms []Room) (bool, string) {
	var left Size
	for _, r := range rooms {
		left = left.plus(r.Left.positive())
	}
	switch {
	case all.CPU > left.CPU && all.Memory > left.Memory:
		return true, fmt.Sprintf("%s are requested, %s are free", all, left)
	case all.CPU > left.CPU:
		return true, fmt.Sprintf("%s cpu is requested, %s is free", milli(all.CPU), milli(left.CPU))
	case all.Memory > left.Memory:
		return true, fmt.Sprintf("%dMi memory is requested, %dMi is free", all.Memory>>20, left.Memory>>20)
	}
	for i := range pods {
		if !slices.ContainsFunc(rooms, func(r Room) bool { return r.takes(&pods[i]) }) {
			return true, fmt.Sprintf("no node has capacity for %s, which requests %s", pods[i].Of, pods[i].Size)
		}
	}
	return false, ""
}

func milli(n int64) string { return resource.NewMilliQuantity(n, resource.DecimalSI).String() }

func (r *Room) takes(p *Pod) bool {
	return r.Pods > 0 && r.Left.holds(p.Size) && (p.Spec.NodeName == "" || p.Spec.NodeName == r.Node.Name) && allows(r.Node, p.Spec)
}

// arrange finds a node for each pod: the largest first, each where it leaves the least
// room. It tries by memory and by cpu. The first result is what is then left, the
// second a pod for which there is no place; that is no proof that none exists.
func arrange(pods []Pod, rooms []Room) (left []Room, homeless *Pod) {
	for _, first := range []func(a, b Pod) int{
		func(a, b Pod) int { return cmp.Or(cmp.Compare(b.Memory, a.Memory), cmp.Compare(b.CPU, a.CPU)) },
		func(a, b Pod) int { return cmp.Or(cmp.Compare(b.CPU, a.CPU), cmp.Compare(b.Memory, a.Memory)) },
	} {
		sorted := slices.Clone(pods)
		slices.SortStableFunc(sorted, first)
		if left, homeless = place(sorted, rooms); homeless == nil {
			break
		}
	}
	return left, homeless
}

func place(pods []Pod, rooms []Room) ([]Room, *Pod) {
	left := slices.Clone(rooms)
	for i := range pods {
		p := &pods[i]
		best := -1
		for j := range left {
			if left[j].takes(p) && (best < 0 || tighter(left[j].Left, left[best].Left)) {
				best = j
			}
		}
		if best < 0 {
			return left, p
		}
		left[best].Left = left[best].Left.minus(p.Size)
		left[best].Pods--
	}
	return left, nil
}

// tighter compares rooms by memory, which nodes run out of first with this stack.
func tighter(a, b Size) bool {
	return cmp.Or(cmp.Compare(a.Memory, b.Memory), cmp.Compare(a.CPU, b.CPU)) < 0
}

// findCapacity says whether everything fits, and with what it would.
func findCapacity(f *Facts) (string, []report.Cause) {
	c := f.Capacity
	if c == nil || len(c.Demands) == 0 {
		return "no node accepts pods", nil // which is the nodes' matter
	}
	d := c.Demands[0]
	asked := fmt.Sprintf("%s of profile %s request %s", report.Count(d.Pods, "pod"), d.Profile, d.Request)
	if d.Pods == 0 {
		asked = "no pod of the stack is missing"
	}
	if d.Fits {
		if causes := f.findStuck(); len(causes) > 0 {
			return causes[0].Summary, causes
		}
	}
	if d.Pods == 0 && d.NotebookFits {
		return fmt.Sprintf("%s; a notebook fits on %s", asked, f.counted()), nil
	}
	if d.Fits && d.NotebookFits {
		beside := ""
		if d.Notebook != (Size{}) {
			beside = ", plus a notebook,"
		}
		return fmt.Sprintf("%s and fit%s on %s", asked, beside, f.counted()), nil
	}
	cause := report.Cause{Name: diagnose.CapacityTooSmall, Severity: report.Warning, Evidence: []string{asked}}
	if d.LargestOf != "" {
		cause.Evidence = append(cause.Evidence, fmt.Sprintf("the largest pod, of %s, requests %s", d.LargestOf, d.Largest))
	}
	switch {
	case d.Fits:
		cause.Summary = fmt.Sprintf("no capacity for a notebook in addition to the stack: the default one requests %s with its sidecar", d.Notebook)
	case d.proven && c.Counted == c.Open && f.Autoscaler == "":
		cause.Severity = report.Fatal
		cause.Summary = "the stack does not fit: " + d.why
	case d.proven && c.Counted == c.Open:
		cause.Summary = "the stack does not fit on the current nodes: " + d.why
	default:
		cause.Summary = "the stack may not fit: " + d.why
	}
	if f.Autoscaler != "" {
		cause.Evidence = append(cause.Evidence, "an autoscaler can add nodes: "+f.Autoscaler)
	}
	cause.Evidence = append(cause.Evidence, f.roomLines()...)
	cause.Evidence = append(cause.Evidence, f.excludedLines()...)
	cause.Remedy = "add a node or a larger one, or free some capacity: kubectl describe nodes"
	for _, other := range c.Demands[1:] {
		beside := "which does not fit either"
		switch {
		case other.Fits && other.NotebookFits:
			beside = "which fits, plus a notebook"
		case other.Fits:
			beside = "which fits, but without a notebook"
		}
		cause.Evidence = append(cause.Evidence, fmt.Sprintf("with --profile %s %s request %s, %s", other.Profile, report.Count(other.Pods, "pod"), other.Request, beside))
		if other.Fits && (!d.Fits || other.NotebookFits) {
			cause.Remedy = fmt.Sprintf("kubectl jupyter install --profile %s\nor %s", other.Profile, cause.Remedy)
		}
	}
	return cause.Summary, []report.Cause{cause}
}

// counted describes the nodes that the arithmetic is about.
func (f *Facts) counted() string {
	c := f.Capacity
	if c.Counted < c.Open {
		return fmt.Sprintf("%d of %s, which is enough", c.Counted, report.Count(c.Open, "schedulable node"))
	}
	return fmt.Sprintf("%s with %s free", report.Count(c.Open, "schedulable node"), c.Left)
}

// roomsShown bounds the nodes that evidence names.
const roomsShown = 4

func (f *Facts) roomLines() []string {
	rooms := slices.Clone(f.Rooms)
	slices.SortStableFunc(rooms, func(a, b Room) int {
		return cmp.Or(cmp.Compare(b.Left.Memory, a.Left.Memory), cmp.Compare(b.Left.CPU, a.Left.CPU), cmp.Compare(a.Node.Name, b.Node.Name))
	})
	var lines []string
	for i, r := range rooms {
		if i == roomsShown {
			lines = append(lines, fmt.Sprintf("%s less", report.Count(len(rooms)-i, "more node")+" with"))
			break
		}
		full := ""
		if r.Pods <= 0 {
			full = ", and has reached its pod limit"
		}
		lines = append(lines, fmt.Sprintf("node %s has %s free of %s%s", r.Node.Name, r.Left.positive(), allocatable(r.Node), full))
	}
	if more := f.Capacity.Open - f.Capacity.Counted; more > 0 {
		lines = append(lines, fmt.Sprintf("%s with less in total were not checked", report.Count(more, "smaller node")))
	}
	return lines
}

func allocatable(n *corev1.Node) Size {
	return Size{n.Status.Allocatable.Cpu().MilliValue(), n.Status.Allocatable.Memory().Value()}
}
