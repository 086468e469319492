package bundle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
)

// reader is what a bundle needs of a cluster.
type reader interface {
	// namespaced are the resources that live in namespaces.
	namespaced() []cluster.Resource
	// byName finds a resource; an error where the server does not have it.
	byName(group, plural string) (cluster.Resource, error)
	list(ctx context.Context, r schema.GroupVersionResource, namespace string, o metav1.ListOptions) (*unstructured.UnstructuredList, error)
	// names lists the names alone: definitions are megabytes.
	names(ctx context.Context, r schema.GroupVersionResource, o metav1.ListOptions) ([]string, error)
	log(ctx context.Context, l logRequest) (io.ReadCloser, error)
}

// logRequest is one container's log, or that of the run before.
type logRequest struct {
	namespace, pod, container string
	previous                  bool
	lines, seconds            int64
}

type clusterReader struct{ c *cluster.Cluster }

func (r clusterReader) namespaced() []cluster.Resource { return r.c.Mapper.Namespaced() }

func (r clusterReader) byName(group, plural string) (cluster.Resource, error) {
	return r.c.Mapper.ByName(group, plural)
}

func (r clusterReader) list(ctx context.Context, gvr schema.GroupVersionResource, namespace string, o metav1.ListOptions) (*unstructured.UnstructuredList, error) {
	return r.c.Dynamic.Resource(gvr).Namespace(namespace).List(ctx, o)
}

func (r clusterReader) names(ctx context.Context, gvr schema.GroupVersionResource, o metav1.ListOptions) ([]string, error) {
	list, err := r.c.Metadata.Resource(gvr).List(ctx, o)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(list.Items))
	for i := range list.Items {
		names[i] = list.Items[i].Name
	}
	return names, nil
}

func (r clusterReader) log(ctx context.Context, l logRequest) (io.ReadCloser, error) {
	o := &corev1.PodLogOptions{Container: l.container, Previous: l.previous, Timestamps: true}
	if l.lines > 0 {
		o.TailLines = &l.lines
	}
	if l.seconds > 0 {
		o.SinceSeconds = &l.seconds
	}
	return r.c.Log(ctx, l.namespace, l.pod, o)
}

func bound(n int) error { return fmt.Errorf("limit of %d", n) }

const timeUp = "timed out"

// reason is an error in a few words.
func reason(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return timeUp
	case apierrors.IsForbidden(err):
		return "forbidden: " + strings.Join(strings.Fields(err.Error()), " ")
	}
	return strings.Join(strings.Fields(err.Error()), " ")
}
