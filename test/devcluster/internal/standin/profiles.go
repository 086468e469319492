package standin

import (
	"context"
	"fmt"
	"maps"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/standin/serve"
)

const (
	profileFinalizer = "profile-finalizer"
	// ownerAnnotation says on a namespace whose it is.
	ownerAnnotation = "owner"
	namespaceLabels = "/etc/profile-controller/namespace-labels.yaml"
	profilePort     = 9876
)

// Profiles stands in for the profile controller: of each Profile it makes a
// namespace, the accounts default-editor and default-viewer, their bindings
// and the owner's, the owner's AuthorizationPolicy and the quota. A namespace
// that somebody else owns is left alone and the Profile says so.
func Profiles(ctx context.Context, p Pod) error {
	d, err := dynamic.NewForConfig(p.Config)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(p.Config)
	if err != nil {
		return err
	}
	c := &profileController{pod: p, dynamic: d, client: client}
	return serve.All(ctx,
		func(ctx context.Context) error { return serve.HTTP(ctx, p.address(profilePort), healthy(), nil) },
		func(ctx context.Context) error {
			core := informers.NewSharedInformerFactory(client, 0)
			return loop{pod: p, sync: c.sync, informers: map[cache.SharedIndexInformer]func(metav1.Object) (cache.ObjectName, bool){
				dynamicinformer.NewDynamicSharedInformerFactory(d, 0).ForResource(profiles).Informer(): itself,
				core.Core().V1().Namespaces().Informer():                                               controlled("Profile"),
			}}.run(ctx)
		})
}

type profileController struct {
	pod     Pod
	dynamic dynamic.Interface
	client  kubernetes.Interface
}

func (c *profileController) sync(ctx context.Context, name cache.ObjectName) error {
	p, err := c.dynamic.Resource(profiles).Get(ctx, name.Name, metav1.GetOptions{})
	if gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if p.GetDeletionTimestamp() != nil {
		return c.release(ctx, p)
	}
	if !hasFinalizer(p) {
		p.SetFinalizers(append(p.GetFinalizers(), profileFinalizer))
		if p, err = c.dynamic.Resource(profiles).Update(ctx, p, metav1.UpdateOptions{FieldManager: manager}); err != nil {
			return err
		}
	}
	user, _, _ := unstructured.NestedString(p.Object, "spec", "owner", "name")
	foreign, err := c.namespace(ctx, p, user)
	if err != nil {
		return err
	}
	if foreign {
		return c.status(ctx, p, "Failed", fmt.Sprintf("namespace %s exists and is not owned by %s", p.GetName(), user))
	}
	if err := c.contents(ctx, p, user); err != nil {
		return err
	}
	return c.status(ctx, p, "Successful", "")
}

func hasFinalizer(p *unstructured.Unstructured) bool {
	for _, f := range p.GetFinalizers() {
		if f == profileFinalizer {
			return true
		}
	}
	return false
}

// release lets a Profile go; its namespace follows by its owner reference.
func (c *profileController) release(ctx context.Context, p *unstructured.Unstructured) error {
	if !hasFinalizer(p) {
		return nil
	}
	var rest []string
	for _, f := range p.GetFinalizers() {
		if f != profileFinalizer {
			rest = append(rest, f)
		}
	}
	p.SetFinalizers(rest)
	_, err := c.dynamic.Resource(profiles).Update(ctx, p, metav1.UpdateOptions{FieldManager: manager})
	if gone(err) {
		return nil
	}
	return err
}

// namespace makes the Profile's namespace, or tells that it is somebody else's.
func (c *profileController) namespace(ctx context.Context, p *unstructured.Unstructured, user string) (foreign bool, err error) {
	labels, err := c.labels(ctx)
	if err != nil {
		return false, err
	}
	now, err := c.client.CoreV1().Namespaces().Get(ctx, p.GetName(), metav1.GetOptions{})
	if gone(err) {
		yes := true
		maps.DeleteFunc(labels, func(_, v string) bool { return v == "" })
		_, err = c.client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: p.GetName(), Labels: labels, Annotations: map[string]string{ownerAnnotation: user},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: p.GetAPIVersion(), Kind: p.GetKind(), Name: p.GetName(),
				UID: p.GetUID(), Controller: &yes, BlockOwnerDeletion: &yes}},
		}}, metav1.CreateOptions{FieldManager: manager})
		return false, err
	}
	if err != nil {
		return false, err
	}
	if now.DeletionTimestamp != nil {
		return false, fmt.Errorf("namespace %s is being deleted", now.Name)
	}
	if now.Annotations[ownerAnnotation] != user {
		return true, nil
	}
	if !addMissing(now, labels) {
		return false, nil
	}
	_, err = c.client.CoreV1().Namespaces().Update(ctx, now, metav1.UpdateOptions{FieldManager: manager})
	return false, err
}

