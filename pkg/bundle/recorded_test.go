package bundle

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
)

// recorded stands for a cluster: it answers from memory.
type recorded struct {
	objects []*unstructured.Unstructured
	// logs by NAMESPACE/POD/CONTAINER, with .previous for the run before
	logs map[string]string
	// forbidden resources, and one that does not answer.
	forbidden, silent string
	requests          atomic.Int64
}

var served = []cluster.Resource{
	kind("", "secrets", "Secret"), kind("", "configmaps", "ConfigMap"), kind("", "pods", "Pod"), kind("", "events", "Event"),
	kind("apps", "deployments", "Deployment"), kind("kubeflow.org", "notebooks", "Notebook"), kind("dex.coreos.com", "passwords", "Password"),
	kind("", "persistentvolumeclaims", "PersistentVolumeClaim"),
}

var clusterServed = []cluster.Resource{
	kind("", "namespaces", "Namespace"), kind("", "nodes", "Node"),
	kind("admissionregistration.k8s.io", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration"),
	kind("rbac.authorization.k8s.io", "clusterroles", "ClusterRole"),
	kind("apiextensions.k8s.io", "customresourcedefinitions", "CustomResourceDefinition"),
	kind("kubeflow.org", "profiles", "Profile"),
}

func kind(group, plural, kind string) cluster.Resource {
	return cluster.Resource{GroupVersionResource: schema.GroupVersionResource{Group: group, Version: "v1", Resource: plural}, Kind: kind}
}

func (r *recorded) namespaced() []cluster.Resource { return served }

func (r *recorded) byName(group, plural string) (cluster.Resource, error) {
	for _, k := range slices.Concat(served, clusterServed) {
		if k.Group == group && k.Resource == plural {
			return k, nil
		}
	}
	return cluster.Resource{}, errors.New("no such kind")
}

func (r *recorded) list(ctx context.Context, gvr schema.GroupVersionResource, namespace string, o metav1.ListOptions) (*unstructured.UnstructuredList, error) {
	r.requests.Add(1)
	if gvr.Resource == r.forbidden {
		return nil, apierrors.NewForbidden(gvr.GroupResource(), "", errors.New("not for you"))
	}
	if gvr.Resource == r.silent {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	k, err := r.byName(gvr.Group, gvr.Resource)
	if err != nil {
		return nil, err
	}
	out := &unstructured.UnstructuredList{Object: map[string]any{}}
	for _, u := range r.objects {
		named := o.FieldSelector == "" || o.FieldSelector == "metadata.name="+u.GetName()
		labelled := o.LabelSelector == "" || u.GetLabels()["app.kubernetes.io/part-of"] != ""
		if u.GetKind() == k.Kind && (namespace == "" || u.GetNamespace() == namespace) && named && labelled {
			out.Items = append(out.Items, *u.DeepCopy())
		}
	}
	if int64(len(out.Items)) > o.Limit && o.Limit > 0 {
		out.Items = out.Items[:o.Limit]
		out.SetContinue("more")
	}
	return out, nil
}

func (r *recorded) names(ctx context.Context, gvr schema.GroupVersionResource, o metav1.ListOptions) ([]string, error) {
	list, err := r.list(ctx, gvr, "", o)
	if err != nil {
		return nil, err
	}
	var names []string
	for i := range list.Items {
		names = append(names, list.Items[i].GetName())
	}
	return names, nil
}

func (r *recorded) log(_ context.Context, l logRequest) (io.ReadCloser, error) {
	r.requests.Add(1)
	name := l.namespace + "/" + l.pod + "/" + l.container
	if l.previous {
		name += ".previous"
	}
	text, ok := r.logs[name]
	if !ok {
		return nil, apierrors.NewBadRequest("container is waiting to start")
	}
	return io.NopCloser(strings.NewReader(text)), nil
}
