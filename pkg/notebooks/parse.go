package notebooks

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
)

// Parse takes a Notebook apart. What depends on its pods, such as its state, is not set.
func Parse(u *unstructured.Unstructured) (*Notebook, error) { return read(u) }

// GetObject reads a Notebook as it is written down.
func GetObject(ctx context.Context, c *cluster.Cluster, namespace, name string) (*unstructured.Unstructured, error) {
	u, err := c.Dynamic.Resource(Resource).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, explain(err, namespace, name)
	}
	return u, nil
}
