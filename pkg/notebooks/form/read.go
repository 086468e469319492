package form

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// Where the web app is, and the ConfigMap that it has as a rule.
const (
	webAppNamespace  = "kubeflow"
	webAppDeployment = "jupyter-web-app-deployment"
	usualConfigMap   = "jupyter-web-app-config"
)

var (
	deployments = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	configMaps  = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
)

// Read reads the form of the cluster's web app, and says which ConfigMap has it. A name
// that kustomize has given a hash is found by the web app's Deployment.
func Read(ctx context.Context, c *cluster.Cluster) (*Form, *unstructured.Unstructured, error) {
	u, err := c.Dynamic.Resource(configMaps).Namespace(webAppNamespace).Get(ctx, usualConfigMap, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		u, err = mounted(ctx, c)
	}
	ref := report.Ref{Kind: "ConfigMap", Namespace: webAppNamespace, Name: usualConfigMap}
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil, fmt.Errorf("the cluster has no form for notebooks: the Jupyter web app is not installed (run `kubectl jupyter install`): %w", err)
	case apierrors.IsForbidden(err):
		return nil, nil, fmt.Errorf("%s: you are not allowed to read the form for notebooks; docs/rbac/notebook-user.yaml has the permission: %w", ref, err)
	case err != nil:
		return nil, nil, fmt.Errorf("%s: %w", ref, err)
	}
	f, err := InConfigMap(u)
	return f, u, err
}

// mounted is the ConfigMap with the form among those that the web app mounts.
func mounted(ctx context.Context, c *cluster.Cluster) (*unstructured.Unstructured, error) {
	d, err := c.Dynamic.Resource(deployments).Namespace(webAppNamespace).Get(ctx, webAppDeployment, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	volumes, _, _ := unstructured.NestedSlice(d.Object, "spec", "template", "spec", "volumes")
	for _, v := range volumes {
		volume, _ := v.(map[string]any)
		name, _, _ := unstructured.NestedString(volume, "configMap", "name")
		if name == "" {
			continue
		}
		u, err := c.Dynamic.Resource(configMaps).Namespace(webAppNamespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		if _, has, _ := unstructured.NestedString(u.Object, "data", Key); has {
			return u, nil
		}
	}
	return nil, apierrors.NewNotFound(configMaps.GroupResource(), usualConfigMap)
}
