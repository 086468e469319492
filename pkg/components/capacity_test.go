package components_test

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// install renders what `install` sends in that profile, and the named extras.
func install(t *testing.T, o components.Options, extra ...string) []components.Rendered {
	t.Helper()
	return installOf(t, components.DefaultRelease, o, extra...)
}

// installOf does it with a release.
func installOf(t *testing.T, release string, o components.Options, extra ...string) []components.Rendered {
	t.Helper()
	source, err := components.NewEmbedded(release)
	if err != nil {
		t.Fatal(err)
	}
	names := extra
	for _, c := range source.Release().Components {
		if !c.OnDemand && !slices.Contains(c.NotIn, o.Profile) {
			names = append(names, c.Name)
		}
	}
	rendered, err := source.Render(t.Context(), names, o)
	if err != nil {
		t.Fatal(err)
	}
	return rendered
}

func requests(t *testing.T, rendered []components.Rendered) components.Sum {
	t.Helper()
	sum, err := components.Requests(rendered)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func quantities(cpu, memory string) (resource.Quantity, resource.Quantity) {
	return resource.MustParse(cpu), resource.MustParse(memory)
}

// notebook is the size the form proposes.
func notebook(t *testing.T, rendered []components.Rendered) (cpu, memory resource.Quantity) {
	t.Helper()
	for _, r := range rendered {
		for _, u := range r.Objects {
			if u.GetKind() != "ConfigMap" || u.GetName() != "jupyter-web-app-config" {
				continue
			}
			text, _, _ := unstructured.NestedString(u.Object, "data", "spawner_ui_config.yaml")
			var form struct {
				Defaults struct {
					CPU    struct{ Value string } `json:"cpu"`
					Memory struct{ Value string } `json:"memory"`
				} `json:"spawnerFormDefaults"`
			}
			if err := yaml.Unmarshal([]byte(text), &form); err != nil {
				t.Fatal(err)
			}
			return quantities(form.Defaults.CPU.Value, form.Defaults.Memory.Value)
		}
	}
	t.Fatal("no form of the web app")
	return
}

// Istio's CNI plugin of 26.03 stays in the slim profile. Without it each pod with a sidecar
// has an init container that needs NET_ADMIN, which the restricted namespaces of the release
// refuse; and it asks for less than what is left.
func TestTheSlimProfileFitsTwoCPUsAndFourGiBWithANotebookRunning(t *testing.T) {
	for _, release := range components.ReleaseNames() {
		t.Run(release, func(t *testing.T) {
			rendered := installOf(t, release, components.Options{Profile: components.ProfileSlim}, "metallb")
			sum := requests(t, rendered)
			cpu, memory := sum.On(1)
			t.Logf("the stack and MetalLB: %dm, %dMi", cpu.MilliValue(), memory.Value()>>20)
			for _, p := range sum.Pods {
				if p.Name == "istio-cni-node" {
					t.Logf("of it the CNI plugin: %dm, %dMi", p.CPU.MilliValue(), p.Memory.Value()>>20)
				}
			}
			// What a control plane of kubeadm's asks for on the same node, its DNS included.
			controlPlaneCPU, controlPlaneMemory := quantities("750m", "170Mi")
			notebookCPU, notebookMemory := notebook(t, rendered)
			sidecarCPU, sidecarMemory, err := components.Sidecar(rendered)
			if err != nil {
				t.Fatal(err)
			}
			if sidecarCPU.IsZero() || sidecarMemory.IsZero() {
				t.Error("a notebook has no sidecar")
			}
			for _, q := range []resource.Quantity{controlPlaneCPU, notebookCPU, sidecarCPU} {
				cpu.Add(q)
			}
			for _, q := range []resource.Quantity{controlPlaneMemory, notebookMemory, sidecarMemory} {
				memory.Add(q)
			}
			t.Logf("with a control plane and a notebook: %dm, %dMi", cpu.MilliValue(), memory.Value()>>20)

			limitCPU, limitMemory := quantities("2", "4Gi")
			if cpu.Cmp(limitCPU) > 0 || memory.Cmp(limitMemory) > 0 {
				t.Errorf("%s CPU and %s memory are requested, %s and %s are there", cpu.String(), memory.String(), limitCPU.String(), limitMemory.String())
			}
		})
	}
}

func TestSlimKeepsEverySidecar(t *testing.T) {
	// Without it a pod could be reached past mutual TLS, with a forged kubeflow-userid.
	sidecars := func(profile string) (names []string) {
		for _, p := range requests(t, install(t, components.Options{Profile: profile})).Pods {
			if p.Sidecar {
				names = append(names, p.Namespace+"/"+p.Name)
			}
		}
		slices.Sort(names)
		return names
	}
	slim, full := sidecars(components.ProfileSlim), sidecars(components.ProfileDefault)
	if !slices.Equal(slim, full) {
		t.Errorf("slim: %v, default: %v", slim, full)
	}
	for _, name := range []string{"kubeflow/jupyter-web-app-deployment", "kubeflow/notebook-controller-deployment", "kubeflow/profiles-deployment"} {
		if !slices.Contains(full, name) {
			t.Errorf("%s has no sidecar", name)
		}
	}
}

func deployment(namespace, name string, template map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment",
		"metadata": map[string]any{"namespace": namespace, "name": name},
		"spec":     map[string]any{"replicas": int64(2), "template": template},
	}}
}

