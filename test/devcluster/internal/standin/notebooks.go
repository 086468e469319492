package standin

import (
	"context"
	"fmt"
	"io"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
)

// NotebooksName is what lists call the stand-in for the notebook controller.
const NotebooksName = "stand-in notebook-controller"

const (
	// stopAnnotation, on a Notebook, asks for no pod.
	stopAnnotation = "kubeflow-resource-stopped"
	notebookPort   = int64(8888)
	notebookLabel  = "notebook-name"
)

var (
	notebooksResource       = schema.GroupVersionResource{Group: "kubeflow.org", Version: "v1", Resource: "notebooks"}
	statefulSetsResource    = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "statefulsets"}
	servicesResource        = schema.GroupVersionResource{Version: "v1", Resource: "services"}
	podsResource            = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	virtualServicesResource = schema.GroupVersionResource{Group: "networking.istio.io", Version: "v1beta1", Resource: "virtualservices"}
)

// NotebookOptions are what the notebook controller takes from its environment.
type NotebookOptions struct {
	Log io.Writer
	// UseIstio makes a VirtualService for each notebook.
	UseIstio bool
	// Gateway is the Istio gateway, Host the host of its routes.
	Gateway, Host string
	// ClusterDomain ends the names of Services, cluster.local.
	ClusterDomain string
}

// Notebooks gives each Notebook its StatefulSet, Service and route, and its
// status from its pod, until ctx ends.
func Notebooks(ctx context.Context, cfg *rest.Config, o NotebookOptions) error {
	need := []schema.GroupVersionResource{notebooksResource}
	owner := ownerOf("Notebook")
	own := func(ob metav1.Object) string {
		if n := owner(ob); n != "" {
			return ob.GetNamespace() + "/" + n
		}
		return ""
	}
	sources := []source{
		{notebooksResource, func(ob metav1.Object) string { return ob.GetNamespace() + "/" + ob.GetName() }},
		{statefulSetsResource, own},
		{servicesResource, own},
		{podsResource, func(ob metav1.Object) string {
			if n := ob.GetLabels()[notebookLabel]; n != "" {
				return ob.GetNamespace() + "/" + n
			}
			return ""
		}},
	}
	if o.UseIstio {
		need = append(need, virtualServicesResource)
		sources = append(sources, source{virtualServicesResource, own})
	}
	if err := served(ctx, cfg, need...); err != nil {
		return err
	}
	c, err := newController(NotebooksName, cfg, o.Log, sources...)
	if err != nil {
		return err
	}
	c.sync = func(ctx context.Context, key string) error {
		namespace, name, _ := strings.Cut(key, "/")
		return c.notebook(ctx, namespace, name, o)
	}
	return c.run(ctx)
}

func (c *controller) notebook(ctx context.Context, namespace, name string, o NotebookOptions) error {
	client := c.client.Resource(notebooksResource).Namespace(namespace)
	n, err := client.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if n.GetDeletionTimestamp() != nil {
		return nil
	}
	set, err := notebookStatefulSet(n)
	if err != nil {
		return err
	}
	if err := c.apply(ctx, statefulSetsResource, set); err != nil {
		return err
	}
	if err := c.apply(ctx, servicesResource, notebookService(n)); err != nil {
		return err
	}
	if o.UseIstio {
		if err := c.apply(ctx, virtualServicesResource, notebookRoute(n, o)); err != nil {
			return err
		}
	}
	status := c.notebookStatus(n)
	if equality.Semantic.DeepEqual(n.Object["status"], status) {
		return nil
	}
	n.Object["status"] = status
	_, err = client.UpdateStatus(ctx, n, metav1.UpdateOptions{})
	return err
}

func notebookPrefix(n *unstructured.Unstructured) string {
	return "/notebook/" + n.GetNamespace() + "/" + n.GetName()
}

func notebookMeta(n *unstructured.Unstructured, name string) map[string]any {
	return map[string]any{"name": name, "namespace": n.GetNamespace(), "ownerReferences": ownerReference(n)}
}

