package status

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/login"
)

// providerNamespace is where oauth2-proxy lives.
const providerNamespace = "oauth2-proxy"

// protobufClient reads the core group in the server's own encoding: for pods, which
// are large, it is a fraction of the work of JSON on both sides.
func protobufClient(c *cluster.Cluster) (rest.Interface, error) {
	config := rest.CopyConfig(c.Config)
	config.APIPath, config.GroupVersion = "/api", &schema.GroupVersion{Version: "v1"}
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	config.ContentType = runtime.ContentTypeProtobuf
	config.AcceptContentTypes = strings.Join([]string{runtime.ContentTypeProtobuf, runtime.ContentTypeJSON}, ",")
	return rest.RESTClientFor(config)
}

// podsIn plans the list of a namespace's pods.
func (k *collector) podsIn(namespace string) {
	r := Read{Kind: "Pod", Namespace: namespace}
	k.Plan(func(ctx context.Context) error {
		list := &corev1.PodList{}
		err := k.core.Get().Namespace(namespace).Resource("pods").
			VersionedParams(&metav1.ListOptions{Limit: maxItems}, scheme.ParameterCodec).Do(ctx).Into(list)
		if err == nil {
			k.Keep(func() { k.s.StackPods = append(k.s.StackPods, list.Items...) })
		}
		return k.add(r, err)
	})
}

// meshPods plans the list of the pods that have a sidecar, wherever they are.
func (k *collector) meshPods() {
	r := Read{Kind: "Pod", Labels: login.MeshPods}
	k.Plan(func(ctx context.Context) error {
		var pods []corev1.Pod
		cut, err := paged(ctx, metav1.ListOptions{LabelSelector: r.Labels, Limit: maxItems}, func(ctx context.Context, o metav1.ListOptions) (*corev1.PodList, error) {
			list := &corev1.PodList{}
			return list, k.core.Get().Resource("pods").VersionedParams(&o, scheme.ParameterCodec).Do(ctx).Into(list)
		}, func(l *corev1.PodList) { pods = append(pods, l.Items...) })
		// Who may read the stack's namespaces only is told of these.
		if apierrors.IsForbidden(err) {
			return k.unlooked("the sidecars of notebooks: forbidden")
		}
		k.Keep(func() { k.s.MeshPods = pods })
		r.Cut = cut
		return k.add(r, err)
	})
}

// claims plans to read the volumes of all namespaces, of which those without one matter.
func (k *collector) claims() {
	r := Read{Kind: "PersistentVolumeClaim"}
	k.Plan(func(ctx context.Context) error {
		n, unbound := 0, []corev1.PersistentVolumeClaim(nil)
		cut, err := paged(ctx, metav1.ListOptions{Limit: maxItems}, func(ctx context.Context, o metav1.ListOptions) (*corev1.PersistentVolumeClaimList, error) {
			list := &corev1.PersistentVolumeClaimList{}
			return list, k.core.Get().Resource("persistentvolumeclaims").VersionedParams(&o, scheme.ParameterCodec).Do(ctx).Into(list)
		}, func(l *corev1.PersistentVolumeClaimList) {
			n += len(l.Items)
			for i := range l.Items {
				if c := &l.Items[i]; c.Status.Phase != corev1.ClaimBound {
					unbound = append(unbound, *c)
				}
			}
		})
		if apierrors.IsForbidden(err) {
			return k.unlooked("volumes: forbidden")
		}
		k.Keep(func() { k.s.Claims, k.s.Unbound = n, unbound })
		r.Cut = cut
		return k.add(r, err)
	})
}

// unlooked keeps what was not looked at.
func (k *collector) unlooked(what string) error {
	k.Keep(func() { k.s.NotChecked = append(k.s.NotChecked, what) })
	return nil
}

// networkPolicies plans the list of all of them, whoever made them: they add up.
func (k *collector) networkPolicies() {
	r := Read{Group: "networking.k8s.io", Kind: "NetworkPolicy", Labels: "all"}
	k.Plan(func(ctx context.Context) error {
		policies, err := diagnose.NetworkPolicies(ctx, k.c, "")
		if apierrors.IsForbidden(err) {
			return k.unlooked("network policies: forbidden")
		}
		if err != nil {
			return k.add(r, err)
		}
		k.Keep(func() { k.s.NetworkPolicies = policies })
		return nil
	})
}

// passwords plans to read whose passwords Dex keeps as objects of its own. Their hashes
// are dropped at once.
func (k *collector) passwords() {
	r := Read{Group: "dex.coreos.com", Kind: "Password", Namespace: "auth"}
	resource, err := k.c.Mapper.Preferred(schema.GroupKind{Group: r.Group, Kind: r.Kind})
	if err != nil {
		return // Dex defines the kind when it starts
	}
	k.Plan(func(ctx context.Context) error {
		list, err := k.c.Dynamic.Resource(resource.GroupVersionResource).Namespace(r.Namespace).List(ctx, metav1.ListOptions{Limit: maxItems})
		// Who may not read them is told of those that the configuration names.
		if apierrors.IsForbidden(err) {
			return k.unlooked("whether owners of Profiles can log in: forbidden (Passwords in auth)")
		}
		if err != nil {
			return k.add(r, err)
		}
		k.Keep(func() {
			for _, u := range list.Items {
				email, _, _ := unstructured.NestedString(u.Object, "email")
				k.s.Passwords = append(k.s.Passwords, email)
			}
		})
		return k.add(r, nil)
	})
}
