// Package components is the catalogue: what a release consists of, what every
// component needs before it can go in, and the manifests themselves, embedded
// and rendered in memory. A component is data; nothing here talks to a cluster.
package components

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Condition is a fact about a component that something else can wait for.
type Condition string

const (
	// Accepted: the API server has taken every object of the component.
	Accepted Condition = "Accepted"
	// Established: every CustomResourceDefinition of the component is Established and served.
	Established Condition = "Established"
	// Admission: the component's webhooks have a CA and answer its Gate's probes.
	Admission Condition = "Admission"
	// Injection: a pod made now in an injected namespace gets its sidecar.
	Injection Condition = "Injection"
	// Ready: every object of the component is Current in the sense of kstatus, and
	// what its controllers have to make exists.
	Ready Condition = "Ready"
)

// WorkloadKinds are the kinds that create pods: what a sidecar injector or a
// missing CRD would spoil for good when they come too early.
var WorkloadKinds = []string{"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod"}

// Need is an edge of the graph: it says what is needed, not only who comes first.
type Need struct {
	// Component that has to fulfil Condition.
	Component string    `json:"component"`
	Condition Condition `json:"condition"`
	// Kinds that wait. Empty: every object of the component waits.
	Kinds []string `json:"kinds,omitempty"`
	// Why is shown when a wait is explained: what breaks without it.
	Why string `json:"why,omitempty"`
}

// Gates tells whether an object of that kind has to wait for the need.
func (n Need) Gates(kind string) bool {
	return len(n.Kinds) == 0 || slices.Contains(n.Kinds, kind)
}

// WebhookRef names a webhook configuration whose every webhook must have a caBundle.
type WebhookRef struct {
	Kind string // MutatingWebhookConfiguration or ValidatingWebhookConfiguration
	Name string
}

// Probe is an object sent as a server-side dry run to prove that admission works.
// Exactly one of RefusedBy and Adds may be set; with neither, acceptance is the proof.
type Probe struct {
	// File below the component's probes folder.
	File string
	// RefusedBy is the webhook that must deny the object.
	RefusedBy string
	// Adds is a field path (dots; a list item is selected by [name=x]) that the
	// webhook must have added to the answer; several paths are alternatives.
	Adds []string

	Object *unstructured.Unstructured
}

// Gate is how Admission or Injection of a component is proven.
type Gate struct {
	Condition Condition
	// Workload whose readiness is waited for first: NAMESPACE/DEPLOYMENT.
	Workload string
	// Agent is a DaemonSet that has to run on the nodes before a pod there can do with
	// what the webhook adds: NAMESPACE/DAEMONSET; empty where none has to.
	Agent    string
	Webhooks []WebhookRef
	Probes   []Probe
	// Needs has to hold before the probes can be sent at all (their namespace, say).
	Needs []Need
	// Handled is a CEL expression that holds for an object which a mutating webhook of the
	// component has handled. With it two configurations can follow one another in an upgrade
	// so that each object is handled once; empty: the new one begins when the old one is gone.
	Handled string
}

// Produced names an object that a controller must have made before the component is Ready.
type Produced struct {
	APIVersion, Kind, Namespace, Name string
}

// Leftover is what a component makes at run time outside of the namespaces that go
// with it. Namespace and Name are patterns as in path.Match.
type Leftover struct {
	Group, Kind, Namespace, Name string
}

// Matches tells whether an object is such a leftover.
func (l Leftover) Matches(kind, namespace, name string) bool {
	ns, _ := path.Match(l.Namespace, namespace)
	n, _ := path.Match(l.Name, name)
	return l.Kind == kind && ns && n
}

// Trust is what pods of others rely on as long as they run: without it a new installation
// has another identity, and refuses theirs.
type Trust struct {
	// Pods is the label selector of those who rely on it.
	Pods string
	// Objects are such leftovers; those of all namespaces (*) matter in the pods' own.
	Objects []Leftover
}