func notebookStatefulSet(n *unstructured.Unstructured) (map[string]any, error) {
	spec, ok, err := unstructured.NestedMap(n.Object, "spec", "template", "spec")
	if err != nil || !ok {
		return nil, fmt.Errorf("notebook %s/%s: no spec.template.spec", n.GetNamespace(), n.GetName())
	}
	containers, _, _ := unstructured.NestedSlice(spec, "containers")
	if len(containers) == 0 {
		return nil, fmt.Errorf("notebook %s/%s: no container", n.GetNamespace(), n.GetName())
	}
	first, ok := containers[0].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("notebook %s/%s: unexpected container", n.GetNamespace(), n.GetName())
	}
	if first["workingDir"] == nil {
		first["workingDir"] = "/home/jovyan"
	}
	if first["ports"] == nil {
		first["ports"] = []any{map[string]any{"containerPort": notebookPort, "name": "notebook-port", "protocol": "TCP"}}
	}
	env, _ := first["env"].([]any)
	has := false
	for _, e := range env {
		m, ok := e.(map[string]any)
		has = has || ok && m["name"] == "NB_PREFIX"
	}
	if !has {
		first["env"] = append(env, map[string]any{"name": "NB_PREFIX", "value": notebookPrefix(n)})
	}
	spec["containers"] = containers
	if spec["securityContext"] == nil {
		spec["securityContext"] = map[string]any{"fsGroup": int64(100)}
	}
	replicas := int64(1)
	if _, stopped := n.GetAnnotations()[stopAnnotation]; stopped {
		replicas = 0
	}
	labels := map[string]any{}
	for k, v := range n.GetLabels() {
		labels[k] = v
	}
	labels["statefulset"], labels[notebookLabel] = n.GetName(), n.GetName()
	annotations := map[string]any{}
	for k, v := range n.GetAnnotations() {
		if !strings.Contains(k, "kubectl") && !strings.Contains(k, "notebook") {
			annotations[k] = v
		}
	}
	return map[string]any{
		"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": notebookMeta(n, n.GetName()),
		"spec": map[string]any{
			"replicas": replicas, "serviceName": "",
			"selector": map[string]any{"matchLabels": map[string]any{"statefulset": n.GetName()}},
			"template": map[string]any{"metadata": map[string]any{"labels": labels, "annotations": annotations}, "spec": spec},
		},
	}, nil
}

func notebookService(n *unstructured.Unstructured) map[string]any {
	return map[string]any{
		"apiVersion": "v1", "kind": "Service", "metadata": notebookMeta(n, n.GetName()),
		"spec": map[string]any{
			"type": "ClusterIP", "selector": map[string]any{"statefulset": n.GetName()},
			"ports": []any{map[string]any{"name": "http-" + n.GetName(), "port": int64(80), "targetPort": notebookPort, "protocol": "TCP"}},
		},
	}
}

func notebookRoute(n *unstructured.Unstructured, o NotebookOptions) map[string]any {
	prefix := notebookPrefix(n) + "/"
	host := n.GetName() + "." + n.GetNamespace() + ".svc." + o.ClusterDomain
	return map[string]any{
		"apiVersion": "networking.istio.io/v1beta1", "kind": "VirtualService",
		"metadata": notebookMeta(n, "notebook-"+n.GetNamespace()+"-"+n.GetName()),
		"spec": map[string]any{
			"hosts": []any{o.Host}, "gateways": []any{o.Gateway},
			"http": []any{map[string]any{
				"match":   []any{map[string]any{"uri": map[string]any{"prefix": prefix}}},
				"rewrite": map[string]any{"uri": prefix},
				"route":   []any{map[string]any{"destination": map[string]any{"host": host, "port": map[string]any{"number": int64(80)}}}},
			}},
		},
	}
}

// notebookStatus mirrors the notebook's pod.
func (c *controller) notebookStatus(n *unstructured.Unstructured) map[string]any {
	status := map[string]any{"conditions": []any{}, "containerState": map[string]any{}, "readyReplicas": int64(0)}
	if u := c.cached(statefulSetsResource, n.GetNamespace(), n.GetName()); u != nil {
		if r, ok, _ := unstructured.NestedInt64(u.Object, "status", "readyReplicas"); ok {
			status["readyReplicas"] = r
		}
	}
	pod := c.cached(podsResource, n.GetNamespace(), n.GetName()+"-0")
	if pod == nil {
		return status
	}
	if conditions, ok, _ := unstructured.NestedSlice(pod.Object, "status", "conditions"); ok {
		kept := []any{}
		for _, one := range conditions {
			if m, ok := one.(map[string]any); ok {
				k := map[string]any{}
				for _, f := range []string{"type", "status", "reason", "message", "lastProbeTime", "lastTransitionTime"} {
					if v := m[f]; v != nil && v != "" {
						k[f] = v
					}
				}
				kept = append(kept, k)
			}
		}
		status["conditions"] = kept
	}
	states, _, _ := unstructured.NestedSlice(pod.Object, "status", "containerStatuses")
	for _, one := range states {
		if m, ok := one.(map[string]any); ok && m["name"] == n.GetName() {
			if state, ok := m["state"].(map[string]any); ok {
				status["containerState"] = state
			}
		}
	}
	return status
}

func (c *controller) cached(r schema.GroupVersionResource, namespace, name string) *unstructured.Unstructured {
	o, err := c.listers[r].ByNamespace(namespace).Get(name)
	if err != nil {
		return nil
	}
	m, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return nil
	}
	return &unstructured.Unstructured{Object: runtime.DeepCopyJSON(m)}
}
