package standin

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func podDefault(name string, labels map[string]string, env ...corev1.EnvVar) PodDefault {
	var d PodDefault
	d.Name, d.Spec.Selector, d.Spec.Env = name, metav1.LabelSelector{MatchLabels: labels}, env
	return d
}

func TestApplyPodDefaults(t *testing.T) {
	want := map[string]string{"token": "true"}
	token := corev1.EnvVar{Name: "TOKEN", Value: "/var/token"}
	for name, tc := range map[string]struct {
		labels   map[string]string
		own      []corev1.EnvVar
		defaults []PodDefault
		env      string
		refused  string
	}{
		"a selected pod gets the variables":                {labels: want, defaults: []PodDefault{podDefault("a", want, token)}, env: "TOKEN=/var/token"},
		"another pod gets none":                            {defaults: []PodDefault{podDefault("a", want, token)}},
		"a selector that says nothing selects nothing":     {labels: want, defaults: []PodDefault{podDefault("a", nil, token)}},
		"the same variable twice is written once":          {labels: want, defaults: []PodDefault{podDefault("a", want, token), podDefault("b", want, token)}, env: "TOKEN=/var/token"},
		"a variable that the pod has otherwise is refused": {labels: want, own: []corev1.EnvVar{{Name: "TOKEN", Value: "x"}}, defaults: []PodDefault{podDefault("a", want, token)}, refused: "PodDefault a to pod: variable TOKEN"},
		"two that disagree are refused":                    {labels: want, defaults: []PodDefault{podDefault("a", want, token), podDefault("b", want, corev1.EnvVar{Name: "TOKEN", Value: "y"})}, refused: "PodDefault b"},
	} {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: tc.labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Env: tc.own}}}}
			ops, err := ApplyPodDefaults(pod, tc.defaults)
			if tc.refused != "" {
				if err == nil || !strings.Contains(err.Error(), tc.refused) {
					t.Errorf("got %v, want %q", err, tc.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, o := range ops {
				if cs, ok := o.Value.([]corev1.Container); ok {
					for _, e := range cs[0].Env {
						got = append(got, e.Name+"="+e.Value)
					}
				}
			}
			if strings.Join(got, " ") != tc.env {
				t.Errorf("variables %v, want %q", got, tc.env)
			}
		})
	}
}

func notebook(annotations map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "kubeflow.org/v1", "kind": "Notebook",
		"metadata": map[string]any{"name": "nb", "namespace": "ada", "uid": "1", "labels": map[string]any{"team": "x"}, "annotations": annotations},
		"spec": map[string]any{"template": map[string]any{"spec": map[string]any{
			"containers": []any{map[string]any{"name": "nb", "image": "jupyter"}},
		}}},
	}}
}

func TestANotebookBecomesAStatefulSetOfOnePod(t *testing.T) {
	set, err := notebookStatefulSet(notebook(nil))
	if err != nil {
		t.Fatal(err)
	}
	replicas, _, _ := unstructured.NestedInt64(set, "spec", "replicas")
	labels, _, _ := unstructured.NestedStringMap(set, "spec", "template", "metadata", "labels")
	containers, _, _ := unstructured.NestedSlice(set, "spec", "template", "spec", "containers")
	if replicas != 1 || labels["notebook-name"] != "nb" || labels["statefulset"] != "nb" || labels["team"] != "x" {
		t.Errorf("%d replicas, labels %v", replicas, labels)
	}
	env := containers[0].(map[string]any)["env"].([]any)[0].(map[string]any)
	if env["name"] != "NB_PREFIX" || env["value"] != "/notebook/ada/nb" {
		t.Errorf("variable %v", env)
	}
}

func TestAStoppedNotebookHasNoPod(t *testing.T) {
	set, err := notebookStatefulSet(notebook(map[string]any{stopAnnotation: "2026-01-01"}))
	if err != nil {
		t.Fatal(err)
	}
	if replicas, _, _ := unstructured.NestedInt64(set, "spec", "replicas"); replicas != 0 {
		t.Errorf("%d replicas", replicas)
	}
}

func TestANotebookWithoutAContainerIsAnErrorThatNamesIt(t *testing.T) {
	n := notebook(nil)
	unstructured.RemoveNestedField(n.Object, "spec", "template", "spec", "containers")
	if _, err := notebookStatefulSet(n); err == nil || !strings.Contains(err.Error(), "ada/nb") {
		t.Errorf("got %v", err)
	}
}

func TestAProfileGivesItsOwnerTheNamespace(t *testing.T) {
	owner := map[string]any{"kind": "User", "name": "ada@example.com"}
	p := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "kubeflow.org/v1", "kind": "Profile", "metadata": map[string]any{"name": "ada", "uid": "1"},
		"spec": map[string]any{"owner": owner, "resourceQuotaSpec": map[string]any{"hard": map[string]any{"cpu": "4"}}},
	}}
	var got []string
	for _, e := range profileObjects(p, owner, ProfileOptions{UserIDHeader: "kubeflow-userid", GatewayPrincipal: "gw"}) {
		u := unstructured.Unstructured{Object: e.object}
		if u.GetNamespace() != "ada" {
			t.Errorf("%s %s is in namespace %q", u.GetKind(), u.GetName(), u.GetNamespace())
		}
		role, _, _ := unstructured.NestedString(e.object, "roleRef", "name")
		got = append(got, strings.TrimSpace(u.GetKind()+"/"+u.GetName()+" "+role))
	}
	want := []string{
		"AuthorizationPolicy/ns-owner-access-istio", "ServiceAccount/default-editor", "RoleBinding/default-editor kubeflow-edit",
		"ServiceAccount/default-viewer", "RoleBinding/default-viewer kubeflow-view", "RoleBinding/namespaceAdmin kubeflow-admin",
		"ResourceQuota/kf-resource-quota",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestFlagValue(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"after a space":                 {[]string{"/manager", "-user", "a"}, "a"},
		"after an equals":               {[]string{"--user=a"}, "a"},
		"empty is a value":              {[]string{"-user", "", "-x"}, ""},
		"not there":                     {[]string{"-x", "user"}, "otherwise"},
		"without its value":             {[]string{"-user"}, "otherwise"},
		"a longer name is another flag": {[]string{"-username=a"}, "otherwise"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := flagValue(tc.args, "user", "otherwise"); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
