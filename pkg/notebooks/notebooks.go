// Package notebooks knows Kubeflow's Notebooks: what they are called, what state they are
// in, and how they are started, stopped, changed and deleted. Packages below it know one
// matter each: the form that makes them, whether they fit, what runs in them.
package notebooks

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// FieldManager owns the fields that this package writes.
const FieldManager = "kubectl-jupyter"

// Kind of a Notebook, and the version that this package reads and writes.
var (
	Kind     = schema.GroupKind{Group: "kubeflow.org", Kind: "Notebook"}
	Resource = schema.GroupVersionResource{Group: "kubeflow.org", Version: "v1", Resource: "notebooks"}
)

// Annotations and labels by which the controller and the web app know a Notebook.
const (
	// StoppedAnnotation asks the controller for no pod; its value is since when.
	StoppedAnnotation = "kubeflow-resource-stopped"
	// ActivityAnnotation is when the controller last saw something happen, where culling is on.
	ActivityAnnotation = "notebooks.kubeflow.org/last-activity"
	// TypeAnnotation is the group of the form that the image belongs to.
	TypeAnnotation = "notebooks.kubeflow.org/server-type"
	// CreatorAnnotation is the address of the person who made it.
	CreatorAnnotation = "notebooks.kubeflow.org/creator"
	// RewriteAnnotation and HeadersAnnotation are what the gateway does with a request.
	RewriteAnnotation = "notebooks.kubeflow.org/http-rewrite-uri"
	HeadersAnnotation = "notebooks.kubeflow.org/http-headers-request-set"
	// Label is on a notebook's pod, and has the notebook's name.
	Label = "notebook-name"
)

// Account is the ServiceAccount of a person's namespace under which notebooks run.
const Account = "default-editor"

const (
	// Port is where a notebook's server listens in its pod.
	Port = 8888
	// ServicePort is where the Service does that the controller makes.
	ServicePort = 80
)

// Type is what serves in a notebook.
type Type string

// The types, as a person names them.
const (
	Jupyter Type = "jupyter"
	Code    Type = "code"
	RStudio Type = "rstudio"
)

// Types are all types, the usual one first.
func Types() []Type { return []Type{Jupyter, Code, RStudio} }

// groups are what the web app calls the types.
var groups = map[Type]string{Jupyter: "jupyter", Code: "group-one", RStudio: "group-two"}

// Group is the type's name in annotations.
func (t Type) Group() string { return groups[t] }

// TypeOf reads a group's name. An unknown one is shown as it is.
func TypeOf(group string) Type {
	for t, g := range groups {
		if g == group {
			return t
		}
	}
	if group == "" {
		return Jupyter
	}
	return Type(group)
}

// Path is where the gateway serves a notebook, with a slash at its end.
func Path(namespace, name string) string { return "/notebook/" + namespace + "/" + name + "/" }

// Prefix is below which a notebook's server answers in its pod. Jupyter keeps the gateway's
// path; of the others the gateway takes it off.
func Prefix(t Type, namespace, name string) string {
	if t == Code || t == RStudio {
		return "/"
	}
	return Path(namespace, name)
}

// RefOf names a Notebook.
func RefOf(namespace, name string) report.Ref {
	return report.Ref{Group: Kind.Group, Kind: Kind.Kind, Namespace: namespace, Name: name}
}

// maxName is the longest name that works: the StatefulSet of the notebook puts the name
// and eleven more characters into a label, which holds 63.
const maxName = 52

// CheckName refuses a name that the API server would take and that no pod would come of:
// it is that of a Service too, and part of a label.
func CheckName(name string) error {
	if errs := validation.IsDNS1035Label(name); len(errs) > 0 {
		return fmt.Errorf("%q is not a valid name for a notebook: use lower-case letters, digits and dashes, start with a letter, do not end with a dash", name)
	}
	if len(name) > maxName {
		return fmt.Errorf("%q is not a valid name for a notebook: it has %d characters, at most %d are allowed because the name is used in a label of the pod", name, len(name), maxName)
	}
	return nil
}

// CheckType refuses a type that there is not.
func CheckType(t Type) error {
	if !slices.Contains(Types(), t) {
		return fmt.Errorf("unknown type %q: choose jupyter, code or rstudio", t)
	}
	return nil
}
