package users

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

var (
	secretsResource = schema.GroupVersionResource{Version: "v1", Resource: "secrets"}
	serviceAccounts = schema.GroupVersionResource{Version: "v1", Resource: "serviceaccounts"}
)

// pulling are the ServiceAccounts of a person's namespace that pods run with: notebooks and
// programs with the first.
var pulling = []string{"default-editor", "default-viewer", "default"}

// PullWith gives the pods of a Profile's namespace the credentials in a pull secret
// (NAMESPACE/NAME): a copy, which the Profile owns and which goes with it, and a reference
// to it in the ServiceAccounts.
func (u *Users) PullWith(ctx context.Context, profile, secret string) error {
	value, err := rollout.ReadPullSecret(ctx, u.Cluster, secret)
	if err != nil {
		return err
	}
	if value == "" {
		return fmt.Errorf("there is no Secret %s any more", secret)
	}
	owner, err := u.ownedBy(ctx, profile)
	if err != nil {
		return err
	}
	copied := components.PullSecret(profile, value)
	delete(copied.Object, "stringData") // is not read back, so that nobody could own it
	copied.Object["data"] = map[string]any{corev1.DockerConfigJsonKey: base64.StdEncoding.EncodeToString([]byte(value))}
	copied.SetLabels(map[string]string{managedBy: FieldManager})
	copied.SetOwnerReferences([]metav1.OwnerReference{owner})
	_, err = u.Cluster.Dynamic.Resource(secretsResource).Namespace(profile).Apply(ctx, components.PullSecretCopy, copied, metav1.ApplyOptions{FieldManager: FieldManager, Force: true})
	if err != nil {
		return fmt.Errorf("Secret %s/%s: %w", profile, components.PullSecretCopy, err)
	}
	return u.reference(ctx, profile, true)
}

// PullAllWith does the same in the namespaces of all Profiles, or undoes it where no secret
// is named, and returns their names.
func (u *Users) PullAllWith(ctx context.Context, secret string) ([]string, error) {
	return u.eachProfile(ctx, func(name string) (bool, error) {
		if err := u.AwaitHome(ctx, name); err != nil {
			return false, err
		}
		if secret == "" {
			return true, u.pullWithout(ctx, name)
		}
		return true, u.PullWith(ctx, name, secret)
	})
}

// pullWithout takes the credentials away again.
func (u *Users) pullWithout(ctx context.Context, profile string) error {
	if err := u.reference(ctx, profile, false); err != nil {
		return err
	}
	client := u.Cluster.Dynamic.Resource(secretsResource).Namespace(profile)
	live, err := client.Get(ctx, components.PullSecretCopy, metav1.GetOptions{})
	if err == nil && live.GetLabels()[managedBy] == FieldManager {
		err = client.Delete(ctx, components.PullSecretCopy, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: ptr.To(live.GetUID())}})
	}
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("Secret %s/%s: %w", profile, components.PullSecretCopy, err)
	}
	return nil
}

// reference has the ServiceAccounts of a namespace name the copy, or not. What else they
// name stays.
func (u *Users) reference(ctx context.Context, namespace string, wanted bool) error {
	client := u.Cluster.Dynamic.Resource(serviceAccounts).Namespace(namespace)
	for _, name := range pulling {
		live, err := client.Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			continue
		}
		if err == nil {
			var patch []byte
			if patch, err = pullPatch(live, wanted); err == nil && patch != nil {
				_, err = client.Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: FieldManager})
			}
		}
		if err != nil {
			return fmt.Errorf("ServiceAccount %s/%s: %w", namespace, name, err)
		}
	}
	return nil
}

// pullPatch is the change of a ServiceAccount; nil where it is as wanted. It fails where
// somebody has changed the list meanwhile, which is replaced as a whole.
func pullPatch(live *unstructured.Unstructured, wanted bool) ([]byte, error) {
	var account corev1.ServiceAccount
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(live.Object, &account); err != nil {
		return nil, err
	}
	reference := corev1.LocalObjectReference{Name: components.PullSecretCopy}
	if slices.Contains(account.ImagePullSecrets, reference) == wanted {
		return nil, nil
	}
	list := slices.DeleteFunc(account.ImagePullSecrets, func(r corev1.LocalObjectReference) bool { return r == reference })
	if wanted {
		list = append(list, reference)
	}
	return json.Marshal(map[string]any{
		"metadata":         map[string]any{"resourceVersion": live.GetResourceVersion()},
		"imagePullSecrets": list,
	})
}
