package notebooks

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// proxyContainer is Istio's sidecar, an init container where it is a native one.
const proxyContainer = "istio-proxy"

// Sidecar is the image of the proxy in the notebook's pod, empty where there is none.
func (n *Notebook) Sidecar() string {
	for i := range n.pods {
		for _, c := range slices.Concat(n.pods[i].Spec.InitContainers, n.pods[i].Spec.Containers) {
			if c.Name == proxyContainer {
				return c.Image
			}
		}
	}
	return ""
}

// OldSidecars are the notebooks whose pod has a sidecar of another version than the one that
// the mesh gives to new pods. A version is the tag of an image; without one nothing is said.
func (l *List) OldSidecars(version string) []*Notebook {
	var out []*Notebook
	for i := range l.Notebooks {
		n := &l.Notebooks[i]
		if tag := components.Tag(n.Sidecar()); version != "" && tag != "" && tag != version {
			out = append(out, n)
		}
	}
	return out
}

// MeshVersion is the version of the sidecars that new pods get: that of istiod.
func MeshVersion(ctx context.Context, c *cluster.Cluster) (string, error) {
	u, err := c.Dynamic.Resource(deployments).Namespace("istio-system").Get(ctx, "istiod", metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("Deployment istio-system/istiod: %w", err)
	}
	containers, _, _ := unstructured.NestedSlice(u.Object, "spec", "template", "spec", "containers")
	for _, container := range containers {
		if m, ok := container.(map[string]any); ok && m["name"] == "discovery" {
			image, _ := m["image"].(string)
			return components.Tag(image), nil
		}
	}
	return "", nil
}

var deployments = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}

// Restart deletes the pod of a running notebook, whose StatefulSet makes it anew with the
// same volumes. What is only in memory, such as the variables of a kernel, is lost.
func Restart(ctx context.Context, c *cluster.Cluster, n *Notebook) error {
	for i := range n.pods {
		p := &n.pods[i]
		err := c.Dynamic.Resource(corev1.SchemeGroupVersion.WithResource("pods")).Namespace(p.Namespace).
			Delete(ctx, p.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &p.UID}})
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			return fmt.Errorf("Pod %s/%s: %w", p.Namespace, p.Name, err)
		}
	}
	return nil
}
