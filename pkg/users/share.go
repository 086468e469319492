package users

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// Role is what somebody may do in a namespace that is shared with them.
type Role string

// The roles of KFAM that can be given to somebody else than the owner.
const (
	Edit Role = "edit"
	View Role = "view"
)

// Contributor is somebody whom a namespace is shared with.
type Contributor struct {
	Email string `json:"email"`
	Role  Role   `json:"role"`
}

// Annotations by which KFAM knows its objects.
const (
	userAnnotation = "user"
	roleAnnotation = "role"
)

var (
	roleBindings = schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "rolebindings"}
	configMaps   = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	policyKind   = schema.GroupKind{Group: "security.istio.io", Kind: "AuthorizationPolicy"}
)

var notInName = regexp.MustCompile(`[^a-z0-9]+`)

// Name is what KFAM calls the two objects that share a namespace.
func (c Contributor) Name() string {
	return notInName.ReplaceAllString(fmt.Sprintf("user-%s-clusterrole-%s", c.Email, c.Role), "-")
}

// Validate refuses an address or a role that would not do what is expected.
func (c Contributor) Validate() error {
	if c.Role != Edit && c.Role != View {
		return fmt.Errorf("role %q of %s: the roles are %s and %s", c.Role, c.Email, Edit, View)
	}
	// The name of a Profile of theirs is of no interest here.
	return Person{Email: c.Email, Profile: somebody.Profile}.Validate()
}

// Contributors returns whom namespaces are shared with, by namespace: all of them, or one.
// It is what KFAM tells, out of the same annotations, without the owners.
func (u *Users) Contributors(ctx context.Context, namespace string) (map[string][]Contributor, error) {
	list, err := u.Cluster.Metadata.Resource(roleBindings).Namespace(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("role bindings, which name the contributors: %w", err)
	}
	found := map[string][]Contributor{}
	for i := range list.Items {
		b := &list.Items[i]
		email, role := b.Annotations[userAnnotation], Role(b.Annotations[roleAnnotation])
		if email != "" && (role == Edit || role == View) && b.DeletionTimestamp == nil {
			found[b.Namespace] = append(found[b.Namespace], Contributor{email, role})
		}
	}
	for _, all := range found {
		slices.SortFunc(all, func(a, b Contributor) int {
			return cmp.Or(cmp.Compare(a.Email, b.Email), cmp.Compare(a.Role, b.Role))
		})
	}
	return found, nil
}

// WithContributors adds to people whom their namespaces are shared with.
func (u *Users) WithContributors(ctx context.Context, all []User) error {
	found, err := u.Contributors(ctx, "")
	for i := range all {
		if all[i].Profile != "" {
			all[i].Contributors = found[all[i].Profile]
		}
	}
	return err
}

// Sharing is what namespaces are shared with.
type Sharing struct {
	users *Users
	entry entrance
}

// entrance is how requests of people reach a namespace, as the profile controller knows it.
type entrance struct{ gateway, header, prefix string }

// Sharing reads what KFAM itself is told about the gateway.
func (u *Users) Sharing(ctx context.Context) (*Sharing, error) {
	const name = "profiles-config"
	config, err := u.Cluster.Dynamic.Resource(configMaps).Namespace("kubeflow").Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("ConfigMap kubeflow/%s, which names the gateway: %w", name, err)
	}
	data, _, _ := unstructured.NestedStringMap(config.Object, "data")
	s := &Sharing{u, entrance{data["ISTIO_INGRESS_GATEWAY_PRINCIPAL"], data["USERID_HEADER"], data["USERID_PREFIX"]}}
	if s.entry.gateway == "" || s.entry.header == "" {
		return nil, fmt.Errorf("ConfigMap kubeflow/%s names no ISTIO_INGRESS_GATEWAY_PRINCIPAL or no USERID_HEADER: run `kubectl jupyter install` to restore it", name)
	}
	return s, nil
}

// Owner is who owns the Profile of a namespace.
func (u *Users) Owner(ctx context.Context, namespace string) (string, error) {
	profiles, err := u.Cluster.Of(profileKind, "")
	if err != nil {
		return "", fmt.Errorf("Profile %s: %w", namespace, err)
	}
	home, err := profiles.Get(ctx, namespace, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "", fmt.Errorf("Profile %s does not exist: `kubectl jupyter user list` lists the Profiles, whose names are those of the namespaces", namespace)
	}
	if err != nil {
		return "", fmt.Errorf("Profile %s: %w", namespace, err)
	}
	return owner(home), nil
}

