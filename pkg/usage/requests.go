package usage

import (
	corev1 "k8s.io/api/core/v1"
	resourcehelper "k8s.io/component-helpers/resource"
)

// podFields are what PodRequests and the counting of GPUs need of a pod.
var podFields = fieldsOf[corev1.Pod](
	"spec.nodeName", "spec.overhead", "spec.resources",
	"spec.containers.name", "spec.containers.resources",
	"spec.initContainers.name", "spec.initContainers.resources", "spec.initContainers.restartPolicy",
	"status.phase", "status.conditions", "status.resize", "status.extendedResourceClaimStatus",
	"status.resources", "status.allocatedResources",
	"status.containerStatuses.name", "status.containerStatuses.resources", "status.containerStatuses.allocatedResources",
	"status.initContainerStatuses.name", "status.initContainerStatuses.resources", "status.initContainerStatuses.allocatedResources",
)

// PodRequests are what the scheduler counts for a pod: the larger of what its containers
// ask for together and of what any init container asks for, with sidecars, overhead and
// a resize that is under way. Resources of the pod as a whole override those of its
// containers, for CPU, memory and huge pages only.
func PodRequests(p *corev1.Pod) corev1.ResourceList {
	return resourcehelper.PodRequests(p, resourcehelper.PodResourcesOptions{UseStatusResources: true})
}

// Occupies tells whether a pod counts on its node: it is bound and not finished.
func Occupies(p *corev1.Pod) bool {
	return p.Spec.NodeName != "" && p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed
}

// PodGPUs are the GPU resources that a pod asks for by name. A resource that dynamic
// resource allocation gave it is not among them: there the ResourceClaim counts.
func PodGPUs(p *corev1.Pod, others []string) map[string]int64 {
	var out map[string]int64
	for name, q := range PodRequests(p) {
		if q.IsZero() || !IsGPU(string(name), others) || claimed(p, string(name)) {
			continue
		}
		if out == nil {
			out = map[string]int64{}
		}
		out[string(name)] = q.Value()
	}
	return out
}

func claimed(p *corev1.Pod, name string) bool {
	s := p.Status.ExtendedResourceClaimStatus
	if s == nil {
		return false
	}
	for _, m := range s.RequestMappings {
		if m.ResourceName == name {
			return true
		}
	}
	return false
}
