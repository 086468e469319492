package components

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"
)

const (
	// PullSecretCopy is the name of the copies of a pull secret: where pods pull images,
	// there has to be one in their namespace.
	PullSecretCopy = "kubectl-jupyter-image-pull"
	// PullSecretValue names the placeholder of its one value.
	PullSecretValue = "image-pull-secret"
	// pullSecretNamespace is where a pull secret is unless it is said.
	pullSecretNamespace = "default"
)

// ParsePullSecret reads what --image-pull-secret says: [NAMESPACE/]NAME.
func ParsePullSecret(text string) string {
	if text == "" || strings.Contains(text, "/") {
		return text
	}
	return pullSecretNamespace + "/" + text
}

func validPullSecret(secret string) error {
	if secret == "" {
		return nil
	}
	namespace, name, _ := strings.Cut(secret, "/")
	if len(validation.IsDNS1123Label(namespace)) != 0 || len(validation.IsDNS1123Subdomain(name)) != 0 {
		return fmt.Errorf("--image-pull-secret: %q is not [NAMESPACE/]NAME of a Secret", secret)
	}
	if name == PullSecretCopy {
		return fmt.Errorf("--image-pull-secret: %s is the name of the copies: specify the Secret that they are copies of", name)
	}
	return nil
}

// pullWith gives the pods of an object the copy of the pull secret.
func (o Options) pullWith(u *unstructured.Unstructured) {
	if o.PullSecret == "" || !slices.Contains(WorkloadKinds, u.GetKind()) {
		return
	}
	spec, _ := u.Object["spec"].(map[string]any)
	if template, ok := spec["template"].(map[string]any); ok {
		spec, _ = template["spec"].(map[string]any)
	}
	if spec == nil {
		return
	}
	secrets, _ := spec["imagePullSecrets"].([]any)
	spec["imagePullSecrets"] = append(secrets, map[string]any{"name": PullSecretCopy})
}

// pullSecrets are the copies in the namespaces among objects, and in the one of the system
// where pods are there: it is no component's.
func (o Options) pullSecrets(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	if o.PullSecret == "" {
		return nil
	}
	var out []*unstructured.Unstructured
	add := func(namespace string) {
		if !slices.ContainsFunc(out, func(u *unstructured.Unstructured) bool { return u.GetNamespace() == namespace }) {
			out = append(out, PullSecret(namespace, GeneratedPlaceholder(PullSecretValue)))
		}
	}
	for _, u := range objects {
		switch {
		case u.GetKind() == "Namespace" && u.GroupVersionKind().Group == "":
			add(u.GetName())
		case slices.Contains(WorkloadKinds, u.GetKind()) && u.GetNamespace() == metav1.NamespaceSystem:
			add(u.GetNamespace())
		}
	}
	return out
}

// PullSecret is the copy in a namespace, with its value.
func PullSecret(namespace, value string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Secret", "type": string(corev1.SecretTypeDockerConfigJson),
		"metadata":   map[string]any{"name": PullSecretCopy, "namespace": namespace},
		"stringData": map[string]any{corev1.DockerConfigJsonKey: value},
	}}
}
