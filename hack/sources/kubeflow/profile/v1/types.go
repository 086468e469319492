// Package v1 is the storage version of the Profile API as the profile
// controller of the Kubeflow 1.10 release reads and writes it.
//
// The types exist to generate the CustomResourceDefinition.
//
// +groupName=kubeflow.org
package v1

import (
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Profile is one person's (or team's) namespace: the controller makes the
// namespace, its service accounts, role bindings, policy and quota.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster
// +kubebuilder:storageversion
// +kubebuilder:subresource:status
type Profile struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   ProfileSpec   `json:"spec,omitempty"`
	Status ProfileStatus `json:"status,omitempty"`
}

// ProfileSpec names the owner and what the namespace gets.
type ProfileSpec struct {
	Owner             rbacv1.Subject           `json:"owner,omitempty"`
	Plugins           []Plugin                 `json:"plugins,omitempty"`
	ResourceQuotaSpec corev1.ResourceQuotaSpec `json:"resourceQuotaSpec,omitempty"`
}

// Plugin is a cloud's workload identity to bind the namespace to. What is in
// its spec depends on the kind.
type Plugin struct {
	metav1.TypeMeta `json:",inline"`

	Spec *runtime.RawExtension `json:"spec,omitempty"`
}

// ProfileStatus tells whether the namespace could be made.
type ProfileStatus struct {
	Conditions []ProfileCondition `json:"conditions,omitempty"`
}

// ProfileCondition is Successful, Failed or Unknown, with a message.
type ProfileCondition struct {
	Type    string `json:"type,omitempty"`
	Status  string `json:"status,omitempty"`
	Message string `json:"message,omitempty"`
}
