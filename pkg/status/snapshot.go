package status

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/version"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// Snapshot is what a cluster said about the stack at one moment. Secrets are in it by
// their metadata alone.
type Snapshot struct {
	Time   metav1.Time
	Target report.Target
	Server *version.Version
	// Inventory of the installation, nil where this plugin has not made one.
	Inventory *rollout.Inventory
	Release   *components.Release
	// Expected are the components with their objects as the inventory's choices make
	// them; without an inventory, as the default profile does.
	Expected []components.Rendered
	// Objects that were read: whole, or their metadata where nothing else matters.
	Objects []*unstructured.Unstructured
	// StackPods are the pods of the stack's namespaces. They are decoded at once: they are
	// most of what is read.
	StackPods []corev1.Pod
	// MeshPods are the pods of all namespaces that have a sidecar: mostly people's notebooks.
	MeshPods []corev1.Pod
	// NetworkPolicies of all namespaces; none where they are more than could be read.
	NetworkPolicies []networkingv1.NetworkPolicy
	// Passwords are the e-mail addresses that Dex has passwords of, beside its configuration.
	Passwords []string
	// Reads tells what was asked for: an object that is not among Objects is absent only
	// if it was asked for and somebody answered.
	Reads []Read
	// LeftOut are components that the installation was made without.
	LeftOut []string
	// Unserved are definitions of the catalogue that the API server does not serve, by name.
	Unserved []string
	// Proofs are the answers of webhooks to dry runs.
	Proofs []Proof
	WayIn  report.WayIn
	// Logs of the programs on the way in, as far as they could be read.
	Logs []Log
	// Claims counts people's volumes; Unbound are those without one.
	Claims  int
	Unbound []corev1.PersistentVolumeClaim
	// NotChecked is what was not looked at, and why.
	NotChecked []string

	index map[report.Ref]*unstructured.Unstructured
	pods  []corev1.Pod
}

// Read is a list or an object that was asked for.
type Read struct {
	Group, Kind string
	// Namespace is empty for all of them, Name for a list.
	Namespace, Name string
	// Labels that a list was restricted to.
	Labels string
	// Cut: there are more than were read.
	Cut bool
	// NoKind: the server does not have the kind.
	NoKind bool
	// Forbidden and Error tell why nothing was read.
	Forbidden bool
	Error     string
}

// String names what was read, as in "pods kubeflow".
func (r Read) String() string {
	s := schema.GroupKind{Group: r.Group, Kind: r.Kind}.String()
	if r.Namespace != "" {
		s += " in " + r.Namespace
	}
	if r.Name != "" {
		s += " " + r.Name
	}
	return s
}

func (r Read) covers(ref report.Ref) bool {
	return r.Group == ref.Group && r.Kind == ref.Kind && (r.Namespace == "" || r.Namespace == ref.Namespace) &&
		(r.Name == "" || r.Name == ref.Name)
}

// Presence of an object.
type Presence int

const (
	// Unread: nobody asked, or the server did not answer.
	Unread Presence = iota
	// Present: it is there.
	Present
	// Absent: it is not there.
	Absent
	// Forbidden: it may not be read.
	Forbidden
)

// Presence tells whether an object is there, as far as the reads tell.
func (s *Snapshot) Presence(ref report.Ref) Presence {
	if ref.Kind == definition {
		if slices.Contains(s.Unserved, ref.Name) {
			return Absent
		}
		return Present
	}
	if s.Object(ref) != nil {
		return Present
	}
	out := Unread
	for _, r := range s.Reads {
		switch {
		case !r.covers(ref):
		case r.Forbidden:
			if out == Unread {
				out = Forbidden
			}
		case r.Error != "", r.Cut:
		case r.NoKind, r.Labels == "", r.Name != "":
			return Absent
		}
	}
	return out
}

// answered tells that a read without a selector has covered an object: it need not be
// asked for again.
func (s *Snapshot) answered(ref report.Ref) bool {
	return slices.ContainsFunc(s.Reads, func(r Read) bool {
		return r.covers(ref) && (r.NoKind || r.Labels == "" && r.Kind != "Node")
	})
}

// Object by its name, nil where it was not read or is not there. A Secret and others
// whose content does not matter have metadata only.
func (s *Snapshot) Object(ref report.Ref) *unstructured.Unstructured {
	if s.index == nil {
		s.index = make(map[report.Ref]*unstructured.Unstructured, len(s.Objects))
		for _, u := range s.Objects {
			s.index[cluster.RefOf(u)] = u
		}
	}
	return s.index[ref]
}

// All objects of a kind that were read, in the order of their names.
func (s *Snapshot) All(group, kind string) []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, u := range s.Objects {
		if gvk := u.GroupVersionKind(); gvk.Group == group && gvk.Kind == kind {
			out = append(out, u)
		}
	}
	return out
}

// Pods of the namespaces of the stack.
func (s *Snapshot) Pods() []corev1.Pod {
	if s.pods == nil {
		s.pods = append([]corev1.Pod{}, s.StackPods...)
		for _, u := range s.All("", "Pod") {
			var p corev1.Pod
			if into(u, &p) {
				s.pods = append(s.pods, p)
			}
		}
	}
	return s.pods
}

// into decodes an object; false where it is nil or is not of that shape.
func into(u *unstructured.Unstructured, out any) bool {
	return u != nil && runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, out) == nil
}

// Component finds what is expected of a component, nil where it is not part of the
// installation.
func (s *Snapshot) Component(name string) *components.Rendered {
	for i := range s.Expected {
		if s.Expected[i].Component.Name == name {
			return &s.Expected[i]
		}
	}
	return nil
}

// Existing tells that the installation uses a component that somebody else has made.
func (s *Snapshot) Existing(name string) bool {
	return s.Inventory != nil && slices.Contains(s.Inventory.Settings.UseExisting, name)
}

// Installed tells whether anything of the stack is there: a workload, or the record
// of an installation.
func (s *Snapshot) Installed() bool { return s.Inventory != nil || len(s.workloads()) > 0 }

// Foreign tells that the stack is there and that this plugin has not made it. Its
// objects are recognised by their names.
func (s *Snapshot) Foreign() bool {
	there := s.workloads()
	return s.Inventory == nil && len(there) > 0 && !slices.ContainsFunc(there, member)
}

// workloads of the stack that are there.
func (s *Snapshot) workloads() []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, r := range s.Expected {
		for _, u := range r.Objects {
			if live := s.Object(cluster.RefOf(u)); live != nil && isWorkload(u.GetKind()) {
				out = append(out, live)
			}
		}
	}
	return out
}

// Owner is the component that an object belongs to, empty for a stranger.
func (s *Snapshot) Owner(ref report.Ref) string {
	for _, r := range s.Expected {
		for _, u := range r.Objects {
			if cluster.RefOf(u) == ref {
				return r.Component.Name
			}
		}
	}
	return ""
}

const definition = "CustomResourceDefinition"

func isWorkload(kind string) bool {
	return kind == "Deployment" || kind == "DaemonSet" || kind == "StatefulSet"
}