// addMissing adds labels that are not there; one that is there keeps its
// value, an empty one is taken away. It tells whether anything changed.
func addMissing(n *corev1.Namespace, labels map[string]string) bool {
	changed := false
	for k, v := range labels {
		have, ok := n.Labels[k]
		switch {
		case v == "" && ok:
			delete(n.Labels, k)
			changed = true
		case v != "" && !ok:
			if n.Labels == nil {
				n.Labels = map[string]string{}
			}
			n.Labels[k] = v
			changed = true
		case have == v:
		}
	}
	return changed
}

// labels are what a Profile's namespace is labelled with.
func (c *profileController) labels(ctx context.Context) (map[string]string, error) {
	b, err := c.pod.ReadFile(ctx, namespaceLabels)
	if err != nil {
		return nil, fmt.Errorf("labels of namespaces: %w", err)
	}
	labels := map[string]string{}
	if err := yaml.Unmarshal(b, &labels); err != nil {
		return nil, fmt.Errorf("%s: %w", namespaceLabels, err)
	}
	if _, ok := labels["istio-injection"]; !ok {
		labels["istio-injection"] = "enabled"
	}
	return labels, nil
}

func (c *profileController) contents(ctx context.Context, p *unstructured.Unstructured, user string) error {
	ns := p.GetName()
	meta := func(name string, annotations map[string]any) map[string]any {
		m := map[string]any{"name": name, "namespace": ns, "ownerReferences": []any{owner(p)}}
		if annotations != nil {
			m["annotations"] = annotations
		}
		return m
	}
	type object struct {
		resource schema.GroupVersionResource
		body     map[string]any
	}
	var all []object
	binding := func(name, role string, annotations map[string]any, subject map[string]any) {
		all = append(all, object{rbacv1.SchemeGroupVersion.WithResource("rolebindings"), map[string]any{
			"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": meta(name, annotations),
			"roleRef":  map[string]any{"apiGroup": rbacv1.GroupName, "kind": "ClusterRole", "name": role},
			"subjects": []any{subject},
		}})
	}
	for account, role := range map[string]string{"default-editor": "kubeflow-edit", "default-viewer": "kubeflow-view"} {
		all = append(all, object{corev1.SchemeGroupVersion.WithResource("serviceaccounts"), map[string]any{
			"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta(account, nil)}})
		binding(account, role, nil, map[string]any{"kind": "ServiceAccount", "name": account, "namespace": ns})
	}
	ownerSpec, _, _ := unstructured.NestedMap(p.Object, "spec", "owner")
	kind, _ := ownerSpec["kind"].(string)
	subject := map[string]any{"kind": kind, "name": user}
	if kind != rbacv1.ServiceAccountKind {
		subject["apiGroup"] = rbacv1.GroupName
	}
	admin := map[string]any{"user": user, "role": "admin"}
	binding("namespaceAdmin", "kubeflow-admin", admin, subject)
	all = append(all, object{authorizationPolicies, c.policy(ns, user, meta("ns-owner-access-istio", admin))})
	if quota, ok, _ := unstructured.NestedMap(p.Object, "spec", "resourceQuotaSpec"); ok && quota["hard"] != nil {
		all = append(all, object{corev1.SchemeGroupVersion.WithResource("resourcequotas"), map[string]any{
			"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta("kf-resource-quota", nil), "spec": quota}})
	}
	for _, o := range all {
		if err := apply(ctx, c.dynamic, o.resource, o.body); err != nil {
			return fmt.Errorf("%s %s/%s: %w", o.body["kind"], ns, o.body["metadata"].(map[string]any)["name"], err)
		}
	}
	return nil
}

// policy lets the owner in through the gateway, the namespace's own pods, and
// the notebook controller where it asks whether a kernel is busy.
func (c *profileController) policy(ns, user string, meta map[string]any) map[string]any {
	principals := []any{}
	for _, v := range []string{"ISTIO_INGRESS_GATEWAY_PRINCIPAL", "KFP_UI_PRINCIPAL"} {
		if s := c.pod.Getenv(v); s != "" {
			principals = append(principals, s)
		}
	}
	rules := []any{
		map[string]any{"when": []any{map[string]any{
			"key":    "request.headers[" + c.userHeader() + "]",
			"values": []any{c.pod.Getenv("USERID_PREFIX") + user}}}},
		map[string]any{"when": []any{map[string]any{"key": "source.namespace", "values": []any{ns}}}},
		map[string]any{"to": []any{map[string]any{"operation": map[string]any{"paths": []any{"/healthz", "/metrics", "/wait-for-drain"}}}}},
	}
	if len(principals) > 0 {
		rules[0].(map[string]any)["from"] = []any{map[string]any{"source": map[string]any{"principals": principals}}}
	}
	if s := c.pod.Getenv("NOTEBOOK_CONTROLLER_PRINCIPAL"); s != "" {
		rules = append(rules, map[string]any{
			"from": []any{map[string]any{"source": map[string]any{"principals": []any{s}}}},
			"to":   []any{map[string]any{"operation": map[string]any{"methods": []any{"GET"}, "paths": []any{"*/api/kernels"}}}}})
	}
	return map[string]any{"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy", "metadata": meta,
		"spec": map[string]any{"action": "ALLOW", "rules": rules}}
}

func (c *profileController) userHeader() string {
	if h := c.pod.Getenv("USERID_HEADER"); h != "" {
		return h
	}
	return "kubeflow-userid"
}

func (c *profileController) status(ctx context.Context, p *unstructured.Unstructured, kind, message string) error {
	condition := map[string]any{"type": kind, "status": "True"}
	if message != "" {
		condition["message"] = message
	}
	now, _, _ := unstructured.NestedSlice(p.Object, "status", "conditions")
	if len(now) == 1 {
		if m, ok := now[0].(map[string]any); ok && m["type"] == kind && (m["message"] == message || message == "" && m["message"] == nil) {
			return nil
		}
	}
	p = p.DeepCopy()
	if err := unstructured.SetNestedSlice(p.Object, []any{condition}, "status", "conditions"); err != nil {
		return err
	}
	_, err := c.dynamic.Resource(profiles).UpdateStatus(ctx, p, metav1.UpdateOptions{FieldManager: manager})
	if gone(err) {
		return nil
	}
	return err
}

const kfamPort = 8081

// KFAM stands in for the API by which profiles are shared: it lists bindings,
// those that carry a user and a role, and answers its probes.
func KFAM(ctx context.Context, p Pod) error {
	client, err := kubernetes.NewForConfig(p.Config)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/", healthy())
	mux.HandleFunc("GET /kfam/v1/bindings", func(w http.ResponseWriter, r *http.Request) {
		list, err := client.RbacV1().RoleBindings(r.URL.Query().Get("namespace")).List(r.Context(), metav1.ListOptions{})
		if err != nil {
			code := http.StatusInternalServerError
			if apierrors.IsForbidden(err) {
				code = http.StatusForbidden
			}
			writeJSON(w, code, map[string]any{"error": err.Error()})
			return
		}
		bindings := []any{}
		for _, b := range list.Items {
			user, role := b.Annotations["user"], b.Annotations["role"]
			if user == "" || role == "" {
				continue
			}
			if want := r.URL.Query().Get("user"); want != "" && want != user {
				continue
			}
			bindings = append(bindings, map[string]any{
				"user": map[string]any{"kind": "User", "name": user}, "referredNamespace": b.Namespace,
				"roleRef": map[string]any{"kind": "ClusterRole", "name": role}})
		}
		writeJSON(w, http.StatusOK, map[string]any{"bindings": bindings})
	})
	return serve.HTTP(ctx, p.address(kfamPort), mux, nil)
}
