package edits

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
)

// recordAnnotation has, while an edit is under way, what is needed to finish or to undo it.
const recordAnnotation = "kubectl-jupyter/edit"

// Edit is a change of one notebook, worked out and not made yet.
type Edit struct {
	Notebook *notebooks.Notebook
	// Before and After are the notebook's container.
	Before, After *corev1.Container
	record        record
}

// record of an edit under way.
type record struct {
	Began time.Time `json:"began"`
	// Runs tells that the notebook is to run in the end.
	Runs      bool   `json:"runs"`
	Container string `json:"container"`
	Before    values `json:"before"`
	After     values `json:"after"`
}

// values are the fields of a container that an edit changes.
type values struct {
	Image     string         `json:"image"`
	Env       []any          `json:"env,omitempty"`
	Resources map[string]any `json:"resources,omitempty"`
}

// Plan works out what a change makes of a notebook.
func Plan(u *unstructured.Unstructured, change Change, now time.Time) (*Edit, error) {
	n, err := notebooks.Parse(u)
	if err != nil {
		return nil, err
	}
	before := n.Container()
	if before.Name == "" {
		return nil, fmt.Errorf("%s has no container", n.Ref())
	}
	after := before.DeepCopy()
	if err := change.Apply(after); err != nil {
		return nil, err
	}
	e := &Edit{Notebook: n, Before: before, After: after}
	e.record = record{Began: now.UTC().Truncate(time.Second), Runs: n.Stopped.IsZero(), Container: before.Name}
	if e.record.Before, err = valuesOf(before); err != nil {
		return nil, fmt.Errorf("%s: %w", n.Ref(), err)
	}
	if e.record.After, err = valuesOf(after); err != nil {
		return nil, fmt.Errorf("%s: %w", n.Ref(), err)
	}
	return e, nil
}

// Interrupted is an edit of the notebook that was begun and neither finished nor undone;
// nil where there is none.
func Interrupted(u *unstructured.Unstructured) (*Edit, error) {
	text, begun := u.GetAnnotations()[recordAnnotation]
	if !begun {
		return nil, nil
	}
	n, err := notebooks.Parse(u)
	if err != nil {
		return nil, err
	}
	e := &Edit{Notebook: n}
	if err := json.Unmarshal([]byte(text), &e.record); err != nil {
		return nil, fmt.Errorf("%s: annotation %s: %w: remove it, and check the notebook's values", n.Ref(), recordAnnotation, err)
	}
	if e.Before, err = e.record.Before.in(n, e.record.Container); err != nil {
		return nil, err
	}
	e.After, err = e.record.After.in(n, e.record.Container)
	return e, err
}

// Began is when an interrupted edit was.
func (e *Edit) Began() time.Time { return e.record.Began }

// Runs tells that the notebook runs, and is to run again.
func (e *Edit) Runs() bool { return e.record.Runs }

// Changed is the notebook with the new values. The one that is given stays as it is.
func (e *Edit) Changed(u *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	out := u.DeepCopy()
	if err := e.record.After.write(out, e.record.Container); err != nil {
		return nil, fmt.Errorf("%s: %w", e.Notebook.Ref(), err)
	}
	return out, nil
}

// Differences are what changes.
func (e *Edit) Differences() []Difference { return Differences(e.Before, e.After) }

func valuesOf(c *corev1.Container) (values, error) {
	m, err := runtime.DefaultUnstructuredConverter.ToUnstructured(c)
	if err != nil {
		return values{}, err
	}
	v := values{Image: c.Image}
	v.Env, _ = m["env"].([]any)
	v.Resources, _ = m["resources"].(map[string]any)
	return v, nil
}

// in is a notebook's container with the values.
func (v values) in(n *notebooks.Notebook, name string) (*corev1.Container, error) {
	i := slices.IndexFunc(n.Spec.Containers, func(c corev1.Container) bool { return c.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("%s: annotation %s: there is no container %s", n.Ref(), recordAnnotation, name)
	}
	c := n.Spec.Containers[i].DeepCopy()
	c.Image, c.Env, c.Resources = v.Image, nil, corev1.ResourceRequirements{}
	m := map[string]any{"name": name}
	if v.Env != nil {
		m["env"] = v.Env
	}
	if v.Resources != nil {
		m["resources"] = v.Resources
	}
	read := &corev1.Container{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(m, read); err != nil {
		return nil, fmt.Errorf("%s: annotation %s: %w", n.Ref(), recordAnnotation, err)
	}
	c.Env, c.Resources = read.Env, read.Resources
	return c, nil
}

// write puts the values into a Notebook. Everything else of it stays as it is, including
// what this program does not know.
func (v values) write(u *unstructured.Unstructured, name string) error {
	containers, _, err := unstructured.NestedSlice(u.Object, "spec", "template", "spec", "containers")
	if err != nil {
		return err
	}
	for i := range containers {
		c, ok := containers[i].(map[string]any)
		if !ok || c["name"] != name {
			continue
		}
		c["image"] = v.Image
		// The web app's list fails where a field is missing that it expects.
		c["env"], c["resources"] = []any{}, map[string]any{}
		if v.Env != nil {
			c["env"] = v.Env
		}
		if v.Resources != nil {
			c["resources"] = v.Resources
		}
		return unstructured.SetNestedSlice(u.Object, containers, "spec", "template", "spec", "containers")
	}
	return fmt.Errorf("there is no container %s", name)
}
