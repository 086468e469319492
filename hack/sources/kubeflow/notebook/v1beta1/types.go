// Package v1beta1 is a served version of the Notebook API whose schema is that of
// v1: clients that still ask for it get the same object.
//
// +groupName=kubeflow.org
package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/kubectl-jupyter/kubectl-jupyter/hack/sources/kubeflow/notebook/v1"
)

// Notebook is v1's Notebook under the name v1beta1.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
type Notebook struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   v1.NotebookSpec   `json:"spec,omitempty"`
	Status v1.NotebookStatus `json:"status,omitempty"`
}
