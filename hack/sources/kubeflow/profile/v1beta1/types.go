// Package v1beta1 is a served version of the Profile API whose schema is that
// of v1.
//
// +groupName=kubeflow.org
package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/kubectl-jupyter/kubectl-jupyter/hack/sources/kubeflow/profile/v1"
)

// Profile is v1's Profile under the name v1beta1.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster
// +kubebuilder:subresource:status
type Profile struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   v1.ProfileSpec   `json:"spec,omitempty"`
	Status v1.ProfileStatus `json:"status,omitempty"`
}
