package rollout

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// ReadPullSecret reads the credentials in a Secret (NAMESPACE/NAME) that images are pulled
// with; empty where there is no such Secret, or none is named.
func ReadPullSecret(ctx context.Context, c *cluster.Cluster, secret string) (string, error) {
	if secret == "" {
		return "", nil
	}
	namespace, name, _ := strings.Cut(secret, "/")
	u, err := c.Dynamic.Resource(secretsResource).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("--image-pull-secret: Secret %s: %w", secret, err)
	}
	kind, _, _ := unstructured.NestedString(u.Object, "type")
	value := decoded(u, corev1.DockerConfigJsonKey)
	if kind != string(corev1.SecretTypeDockerConfigJson) || value == "" {
		return "", fmt.Errorf("--image-pull-secret: Secret %s is of type %q and not %s: create one with `kubectl create secret docker-registry`", secret, kind, corev1.SecretTypeDockerConfigJson)
	}
	return value, nil
}

// noPullSecret is the error of a Secret that is neither there nor has ever been copied.
func noPullSecret(secret string) error {
	namespace, name, _ := strings.Cut(secret, "/")
	return fmt.Errorf("--image-pull-secret: there is no Secret %s: create it with `kubectl -n %s create secret docker-registry %s --docker-server=HOST --docker-username=USER --docker-password=...`",
		secret, namespace, name)
}

// acceptable is an object as the server takes it in a dry run: a copy of the pull secret has
// to be JSON, which its placeholder is not.
func acceptable(u *unstructured.Unstructured) *unstructured.Unstructured {
	if components.Generated(u)[corev1.DockerConfigJsonKey] == "" {
		return u
	}
	return components.PullSecret(u.GetNamespace(), `{"auths":{}}`)
}
