package diagnose

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

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

type clusterReader struct {
	c    *cluster.Cluster
	core rest.Interface
}

func newReader(c *cluster.Cluster) (*clusterReader, error) {
	config := rest.CopyConfig(c.Config)
	config.APIPath, config.GroupVersion = "/api", &schema.GroupVersion{Version: "v1"}
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	core, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("context %q: client for logs: %w", c.Target.Context, err)
	}
	return &clusterReader{c, core}, nil
}

func (r *clusterReader) resource(gk schema.GroupKind) (schema.GroupVersionResource, bool, error) {
	res, err := r.c.Mapper.Preferred(gk)
	return res.GroupVersionResource, res.Namespaced, err
}

func (r *clusterReader) get(ctx context.Context, gvr schema.GroupVersionResource, namespace, name string) (*unstructured.Unstructured, error) {
	if namespace == "" {
		return r.c.Dynamic.Resource(gvr).Get(ctx, name, metav1.GetOptions{})
	}
	return r.c.Dynamic.Resource(gvr).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
}

func (r *clusterReader) list(ctx context.Context, gvr schema.GroupVersionResource, namespace string, o metav1.ListOptions) (*unstructured.UnstructuredList, error) {
	return r.c.Dynamic.Resource(gvr).Namespace(namespace).List(ctx, o)
}

func (r *clusterReader) log(ctx context.Context, namespace, pod, container string, previous bool) ([]byte, error) {
	req := r.core.Get().Namespace(namespace).Resource("pods").Name(pod).SubResource("log").
		Param("container", container).
		Param("tailLines", fmt.Sprint(logLines)).
		Param("limitBytes", fmt.Sprint(logBytes))
	if previous {
		req = req.Param("previous", "true")
	}
	return req.DoRaw(ctx)
}
