package fit

import (
	"context"
	"fmt"
	"math"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/form"
)

// Size is how much a notebook requests: CPU in cores, Memory in Gi.
type Size struct {
	CPU, Memory float64
	GPUs        int64
	GPU         string
}

// String is as the flags of a command are written.
func (s Size) String() string {
	out := fmt.Sprintf("--cpu %g --memory %gGi", s.CPU, s.Memory)
	if s.GPUs > 0 {
		out += fmt.Sprintf(" --gpu %d:%s", s.GPUs, s.GPU)
	}
	return out
}

const (
	gibi = 1 << 30
	// steps in a core, or a Gi: sizes are rounded down to one. Less than a step makes no notebook.
	steps = 10
	step  = 1.0 / steps
	// tries are how often a size that the API server does not take is made a step smaller.
	tries = 3
)

// SizeOf is what a notebook requests.
func SizeOf(o *form.Objects) (Size, error) {
	p, err := podOf(o.Notebook)
	if err != nil || len(p.Spec.Containers) == 0 {
		return Size{}, err
	}
	r := p.Spec.Containers[0].Resources
	s := Size{CPU: r.Requests.Cpu().AsApproximateFloat64(), Memory: r.Requests.Memory().AsApproximateFloat64() / gibi}
	for name, q := range r.Limits {
		if diagnose.IsDevice(name) {
			s.GPU, s.GPUs = string(name), q.Value()
		}
	}
	return s, nil
}

// Largest is the largest size that would run and is no larger than what o asks for; ok is
// false where none is. build makes the objects of a size.
func (f *Facts) Largest(ctx context.Context, o *form.Objects, build func(Size) (*form.Objects, error)) (s Size, out *form.Objects, ok bool, err error) {
	want, err := SizeOf(o)
	if err != nil {
		return s, nil, false, err
	}
	pod, err := podOf(o.Notebook)
	if err != nil {
		return s, nil, false, err
	}
	beside := f.beside(ctx, pod)
	s = f.cap(want, pod, beside)
	for range tries {
		if s.CPU < step || s.Memory < step || want.GPUs > 0 && s.GPUs == 0 {
			return s, nil, false, nil
		}
		if out, err = build(s); err != nil {
			return s, nil, false, err
		}
		v, err := f.Try(ctx, out)
		if err != nil {
			return s, nil, false, err
		}
		if len(v.Causes) == 0 {
			return s, out, true, nil
		}
		// A limit is rounded, and may be above what a quota has left.
		s.CPU, s.Memory = down(s.CPU-step), down(s.Memory-step)
	}
	return s, nil, false, nil
}

// extra is what a notebook's pod has beside the notebook's own container: its sidecar.
type extra struct{ requests, limits corev1.ResourceList }

// beside finds it with a pod as small as can be, which more namespaces admit than the one
// that is wanted.
func (f *Facts) beside(ctx context.Context, p *corev1.Pod) extra {
	small := p.DeepCopy()
	tiny := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1m"), corev1.ResourceMemory: resource.MustParse("1Mi")}
	small.Spec.Containers[0].Resources = corev1.ResourceRequirements{Requests: tiny, Limits: tiny}
	admitted, err := f.admit(ctx, small)
	if err != nil {
		return extra{corev1.ResourceList{}, corev1.ResourceList{}}
	}
	out := extra{diagnose.Requests(admitted), corev1.ResourceList{}}
	for name, q := range tiny {
		left := out.requests[name]
		left.Sub(q)
		out.requests[name] = left
	}
	for _, c := range append(admitted.Spec.InitContainers, admitted.Spec.Containers...) {
		if c.Name == small.Spec.Containers[0].Name {
			continue
		}
		for name, q := range c.Resources.Limits {
			sum := out.limits[name]
			sum.Add(q)
			out.limits[name] = sum
		}
	}
	return out
}