func templateOf(annotations map[string]any, spec map[string]any) map[string]any {
	return map[string]any{"metadata": map[string]any{"annotations": annotations}, "spec": spec}
}

func asks(cpu, memory string) map[string]any {
	return map[string]any{"name": "c" + cpu, "resources": map[string]any{"requests": map[string]any{"cpu": cpu, "memory": memory}}}
}

func TestRequestsAreCountedAsTheSchedulerDoes(t *testing.T) {
	injector := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "istio-sidecar-injector", "namespace": "istio-system"},
		"data": map[string]any{"values": `{"global":{"proxy":{"resources":{"requests":{"cpu":"100m","memory":"128Mi"}}}}}`},
	}}
	namespace := func(name string, labels map[string]any) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "Namespace",
			"metadata": map[string]any{"name": name, "labels": labels},
		}}
	}
	one := map[string]any{"containers": []any{asks("50m", "64Mi")}}
	for _, tc := range []struct {
		name        string
		objects     []*unstructured.Unstructured
		cpu, memory string // on a cluster of three nodes
	}{
		{"replicas are multiplied", []*unstructured.Unstructured{deployment("plain", "a", templateOf(nil, one))}, "100m", "128Mi"},
		{
			"a large init container counts instead of the small containers after it",
			[]*unstructured.Unstructured{deployment("plain", "a", templateOf(nil, map[string]any{
				"initContainers": []any{asks("500m", "16Mi")}, "containers": []any{asks("50m", "64Mi")},
			}))},
			"1", "128Mi",
		},
		{"a sidecar is added in an injected namespace", []*unstructured.Unstructured{deployment("meshed", "a", templateOf(nil, one))}, "300m", "384Mi"},
		{
			"a pod that refuses its sidecar has none",
			[]*unstructured.Unstructured{deployment("meshed", "a", templateOf(map[string]any{"sidecar.istio.io/inject": "false"}, one))},
			"100m", "128Mi",
		},
		{
			"annotations size the sidecar, each resource apart",
			[]*unstructured.Unstructured{deployment("meshed", "a", templateOf(map[string]any{"sidecar.istio.io/proxyCPU": "10m"}, one))},
			"120m", "384Mi",
		},
		{
			"an autoscaler's minimum goes before replicas",
			[]*unstructured.Unstructured{deployment("plain", "a", templateOf(nil, one)), {Object: map[string]any{
				"kind": "HorizontalPodAutoscaler", "metadata": map[string]any{"namespace": "plain", "name": "a"},
				"spec": map[string]any{"minReplicas": int64(4), "scaleTargetRef": map[string]any{"kind": "Deployment", "name": "a"}},
			}}},
			"200m", "256Mi",
		},
		{
			"a DaemonSet has a pod on every node",
			[]*unstructured.Unstructured{{Object: map[string]any{
				"apiVersion": "apps/v1", "kind": "DaemonSet",
				"metadata": map[string]any{"namespace": "plain", "name": "a"}, "spec": map[string]any{"template": templateOf(nil, one)},
			}}},
			"150m", "192Mi",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			objects := append([]*unstructured.Unstructured{
				injector, namespace("plain", nil),
				namespace("meshed", map[string]any{"istio-injection": "enabled"}),
			}, tc.objects...)
			sum := requests(t, []components.Rendered{{Component: &components.Component{Name: "test"}, Objects: objects}})
			cpu, memory := sum.On(3)
			wantCPU, wantMemory := quantities(tc.cpu, tc.memory)
			if cpu.Cmp(wantCPU) != 0 || memory.Cmp(wantMemory) != 0 {
				t.Errorf("got %s and %s, want %s and %s", cpu.String(), memory.String(), tc.cpu, tc.memory)
			}
		})
	}
}

func TestSizesThatCannotBeReadAreNamed(t *testing.T) {
	objects := []*unstructured.Unstructured{
		{Object: map[string]any{
			"kind": "ConfigMap", "metadata": map[string]any{"name": "istio-sidecar-injector", "namespace": "istio-system"},
			"data": map[string]any{"values": "not JSON"},
		}},
	}
	_, err := components.Requests([]components.Rendered{{Component: &components.Component{}, Objects: objects}})
	if err == nil || !strings.Contains(err.Error(), "ConfigMap istio-system/istio-sidecar-injector") {
		t.Errorf("error = %v, want one that names the ConfigMap", err)
	}
}
