// Package v1 is the storage version of the Notebook API as the notebook
// controller of the Kubeflow 1.10 release reads and writes it.
//
// The types exist to generate the CustomResourceDefinition: k8s.io/api is held
// at the release the controller was built with, because the schema of a pod
// grows with every Kubernetes release and a field that the controller does not
// know would be accepted and then lost.
//
// +groupName=kubeflow.org
package v1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Notebook is one notebook server: a pod that the controller keeps running and
// publishes through the gateway.
//
// +kubebuilder:object:root=true
// +kubebuilder:storageversion
// +kubebuilder:subresource:status
type Notebook struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   NotebookSpec   `json:"spec,omitempty"`
	Status NotebookStatus `json:"status,omitempty"`
}

// NotebookSpec is what the owner asks for.
type NotebookSpec struct {
	Template NotebookTemplateSpec `json:"template,omitempty"`
}

// NotebookTemplateSpec holds the pod. It is no PodTemplateSpec: labels and
// annotations of the pod are taken from the Notebook itself.
type NotebookTemplateSpec struct {
	Spec corev1.PodSpec `json:"spec,omitempty"`
}

// NotebookStatus mirrors the pod.
type NotebookStatus struct {
	Conditions     []NotebookCondition   `json:"conditions"`
	ReadyReplicas  int32                 `json:"readyReplicas"`
	ContainerState corev1.ContainerState `json:"containerState"`
}

// NotebookCondition is a condition of the pod, in the pod's own words.
type NotebookCondition struct {
	Type               string      `json:"type"`
	Status             string      `json:"status"`
	LastProbeTime      metav1.Time `json:"lastProbeTime,omitempty"`
	LastTransitionTime metav1.Time `json:"lastTransitionTime,omitempty"`
	Reason             string      `json:"reason,omitempty"`
	Message            string      `json:"message,omitempty"`
}
