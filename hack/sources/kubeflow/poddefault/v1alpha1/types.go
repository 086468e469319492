// Package v1alpha1 is the PodDefault API as the PodDefaults webhook of the
// Kubeflow 1.10 release reads it.
//
// The types exist to generate the CustomResourceDefinition; k8s.io/api is held
// at the release the webhook was built with.
//
// +groupName=kubeflow.org
package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PodDefault is a set of additions that the webhook merges into every new pod
// of the namespace that its selector matches.
//
// +kubebuilder:object:root=true
type PodDefault struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   PodDefaultSpec   `json:"spec,omitempty"`
	Status PodDefaultStatus `json:"status,omitempty"`
}

// PodDefaultSpec is what is added, and to which pods. Desc is what the web
// app's form shows for it.
type PodDefaultSpec struct {
	Selector metav1.LabelSelector `json:"selector"`
	Desc     string               `json:"desc,omitempty"`

	Annotations map[string]string `json:"annotations,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`

	Command        []string               `json:"command,omitempty"`
	Args           []string               `json:"args,omitempty"`
	Env            []corev1.EnvVar        `json:"env,omitempty"`
	EnvFrom        []corev1.EnvFromSource `json:"envFrom,omitempty"`
	VolumeMounts   []corev1.VolumeMount   `json:"volumeMounts,omitempty"`
	Volumes        []corev1.Volume        `json:"volumes,omitempty"`
	InitContainers []corev1.Container     `json:"initContainers,omitempty"`
	Sidecars       []corev1.Container     `json:"sidecars,omitempty"`
	Tolerations    []corev1.Toleration    `json:"tolerations,omitempty"`

	ServiceAccountName           string                        `json:"serviceAccountName,omitempty"`
	AutomountServiceAccountToken *bool                         `json:"automountServiceAccountToken,omitempty"`
	ImagePullSecrets             []corev1.LocalObjectReference `json:"imagePullSecrets,omitempty"`
}

// PodDefaultStatus is empty: the webhook keeps no state.
type PodDefaultStatus struct{}
