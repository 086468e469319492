package inject

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"istio.io/istio/pkg/config/mesh"
	istio "istio.io/istio/pkg/kube/inject"
)

const component = "../../pkg/components/common/istio"

// TestMain sets what the istiod Deployment sets; the templates read it.
func TestMain(m *testing.M) {
	if err := os.Setenv("ENABLE_NATIVE_SIDECARS", "true"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// injector is the installed configuration, read as istiod reads it.
type injector struct {
	config istio.Config
	values istio.ValuesConfig
	mesh   string
}

func load(t *testing.T, valuesFile string) injector { return loadWith(t, valuesFile, release110) }

// words are what a release's catalogue fills into the manifests.
type words map[string]string

// The two kinds of releases there are: those whose pods redirect their traffic themselves,
// and those with Istio's CNI plugin.
var (
	release110 = words{
		"VERSION": "1.24.3", "ISTIO_HUB": "docker.io/istio", "ISTIO_CNI": "false",
		"SIDECAR_CPU": "100m", "SIDECAR_MEMORY": "128Mi", "SLIM_SIDECAR_MEMORY": "64Mi",
	}
	release2603 = words{
		"VERSION": "1.30.8", "ISTIO_HUB": "registry.istio.io/release", "ISTIO_CNI": "true",
		"SIDECAR_CPU": "10m", "SIDECAR_MEMORY": "40Mi", "SLIM_SIDECAR_MEMORY": "40Mi",
	}
)

func (w words) fill(text []byte) []byte {
	for name, value := range w {
		text = bytes.ReplaceAll(text, []byte("$("+name+")"), []byte(value))
	}
	return text
}

func loadWith(t *testing.T, valuesFile string, w words) injector {
	t.Helper()
	config, err := istio.UnmarshalConfig([]byte(configMap(t, "base/injector.yaml", w).Data["config"]))
	if err != nil {
		t.Fatal(err)
	}
	values, err := istio.NewValuesConfig(configMap(t, valuesFile, w).Data["values"])
	if err != nil {
		t.Fatal(err)
	}
	return injector{config, values, configMap(t, "base/mesh.yaml", w).Data["mesh"]}
}

func configMap(t *testing.T, file string, w words) *corev1.ConfigMap {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(component, file))
	if err != nil {
		t.Fatal(err)
	}
	data = w.fill(data)
	cm := &corev1.ConfigMap{}
	if err := yaml.UnmarshalStrict(data, cm); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return cm
}

// inject makes the pod that a Deployment with this template would get. Its containers
// and metadata are changed by istiod's code, not by this test.
func (i injector) inject(t *testing.T, template string, pod corev1.PodTemplateSpec) corev1.PodTemplateSpec {
	t.Helper()
	config, err := mesh.ApplyMeshConfigDefaults(i.mesh)
	if err != nil {
		t.Fatal(err)
	}
	templates := istio.Templates{istio.SidecarTemplateName: i.config.Templates[template]}
	in := &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "kubeflow", Name: "web-app"},
		Spec:       appsv1.DeploymentSpec{Template: pod},
	}
	out, err := istio.IntoObject(nil, templates, i.values, "default", config, in, func(w string) { t.Log(w) })
	if err != nil {
		t.Fatal(err)
	}
	return out.(*appsv1.Deployment).Spec.Template
}

// app is a pod with one program in it.
func app(annotations map[string]string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web-app"}, Annotations: annotations},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name:  "web-app",
			Image: "example.com/web-app:1",
			Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 5000, Protocol: corev1.ProtocolTCP}},
		}}},
	}
}

func container(list []corev1.Container, name string) *corev1.Container {
	for i := range list {
		if list[i].Name == name {
			return &list[i]
		}
	}
	return nil
}

func env(c *corev1.Container, name string) string {
	for _, e := range c.Env {
		if e.Name == name {
			return e.Value
		}
	}
	return ""
}

// argument is what follows a flag in a container's arguments.
func argument(c *corev1.Container, flag string) string {
	for i, a := range c.Args {
		if a == flag && i+1 < len(c.Args) {
			return c.Args[i+1]
		}
	}
	return ""
}
