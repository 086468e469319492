package standin

import (
	"context"
	"fmt"
	"io"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
)

// ProfilesName is what lists call the stand-in for the profile controller.
const ProfilesName = "stand-in profile-controller"

const profileFinalizer = "profile-finalizer"

var (
	profilesResource     = schema.GroupVersionResource{Group: "kubeflow.org", Version: "v1", Resource: "profiles"}
	namespacesResource   = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	accountsResource     = schema.GroupVersionResource{Version: "v1", Resource: "serviceaccounts"}
	quotasResource       = schema.GroupVersionResource{Version: "v1", Resource: "resourcequotas"}
	roleBindingsResource = schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "rolebindings"}
	policiesResource     = schema.GroupVersionResource{Group: "security.istio.io", Version: "v1beta1", Resource: "authorizationpolicies"}
)

// ProfileOptions are what the profile controller takes from its environment.
type ProfileOptions struct {
	Log io.Writer
	// UserIDHeader and UserIDPrefix are how a request names its user.
	UserIDHeader, UserIDPrefix string
	// GatewayPrincipal and NotebookControllerPrincipal may reach a user's pods.
	GatewayPrincipal, NotebookControllerPrincipal string
	// Labels returns the labels that a user's namespace gets; an empty value
	// removes one.
	Labels func(context.Context) (map[string]string, error)
}

// Profiles gives each Profile its namespace, ServiceAccounts, role bindings,
// policy and quota until ctx ends. Like the original it sets a condition only
// when it fails.
func Profiles(ctx context.Context, cfg *rest.Config, o ProfileOptions) error {
	if err := served(ctx, cfg, profilesResource, policiesResource); err != nil {
		return err
	}
	own := ownerOf("Profile")
	c, err := newController(ProfilesName, cfg, o.Log,
		source{profilesResource, func(o metav1.Object) string { return o.GetName() }},
		source{namespacesResource, own}, source{accountsResource, own}, source{roleBindingsResource, own}, source{policiesResource, own})
	if err != nil {
		return err
	}
	c.sync = func(ctx context.Context, name string) error { return c.profile(ctx, name, o) }
	return c.run(ctx)
}

