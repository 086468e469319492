package components

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"
	"sigs.k8s.io/yaml"
)

// Form is what the web app's form for a new notebook offers in the place of what the
// release has. A part that is empty is the release's.
type Form struct {
	// Images of Jupyter to choose from, the first one chosen.
	Images []string `json:"images,omitempty"`
	// CPU and Memory are what the form proposes.
	CPU    string `json:"cpu,omitempty"`
	Memory string `json:"memory,omitempty"`
	// GPUs are kinds to choose from, Affinities nodes, Tolerations taints.
	GPUs        []FormGPU         `json:"gpus,omitempty"`
	Affinities  []FormAffinity    `json:"affinities,omitempty"`
	Tolerations []FormTolerations `json:"tolerations,omitempty"`
}

// FormGPU is a kind of GPUs: the resource on the nodes, and what people read. The names of
// the fields, here and below, are the form's.
type FormGPU struct {
	Resource string `json:"limitsKey"`
	Title    string `json:"uiName"`
}

// FormAffinity is a choice of nodes.
type FormAffinity struct {
	Key      string         `json:"configKey"`
	Title    string         `json:"displayName"`
	Affinity map[string]any `json:"affinity"`
}

// FormTolerations are taints that a notebook puts up with.
type FormTolerations struct {
	Key         string           `json:"groupKey"`
	Title       string           `json:"displayName"`
	Tolerations []map[string]any `json:"tolerations"`
}

// IsZero tells that nothing was chosen.
func (f Form) IsZero() bool {
	return f.CPU == "" && f.Memory == "" && len(f.Images)+len(f.GPUs)+len(f.Affinities)+len(f.Tolerations) == 0
}

// The web app multiplies both with a factor. It knows cores, and Gi and no other unit.
var (
	coresShape  = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)
	memoryShape = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?Gi$`)
)

func (f Form) validate() error {
	for _, ref := range f.Images {
		if !imageShape.MatchString(ref) {
			return fmt.Errorf("--image: %q is not an image reference such as registry.example.com/team/notebook:v1", ref)
		}
	}
	if f.CPU != "" && !coresShape.MatchString(f.CPU) {
		return fmt.Errorf("--cpu: %q is not a number of cores such as 0.5", f.CPU)
	}
	if f.Memory != "" && !memoryShape.MatchString(f.Memory) {
		return fmt.Errorf("--memory: %q is not an amount in Gi such as 1.5Gi, the only unit that the web app knows", f.Memory)
	}
	for _, g := range f.GPUs {
		if !strings.Contains(g.Resource, "/") || len(validation.IsQualifiedName(g.Resource)) > 0 {
			return fmt.Errorf("GPU kind %q is not the name of a resource such as nvidia.com/gpu", g.Resource)
		}
	}
	return nil
}

// formConfigMap is where the web app reads its form.
const (
	formConfigMap = "jupyter-web-app-config"
	formKey       = "spawner_ui_config.yaml"
)

// IsForm tells whether an object has the web app's form.
func IsForm(u *unstructured.Unstructured) bool {
	return u.GetKind() == "ConfigMap" && strings.HasPrefix(u.GetName(), formConfigMap)
}

// into writes the choices into the ConfigMap that has the form, and leaves the rest of it
// and its comments as they are.
func (f Form) into(u *unstructured.Unstructured) error {
	if f.IsZero() || !IsForm(u) {
		return nil
	}
	text, ok, _ := unstructured.NestedString(u.Object, "data", formKey)
	if !ok {
		return nil
	}
	document, err := kyaml.Parse(text)
	if err != nil {
		return fmt.Errorf("ConfigMap %s/%s: %s: %w", u.GetNamespace(), u.GetName(), formKey, err)
	}
	for _, s := range f.settings() {
		if err := set(document, s.value, s.path...); err != nil {
			return fmt.Errorf("ConfigMap %s/%s: %s: %s: %w", u.GetNamespace(), u.GetName(), formKey, strings.Join(s.path, "."), err)
		}
	}
	if text, err = document.String(); err != nil {
		return fmt.Errorf("ConfigMap %s/%s: %s: %w", u.GetNamespace(), u.GetName(), formKey, err)
	}
	return unstructured.SetNestedField(u.Object, text, "data", formKey)
}

// setting is a value at its place in the form.
type setting struct {
	path  []string
	value any
}

func (f Form) settings() []setting {
	var all []setting
	add := func(chosen bool, value any, path ...string) {
		if chosen {
			all = append(all, setting{path, value})
		}
	}
	add(f.CPU != "", f.CPU, "cpu", "value")
	add(f.Memory != "", f.Memory, "memory", "value")
	add(len(f.Images) > 0, f.Images, "image", "options")
	if len(f.Images) > 0 {
		add(true, f.Images[0], "image", "value")
	}
	add(len(f.GPUs) > 0, f.GPUs, "gpus", "value", "vendors")
	add(len(f.Affinities) > 0, f.Affinities, "affinityConfig", "options")
	add(len(f.Tolerations) > 0, f.Tolerations, "tolerationGroup", "options")
	return all
}

// set puts a value below spawnerFormDefaults.
func set(document *kyaml.RNode, value any, path ...string) error {
	data, err := yaml.Marshal(value)
	if err != nil {
		return err
	}
	node, err := kyaml.Parse(string(data))
	if err != nil {
		return err
	}
	last := len(path) - 1
	parents := slices.Concat([]string{"spawnerFormDefaults"}, path[:last])
	return document.PipeE(kyaml.LookupCreate(kyaml.MappingNode, parents...), kyaml.SetField(path[last], node))
}
