package notebooks

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
)

// State of a notebook, in one word.
type State string

// The states.
const (
	// Running: its pod is ready.
	Running State = "Running"
	// Starting: a pod is wanted, nothing is wrong, and it is not ready yet.
	Starting State = "Starting"
	// Failed: a pod is wanted, and cannot become ready without a change.
	Failed State = "Failed"
	// Stopping: no pod is wanted, and there is still one.
	Stopping State = "Stopping"
	// Stopped: no pod is wanted, and there is none.
	Stopped State = "Stopped"
	// Deleting: it has been deleted, and is not gone yet.
	Deleting State = "Deleting"
	// Unknown: whether it has a pod could not be read.
	Unknown State = "Unknown"
)

// Notebook is one notebook as the cluster has it.
type Notebook struct {
	Namespace, Name string
	Type            Type
	Image           string
	// Creator as the web app or this plugin wrote it down.
	Creator string
	State   State
	// Cause is why it is not running; nil where nothing is known or nothing is wrong.
	Cause *report.Cause
	// Spec of its pod, as the Notebook has it: without sidecar and PodDefaults.
	Spec corev1.PodSpec
	// GPUs is how many of which resource it asks for.
	GPUs    map[string]int64
	Created time.Time
	// Stopped is since when, zero where it is not.
	Stopped time.Time
	// Annotations of the object, among which the controller writes when it was last used.
	Annotations map[string]string
	// Used is when it was last used, as its server says; nil where that was not asked. Busy:
	// a kernel runs something.
	Used *usage.Maybe[time.Time]
	Busy bool
	// Pod is the name of its pod, empty without one; Node is where that is.
	Pod, Node string
	// Started is when the notebook's container was, zero while it does not run.
	Started time.Time
	// UID and Version are of the object that was read.
	UID, Version string

	pods []corev1.Pod
}

// Container is the notebook's own among the containers of its pod.
func (n *Notebook) Container() *corev1.Container {
	for i := range n.Spec.Containers {
		if n.Spec.Containers[i].Name == n.Name {
			return &n.Spec.Containers[i]
		}
	}
	if len(n.Spec.Containers) > 0 {
		return &n.Spec.Containers[0]
	}
	return &corev1.Container{}
}

// Port is where its server listens in its pod.
func (n *Notebook) Port() int32 {
	if ports := n.Container().Ports; len(ports) > 0 {
		return ports[0].ContainerPort
	}
	return Port
}

// PodUID tells its pod from one before or after it that has the same name; empty without one.
func (n *Notebook) PodUID() string {
	for i := range n.pods {
		if n.pods[i].Name == n.Pod {
			return string(n.pods[i].UID)
		}
	}
	return ""
}

// Pods are those of the notebook that have not ended.
func (n *Notebook) Pods() []corev1.Pod { return n.pods }

// Ref names it.
func (n *Notebook) Ref() report.Ref { return RefOf(n.Namespace, n.Name) }

// Claims are the claims that it mounts.
func (n *Notebook) Claims() []string {
	var out []string
	for _, v := range n.Spec.Volumes {
		if v.PersistentVolumeClaim != nil {
			out = append(out, v.PersistentVolumeClaim.ClaimName)
		}
	}
	return out
}

// GPUText is what it asks for, as in nvidia.com/gpu:2.
func (n *Notebook) GPUText() string { return usage.CountsText(n.GPUs, "%d", ",") }

// read takes a Notebook apart. Its state needs its pods: see state.
func read(u *unstructured.Unstructured) (*Notebook, error) {
	n := &Notebook{
		Namespace: u.GetNamespace(), Name: u.GetName(), Created: u.GetCreationTimestamp().Time,
		UID: string(u.GetUID()), Version: u.GetResourceVersion(), GPUs: map[string]int64{},
	}
	annotations := u.GetAnnotations()
	n.Type, n.Creator, n.Annotations = TypeOf(annotations[TypeAnnotation]), annotations[CreatorAnnotation], annotations
	if text, stopped := annotations[StoppedAnnotation]; stopped {
		// Whatever it says, the controller takes it for stopped.
		if at, err := time.Parse(time.RFC3339, text); err == nil {
			n.Stopped = at
		} else {
			n.Stopped = n.Created
		}
	}
	if u.GetDeletionTimestamp() != nil {
		n.State = Deleting
	}
	spec, _, err := unstructured.NestedMap(u.Object, "spec", "template", "spec")
	if err == nil && spec != nil {
		err = runtime.DefaultUnstructuredConverter.FromUnstructured(spec, &n.Spec)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: spec.template.spec: %w", n.Ref(), err)
	}
	n.Image = n.Container().Image
	for i := range n.Spec.Containers {
		for name, q := range n.Spec.Containers[i].Resources.Limits {
			// What has a domain and is no part of the node itself is a device.
			if strings.Contains(string(name), "/") && !strings.HasPrefix(string(name), "hugepages-") {
				n.GPUs[string(name)] += q.Value()
			}
		}
	}
	return n, nil
}

// settle says what state a notebook is in, from its pods and from what was said about
// them; known is false where the pods could not be read.
func (n *Notebook) settle(s *diagnose.Snapshot, known bool) {
	slices.SortFunc(n.pods, func(a, b corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	var live *corev1.Pod
	for i := range n.pods {
		p := &n.pods[i]
		if live == nil || live.DeletionTimestamp != nil && p.DeletionTimestamp == nil {
			live = p
		}
	}
	if live != nil {
		n.Pod, n.Node = live.Name, live.Spec.NodeName
		for _, c := range live.Status.ContainerStatuses {
			if c.Name == n.Name && c.State.Running != nil {
				n.Started = c.State.Running.StartedAt.Time
			}
		}
	}
	switch {
	case n.State == Deleting:
	case !known:
		n.State = Unknown
	case !n.Stopped.IsZero() && live != nil:
		n.State = Stopping
	case !n.Stopped.IsZero():
		n.State = Stopped
	case live != nil && live.DeletionTimestamp == nil && ready(live):
		n.State = Running
	default:
		n.State = Starting
		causes := diagnose.Classify(s, []diagnose.Subject{{Ref: n.Ref()}})
		if len(causes) == 0 {
			return
		}
		n.Cause = &diagnose.Documented(causes)[0]
		if n.Cause.Severity >= report.Error {
			n.State = Failed
		}
	}
}

func ready(p *corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}
