package container

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
)

// server stands in for an API server with one notebook, that answers for its pod what it
// is told to. What a real one does is tested end to end.
func server(t *testing.T, pod http.HandlerFunc) *cluster.Cluster {
	t.Helper()
	mux := http.NewServeMux()
	answer := func(path string, v any) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, v) })
	}
	answer("/version", map[string]string{"gitVersion": "v1.36.0"})
	answer("/api", metav1.APIVersions{Versions: []string{"v1"}})
	answer("/apis", metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}})
	answer("/api/v1", metav1.APIResourceList{GroupVersion: "v1", APIResources: []metav1.APIResource{{Name: "pods", Kind: "Pod", Namespaced: true}}})
	answer("/apis/kubeflow.org/v1/namespaces/ada/notebooks/lab", map[string]any{
		"apiVersion": "kubeflow.org/v1", "kind": "Notebook", "metadata": map[string]any{"name": "lab", "namespace": "ada"},
		"spec": map[string]any{"template": map[string]any{"spec": map[string]any{"containers": []any{map[string]any{"name": "lab", "image": "lab:1"}}}}},
	})
	always := corev1.ContainerRestartPolicyAlways
	answer("/api/v1/namespaces/ada/pods", corev1.PodList{TypeMeta: metav1.TypeMeta{Kind: "PodList", APIVersion: "v1"}, Items: []corev1.Pod{{
		ObjectMeta: metav1.ObjectMeta{Name: "lab-0", Namespace: "ada", Labels: map[string]string{"notebook-name": "lab"}},
		Spec: corev1.PodSpec{
			InitContainers: []corev1.Container{{Name: "istio-validation"}, {Name: "istio-proxy", RestartPolicy: &always}},
			Containers:     []corev1.Container{{Name: "helper"}, {Name: "lab"}},
		},
	}}})
	answer("/api/v1/namespaces/ada/events", corev1.EventList{TypeMeta: metav1.TypeMeta{Kind: "EventList", APIVersion: "v1"}})
	if pod != nil {
		mux.HandleFunc("/api/v1/namespaces/ada/pods/lab-0/", pod)
	}
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	flags := genericclioptions.NewConfigFlags(false)
	flags.APIServer = &s.URL
	c, err := cluster.Connect(t.Context(), flags, cluster.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func write(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v)
}

func refuse(err *apierrors.StatusError) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		status := err.ErrStatus
		status.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
		write(w, int(status.Code), status)
	}
}

func TestTheContainerIsTheNotebooksUnlessAnotherIsNamed(t *testing.T) {
	c := server(t, nil)
	for name, test := range map[string]struct {
		container   string
		inits       bool
		want, wrong string
	}{
		"the notebook's own":              {want: "lab"},
		"another one":                     {container: "helper", want: "helper"},
		"a sidecar that stays":            {container: "istio-proxy", want: "istio-proxy"},
		"one of the start, for its log":   {container: "istio-validation", inits: true, want: "istio-validation"},
		"one of the start, for a command": {container: "istio-validation", wrong: "choose from helper, lab, istio-proxy"},
		"one that there is not":           {container: "x", wrong: `Pod ada/lab-0 has no container "x"`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Of(t.Context(), c, "ada", "lab", test.container, test.inits)
			if test.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), test.wrong) {
					t.Errorf("error = %v, want one with %q", err, test.wrong)
				}
				return
			}
			if err != nil || *got != (Target{"ada", "lab-0", test.want}) {
				t.Errorf("got %v, %v, want container %s of lab-0", got, err, test.want)
			}
		})
	}
}

func TestWhoMayNotRunCommandsIsTold(t *testing.T) {
	c := server(t, refuse(apierrors.NewForbidden(corev1.Resource("pods/exec"), "lab-0", errors.New("ada may not"))))
	err := Exec(t.Context(), c, Target{"ada", "lab-0", "lab"}, Command{Args: []string{"true"}, Stdout: io.Discard, Stderr: io.Discard})
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "container lab of Pod ada/lab-0") || !strings.Contains(err.Error(), "ada may not") {
		t.Errorf("error = %v, want one that names the container and is known as forbidden", err)
	}
}

func TestALogIsThatOfTheContainer(t *testing.T) {
	var query string
	c := server(t, func(w http.ResponseWriter, r *http.Request) {
		query = r.URL.Path + "?" + r.URL.RawQuery
		_, _ = io.WriteString(w, "one\ntwo\n")
	})
	lines := int64(2)
	log, err := Logs(t.Context(), c, Target{"ada", "lab-0", "lab"}, corev1.PodLogOptions{TailLines: &lines, Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	if text, err := io.ReadAll(log); err != nil || string(text) != "one\ntwo\n" {
		t.Errorf("log = %q, %v", text, err)
	}
	if want := "/api/v1/namespaces/ada/pods/lab-0/log?container=lab&follow=true&tailLines=2"; query != want {
		t.Errorf("asked for %s, want %s", query, want)
	}
}

func TestALogThatIsNotThereIsExplained(t *testing.T) {
	c := server(t, refuse(apierrors.NewBadRequest(`previous terminated container "lab" in pod "lab-0" not found`)))
	_, err := Logs(t.Context(), c, Target{"ada", "lab-0", "lab"}, corev1.PodLogOptions{Previous: true})
	if err == nil || !strings.Contains(err.Error(), "--previous: it has not been restarted") {
		t.Errorf("error = %v", err)
	}
}
