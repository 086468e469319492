package holders

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage/dra"
)

// Waiting is a pod that is on no node and asks for GPUs.
type Waiting struct {
	Pod
	Created time.Time
	// Wants is how many of which resource; of DRA, of which class of devices.
	Wants map[string]int64
	// Reason and Message are the scheduler's; empty while it has not looked.
	Reason, Message string
}

// readPending lists the pods that are on no node.
func readPending(ctx context.Context, c *cluster.Cluster) (pods []*corev1.Pod, problem string) {
	err := usage.List(ctx, c.REST(), "/api/v1/pods", url.Values{
		"resourceVersion": {"0"}, "fieldSelector": {"spec.nodeName=,status.phase=Pending"},
	}, append([]string{
		"spec.nodeName", "spec.overhead", "spec.resources", "spec.resourceClaims",
		"spec.containers.name", "spec.containers.resources",
		"spec.initContainers.name", "spec.initContainers.resources", "spec.initContainers.restartPolicy",
		"status.conditions", "status.resourceClaimStatuses", "status.extendedResourceClaimStatus",
	}, podPaths...), func(p *corev1.Pod) { pods = append(pods, p) })
	if err != nil {
		return nil, "pods that wait for a GPU are unknown: " + usage.AbsenceOf("pods", err).Reason
	}
	return pods, ""
}

// waitingFor leaves those that ask for GPUs, by name or with a claim, longest first.
func waitingFor(ctx context.Context, c *cluster.Cluster, pods []*corev1.Pod, claims []resourcev1.ResourceClaim, others []string) ([]Waiting, string) {
	byName := map[string]*resourcev1.ResourceClaim{}
	for i := range claims {
		byName[claims[i].Namespace+"/"+claims[i].Name] = &claims[i]
	}
	var classes sets.Set[string] // asked for when a pod names one
	problem := ""
	var out []Waiting
	for _, p := range pods {
		w := Waiting{Pod: Pod{Namespace: p.Namespace, Name: p.Name, Notebook: NotebookOf(p)}, Created: p.CreationTimestamp.Time, Wants: map[string]int64{}}
		for resource, n := range usage.PodGPUs(p, others) {
			w.Wants[resource] += n
		}
		for _, name := range claimsOf(p) {
			claim := byName[p.Namespace+"/"+name]
			if claim == nil || claim.Status.Allocation != nil {
				continue // not made yet, or has its devices: it waits for something else
			}
			if classes == nil {
				classes, problem = gpuClasses(ctx, c, others)
			}
			for class, n := range asks(claim) {
				if classes.Has(class) {
					w.Wants[class] += n
				}
			}
		}
		if len(w.Wants) == 0 {
			continue
		}
		for _, cond := range p.Status.Conditions {
			if cond.Type == corev1.PodScheduled && cond.Status == corev1.ConditionFalse {
				w.Reason, w.Message = cond.Reason, cond.Message
			}
		}
		out = append(out, w)
	}
	slices.SortFunc(out, func(a, b Waiting) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return out, problem
}

// claimsOf are the names of a pod's claims, also of those made from templates.
func claimsOf(p *corev1.Pod) []string {
	var out []string
	for _, c := range p.Spec.ResourceClaims {
		if c.ResourceClaimName != nil {
			out = append(out, *c.ResourceClaimName)
		}
	}
	for _, c := range p.Status.ResourceClaimStatuses {
		if c.ResourceClaimName != nil {
			out = append(out, *c.ResourceClaimName)
		}
	}
	return out
}

// asks is how many devices of which class a claim asks for. Of alternatives the first is
// what it would rather have.
func asks(c *resourcev1.ResourceClaim) map[string]int64 {
	out := map[string]int64{}
	for _, r := range c.Spec.Devices.Requests {
		switch {
		case r.Exactly != nil:
			out[r.Exactly.DeviceClassName] += max(1, r.Exactly.Count)
		case len(r.FirstAvailable) > 0:
			out[r.FirstAvailable[0].DeviceClassName] += max(1, r.FirstAvailable[0].Count)
		}
	}
	return out
}

// driverName finds the driver that a class asks for: device.driver == "gpu.example.com".
var driverName = regexp.MustCompile(`["']([a-z0-9.-]+)["']`)

// gpuClasses are the classes of devices that are GPUs: those that select a GPU driver or
// stand for a GPU resource.
func gpuClasses(ctx context.Context, c *cluster.Cluster, others []string) (sets.Set[string], string) {
	out := sets.New[string]()
	err := dra.Of(c, others).Classes(ctx, func(class *resourcev1.DeviceClass) {
		if e := class.Spec.ExtendedResourceName; e != nil && usage.IsGPU(*e, others) {
			out.Insert(class.Name)
		}
		for _, s := range class.Spec.Selectors {
			if s.CEL == nil {
				continue
			}
			for _, m := range driverName.FindAllStringSubmatch(s.CEL.Expression, -1) {
				if dra.IsGPU(m[1], others) {
					out.Insert(class.Name)
				}
			}
		}
	})
	if err != nil {
		return out, "pods that wait for a GPU claim are unknown: " + usage.AbsenceOf("deviceclasses.resource.k8s.io", err).Reason
	}
	return out, ""
}

// WantsText is what a pod waits for, as in nvidia.com/gpu:2.
func (w Waiting) WantsText() string {
	var out []string
	for resource, n := range w.Wants {
		out = append(out, fmt.Sprintf("%s:%d", resource, n))
	}
	slices.Sort(out)
	return strings.Join(out, ",")
}

// Brief is the scheduler's message without what it says about preemption, which is as long
// and seldom the reason.
func (w Waiting) Brief() string {
	s, _, _ := strings.Cut(w.Message, " preemption: ")
	return strings.TrimSuffix(strings.TrimSuffix(s, " still not schedulable,"), " no new claims to deallocate,")
}
