// Package form is the form of the web app for a new notebook: what it offers, as the
// cluster has it configured, and the objects that it makes, field for field.
package form

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
)

// Key is where a ConfigMap has the form.
const Key = "spawner_ui_config.yaml"

// Text is a scalar of YAML, with quotes around it or without.
type Text string

// UnmarshalJSON takes numbers as they stand there.
func (t *Text) UnmarshalJSON(b []byte) error {
	if bytes.Equal(b, []byte("null")) {
		*t = ""
		return nil
	}
	if b[0] != '"' {
		*t = Text(b)
		return nil
	}
	return json.Unmarshal(b, (*string)(t))
}

// Setting is one field of the form: what it holds from the start, and whether a person
// may change that.
type Setting[T any] struct {
	Value    T    `json:"value"`
	ReadOnly bool `json:"readOnly"`
}

// Images are those of one type.
type Images struct {
	Value    string   `json:"value"`
	Options  []string `json:"options"`
	ReadOnly bool     `json:"readOnly"`
}

// Size is a request, and how many times as much the limit is ("none": no limit).
type Size struct {
	Value       Text `json:"value"`
	LimitFactor Text `json:"limitFactor"`
	ReadOnly    bool `json:"readOnly"`
}

// GPUs are the kinds of GPUs to choose from.
type GPUs struct {
	Num     Text     `json:"num"`
	Vendor  string   `json:"vendor"`
	Vendors []Vendor `json:"vendors"`
}

// Vendor is a kind of GPUs: the resource of its device plugin, and what people read.
type Vendor struct {
	Resource string `json:"limitsKey"`
	Title    string `json:"uiName"`
}

// Volume is mounted in the notebook: a claim that is made with it, or something there.
type Volume struct {
	Mount    string         `json:"mount"`
	New      map[string]any `json:"newPvc"`
	Existing map[string]any `json:"existingSource"`
}

// Affinity is a choice of nodes.
type Affinity struct {
	Key      string         `json:"configKey"`
	Title    string         `json:"displayName"`
	Affinity map[string]any `json:"affinity"`
}

// Tolerations are a group of taints that a notebook puts up with.
type Tolerations struct {
	Key         string `json:"groupKey"`
	Title       string `json:"displayName"`
	Tolerations []any  `json:"tolerations"`
}

// Choice is a field with a list to choose from by key.
type Choice[T any] struct {
	Value    string `json:"value"`
	Options  []T    `json:"options"`
	ReadOnly bool   `json:"readOnly"`
}

// Form is the whole of it.
type Form struct {
	AllowCustomImage bool                `json:"allowCustomImage"`
	PullPolicy       Setting[string]     `json:"imagePullPolicy"`
	Jupyter          Images              `json:"image"`
	Code             Images              `json:"imageGroupOne"`
	RStudio          Images              `json:"imageGroupTwo"`
	CPU              Size                `json:"cpu"`
	Memory           Size                `json:"memory"`
	GPUs             Setting[GPUs]       `json:"gpus"`
	Workspace        Setting[*Volume]    `json:"workspaceVolume"`
	Data             Setting[[]Volume]   `json:"dataVolumes"`
	SHM              Setting[bool]       `json:"shm"`
	Configurations   Setting[[]string]   `json:"configurations"`
	Affinity         Choice[Affinity]    `json:"affinityConfig"`
	Tolerations      Choice[Tolerations] `json:"tolerationGroup"`
}

// Parse reads a form as the web app's ConfigMap holds it. A field that is not there is
// empty and may be changed, as in the web app.
func Parse(text []byte) (*Form, error) {
	var document struct {
		Form *Form `json:"spawnerFormDefaults"`
	}
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	if document.Form == nil {
		return nil, fmt.Errorf("it has no spawnerFormDefaults")
	}
	return document.Form, nil
}

