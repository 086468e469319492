package pulls

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

var (
	podsResource   = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	eventsResource = schema.GroupVersionResource{Version: "v1", Resource: "events"}
)

// look asks how far the nodes are. The status of a pod changes when the kubelet has been
// through all of its containers; what happens meanwhile is in events.
func (p *Puller) look(ctx context.Context) error {
	pods, err := p.pods(ctx)
	if err != nil {
		return err
	}
	changed := false
	if len(pods) > 0 || p.wide {
		events, err := p.events(ctx)
		if err != nil {
			return err
		}
		for i := range events {
			changed = p.heard(pods[events[i].InvolvedObject.UID], &events[i]) || changed
		}
	}
	for _, pod := range pods {
		changed = p.seen(pod) || changed
	}
	if changed {
		p.tell()
	}
	return nil
}

func (p *Puller) pods(ctx context.Context) (map[types.UID]*corev1.Pod, error) {
	list, err := p.cluster.Dynamic.Resource(podsResource).Namespace(p.namespace).List(ctx, metav1.ListOptions{LabelSelector: runLabel + "=" + p.run})
	if err != nil {
		return nil, fmt.Errorf("pods in namespace %s: %w", p.namespace, err)
	}
	out := map[types.UID]*corev1.Pod{}
	for i := range list.Items {
		pod := &corev1.Pod{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(list.Items[i].Object, pod); err != nil {
			return nil, fmt.Errorf("Pod %s/%s: %w", p.namespace, list.Items[i].GetName(), err)
		}
		out[pod.UID] = pod
	}
	return out, nil
}

// remember takes up the events that are there before anything is pulled for us.
func (p *Puller) remember(ctx context.Context) error {
	events, err := p.events(ctx)
	p.old = map[types.UID]int32{}
	for _, e := range events {
		p.old[e.UID] = e.Count
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// events of kubelets about pods: ours, or all where others pull for us.
func (p *Puller) events(ctx context.Context) ([]corev1.Event, error) {
	namespace := p.namespace
	if p.wide {
		namespace = metav1.NamespaceAll
	}
	list, err := p.cluster.Dynamic.Resource(eventsResource).Namespace(namespace).List(ctx, metav1.ListOptions{
		FieldSelector: fields.Set{"involvedObject.kind": "Pod", "source": "kubelet"}.String(),
	})
	if err != nil {
		return nil, fmt.Errorf("events: %w", err)
	}
	out := make([]corev1.Event, len(list.Items))
	for i := range list.Items {
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(list.Items[i].Object, &out[i]); err != nil {
			return nil, fmt.Errorf("Event %s/%s: %w", list.Items[i].GetNamespace(), list.Items[i].GetName(), err)
		}
	}
	return out, nil
}

// of is the image that a container of a pod pulls; nil for one that is not ours.
func (p *Puller) of(pod *corev1.Pod, name string) *Image {
	for _, c := range pod.Spec.Containers {
		if c.Name == name {
			return p.find(pod.Spec.NodeName, c.Image)
		}
	}
	return nil
}

var (
	named     = regexp.MustCompile(`image "([^"]+)"`)
	fieldPath = regexp.MustCompile(`^spec\.containers\{(.+)\}$`)
	// How kubelets say what a pull took; those before 1.30 do not say the size.
	took = regexp.MustCompile(`^Successfully pulled image .* in ([0-9a-zµ.]+)`)
	size = regexp.MustCompile(`Image size: ([0-9]+) bytes`)
)

// about is the image that an event is about. An event of somebody else's pod names it.
func (p *Puller) about(pod *corev1.Pod, e *corev1.Event) *Image {
	if pod != nil {
		if m := fieldPath.FindStringSubmatch(e.InvolvedObject.FieldPath); m != nil {
			return p.of(pod, m[1])
		}
		return nil
	}
	if count, known := p.old[e.UID]; !p.wide || known && count == e.Count {
		return nil
	}
	if m := named.FindStringSubmatch(e.Message); m != nil {
		return p.find(e.Source.Host, m[1])
	}
	return nil
}

// heard takes up an event of a pod, which is nil for one that is not ours, and tells whether
// it changes anything.
func (p *Puller) heard(pod *corev1.Pod, e *corev1.Event) bool {
	i := p.about(pod, e)
	if i == nil || i.there() {
		return false
	}
	before := *i
	switch {
	case e.Reason == "Pulled":
		i.State, i.Message = Present, ""
		if m := took.FindStringSubmatch(e.Message); m != nil {
			i.State = Pulled
			if d, err := time.ParseDuration(m[1]); err == nil {
				i.Seconds = d.Seconds()
			}
		}
		if m := size.FindStringSubmatch(e.Message); m != nil && i.State == Pulled {
			i.Bytes, _ = strconv.ParseInt(m[1], 10, 64)
		}
	case e.Reason == "Pulling" && i.State == Waiting:
		i.State = Pulling
	case e.Reason == "Failed" && strings.HasPrefix(e.Message, "Failed to pull image"):
		i.fail(e.Message, true)
	case e.Reason == "InspectFailed" || e.Reason == "ErrImageNeverPull":
		i.fail(e.Message, true)
	}
	return *i != before
}

// seen takes up the status of a pod, and tells whether it changes anything.
func (p *Puller) seen(pod *corev1.Pod) bool {
	changed := false
	for _, c := range pod.Status.ContainerStatuses {
		i := p.of(pod, c.Name)
		if i == nil || i.there() {
			continue
		}
		before := *i
		w := c.State.Waiting
		switch {
		case w == nil:
			if c.State.Running != nil || c.State.Terminated != nil {
				i.State, i.Message = Pulled, ""
			}
		case w.Reason == "CreateContainerConfigError" || w.Reason == "CreateContainerError" || w.Reason == "RunContainerError" || w.Reason == "CrashLoopBackOff":
			i.State, i.Message = Pulled, ""
		case w.Reason == "ErrImagePull" || w.Reason == "ImagePullBackOff" || w.Reason == "InvalidImageName" || w.Reason == "ErrImageNeverPull" || w.Reason == "ImageInspectError":
			i.fail(w.Reason+": "+w.Message, false)
		}
		changed = changed || *i != before
	}
	return changed
}
