package webapp

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

var notebooks = schema.GroupVersionResource{Group: "kubeflow.org", Version: "v1", Resource: "notebooks"}

// stopAnnotation, on a Notebook, asks its controller for no pod.
const stopAnnotation = "kubeflow-resource-stopped"

func (a *App) list(r *http.Request, user string) (map[string]any, error) {
	ns := r.PathValue("namespace")
	if err := a.allowed(r, user, "list", ns); err != nil {
		return nil, err
	}
	list, err := a.dynamic.Resource(notebooks).Namespace(ns).List(r.Context(), metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	all := []any{}
	for _, n := range list.Items {
		all = append(all, summary(n))
	}
	return map[string]any{"notebooks": all}, nil
}

// summary is a Notebook as the page lists it.
func summary(n unstructured.Unstructured) map[string]any {
	containers, _, _ := unstructured.NestedSlice(n.Object, "spec", "template", "spec", "containers")
	image := ""
	if len(containers) > 0 {
		if c, ok := containers[0].(map[string]any); ok {
			image, _ = c["image"].(string)
		}
	}
	ready, _, _ := unstructured.NestedInt64(n.Object, "status", "readyReplicas")
	phase, message := "waiting", "Scheduling the Pod"
	switch _, stopped := n.GetAnnotations()[stopAnnotation]; {
	case n.GetDeletionTimestamp() != nil:
		phase, message = "terminating", "Deleting this Notebook Server"
	case stopped:
		phase, message = "stopped", "No Pods are currently running for this Notebook Server."
	case ready > 0:
		phase, message = "ready", "Running"
	}
	return map[string]any{
		"name": n.GetName(), "namespace": n.GetNamespace(), "image": image,
		"age": n.GetCreationTimestamp().UTC().Format(time.RFC3339), "status": map[string]any{"phase": phase, "message": message},
	}
}

// form is what the page sends for a new notebook; only what the stand-in heeds.
type form struct {
	Name   string  `json:"name"`
	Image  string  `json:"image"`
	CPU    string  `json:"cpu"`
	Memory string  `json:"memory"`
	GPUs   gpuForm `json:"gpus"`
}

type gpuForm struct {
	Num    string `json:"num"`
	Vendor string `json:"vendor"`
}

func (a *App) create(r *http.Request, user string) (map[string]any, error) {
	ns := r.PathValue("namespace")
	if err := a.allowed(r, user, "create", ns); err != nil {
		return nil, err
	}
	var f form
	if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 1<<20)).Decode(&f); err != nil {
		return nil, failure{http.StatusBadRequest, fmt.Sprintf("Request doesn't have a json body: %v", err)}
	}
	if f.Name == "" {
		return nil, failure{http.StatusBadRequest, "Parameter 'name' is missing"}
	}
	_, err := a.dynamic.Resource(notebooks).Namespace(ns).Create(r.Context(), notebook(ns, user, f), metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	return map[string]any{"message": "Notebook created successfully."}, nil
}

func notebook(ns, user string, f form) *unstructured.Unstructured {
	requests := map[string]any{}
	if f.CPU != "" {
		requests["cpu"] = f.CPU
	}
	if f.Memory != "" {
		requests["memory"] = f.Memory
	}
	resources := map[string]any{"requests": requests}
	if f.GPUs.Num != "" && f.GPUs.Num != "none" {
		resources["limits"] = map[string]any{f.GPUs.Vendor: f.GPUs.Num}
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": notebooks.Group + "/" + notebooks.Version, "kind": "Notebook",
		"metadata": map[string]any{
			"name": f.Name, "namespace": ns, "labels": map[string]any{"app": f.Name},
			"annotations": map[string]any{"notebooks.kubeflow.org/creator": user},
		},
		"spec": map[string]any{"template": map[string]any{"spec": map[string]any{
			"serviceAccountName": "default-editor",
			"containers":         []any{map[string]any{"name": f.Name, "image": f.Image, "resources": resources}},
		}}},
	}}
}

func (a *App) remove(r *http.Request, user string) (map[string]any, error) {
	ns, name := r.PathValue("namespace"), r.PathValue("name")
	if err := a.allowed(r, user, "delete", ns); err != nil {
		return nil, err
	}
	background := metav1.DeletePropagationForeground
	err := a.dynamic.Resource(notebooks).Namespace(ns).Delete(r.Context(), name, metav1.DeleteOptions{PropagationPolicy: &background})
	if err != nil {
		return nil, err
	}
	return map[string]any{"message": fmt.Sprintf("Notebook %s successfully deleted.", name)}, nil
}

// stop starts or stops a notebook, by the field "stopped".
func (a *App) stop(r *http.Request, user string) (map[string]any, error) {
	ns, name := r.PathValue("namespace"), r.PathValue("name")
	if err := a.allowed(r, user, "patch", ns); err != nil {
		return nil, err
	}
	var body struct {
		Stopped *bool `json:"stopped"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 1<<20)).Decode(&body); err != nil || body.Stopped == nil {
		return nil, failure{http.StatusBadRequest, "Request body must include at least one supported key: ['stopped']"}
	}
	var value any
	if *body.Stopped {
		value = time.Now().UTC().Format(time.RFC3339)
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]any{stopAnnotation: value}}})
	if err != nil {
		return nil, err
	}
	if _, err := a.dynamic.Resource(notebooks).Namespace(ns).Patch(r.Context(), name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		return nil, err
	}
	return map[string]any{}, nil
}
