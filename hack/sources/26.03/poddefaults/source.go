// Package poddefaults pins the release of k8s.io/api that the PodDefaults webhook of the
// Kubeflow 26.03 release was built with: the types of a PodDefault are those of 1.10, and
// what a container in one may say is a later Kubernetes'. Nothing imports this package.
package poddefaults

import (
	_ "github.com/kubectl-jupyter/kubectl-jupyter/hack/sources/kubeflow/poddefault/v1alpha1"
	_ "k8s.io/api/core/v1"
)
