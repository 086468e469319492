package form

import (
	"encoding/json"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
)

// FuzzForm checks that whatever administrators have written into the form, the objects are
// the person's own, with amounts that are some, or there is an error.
func FuzzForm(f *testing.F) {
	f.Add("spawnerFormDefaults: {}", "", "", int64(0))
	f.Add("spawnerFormDefaults: {image: {value: a/b:c}, cpu: {value: 0.5, limitFactor: 1.2}, memory: {value: 1.0Gi, limitFactor: none}}", "b", "jupyter", int64(1))
	f.Add("spawnerFormDefaults: {image: {value: a}, cpu: {value: '1e9', limitFactor: '-1'}, memory: {value: 1Zi}}", "a", "", int64(-1))
	f.Add("spawnerFormDefaults: {image: {options: [a]}, gpus: {value: {num: '2', vendor: x.y/z, vendors: [{limitsKey: x.y/z}]}}}", "a", "", int64(2))
	f.Add("spawnerFormDefaults: {image: {value: a}, workspaceVolume: {value: {mount: /home, newPvc: {metadata: {name: '{notebook-name}-x'}, spec: 1}}}}", "", "", int64(0))
	f.Add("spawnerFormDefaults: {image: {value: a}, dataVolumes: {value: [{mount: '', existingSource: {a: b}}, null]}, shm: {value: true}}", "", "", int64(0))
	f.Add("spawnerFormDefaults: {image: {value: a}, affinityConfig: {value: a, options: [{configKey: a, affinity: {}}]}, tolerationGroup: {value: b, options: [null]}}", "", "", int64(0))
	f.Add("spawnerFormDefaults: {image: {value: a}, configurations: {value: [a, '']}, cpu: {value: null}}", "", "rstudio", int64(0))
	f.Fuzz(func(t *testing.T, text, image, kind string, gpus int64) {
		form, err := Parse([]byte(text))
		if err != nil {
			return
		}
		r := Request{Namespace: "ns", Name: "n", Image: image, Type: notebooks.Type(kind)}
		if gpus >= 0 {
			r.GPUs = &GPURequest{gpus, "nvidia.com/gpu"}
		}
		out, err := form.Build(r)
		if err != nil {
			return
		}
		for _, u := range out.All() {
			if u.GetNamespace() != "ns" || u.GetName() == "" || u.GetKind() == "" {
				t.Errorf("%s %s/%s is created, want one of namespace ns", u.GetKind(), u.GetNamespace(), u.GetName())
			}
			if _, err := json.Marshal(u.Object); err != nil {
				t.Errorf("%s %s cannot be sent: %v", u.GetKind(), u.GetName(), err)
			}
		}
		if out.Notebook.GetName() != "n" || slices.Contains(out.Mounted, "") {
			t.Errorf("Notebook %s mounts %q", out.Notebook.GetName(), out.Mounted)
		}
		resources, _ := at2(out.Notebook.Object, "spec", "template", "spec", "containers").([]any)[0].(map[string]any)["resources"].(map[string]any)
		for _, kind := range []string{"requests", "limits"} {
			amounts, _ := resources[kind].(map[string]any)
			for name, v := range amounts {
				q, err := resource.ParseQuantity(v.(string))
				if err != nil || q.Sign() < 0 {
					t.Errorf("%s %s: %v, %v", kind, name, v, err)
				}
			}
		}
		if _, err := yaml.Marshal(out.Notebook.Object); err != nil {
			t.Error(err)
		}
	})
}

// at2 walks maps alone.
func at2(v any, path ...string) any {
	for _, p := range path {
		m, _ := v.(map[string]any)
		v = m[p]
	}
	return v
}