// InConfigMap reads the form out of the ConfigMap that holds it.
func InConfigMap(u *unstructured.Unstructured) (*Form, error) {
	text, ok, _ := unstructured.NestedString(u.Object, "data", Key)
	if !ok {
		return nil, fmt.Errorf("ConfigMap %s/%s: it has no %s", u.GetNamespace(), u.GetName(), Key)
	}
	f, err := Parse([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("ConfigMap %s/%s: %s: %w", u.GetNamespace(), u.GetName(), Key, err)
	}
	return f, nil
}

// Images of a type.
func (f *Form) Images(t notebooks.Type) Images {
	switch t {
	case notebooks.Code:
		return f.Code
	case notebooks.RStudio:
		return f.RStudio
	}
	return f.Jupyter
}

// all are the images to choose from, with one that is only proposed.
func (i Images) all() []string {
	for _, o := range i.Options {
		if o == i.Value {
			return i.Options
		}
	}
	if i.Value == "" {
		return i.Options
	}
	return append([]string{i.Value}, i.Options...)
}

// ShortImage is what people call an image: the last part of its name, without the tag.
func ShortImage(image string) string {
	image, _, _ = strings.Cut(image, "@")
	image = image[strings.LastIndex(image, "/")+1:]
	image, _, _ = strings.Cut(image, ":")
	return image
}

// ShortNames are the names by which the images of a type can be called, in their order.
func (f *Form) ShortNames(t notebooks.Type) []string {
	var out []string
	for _, i := range f.Images(t).all() {
		out = append(out, ShortImage(i))
	}
	return out
}

// image finds the image that a person means and its type.
func (f *Form) image(name string, t notebooks.Type) (string, notebooks.Type, error) {
	if name == "" {
		if t == "" {
			t = notebooks.Jupyter
		}
		image := f.Images(t).Value
		if image == "" {
			return "", t, refuse("type", "the form has no default image of type %s: specify one", t)
		}
		return image, t, nil
	}
	for _, of := range notebooks.Types() {
		if t != "" && of != t {
			continue
		}
		for _, i := range f.Images(of).all() {
			short := ShortImage(i)
			if i == name || short == name || strings.TrimPrefix(short, "jupyter-") == name {
				if images := f.Images(of); images.ReadOnly && i != images.Value {
					return "", of, refuse("image", "the cluster's form makes it read-only: %s", images.Value)
				}
				return i, of, nil
			}
		}
	}
	if t == "" {
		t = notebooks.Jupyter
	}
	switch {
	case !f.AllowCustomImage:
		return "", t, refuse("image", "%q is not in the form, and the cluster does not allow custom images: choose from %s", name, f.list())
	case !strings.ContainsAny(name, "/:@"):
		return "", t, refuse("image", "%q is not in the form, which has %s; a custom image needs its full reference, such as docker.io/%s:TAG", name, f.list(), name)
	case !validImage(name):
		return "", t, refuse("image", "%q is not an image reference, such as registry.example.com/team/image:tag", name)
	}
	return name, t, nil
}

// ImageNamed is the image that a person means: a short name of the form, or any reference
// where the form allows it.
func (f *Form) ImageNamed(name string) (string, error) {
	image, _, err := f.image(name, "")
	return image, err
}

// list names the images of all types.
func (f *Form) list() string {
	var names []string
	for _, t := range notebooks.Types() {
		names = append(names, f.ShortNames(t)...)
	}
	return strings.Join(names, ", ")
}

// vendor finds the resource that a person means by a vendor's name or the resource itself.
func (f *Form) vendor(name string) string {
	for _, v := range f.GPUs.Value.Vendors {
		if strings.EqualFold(v.Title, name) {
			return v.Resource
		}
	}
	return name
}

// Refusal is a choice that the form does not allow.
type Refusal struct {
	// Field of the request, as its flag is called: image, cpu, volume.
	Field string
	Why   string
}

// Error names the field.
func (r *Refusal) Error() string { return r.Field + ": " + r.Why }

func refuse(field, format string, args ...any) error {
	return &Refusal{field, fmt.Sprintf(format, args...)}
}
