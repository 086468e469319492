package pods

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/utils/ptr"
)

func TestImageName(t *testing.T) {
	for image, want := range map[string]string{
		"pilot":                                           "pilot",
		"gcr.io/istio-release/pilot:1.24.3":               "pilot",
		"localhost:5000/a/pilot":                          "pilot",
		"localhost:5000/a/pilot:v1@sha256:0123":           "pilot",
		"quay.io/jetstack/cert-manager-webhook@sha256:01": "cert-manager-webhook",
	} {
		if got := ImageName(image); got != want {
			t.Errorf("%s: got %s, want %s", image, got, want)
		}
	}
}

func TestExpand(t *testing.T) {
	env := map[string]string{"NS": "kubeflow", "EMPTY": ""}
	for in, want := range map[string]string{
		"--ns=$(NS)": "--ns=kubeflow", "a$(EMPTY)b": "ab", "$(UNKNOWN)": "$(UNKNOWN)", "$$(NS)": "$(NS)",
		"cost: 5$": "cost: 5$", "$(NS": "$(NS", "$NS": "$NS", "$(NS).$(NS)": "kubeflow.kubeflow", "": "",
	} {
		if got := Expand(in, env); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestChooseTakesTheFirstBehaviourThatFits(t *testing.T) {
	all := []Behaviour{
		{Name: "gateway", Images: []string{"proxyv2"}, Match: func(_ *corev1.Pod, c *corev1.Container) bool { return len(c.Args) > 0 }},
		{Name: "dex", Images: []string{"dex"}},
	}
	for name, tc := range map[string]struct {
		c    corev1.Container
		want string
	}{
		"by the image":                {corev1.Container{Image: "ghcr.io/dexidp/dex:v2"}, "dex"},
		"by the image and a match":    {corev1.Container{Image: "istio/proxyv2:1", Args: []string{"proxy"}}, "gateway"},
		"nobody when it is no match":  {corev1.Container{Image: "istio/proxyv2:1"}, ""},
		"nobody for an unknown image": {corev1.Container{Image: "nginx"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b, ok := Choose(all, &corev1.Pod{}, &tc.c)
			if b.Name != tc.want || ok != (tc.want != "") {
				t.Errorf("got %q, %t", b.Name, ok)
			}
		})
	}
}

func TestContainersAreThoseThatGoOnRunning(t *testing.T) {
	p := &corev1.Pod{Spec: corev1.PodSpec{
		InitContainers: []corev1.Container{{Name: "init"}, {Name: "sidecar", RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways)}},
		Containers:     []corev1.Container{{Name: "main"}},
	}}
	var got []string
	for _, c := range Containers(p) {
		got = append(got, c.Name)
	}
	if strings.Join(got, " ") != "sidecar main" {
		t.Errorf("got %v", got)
	}
}

func container(t *testing.T) *Container {
	t.Helper()
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p"},
		Spec: corev1.PodSpec{ServiceAccountName: "sa", Volumes: []corev1.Volume{
			{Name: "certs", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "certs"}}},
			{Name: "cfg", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
				LocalObjectReference: corev1.LocalObjectReference{Name: "cfg"}, Items: []corev1.KeyToPath{{Key: "k", Path: "app.yaml"}},
			}}},
			{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
		}},
	}
	spec := &corev1.Container{
		Name: "c", Command: []string{"run"}, Args: []string{"--ns=$(NS)"},
		EnvFrom: []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "cfg"}}}},
		Env: []corev1.EnvVar{
			{Name: "NS", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.namespace"}}},
			{Name: "KEY", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "certs"}, Key: "tls.key"}}},
			{Name: "GONE", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "none"}, Key: "x", Optional: ptr.To(true)}}},
			{Name: "BOTH", Value: "$(NS)-$(k)"},
		},
		VolumeMounts: []corev1.VolumeMount{{Name: "certs", MountPath: "/etc/certs"}, {Name: "cfg", MountPath: "/etc/cfg/"}, {Name: "tmp", MountPath: "/tmp"}, {Name: "cfg", MountPath: "/one.yaml", SubPath: "app.yaml"}},
	}
	return &Container{Pod: p, Spec: spec, IP: "10.244.0.1", Admin: fake.NewClientset(
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "certs"}, Data: map[string][]byte{"tls.key": []byte("secret")}},
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "cfg"}, Data: map[string]string{"k": "v"}},
	)}
}

func TestEnvAndArgs(t *testing.T) {
	c := container(t)
	env, err := c.Env(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for k, want := range map[string]string{"NS": "ns", "KEY": "secret", "GONE": "", "BOTH": "ns-v", "k": "v"} {
		if env[k] != want {
			t.Errorf("%s = %q, want %q", k, env[k], want)
		}
	}
	if got := strings.Join(c.Args(env), " "); got != "run --ns=ns" {
		t.Errorf("args %q", got)
	}
	c.Spec.Env[2].ValueFrom.SecretKeyRef.Optional = nil
	if _, err := c.Env(t.Context()); err == nil || !strings.Contains(err.Error(), "variable GONE of container c in pod ns/p") {
		t.Errorf("a Secret that is not there: %v", err)
	}
}

func TestFile(t *testing.T) {
	c := container(t)
	for path, want := range map[string]string{
		"/etc/certs/tls.key": "secret", "/etc/cfg/app.yaml": "v", "/one.yaml": "v",
		"/etc/certs/none": "", "/tmp/x": "", "/etc/certs2/tls.key": "", "/nowhere": "",
	} {
		b, err := c.File(t.Context(), path)
		if string(b) != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", path, b, err)
		}
	}
}