// Share gives a person a role in a namespace, and no other: whoever had another one loses
// it. Nothing is written when one of the writes would be refused.
func (s *Sharing) Share(ctx context.Context, namespace string, c Contributor) error {
	policies, err := s.users.Cluster.Of(policyKind, namespace)
	if err != nil {
		return fmt.Errorf("AuthorizationPolicy %s/%s: %w", namespace, c.Name(), err)
	}
	r, err := s.users.Cluster.Mapper.Preferred(policyKind)
	if err != nil {
		return err
	}
	rights := s.users.Cluster.Dynamic.Resource(roleBindings).Namespace(namespace)
	objects := map[dynamic.ResourceInterface]*unstructured.Unstructured{rights: c.binding(namespace), policies: c.policy(namespace, r.GroupVersion().String(), s.entry)}
	var writes []func(context.Context, []string) error
	for _, client := range []dynamic.ResourceInterface{rights, policies} {
		object := objects[client]
		live, err := client.Get(ctx, object.GetName(), metav1.GetOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("%s %s/%s: %w", object.GetKind(), namespace, object.GetName(), err)
		}
		if err == nil && live.GetAnnotations()[userAnnotation] != c.Email {
			return fmt.Errorf("%s %s/%s is that of %q: the addresses differ only in characters that names do not have: delete it first to share the namespace with %s instead",
				object.GetKind(), namespace, object.GetName(), live.GetAnnotations()[userAnnotation], c.Email)
		}
		writes = append(writes, func(ctx context.Context, dryRun []string) error {
			_, err := client.Apply(ctx, object.GetName(), object, metav1.ApplyOptions{FieldManager: FieldManager, Force: true, DryRun: dryRun})
			if err != nil {
				return fmt.Errorf("%s %s/%s: %w", object.GetKind(), namespace, object.GetName(), err)
			}
			return nil
		})
	}
	if err := tryAll(ctx, writes); err != nil {
		return err
	}
	_, err = s.users.unshare(ctx, namespace, c.Email, c.Role)
	return err
}

// Unshare takes all roles of a person in a namespace away, whoever gave them, and returns
// them.
func (u *Users) Unshare(ctx context.Context, namespace, email string) ([]Role, error) {
	return u.unshare(ctx, namespace, email, "")
}

func (u *Users) unshare(ctx context.Context, namespace, email string, but Role) ([]Role, error) {
	all, err := u.Contributors(ctx, namespace)
	if err != nil {
		return nil, err
	}
	policies, err := u.Cluster.Of(policyKind, namespace)
	if err != nil {
		return nil, fmt.Errorf("AuthorizationPolicies of namespace %s: %w", namespace, err)
	}
	var taken []Role
	for _, c := range all[namespace] {
		if c.Email != email || c.Role == but {
			continue
		}
		// The way in goes first: who is left with half of it has less, and is still listed.
		for _, one := range []struct {
			kind   string
			client dynamic.ResourceInterface
		}{{policyKind.Kind, policies}, {"RoleBinding", u.Cluster.Dynamic.Resource(roleBindings).Namespace(namespace)}} {
			if err := one.client.Delete(ctx, c.Name(), metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
				return taken, fmt.Errorf("%s %s/%s: %w", one.kind, namespace, c.Name(), err)
			}
		}
		taken = append(taken, c.Role)
	}
	return taken, nil
}

// metadata is that of both objects.
func (c Contributor) metadata(namespace string) map[string]any {
	return map[string]any{
		"name": c.Name(), "namespace": namespace, "labels": map[string]any{managedBy: FieldManager},
		"annotations": map[string]any{userAnnotation: c.Email, roleAnnotation: string(c.Role)},
	}
}

// binding lets the person do in the web app, and with kubectl, what the role says.
func (c Contributor) binding(namespace string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": roleBindings.GroupVersion().String(), "kind": "RoleBinding", "metadata": c.metadata(namespace),
		"roleRef":  map[string]any{"apiGroup": roleBindings.Group, "kind": "ClusterRole", "name": "kubeflow-" + string(c.Role)},
		"subjects": []any{map[string]any{"apiGroup": roleBindings.Group, "kind": "User", "name": c.Email}},
	}}
}

// policy lets the person's requests through to the notebooks of the namespace.
func (c Contributor) policy(namespace, apiVersion string, e entrance) *unstructured.Unstructured {
	rule := map[string]any{
		"from": []any{map[string]any{"source": map[string]any{"principals": []any{e.gateway}}}},
		"when": []any{map[string]any{"key": "request.headers[" + e.header + "]", "values": []any{e.prefix + c.Email}}},
	}
	if c.Role == View {
		rule["to"] = []any{map[string]any{"operation": map[string]any{"methods": []any{"GET"}, "paths": readOnly(namespace)}}}
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": apiVersion, "kind": policyKind.Kind, "metadata": c.metadata(namespace),
		"spec": map[string]any{"action": "ALLOW", "rules": []any{rule}},
	}}
}

// readOnly are the paths of a Jupyter server that show something and change nothing, with
// GET. What is not among them stays closed: the channels of kernels and terminals, which
// are WebSockets that begin with a GET; what other programs serve through the server; and
// all of VS Code and RStudio, which do everything over WebSockets.
func readOnly(namespace string) []any {
	var paths []any
	for _, below := range []string{
		"", "/lab", "/lab/{**}", "/tree", "/tree/{**}", "/notebooks/{**}", "/edit/{**}", "/view/{**}", "/files/{**}",
		"/static/{**}", "/custom/{**}", "/kernelspecs/{**}", "/api", "/api/me", "/api/status", "/api/contents", "/api/contents/{**}",
		"/api/kernelspecs", "/api/kernels", "/api/sessions", "/api/terminals",
	} {
		paths = append(paths, "/notebook/"+namespace+"/{*}"+below)
	}
	return append(paths, "/notebook/"+namespace+"/{*}/")
}

// Shared are the namespaces that are shared with a person.
func (u *Users) Shared(ctx context.Context, email string) ([]string, error) {
	all, err := u.Contributors(ctx, "")
	var names []string
	for namespace, with := range all {
		if slices.ContainsFunc(with, func(c Contributor) bool { return strings.EqualFold(c.Email, email) }) {
			names = append(names, namespace)
		}
	}
	slices.Sort(names)
	return names, err
}
