package diagnose

import (
	"cmp"
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// Snapshot is what the cluster said about some subjects at one moment. It can be
// written as JSON and read again. Environment variables and Secrets are not in it.
type Snapshot struct {
	Time metav1.Time `json:"time"`
	// Objects are the subjects themselves, and the issuers and certificates behind them.
	Objects []*unstructured.Unstructured `json:"objects,omitempty"`
	// Missing are objects that were asked for and are not there.
	Missing []report.Ref `json:"missing,omitempty"`

	Namespaces  []corev1.Namespace                           `json:"namespaces,omitempty"`
	Pods        []corev1.Pod                                 `json:"pods,omitempty"`
	Events      []corev1.Event                               `json:"events,omitempty"`
	ReplicaSets []appsv1.ReplicaSet                          `json:"replicaSets,omitempty"`
	Claims      []corev1.PersistentVolumeClaim               `json:"claims,omitempty"`
	Classes     []storagev1.StorageClass                     `json:"classes,omitempty"`
	Services    []corev1.Service                             `json:"services,omitempty"`
	Endpoints   []discoveryv1.EndpointSlice                  `json:"endpoints,omitempty"`
	Nodes       []corev1.Node                                `json:"nodes,omitempty"`
	Mutating    []admissionv1.MutatingWebhookConfiguration   `json:"mutating,omitempty"`
	Validating  []admissionv1.ValidatingWebhookConfiguration `json:"validating,omitempty"`
	Logs        []Log                                        `json:"logs,omitempty"`
	// Requested is what the pods on each node request.
	Requested map[string]corev1.ResourceList `json:"requested,omitempty"`
	// Read names the lists that were read, as in "nodes" or "pods kubeflow": an empty
	// list that was not read proves nothing.
	Read []string `json:"read,omitempty"`
	// Unreadable is what could not be read.
	Unreadable []ReadError `json:"unreadable,omitempty"`

	components map[report.Ref]string
}

// Log is the end of a container's log.
type Log struct {
	Namespace string   `json:"namespace"`
	Pod       string   `json:"pod"`
	Container string   `json:"container"`
	Lines     []string `json:"lines"`
}

// ReadError is a read that failed.
type ReadError struct {
	// What was read, as in "pods kubeflow".
	What string `json:"what"`
	// Forbidden tells a lack of rights from a cluster that did not answer.
	Forbidden bool   `json:"forbidden,omitempty"`
	Message   string `json:"message"`
}

// indexed is the snapshot that also knows which component a subject belongs to, for
// causes that lie with another object than the subject at hand.
func (s *Snapshot) indexed(subjects []Subject) *Snapshot {
	known := *s
	known.components = map[report.Ref]string{}
	for _, sub := range subjects {
		known.components[plain(sub.Ref)] = sub.Component
	}
	return &known
}

// plain leaves the group out: a subject may come with it or without.
func plain(r report.Ref) report.Ref { r.Group = ""; return r }

func (s *Snapshot) read(what string) bool { return slices.Contains(s.Read, what) }

func (s *Snapshot) missing(r report.Ref) bool {
	return slices.ContainsFunc(s.Missing, func(m report.Ref) bool { return plain(m) == plain(r) })
}

func (s *Snapshot) object(r report.Ref) *unstructured.Unstructured {
	for _, u := range s.Objects {
		if u.GetKind() == r.Kind && u.GetNamespace() == r.Namespace && u.GetName() == r.Name {
			return u
		}
	}
	return nil
}

func (s *Snapshot) namespace(name string) *corev1.Namespace {
	for i := range s.Namespaces {
		if s.Namespaces[i].Name == name {
			return &s.Namespaces[i]
		}
	}
	return nil
}

func (s *Snapshot) service(namespace, name string) *corev1.Service {
	for i := range s.Services {
		if s.Services[i].Namespace == namespace && s.Services[i].Name == name {
			return &s.Services[i]
		}
	}
	return nil
}

// readyEndpoints counts the addresses behind a service that take traffic.
func (s *Snapshot) readyEndpoints(namespace, service string) int {
	return ReadyEndpoints(s.Endpoints, namespace, service)
}

// ReadyEndpoints counts the addresses of a Service that take traffic. Those of pods that are
// not ready count where the Service publishes them, as they are used then.
func ReadyEndpoints(of []discoveryv1.EndpointSlice, namespace, service string) int {
	n := 0
	for _, slice := range of {
		if slice.Namespace != namespace || slice.Labels[discoveryv1.LabelServiceName] != service {
			continue
		}
		for _, e := range slice.Endpoints {
			// Nil is to be taken for ready.
			if e.Conditions.Ready == nil || *e.Conditions.Ready {
				n += len(e.Addresses)
			}
		}
	}
	return n
}

// events about an object, the newest first.
func (s *Snapshot) events(kind, namespace, name string, reasons ...string) []corev1.Event {
	var found []corev1.Event
	for _, e := range s.Events {
		o := e.InvolvedObject
		if o.Kind == kind && o.Name == name && (o.Namespace == namespace || namespace == "") &&
			(len(reasons) == 0 || slices.Contains(reasons, e.Reason)) {
			found = append(found, e)
		}
	}
	slices.SortStableFunc(found, func(a, b corev1.Event) int { return seen(b).Compare(seen(a).Time) })
	return found
}

// seen is when an event happened last.
func seen(e corev1.Event) metav1.Time {
	last := e.LastTimestamp
	if e.Series != nil && e.Series.LastObservedTime.After(last.Time) {
		last = metav1.Time{Time: e.Series.LastObservedTime.Time}
	}
	if last.IsZero() {
		last = metav1.Time{Time: cmp.Or(e.EventTime.Time, e.FirstTimestamp.Time, e.CreationTimestamp.Time)}
	}
	return last
}

func (s *Snapshot) log(pod *corev1.Pod, container string) []string {
	for _, l := range s.Logs {
		if l.Namespace == pod.Namespace && l.Pod == pod.Name && l.Container == container {
			return telling(l.Lines)
		}
	}
	return nil
}

// owner is what a person would name: the Deployment and not its ReplicaSet's pod.
func (s *Snapshot) owner(pod *corev1.Pod) report.Ref {
	c := metav1.GetControllerOf(pod)
	if c == nil {
		return report.Ref{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name}
	}
	if c.Kind == "ReplicaSet" {
		if r := s.replicaSet(pod.Namespace, c.Name); r != nil {
			if d := metav1.GetControllerOf(r); d != nil {
				return refOf(d, pod.Namespace)
			}
		}
	}
	return refOf(c, pod.Namespace)
}

func (s *Snapshot) replicaSet(namespace, name string) *appsv1.ReplicaSet {
	for i := range s.ReplicaSets {
		if s.ReplicaSets[i].Namespace == namespace && s.ReplicaSets[i].Name == name {
			return &s.ReplicaSets[i]
		}
	}
	return nil
}

func refOf(o *metav1.OwnerReference, namespace string) report.Ref {
	gv, _ := schema.ParseGroupVersion(o.APIVersion)
	return report.Ref{Group: gv.Group, Kind: o.Kind, Namespace: namespace, Name: o.Name}
}

// component of an object, as far as the subjects tell.
func (s *Snapshot) component(r report.Ref) string { return s.components[plain(r)] }

// pods that a subject stands or falls with.
func (s *Snapshot) pods(r report.Ref) []*corev1.Pod {
	var match func(*corev1.Pod) bool
	switch r.Kind {
	case "Pod":
		match = func(p *corev1.Pod) bool { return p.Name == r.Name }
	case "Namespace":
		match = func(p *corev1.Pod) bool { return p.Namespace == r.Name }
	case "Service":
		svc := s.service(r.Namespace, r.Name)
		if svc == nil || len(svc.Spec.Selector) == 0 {
			return nil
		}
		selector := labels.SelectorFromSet(svc.Spec.Selector)
		match = func(p *corev1.Pod) bool { return selector.Matches(labels.Set(p.Labels)) }
	case "PersistentVolumeClaim":
		match = func(p *corev1.Pod) bool {
			return p.Spec.NodeName == "" && slices.Contains(ClaimsOf(p), r.Name)
		}
	case "HorizontalPodAutoscaler":
		u := s.object(r)
		if u == nil {
			return nil
		}
		kind, _, _ := unstructured.NestedString(u.Object, "spec", "scaleTargetRef", "kind")
		name, _, _ := unstructured.NestedString(u.Object, "spec", "scaleTargetRef", "name")
		return s.pods(report.Ref{Kind: kind, Namespace: r.Namespace, Name: name})
	case "Notebook":
		match = func(p *corev1.Pod) bool { return p.Labels[notebookLabel] == r.Name }
	default:
		match = func(p *corev1.Pod) bool {
			if c := metav1.GetControllerOf(p); c != nil && c.Kind == r.Kind && c.Name == r.Name {
				return true
			}
			o := s.owner(p)
			return o.Kind == r.Kind && o.Name == r.Name
		}
	}
	var pods []*corev1.Pod
	for i := range s.Pods {
		p := &s.Pods[i]
		if (r.Kind == "Namespace" || p.Namespace == r.Namespace) && match(p) {
			pods = append(pods, p)
		}
	}
	return pods
}

// ClaimsOf are the claims that a pod mounts; that of an ephemeral volume has the pod's name.
func ClaimsOf(p *corev1.Pod) []string {
	var names []string
	for _, v := range p.Spec.Volumes {
		switch {
		case v.PersistentVolumeClaim != nil:
			names = append(names, v.PersistentVolumeClaim.ClaimName)
		case v.Ephemeral != nil:
			names = append(names, p.Name+"-"+v.Name)
		}
	}
	return names
}

// eachPod makes a detector for subjects out of one for pods.
func eachPod(find func(*Snapshot, Subject, *corev1.Pod) []report.Cause) func(*Snapshot, Subject) []report.Cause {
	return func(s *Snapshot, sub Subject) []report.Cause {
		var causes []report.Cause
		for _, p := range s.pods(sub.Ref) {
			causes = append(causes, find(s, sub, p)...)
		}
		return causes
	}
}

// podCause is a cause that lies with a pod, told of what made the pod.
func (s *Snapshot) podCause(sub Subject, p *corev1.Pod, name string, severity report.Severity, summary string) report.Cause {
	object := s.owner(p)
	component := sub.Component
	if c := s.component(object); c != "" {
		component = c
	}
	return report.Cause{Name: name, Severity: severity, Component: component, Object: object, Summary: summary}
}