// cap cuts a size down to what quotas, LimitRanges and the best node have.
func (f *Facts) cap(want Size, p *corev1.Pod, beside extra) Size {
	s := want
	for _, r := range []struct {
		name  corev1.ResourceName
		value *float64
		unit  float64
	}{{corev1.ResourceCPU, &s.CPU, 1}, {corev1.ResourceMemory, &s.Memory, gibi}} {
		for _, most := range f.bounds(r.name, p.Spec.Containers[0].Resources, beside) {
			*r.value = min(*r.value, most/r.unit)
		}
	}
	if s.GPUs > 0 {
		for i := range f.quotas {
			if left, has := left(&f.quotas[i], corev1.ResourceName("requests."+s.GPU)); has {
				s.GPUs = min(s.GPUs, max(0, left.Value()))
			}
		}
	}
	rooms, known := diagnose.Rooms(f.room, p)
	if known {
		s = best(s, rooms, beside.requests)
	}
	s.CPU, s.Memory = down(s.CPU), down(s.Memory)
	return s
}

// bounds are the most that quotas and LimitRanges leave for requests of a resource.
func (f *Facts) bounds(name corev1.ResourceName, r corev1.ResourceRequirements, beside extra) []float64 {
	requested, limited := r.Requests[name], r.Limits[name]
	factor := 0.0 // how many times as much the limit is
	if !limited.IsZero() && !requested.IsZero() {
		factor = limited.AsApproximateFloat64() / requested.AsApproximateFloat64()
	}
	var out []float64
	amount := func(q, less resource.Quantity, by float64) {
		out = append(out, (q.AsApproximateFloat64()-less.AsApproximateFloat64())/by)
	}
	for i := range f.quotas {
		for _, key := range []corev1.ResourceName{name, "requests." + name} {
			if q, has := left(&f.quotas[i], key); has {
				amount(q, beside.requests[name], 1)
			}
		}
		if q, has := left(&f.quotas[i], "limits."+name); has && factor > 0 {
			amount(q, beside.limits[name], factor)
		}
	}
	for _, l := range f.limits {
		for _, item := range l.Spec.Limits {
			most, has := item.Max[name]
			switch {
			case !has:
			case item.Type == corev1.LimitTypeContainer:
				amount(most, resource.Quantity{}, max(factor, 1))
			case item.Type == corev1.LimitTypePod:
				amount(most, beside.limits[name], max(factor, 1))
			}
		}
	}
	return out
}

// left is what a quota has left of a resource. One that counts only some pods is passed
// over: the API server is asked in the end.
func left(q *corev1.ResourceQuota, name corev1.ResourceName) (resource.Quantity, bool) {
	hard, has := q.Status.Hard[name]
	if !has {
		hard, has = q.Spec.Hard[name]
	}
	if !has || len(q.Spec.Scopes) > 0 || q.Spec.ScopeSelector != nil {
		return resource.Quantity{}, false
	}
	hard = hard.DeepCopy()
	hard.Sub(q.Status.Used[name])
	return hard, true
}

// best cuts a size down to what the node has that leaves the most of it: GPUs count first.
func best(s Size, rooms []diagnose.Room, beside corev1.ResourceList) Size {
	var out Size
	most := -1.0
	for _, r := range rooms {
		free := func(name corev1.ResourceName) float64 {
			q := r.Free[name].DeepCopy()
			q.Sub(beside[name])
			return q.AsApproximateFloat64()
		}
		here := Size{CPU: min(s.CPU, free(corev1.ResourceCPU)), Memory: min(s.Memory, free(corev1.ResourceMemory)/gibi), GPU: s.GPU}
		score := here.CPU/s.CPU + here.Memory/s.Memory
		if s.GPUs > 0 {
			gpus := r.Free[corev1.ResourceName(s.GPU)]
			here.GPUs = max(0, min(s.GPUs, gpus.Value()))
			score += 2 * float64(here.GPUs)
		}
		if here.CPU < step || here.Memory < step {
			continue
		}
		if score > most {
			most, out = score, here
		}
	}
	return out
}

func down(f float64) float64 { return math.Floor(f*steps+1e-9) / steps }
