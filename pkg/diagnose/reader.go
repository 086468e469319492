package diagnose

import (
	"context"
	"io"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
)

// reader is what Collect needs of a cluster.
type reader interface {
	// resource finds how a kind is reached; a no-match error when the server lacks it.
	resource(schema.GroupKind) (schema.GroupVersionResource, bool, error)
	get(ctx context.Context, r schema.GroupVersionResource, namespace, name string) (*unstructured.Unstructured, error)
	list(ctx context.Context, r schema.GroupVersionResource, namespace string, o metav1.ListOptions) (*unstructured.UnstructuredList, error)
	// log is the end of a container's log, or of the one before it.
	log(ctx context.Context, namespace, pod, container string, previous bool) ([]byte, error)
}

type clusterReader struct{ c *cluster.Cluster }

func (r clusterReader) resource(gk schema.GroupKind) (schema.GroupVersionResource, bool, error) {
	res, err := r.c.Mapper.Preferred(gk)
	return res.GroupVersionResource, res.Namespaced, err
}

func (r clusterReader) get(ctx context.Context, gvr schema.GroupVersionResource, namespace, name string) (*unstructured.Unstructured, error) {
	return r.c.Dynamic.Resource(gvr).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
}

func (r clusterReader) list(ctx context.Context, gvr schema.GroupVersionResource, namespace string, o metav1.ListOptions) (*unstructured.UnstructuredList, error) {
	return r.c.Dynamic.Resource(gvr).Namespace(namespace).List(ctx, o)
}

func (r clusterReader) log(ctx context.Context, namespace, pod, container string, previous bool) ([]byte, error) {
	lines, size := int64(logLines), int64(logBytes)
	stream, err := r.c.Log(ctx, namespace, pod, &corev1.PodLogOptions{
		Container: container, Previous: previous, TailLines: &lines, LimitBytes: &size,
	})
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	return io.ReadAll(stream)
}
