package form

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
)

// shipped is the form that an installation of release 1.10 brings, whose web app made the
// recorded objects.
func shipped(t *testing.T) *Form { return shippedBy(t, "1.10") }

// shippedBy is the form that an installation of a release brings.
func shippedBy(t *testing.T, release string) *Form {
	t.Helper()
	source, err := components.NewEmbedded(release)
	if err != nil {
		t.Fatal(err)
	}
	rendered, err := source.Render(context.Background(), []string{"jupyter-web-app"}, components.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rendered {
		for _, u := range r.Objects {
			if u.GetKind() == "ConfigMap" && u.GetName() == "jupyter-web-app-config" {
				f, err := InConfigMap(u)
				if err != nil {
					t.Fatal(err)
				}
				return f
			}
		}
	}
	t.Fatal("the web app has no form")
	return nil
}

func quantity(s string) *resource.Quantity { return ptr.To(resource.MustParse(s)) }

func object(t *testing.T, text string) map[string]any {
	t.Helper()
	out := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// What the web app of v1.10.0 has made of its form's own proposals and one GPU.
const proposed = `
apiVersion: kubeflow.org/v1
kind: Notebook
metadata:
  name: first
  namespace: kubeflow-ada
  labels: {app: first}
  annotations:
    notebooks.kubeflow.org/creator: ada@example.com
    notebooks.kubeflow.org/server-type: jupyter
spec:
  template:
    spec:
      serviceAccountName: default-editor
      tolerations: []
      containers:
      - name: first
        image: ghcr.io/kubeflow/kubeflow/notebook-servers/jupyter-scipy:v1.10.0
        imagePullPolicy: IfNotPresent
        env: []
        resources:
          requests: {cpu: "0.5", memory: 1Gi}
          limits: {cpu: "0.6", memory: 1.2Gi, nvidia.com/gpu: "1"}
        volumeMounts:
        - {name: dshm, mountPath: /dev/shm}
        - {name: first-workspace, mountPath: /home/jovyan}
      volumes:
      - {name: dshm, emptyDir: {medium: Memory}}
      - {name: first-workspace, persistentVolumeClaim: {claimName: first-workspace}}
`

func TestTheObjectsAreThoseOfTheWebApp(t *testing.T) {
	out, err := shipped(t).Build(Request{
		Namespace: "kubeflow-ada", Name: "first", Creator: "ada@example.com", GPUs: &GPURequest{1, "nvidia.com/gpu"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(object(t, proposed), out.Notebook.Object); diff != "" {
		t.Errorf("the Notebook (-web app +here):\n%s", diff)
	}
	claim := object(t, `
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: first-workspace, namespace: kubeflow-ada}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 5Gi}}}
`)
	if len(out.Claims) != 1 {
		t.Fatalf("%d claims", len(out.Claims))
	}
	if diff := cmp.Diff(claim, out.Claims[0].Object); diff != "" {
		t.Errorf("the claim (-web app +here):\n%s", diff)
	}
}

// at finds a value of the notebook's pod.
func at(t *testing.T, n *unstructured.Unstructured, path ...string) any {
	t.Helper()
	spec, _, _ := unstructured.NestedMap(n.Object, "spec", "template", "spec")
	if path[0] == "container" {
		list, _, _ := unstructured.NestedSlice(spec, "containers")
		spec, path = list[0].(map[string]any), path[1:]
	}
	v, _, err := unstructured.NestedFieldNoCopy(spec, path...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestWhatAPersonAsksForIsInTheObject(t *testing.T) {
	for name, tc := range map[string]struct {
		change  func(*Form)
		request Request
		path    []string
		want    any
	}{
		"a short name is completed": {
			request: Request{Image: "jupyter-tensorflow-full"}, path: []string{"container", "image"},
			want: "ghcr.io/kubeflow/kubeflow/notebook-servers/jupyter-tensorflow-full:v1.10.0",
		},
		"a short name may leave out that it is Jupyter": {
			request: Request{Image: "scipy"}, path: []string{"container", "image"},
			want: "ghcr.io/kubeflow/kubeflow/notebook-servers/jupyter-scipy:v1.10.0",
		},
		"any other image is taken as it is": {
			request: Request{Image: "registry.example.com:5000/team/lab:2"}, path: []string{"container", "image"}, want: "registry.example.com:5000/team/lab:2",
		},
		"a type has an image of its own": {
			request: Request{Type: notebooks.RStudio}, path: []string{"container", "image"},
			want: "ghcr.io/kubeflow/kubeflow/notebook-servers/rstudio-tidyverse:v1.10.0",
		},
		"sizes are in the words of the web app": {
			request: Request{CPU: quantity("250m"), Memory: quantity("1536Mi")}, path: []string{"container", "resources"},
			want: map[string]any{"requests": map[string]any{"cpu": "0.25", "memory": "1.5Gi"}, "limits": map[string]any{"cpu": "0.3", "memory": "1.8Gi"}},
		},
		"a limit is never below what is requested": {
			request: Request{CPU: quantity("11m"), Memory: quantity("16Mi")}, path: []string{"container", "resources"},
			want: map[string]any{"requests": map[string]any{"cpu": "0.011", "memory": "0.016Gi"}, "limits": map[string]any{"cpu": "0.014", "memory": "0.019Gi"}},
		},
		"no limit where the form has none": {
			change:  func(f *Form) { f.CPU.LimitFactor, f.Memory.LimitFactor = "none", "none" },
			request: Request{CPU: quantity("2"), GPUs: &GPURequest{2, "nvidia.com/mig-1g.5gb"}}, path: []string{"container", "resources"},
			want: map[string]any{"requests": map[string]any{"cpu": "2", "memory": "1Gi"}, "limits": map[string]any{"nvidia.com/mig-1g.5gb": "2"}},
		},
		"no GPU although the form proposes one": {
			change:  func(f *Form) { f.GPUs.Value.Num, f.GPUs.Value.Vendor = "1", "nvidia.com/gpu" },
			request: Request{GPUs: &GPURequest{}}, path: []string{"container", "resources", "limits"},
			want: map[string]any{"cpu": "0.6", "memory": "1.2Gi"},
		},
		"variables": {
			request: Request{Env: []corev1.EnvVar{{Name: "A", Value: "1"}}}, path: []string{"container", "env"},
			want: []any{map[string]any{"name": "A", "value": "1"}},
		},
		"no shared memory and no volume": {
			request: Request{SHM: ptr.To(false), NoVolume: true}, path: []string{"volumes"}, want: []any{},
		},
		"a larger home, a new volume and a claim that is there": {
			request: Request{SHM: ptr.To(false), Volumes: []VolumeRequest{{Size: quantity("20Gi")}, {Size: quantity("1Ti"), Path: "/data"}, {Claim: "shared.data", Path: "/shared"}}},
			path:    []string{"container", "volumeMounts"},
			want: []any{
				map[string]any{"name": "n-datavol-1", "mountPath": "/data"},
				map[string]any{"name": "shared-data", "mountPath": "/shared"},
				map[string]any{"name": "n-workspace", "mountPath": "/home/jovyan"},
			},
		},
		"a claim that is there as the home": {
			request: Request{SHM: ptr.To(false), Volumes: []VolumeRequest{{Claim: "old"}}}, path: []string{"volumes"},
			want: []any{map[string]any{"name": "old", "persistentVolumeClaim": map[string]any{"claimName": "old"}}},
		},
		"a group of tolerations": {
			change: func(f *Form) {
				f.Tolerations.Options = []Tolerations{{Key: "big", Tolerations: []any{map[string]any{"key": "big"}}}}
			},
			request: Request{Tolerations: ptr.To("big")}, path: []string{"tolerations"}, want: []any{map[string]any{"key": "big"}},
		},
		"an affinity that the form proposes": {
			change: func(f *Form) {
				f.Affinity.Value, f.Affinity.Options = "a100", []Affinity{{Key: "a100", Affinity: map[string]any{"nodeAffinity": map[string]any{}}}}
			},
			path: []string{"affinity"}, want: map[string]any{"nodeAffinity": map[string]any{}},
		},
		"none instead of what the form proposes": {
			change: func(f *Form) {
				f.Affinity.Value, f.Affinity.Options = "a100", []Affinity{{Key: "a100", Affinity: map[string]any{"nodeAffinity": map[string]any{}}}}
			},
			request: Request{Affinity: ptr.To("none")}, path: []string{"affinity"}, want: nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := shipped(t)
			if tc.change != nil {
				tc.change(f)
			}
			tc.request.Namespace, tc.request.Name = "ns", "n"
			out, err := f.Build(tc.request)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, at(t, out.Notebook, tc.path...)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatTheGatewayHasToKnowIsInAnnotations(t *testing.T) {
	for kind, want := range map[notebooks.Type]map[string]string{
		notebooks.Jupyter: {notebooks.TypeAnnotation: "jupyter"},
		notebooks.Code:    {notebooks.TypeAnnotation: "group-one", notebooks.RewriteAnnotation: "/"},
		notebooks.RStudio: {
			notebooks.TypeAnnotation: "group-two", notebooks.RewriteAnnotation: "/",
			notebooks.HeadersAnnotation: `{"X-RStudio-Root-Path":"/notebook/ns/n/"}`,
		},
	} {
		out, err := shipped(t).Build(Request{Namespace: "ns", Name: "n", Type: kind})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, out.Notebook.GetAnnotations()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", kind, diff)
		}
	}
}

func TestPodDefaultsAreAskedForByLabels(t *testing.T) {
	f := shipped(t)
	f.Configurations.Value = []string{"proxy"}
	for name, tc := range map[string]struct {
		asked map[string]string
		want  map[string]string
	}{
		"those that the form ticks":         {nil, map[string]string{"app": "n", "proxy": "true"}},
		"those that a person has chosen":    {map[string]string{"s3": "yes"}, map[string]string{"app": "n", "s3": "yes"}},
		"none, where a person chooses none": {map[string]string{}, map[string]string{"app": "n"}},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := f.Build(Request{Namespace: "ns", Name: "n", Labels: tc.asked})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, out.Notebook.GetLabels()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatTheFormDoesNotAllowIsRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		change  func(*Form)
		request Request
		field   string
		says    string
	}{
		"a name that is no image's":              {nil, Request{Image: "jupyter-scpy"}, "image", "jupyter-scipy, jupyter-pytorch-full"},
		"an image of another type":               {nil, Request{Image: "jupyter-scipy", Type: notebooks.Code}, "image", "not in the form"},
		"an image of one's own":                  {func(f *Form) { f.AllowCustomImage = false }, Request{Image: "a/b:1"}, "image", "does not allow custom images"},
		"a reference that is none":               {nil, Request{Image: "Team/Lab:1"}, "image", "not an image reference"},
		"another image than the one there is":    {func(f *Form) { f.Jupyter.ReadOnly = true }, Request{Image: "jupyter-pytorch-full"}, "image", "read-only"},
		"CPU that is given":                      {func(f *Form) { f.CPU.ReadOnly = true }, Request{CPU: quantity("8")}, "cpu", "read-only: 0.5"},
		"a form without an amount":               {func(f *Form) { f.Memory.Value = "" }, Request{}, "memory", "not a quantity"},
		"GPUs where there is no choice":          {func(f *Form) { f.GPUs.ReadOnly = true }, Request{GPUs: &GPURequest{1, "x/y"}}, "gpu", "read-only"},
		"GPUs of no kind":                        {nil, Request{GPUs: &GPURequest{Count: 1}}, "gpu", "1:nvidia.com/gpu"},
		"a group that is not in the form":        {nil, Request{Tolerations: ptr.To("big")}, "toleration-group", "which has none"},
		"an affinity that is not in the form":    {func(f *Form) { f.Affinity.Options = []Affinity{{Key: "a"}, {Key: "b"}} }, Request{Affinity: ptr.To("c")}, "affinity", "a, b"},
		"two homes":                              {nil, Request{Volumes: []VolumeRequest{{Claim: "a"}, {Claim: "b"}}}, "volume", "b:/data"},
		"no volume and one":                      {nil, Request{NoVolume: true, Volumes: []VolumeRequest{{Claim: "a"}}}, "volume", "one home volume"},
		"two volumes at one path":                {nil, Request{Volumes: []VolumeRequest{{Claim: "a", Path: "/d"}, {Claim: "b", Path: "/d"}}}, "volume", "mounted at /d"},
		"one claim twice":                        {nil, Request{Volumes: []VolumeRequest{{Claim: "a", Path: "/d"}, {Claim: "a", Path: "/e"}}}, "volume", "twice"},
		"a home where there is no choice":        {func(f *Form) { f.Workspace.ReadOnly = true }, Request{Volumes: []VolumeRequest{{Claim: "a"}}}, "volume", "read-only"},
		"shared memory where there is no choice": {func(f *Form) { f.SHM.ReadOnly = true }, Request{SHM: ptr.To(false)}, "shm", "read-only"},
		"configurations without a choice":        {func(f *Form) { f.Configurations.ReadOnly = true }, Request{Labels: map[string]string{"a": "true"}}, "config", "read-only"},
	} {
		t.Run(name, func(t *testing.T) {
			f := shipped(t)
			if tc.change != nil {
				tc.change(f)
			}
			tc.request.Namespace, tc.request.Name = "ns", "n"
			_, err := f.Build(tc.request)
			var refusal *Refusal
			if !errors.As(err, &refusal) || refusal.Field != tc.field || !strings.Contains(refusal.Why, tc.says) {
				t.Errorf("got %v, want a refusal of %s that says %q", err, tc.field, tc.says)
			}
		})
	}
}

func TestVolumesAreReadAsTheyAreTyped(t *testing.T) {
	for text, want := range map[string]string{
		"20Gi": "20Gi", "20Gi:/data": "20Gi:/data", "old": "old", "old:/data/": "old:/data",
		"old:data": "!not an absolute path", "old:/": "!not an absolute path", "old:/a/../b": "!not an absolute path", "0": "!must be positive", "-1Gi": "!must be positive",
		"Old": "!neither", "": "!neither",
	} {
		v, err := ParseVolume(text)
		switch says, refused := strings.CutPrefix(want, "!"); {
		case refused && (err == nil || !strings.Contains(err.Error(), says)):
			t.Errorf("%q: %v, want %q", text, err, says)
		case !refused && (err != nil || v.String() != want):
			t.Errorf("%q: %v, %v, want %s", text, v, err, want)
		}
	}
}

func TestTheKindOfGPUsIsTheOneThatThereIsNoChoiceAbout(t *testing.T) {
	for name, tc := range map[string]struct {
		asked   string
		offered []string
		vendor  string
		want    string
	}{
		"a resource":                              {"nvidia.com/mig-1g.5gb", []string{}, "", "nvidia.com/mig-1g.5gb"},
		"a vendor of the form":                    {"amd", nil, "", "amd.com/gpu"},
		"what the form proposes":                  {"", []string{"a/b", "c/d"}, "c/d", "c/d"},
		"the only one of the nodes":               {"", []string{"gpu.intel.com/i915"}, "", "gpu.intel.com/i915"},
		"a whole one where the others are slices": {"", []string{"nvidia.com/gpu", "nvidia.com/mig-1g.5gb"}, "", "nvidia.com/gpu"},
		"nobody knows where there are several":    {"", []string{"nvidia.com/gpu", "amd.com/gpu"}, "", "!the nodes have nvidia.com/gpu, amd.com/gpu"},
		"nobody knows of several vendors":         {"", nil, "", "!the form has nvidia.com/gpu, amd.com/gpu, habana.ai/gaudi"},
		"a name that is no resource":              {"tesla", nil, "", "!not a GPU resource"},
		"without any GPU":                         {"", []string{}, "", "!no node has"},
	} {
		t.Run(name, func(t *testing.T) {
			f := shipped(t)
			f.GPUs.Value.Vendor = tc.vendor
			got, err := f.GPUResource(tc.asked, tc.offered)
			if says, refused := strings.CutPrefix(tc.want, "!"); refused {
				if err == nil || !strings.Contains(err.Error(), says) {
					t.Errorf("got %q, %v, want %q", got, err, says)
				}
			} else if got != tc.want {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestAFormThatIsNone(t *testing.T) {
	for name, text := range map[string]string{"text": "a: [", "another document": "a: 1", "a list in the place of an image": "spawnerFormDefaults: {image: []}"} {
		if _, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if f, err := Parse([]byte("spawnerFormDefaults: {cpu: {value: 0.5, limitFactor: 1.2}, gpus: {value: {num: 1}}}")); err != nil || f.CPU.Value != "0.5" || f.GPUs.Value.Num != "1" {
		t.Errorf("numbers without quotes: %+v, %v", f, err)
	}
}
