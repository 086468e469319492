// Package fit says whether a notebook that is not there yet would run, why not, and which
// one would. What the API server checks by itself (quotas, LimitRanges, webhooks, rights)
// it is asked with dry runs; nodes, GPUs, volumes and classes are compared here.
package fit

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
)

var (
	pods        = core("pods")
	claims      = core("persistentvolumeclaims")
	quotas      = core("resourcequotas")
	limitRanges = core("limitranges")
	podDefaults = schema.GroupVersionResource{Group: "kubeflow.org", Version: "v1alpha1", Resource: "poddefaults"}
)

func core(resource string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Version: "v1", Resource: resource}
}

// Facts are what a namespace and the nodes have.
type Facts struct {
	cluster   *cluster.Cluster
	namespace string
	room      *diagnose.Snapshot
	quotas    []corev1.ResourceQuota
	limits    []corev1.LimitRange
	defaults  []podDefault
	images    map[string]image
	// problems are what could not be read, and what is not known for that.
	problems []string
}

// podDefault is what a PodDefault is asked for by.
type podDefault struct {
	name   string
	labels map[string]string
}

// image is one that some nodes have.
type image struct {
	bytes int64
	nodes []string
}

// Read reads them, in a number of requests that does not depend on the cluster's size.
// What cannot be read is a gap that the verdict tells of.
func Read(ctx context.Context, c *cluster.Cluster, namespace string) (*Facts, error) {
	f := &Facts{cluster: c, namespace: namespace, images: map[string]image{}}
	var unread [4]error
	var work errgroup.Group
	work.Go(func() error {
		f.room = diagnose.CollectRoom(ctx, c, namespace)
		return nil
	})
	work.Go(func() error {
		unread[0] = list(ctx, c, quotas, namespace, &f.quotas)
		return nil
	})
	work.Go(func() error {
		unread[1] = list(ctx, c, limitRanges, namespace, &f.limits)
		return nil
	})
	work.Go(func() error {
		unread[2] = f.readDefaults(ctx)
		return nil
	})
	work.Go(func() error {
		unread[3] = f.readImages(ctx)
		return nil
	})
	_ = work.Wait() // what fails is kept
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for i, what := range []string{"the ResourceQuotas of the namespace are", "the LimitRanges of the namespace are", "the PodDefaults of the namespace are", "the images that nodes have are"} {
		if unread[i] != nil {
			f.problems = append(f.problems, fmt.Sprintf("%s not known: %v", what, unread[i]))
		}
	}
	for _, e := range f.room.Unreadable {
		f.problems = append(f.problems, fmt.Sprintf("whether a node has room is not known: %s: %s", e.What, e.Message))
	}
	return f, nil
}

func list[T any](ctx context.Context, c *cluster.Cluster, resource schema.GroupVersionResource, namespace string, into *[]T) error {
	l, err := c.Dynamic.Resource(resource).Namespace(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, u := range l.Items {
		var t T
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &t); err != nil {
			return fmt.Errorf("%s %s/%s: %w", u.GetKind(), namespace, u.GetName(), err)
		}
		*into = append(*into, t)
	}
	return nil
}

func (f *Facts) readDefaults(ctx context.Context) error {
	l, err := f.cluster.Dynamic.Resource(podDefaults).Namespace(f.namespace).List(ctx, metav1.ListOptions{})
	if apierrors.IsNotFound(err) {
		return nil // the cluster does not serve them, so there are none
	}
	if err != nil {
		return err
	}
	for _, u := range l.Items {
		labels, _, _ := unstructured.NestedStringMap(u.Object, "spec", "selector", "matchLabels")
		f.defaults = append(f.defaults, podDefault{u.GetName(), labels})
	}
	return nil
}

// readImages reads which images are on nodes already, by all of their names.
func (f *Facts) readImages(ctx context.Context) error {
	return usage.List(ctx, f.cluster.REST(), "/api/v1/nodes", map[string][]string{"resourceVersion": {"0"}},
		[]string{"metadata.name", "status.images"}, func(n *corev1.Node) {
			for _, i := range n.Status.Images {
				for _, name := range i.Names {
					known := f.images[name]
					f.images[name] = image{max(known.bytes, i.SizeBytes), append(known.nodes, n.Name)}
				}
			}
		})
}

// Devices are the GPU resources that nodes offer; nil where the nodes could not be read.
func (f *Facts) Devices() []string { return diagnose.Devices(f.room) }

// ImageText says how large an image is and which nodes have it, as far as nodes tell; empty
// where none has it.
func (f *Facts) ImageText(reference string) string {
	known, ok := f.images[reference]
	if !ok {
		known, ok = f.images["docker.io/"+reference]
	}
	if !ok {
		return ""
	}
	return fmt.Sprintf("%d MB, on %d of %d nodes", known.bytes/1e6, len(known.nodes), len(f.room.Nodes))
}

// Labels are those that ask for PodDefaults, each named by its own name or by its label.
func (f *Facts) Labels(names []string) (map[string]string, error) {
	out := map[string]string{}
	for _, name := range names {
		found := false
		for _, d := range f.defaults {
			if _, by := d.labels[name]; !by && d.name != name {
				continue
			}
			found = true
			for k, v := range d.labels {
				out[k] = v
			}
		}
		if !found {
			return nil, fmt.Errorf("namespace %s has no PodDefault %q: %s", f.namespace, name, f.defaultNames())
		}
	}
	return out, nil
}

func (f *Facts) defaultNames() string {
	if len(f.defaults) == 0 {
		return "it has none"
	}
	var names []string
	for _, d := range f.defaults {
		names = append(names, d.name)
	}
	slices.Sort(names)
	return "it has " + strings.Join(names, ", ")
}

// podOf is the pod that the controller would make of a Notebook.
func podOf(notebook *unstructured.Unstructured) (*corev1.Pod, error) {
	name := notebook.GetName()
	p := &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: name + "-0", Namespace: notebook.GetNamespace(), Labels: map[string]string{"statefulset": name, notebooks.Label: name}},
	}
	for k, v := range notebook.GetLabels() {
		p.Labels[k] = v
	}
	spec, _, err := unstructured.NestedMap(notebook.Object, "spec", "template", "spec")
	if err == nil {
		err = runtime.DefaultUnstructuredConverter.FromUnstructured(spec, &p.Spec)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: spec.template.spec: %w", notebooks.RefOf(p.Namespace, name), err)
	}
	return p, nil
}
