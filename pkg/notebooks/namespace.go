package notebooks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
)

var (
	namespaces = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	reviews    = schema.GroupVersionResource{Group: "authorization.k8s.io", Version: "v1", Resource: "selfsubjectaccessreviews"}
	whoami     = schema.GroupVersionResource{Group: "authentication.k8s.io", Version: "v1", Resource: "selfsubjectreviews"}
)

// What the profile controller puts on a person's namespace.
const (
	profileSelector = "app.kubernetes.io/part-of=kubeflow-profile"
	ownerAnnotation = "owner"
)

// Namespace is where a person's notebooks are: the one that was given, else that of the
// kubeconfig's context if it is a Profile's, else the only Profile's that the user may
// make notebooks in.
func Namespace(ctx context.Context, c *cluster.Cluster, given, current string) (string, error) {
	return chooser{
		profile: func(ctx context.Context, name string) (bool, error) {
			u, err := c.Dynamic.Resource(namespaces).Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return false, err
			}
			return ofProfile(u), nil
		},
		list: func(ctx context.Context) ([]string, error) {
			list, err := c.Dynamic.Resource(namespaces).List(ctx, metav1.ListOptions{LabelSelector: profileSelector, ResourceVersion: "0"})
			if err != nil {
				return nil, err
			}
			var names []string
			for _, u := range list.Items {
				names = append(names, u.GetName())
			}
			return names, nil
		},
		may: func(ctx context.Context, name string) (bool, error) {
			return May(ctx, c, authorizationv1.ResourceAttributes{Namespace: name, Verb: "create", Group: Kind.Group, Resource: Resource.Resource})
		},
	}.choose(ctx, given, current)
}

func ofProfile(u *unstructured.Unstructured) bool {
	return u.GetLabels()["app.kubernetes.io/part-of"] == "kubeflow-profile" || u.GetAnnotations()[ownerAnnotation] != ""
}

// May asks the API server whether the user may do something.
func May(ctx context.Context, c *cluster.Cluster, what authorizationv1.ResourceAttributes) (bool, error) {
	review := &authorizationv1.SelfSubjectAccessReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "authorization.k8s.io/v1", Kind: "SelfSubjectAccessReview"},
		Spec:     authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &what},
	}
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(review)
	if err != nil {
		return false, err
	}
	answer, err := c.Dynamic.Resource(reviews).Create(ctx, &unstructured.Unstructured{Object: object}, metav1.CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("whether the user may %s %s: %w", what.Verb, what.Resource, err)
	}
	allowed, _, _ := unstructured.NestedBool(answer.Object, "status", "allowed")
	return allowed, nil
}

// chooser is what a choice of namespaces needs of a cluster.
type chooser struct {
	// profile tells whether a namespace belongs to a Profile.
	profile func(context.Context, string) (bool, error)
	// list are the namespaces of all Profiles.
	list func(context.Context) ([]string, error)
	// may tells whether the user may make notebooks in a namespace.
	may func(context.Context, string) (bool, error)
}

const (
	// maxAsked bounds the namespaces that are asked about one by one.
	maxAsked = 50
	// maxNamed bounds those that a message names.
	maxNamed = 10
)

func (c chooser) choose(ctx context.Context, given, current string) (string, error) {
	if given != "" {
		return given, nil
	}
	if current != "" {
		switch is, err := c.profile(ctx, current); {
		case is:
			return current, nil
		case err != nil && !apierrors.IsForbidden(err) && !apierrors.IsNotFound(err):
			return "", fmt.Errorf("Namespace %s: %w", current, err)
		}
	}
	all, err := c.list(ctx)
	if apierrors.IsForbidden(err) {
		return "", fmt.Errorf("specify the namespace with -n: it is not known whether %q, from the kubeconfig, belongs to a Profile, and you are not allowed to list namespaces", current)
	}
	if err != nil {
		return "", fmt.Errorf("namespaces of Profiles: %w", err)
	}
	slices.Sort(all)
	usable, err := c.usable(ctx, all)
	if err != nil {
		return "", err
	}
	switch {
	case len(usable) == 1:
		return usable[0], nil
	case len(all) == 0:
		return "", errors.New("the cluster has no Profiles, so there is no namespace for notebooks: `kubectl jupyter user add` creates one")
	case len(usable) == 0:
		return "", errors.New("you are not allowed to create notebooks in any Profile's namespace: request permission in one, and specify it with -n")
	}
	named := strings.Join(usable[:min(len(usable), maxNamed)], ", ")
	if more := len(usable) - maxNamed; more > 0 {
		named += fmt.Sprintf(" and %d more", more)
	}
	return "", fmt.Errorf("specify the namespace with -n: %q, from the kubeconfig, does not belong to a Profile; you can use %s", current, named)
}

// usable leaves those in which the user may make notebooks, in their order.
func (c chooser) usable(ctx context.Context, all []string) ([]string, error) {
	if len(all) > maxAsked {
		return all, nil // who sees as many is no single person
	}
	may := make([]bool, len(all))
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(10)
	for i, name := range all {
		group.Go(func() error {
			ok, err := c.may(ctx, name)
			mu.Lock()
			defer mu.Unlock()
			may[i] = ok
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var out []string
	for i, name := range all {
		if may[i] {
			out = append(out, name)
		}
	}
	return out, nil
}

// Creator is the address to write into a notebook: the user's own, where the cluster
// knows the user by one, else that of the namespace's owner; empty where neither is known.
func Creator(ctx context.Context, c *cluster.Cluster, namespace string) string {
	who, err := c.Dynamic.Resource(whoami).Create(ctx, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview",
	}}, metav1.CreateOptions{})
	if err == nil {
		name, _, _ := unstructured.NestedString(who.Object, "status", "userInfo", "username")
		if strings.Contains(name, "@") && !strings.HasPrefix(name, "system:") {
			return name
		}
	}
	u, err := c.Dynamic.Resource(namespaces).Get(ctx, namespace, metav1.GetOptions{})
	if err != nil {
		return ""
	}
	return u.GetAnnotations()[ownerAnnotation]
}