// Component is one entry of the catalogue.
type Component struct {
	// Name is also its folder, below common and below releases/RELEASE.
	Name string `json:"name"`
	// Title is how prose names it.
	Title string `json:"title"`
	// Version of what it installs; empty where the release's own version holds.
	// In manifests it is $(VERSION).
	Version string `json:"version"`
	// Values are what else differs between releases by a word and not by a manifest: the
	// registry that images are in, say. In manifests a value is $(NAME).
	Values map[string]string `json:"-"`
	// Namespaces its objects live in; the first is the one to look at.
	Namespaces []string `json:"namespaces,omitempty"`
	Needs      []Need   `json:"needs,omitempty"`
	// OnDemand components are left out unless a command asks for them by name.
	OnDemand bool `json:"onDemand,omitempty"`
	// NotIn lists the profiles that leave it out.
	NotIn []string `json:"notIn,omitempty"`
	// UserData: the objects belong to a person. Never pruned, never deleted unasked.
	UserData bool `json:"userData,omitempty"`
	// ConfigImages are images that stand in the component's ConfigMaps or in its
	// programs' arguments, exactly as written there: a sidecar's, a notebook's.
	ConfigImages []string   `json:"-"`
	Gates        []Gate     `json:"-"`
	Produces     []Produced `json:"-"`
	// Leaves is what uninstall has to look for beside the component's own objects.
	Leaves []Leftover `json:"-"`
	// Trust is what uninstall keeps of that while pods of others rely on it.
	Trust *Trust `json:"-"`
}

// Gate returns the gate that proves the condition, nil where readiness and acceptance are all there is.
func (c *Component) Gate(cond Condition) *Gate {
	for i := range c.Gates {
		if c.Gates[i].Condition == cond {
			return &c.Gates[i]
		}
	}
	return nil
}

// Release is a set of components that belong together.
type Release struct {
	// Name is the upstream release that the versions come from, such as "1.10".
	Name string `json:"name"`
	// Kubernetes versions: served is what this plugin's objects work on, tested is
	// what the release's Istio was tested with upstream (inclusive, minor versions of 1.x).
	ServedMin, ServedMax int
	TestedMin, TestedMax int
	// NoWayBack is why an older release cannot replace this one; empty for the first release.
	NoWayBack  string      `json:"-"`
	Components []Component `json:"components"`
	// Clone is where its manifests come from, nil where they are part of the binary.
	Clone *Clone `json:"clone,omitempty"`
}

// Component finds an entry by name.
func (r *Release) Component(name string) (*Component, error) {
	for i := range r.Components {
		if r.Components[i].Name == name {
			return &r.Components[i], nil
		}
	}
	return nil, fmt.Errorf("unknown component %q: the components are %s", name, strings.Join(r.Names(), ", "))
}

// Accepts refuses choices that the release has no use for, naming the flag.
func (r *Release) Accepts(o Options) error {
	for _, d := range []struct{ flag, dir string }{{"cni-bin-dir", o.CNI.BinDir}, {"cni-conf-dir", o.CNI.ConfDir}} {
		if d.dir != "" && !r.UsesCNI() {
			return fmt.Errorf("--%s: release %s does not install Istio's CNI plugin: omit the flag", d.flag, r.Name)
		}
	}
	return nil
}

// UsesCNI tells whether Istio's CNI plugin is part of the release.
func (r *Release) UsesCNI() bool {
	return slices.ContainsFunc(r.Components, func(c Component) bool { return c.Values[CNIValue] == "true" })
}

// Names lists the components in catalogue order, which is a valid order of installation.
func (r *Release) Names() []string {
	names := make([]string, len(r.Components))
	for i := range r.Components {
		names[i] = r.Components[i].Name
	}
	return names
}

// Rendered is a component with its objects, ready to be sent.
type Rendered struct {
	Component *Component
	Objects   []*unstructured.Unstructured
}

// ObjectsOf are the objects of several components, in their order.
func ObjectsOf(rendered []Rendered) []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, r := range rendered {
		out = append(out, r.Objects...)
	}
	return out
}

// Annotate sets an annotation of an object.
func Annotate(u *unstructured.Unstructured, name, value string) {
	annotations := u.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[name] = value
	u.SetAnnotations(annotations)
}

const (
	// ComponentLabel says which component an object belongs to.
	ComponentLabel = "kubectl-jupyter/component"
	// ConfigHashAnnotation on a pod template changes with the ConfigMaps that its pods use.
	ConfigHashAnnotation = "kubectl-jupyter/config-hash"
)
