package components_test

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

func TestChoicesForTheFormReplaceTheReleasesAndNothingElse(t *testing.T) {
	chosen := components.Form{
		Images: []string{"registry.lan/lab:v2", "registry.lan/lab:v1"}, CPU: "2", Memory: "8.0Gi",
		GPUs:        []components.FormGPU{{Resource: "nvidia.com/mig-1g.5gb", Title: "NVIDIA MIG 1g.5gb"}},
		Affinities:  []components.FormAffinity{{Key: "t4", Title: "Tesla-T4", Affinity: map[string]any{"nodeAffinity": map[string]any{}}}},
		Tolerations: []components.FormTolerations{{Key: "gpu", Title: "GPUs", Tolerations: []map[string]any{{"key": "nvidia.com/gpu", "operator": "Exists"}}}},
	}
	for _, release := range components.ReleaseNames() {
		t.Run(release, func(t *testing.T) {
			// A mirror's name is not put before what somebody has named in full.
			options := components.Options{Registry: "mirror.lan:5000"}
			was := spawnerForm(t, render(t, release, options, "jupyter-web-app"))
			options.Form = chosen
			objects := render(t, release, options, "jupyter-web-app")
			form := spawnerForm(t, objects)
			want := map[string]any{
				"image":           map[string]any{"value": "registry.lan/lab:v2", "options": []any{"registry.lan/lab:v2", "registry.lan/lab:v1"}},
				"cpu":             map[string]any{"value": "2"},
				"memory":          map[string]any{"value": "8.0Gi"},
				"gpus":            map[string]any{"value": map[string]any{"vendors": []any{map[string]any{"limitsKey": "nvidia.com/mig-1g.5gb", "uiName": "NVIDIA MIG 1g.5gb"}}}},
				"affinityConfig":  map[string]any{"options": []any{map[string]any{"configKey": "t4", "displayName": "Tesla-T4", "affinity": map[string]any{"nodeAffinity": map[string]any{}}}}},
				"tolerationGroup": map[string]any{"options": []any{map[string]any{"groupKey": "gpu", "displayName": "GPUs", "tolerations": []any{map[string]any{"key": "nvidia.com/gpu", "operator": "Exists"}}}}},
			}
			merge(was, want)
			if got, want := text2(t, form), text2(t, was); got != want {
				t.Errorf("the form is\n%s\nwant\n%s", got, want)
			}
			file := text(t, find(t, objects, "ConfigMap", "kubeflow", "jupyter-web-app-config"), "data", "spawner_ui_config.yaml")
			if !strings.Contains(file, "# limitsKey is the resource") {
				t.Errorf("the form has lost its comments:\n%s", file)
			}
		})
	}
}

// merge puts what into has in the place of what to has.
func merge(to, from map[string]any) {
	for k, v := range from {
		inner, isMap := v.(map[string]any)
		was, wasMap := to[k].(map[string]any)
		if isMap && wasMap {
			merge(was, inner)
			continue
		}
		to[k] = v
	}
}

func text2(t *testing.T, v any) string {
	t.Helper()
	data, err := yaml.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestChoicesForTheFormThatTheWebAppCannotReadAreRefused(t *testing.T) {
	for says, f := range map[string]components.Form{
		`--cpu: "500m" is not a number of cores`:                       {CPU: "500m"},
		`--memory: "512Mi" is not an amount in Gi`:                     {Memory: "512Mi"},
		`--memory: "2" is not an amount in Gi`:                         {Memory: "2"},
		`--image: "Not An Image" is not an image reference`:            {Images: []string{"Not An Image"}},
		`GPU kind "gpu" is not the name of a resource`:                 {GPUs: []components.FormGPU{{Resource: "gpu"}}},
		`GPU kind "nvidia.com/a b" is not the name of a resource such`: {GPUs: []components.FormGPU{{Resource: "nvidia.com/a b"}}},
	} {
		if err := (components.Options{Form: f}).Validate(); err == nil || !strings.HasPrefix(err.Error(), says) {
			t.Errorf("%+v: %v, want %q", f, err, says)
		}
	}
}
