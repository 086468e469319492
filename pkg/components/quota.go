package components

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"
)

// gpuQuota is what --gpu and a column gpu limit.
const gpuQuota = corev1.DefaultResourceRequestsPrefix + "nvidia.com/gpu"

// plainQuotas are the names without a slash that a ResourceQuota counts.
var plainQuotas = map[string]bool{
	"cpu": true, "memory": true, "storage": false, "ephemeral-storage": true, "pods": true, "services": true, "secrets": true, "configmaps": true,
	"persistentvolumeclaims": true, "replicationcontrollers": true, "resourcequotas": true, "services.loadbalancers": true, "services.nodeports": true,
	"requests.cpu": true, "requests.memory": true, "requests.storage": true, "requests.ephemeral-storage": true,
	"limits.cpu": true, "limits.memory": true, "limits.ephemeral-storage": true,
}

// Quota is an amount of a resource in the form of a ResourceQuota; gpu is short for NVIDIA's.
// Kubernetes takes names that it never counts, and says nothing: those are refused here.
func Quota(name, amount string) (resourceName, quantity string, err error) {
	if name == "gpu" {
		name = gpuQuota
	}
	q, err := resource.ParseQuantity(amount)
	switch {
	case err != nil || q.Sign() < 0:
		return "", "", fmt.Errorf("quota %s: %q is not a quantity such as 4, 500m or 16Gi", name, amount)
	case !counted(name) && strings.Contains(name, "/") && counted(corev1.DefaultResourceRequestsPrefix+name):
		return "", "", fmt.Errorf("quota %s: Kubernetes counts requests only: use %s%s", name, corev1.DefaultResourceRequestsPrefix, name)
	case !counted(name):
		return "", "", fmt.Errorf("quota %q: a ResourceQuota does not count a resource of that name: examples are cpu, memory, gpu, requests.storage, requests.example.com/fpga and count/notebooks.kubeflow.org", name)
	case !measured(name) && q.MilliValue()%1000 != 0:
		return "", "", fmt.Errorf("quota %s: %q is not a whole number", name, amount)
	}
	return name, q.String(), nil
}

// counted tells a name that a ResourceQuota counts.
func counted(name string) bool {
	if plainQuotas[name] {
		return true
	}
	if class, of, is := strings.Cut(name, ".storageclass.storage.k8s.io/"); is {
		return class != "" && (of == "requests.storage" || of == "persistentvolumeclaims")
	}
	if class, of, is := strings.Cut(name, ".deviceclass.resource.k8s.io/"); is {
		return class != "" && of == "devices"
	}
	if of, is := strings.CutPrefix(name, "count/"); is {
		return of != "" && len(validation.IsDNS1123Subdomain(of)) == 0
	}
	of, is := strings.CutPrefix(name, corev1.DefaultResourceRequestsPrefix)
	if strings.HasPrefix(of, "limits.") {
		return false // what Kubernetes has no limits of
	}
	if is && strings.HasPrefix(of, corev1.ResourceHugePagesPrefix) {
		return true
	}
	// What Kubernetes does not know itself has a domain.
	return is && strings.Contains(of, "/") && len(validation.IsQualifiedName(of)) == 0
}

// measured tells a resource that is not counted in whole ones.
func measured(name string) bool {
	for _, part := range []string{"cpu", "memory", "storage"} {
		if strings.HasSuffix(name, part) {
			return true
		}
	}
	return strings.Contains(name, corev1.ResourceHugePagesPrefix)
}