func (c *controller) profile(ctx context.Context, name string, o ProfileOptions) error {
	client := c.client.Resource(profilesResource)
	p, err := client.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if p.GetDeletionTimestamp() != nil {
		f := slices.DeleteFunc(p.GetFinalizers(), func(s string) bool { return s == profileFinalizer })
		if len(f) == len(p.GetFinalizers()) {
			return nil
		}
		p.SetFinalizers(f)
		_, err := client.Update(ctx, p, metav1.UpdateOptions{})
		return err
	}
	owner, _, err := unstructured.NestedMap(p.Object, "spec", "owner")
	if err != nil || owner["name"] == nil {
		return fmt.Errorf("profile %s: spec.owner has no name", name)
	}
	user := fmt.Sprint(owner["name"])
	stop, err := c.profileNamespace(ctx, p, user, o)
	if err != nil || stop {
		return err
	}
	for _, e := range profileObjects(p, owner, o) {
		if err := c.apply(ctx, e.resource, e.object); err != nil {
			return err
		}
	}
	if !slices.Contains(p.GetFinalizers(), profileFinalizer) {
		p.SetFinalizers(append(p.GetFinalizers(), profileFinalizer))
		if _, err := client.Update(ctx, p, metav1.UpdateOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// profileNamespace makes the user's namespace. A namespace of somebody else
// is left alone, and the Profile says so.
func (c *controller) profileNamespace(ctx context.Context, p *unstructured.Unstructured, user string, o ProfileOptions) (stop bool, err error) {
	labels := map[string]string{"istio-injection": "enabled"}
	if o.Labels != nil {
		more, err := o.Labels(ctx)
		if err != nil {
			return false, fmt.Errorf("labels of namespaces: %w", err)
		}
		for k, v := range more {
			if v == "" {
				delete(labels, k)
			} else {
				labels[k] = v
			}
		}
	}
	client := c.client.Resource(namespacesResource)
	ns, err := client.Get(ctx, p.GetName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		_, err = client.Create(ctx, &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "Namespace",
			"metadata": map[string]any{
				"name": p.GetName(), "labels": toAny(labels),
				"annotations": map[string]any{"owner": user}, "ownerReferences": ownerReference(p),
			},
		}}, metav1.CreateOptions{})
		return false, err
	}
	if err != nil {
		return false, err
	}
	if ns.GetAnnotations()["owner"] != user {
		return true, c.failProfile(ctx, p, "namespace already exist, but not owned by profile creator "+user)
	}
	have, change := ns.GetLabels(), false
	if have == nil {
		have = map[string]string{}
	}
	for k, v := range labels {
		if _, ok := have[k]; !ok {
			have[k], change = v, true
		}
	}
	if change {
		ns.SetLabels(have)
		_, err = client.Update(ctx, ns, metav1.UpdateOptions{})
	}
	return false, err
}

func (c *controller) failProfile(ctx context.Context, p *unstructured.Unstructured, message string) error {
	conditions, _, err := unstructured.NestedSlice(p.Object, "status", "conditions")
	if err != nil {
		return err
	}
	for _, one := range conditions {
		if m, ok := one.(map[string]any); ok && m["message"] == message {
			return nil
		}
	}
	conditions = append(conditions, map[string]any{"type": "Failed", "message": message})
	if err := unstructured.SetNestedSlice(p.Object, conditions, "status", "conditions"); err != nil {
		return err
	}
	_, err = c.client.Resource(profilesResource).UpdateStatus(ctx, p, metav1.UpdateOptions{})
	return err
}

type resourceObject struct {
	resource schema.GroupVersionResource
	object   map[string]any
}

// profileObjects are what a user's namespace gets.
func profileObjects(p *unstructured.Unstructured, owner map[string]any, o ProfileOptions) []resourceObject {
	ns, refs := p.GetName(), ownerReference(p)
	meta := func(name string) map[string]any {
		return map[string]any{"name": name, "namespace": ns, "ownerReferences": refs}
	}
	binding := func(name, role string, subject map[string]any) resourceObject {
		return resourceObject{roleBindingsResource, map[string]any{
			"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": meta(name),
			"roleRef":  map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
			"subjects": []any{subject},
		}}
	}
	account := func(name string) resourceObject {
		return resourceObject{accountsResource, map[string]any{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta(name)}}
	}
	subject := func(name string) map[string]any {
		return map[string]any{"kind": "ServiceAccount", "name": name, "namespace": ns}
	}
	admin := binding("namespaceAdmin", "kubeflow-admin", owner)
	admin.object["metadata"].(map[string]any)["annotations"] = map[string]any{"user": owner["name"], "role": "admin"}
	all := []resourceObject{
		{policiesResource, map[string]any{
			"apiVersion": "security.istio.io/v1beta1", "kind": "AuthorizationPolicy",
			"metadata": func() map[string]any {
				m := meta("ns-owner-access-istio")
				m["annotations"] = map[string]any{"user": owner["name"], "role": "admin"}
				return m
			}(),
			"spec": map[string]any{"action": "ALLOW", "rules": profileRules(ns, fmt.Sprint(owner["name"]), o)},
		}},
		account("default-editor"), binding("default-editor", "kubeflow-edit", subject("default-editor")),
		account("default-viewer"), binding("default-viewer", "kubeflow-view", subject("default-viewer")),
		admin,
	}
	if hard, ok, _ := unstructured.NestedMap(p.Object, "spec", "resourceQuotaSpec", "hard"); ok && len(hard) > 0 {
		spec, _, _ := unstructured.NestedMap(p.Object, "spec", "resourceQuotaSpec")
		all = append(all, resourceObject{quotasResource, map[string]any{
			"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta("kf-resource-quota"), "spec": spec,
		}})
	}
	return all
}

func profileRules(ns, user string, o ProfileOptions) []any {
	texts := func(s ...string) []any {
		var all []any
		for _, one := range s {
			all = append(all, one)
		}
		return all
	}
	rules := []any{
		map[string]any{"from": []any{map[string]any{"source": map[string]any{"namespaces": texts(ns)}}}},
		map[string]any{"to": []any{map[string]any{"operation": map[string]any{"paths": texts("/healthz", "/metrics", "/wait-for-drain")}}}},
	}
	if o.GatewayPrincipal != "" {
		rules = append(rules, map[string]any{
			"from": []any{map[string]any{"source": map[string]any{"principals": texts(o.GatewayPrincipal)}}},
			"when": []any{map[string]any{"key": "request.headers[" + o.UserIDHeader + "]", "values": texts(o.UserIDPrefix + user)}},
		})
	}
	if o.NotebookControllerPrincipal != "" {
		rules = append(rules, map[string]any{
			"from": []any{map[string]any{"source": map[string]any{"principals": texts(o.NotebookControllerPrincipal)}}},
			"to":   []any{map[string]any{"operation": map[string]any{"methods": texts("GET"), "paths": texts("*/api/kernels")}}},
		})
	}
	return rules
}
