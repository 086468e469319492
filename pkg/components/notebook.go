package components

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// Notebook is what the pod of a notebook asks for that a person starts without changing
// the form: the form's own proposal, and the sidecar. Where the web app is not among the
// rendered components, ok is false.
func Notebook(rendered []Rendered) (p PodRequest, ok bool, err error) {
	for _, r := range rendered {
		for _, u := range r.Objects {
			if !IsForm(u) {
				continue
			}
			text, found, _ := unstructured.NestedString(u.Object, "data", formKey)
			if !found {
				continue
			}
			var form struct {
				Defaults struct {
					CPU    struct{ Value string } `json:"cpu"`
					Memory struct{ Value string } `json:"memory"`
				} `json:"spawnerFormDefaults"`
			}
			if err := yaml.Unmarshal([]byte(text), &form); err != nil {
				return p, false, fmt.Errorf("ConfigMap %s/%s: spawner_ui_config.yaml: %w", u.GetNamespace(), u.GetName(), err)
			}
			p = PodRequest{Component: r.Component.Name, Kind: "Notebook", Name: "default notebook", Pods: 1, Spec: &corev1.PodSpec{}}
			if p.CPU, err = resource.ParseQuantity(form.Defaults.CPU.Value); err != nil {
				return p, false, fmt.Errorf("ConfigMap %s/%s: cpu of the form %q: %w", u.GetNamespace(), u.GetName(), form.Defaults.CPU.Value, err)
			}
			if p.Memory, err = resource.ParseQuantity(form.Defaults.Memory.Value); err != nil {
				return p, false, fmt.Errorf("ConfigMap %s/%s: memory of the form %q: %w", u.GetNamespace(), u.GetName(), form.Defaults.Memory.Value, err)
			}
			cpu, memory, err := Sidecar(rendered)
			if err != nil {
				return p, false, err
			}
			p.Sidecar = !cpu.IsZero() || !memory.IsZero()
			p.CPU.Add(cpu)
			p.Memory.Add(memory)
			return p, true, nil
		}
	}
	return p, false, nil
}
