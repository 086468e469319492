package components

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	podresource "k8s.io/component-helpers/resource"
)

// PodRequest is what the pods of one workload ask the scheduler for.
type PodRequest struct {
	Component, Kind, Namespace, Name string
	// Pods is how many there are at the least: replicas, or what an autoscaler never
	// goes below. For a DaemonSet it is one, and PerNode is set.
	Pods    int64
	PerNode bool
	// Sidecar tells that the injector adds its containers, which are counted.
	Sidecar bool
	// CPU and Memory are requests of one pod, as the scheduler counts them: what runs
	// side by side, or the largest init container where that is more.
	CPU, Memory resource.Quantity
	// Spec of one pod, with the injected containers: where it may run is in it.
	Spec *corev1.PodSpec
}

// Sum is what a set of components asks a cluster for.
type Sum struct {
	Pods []PodRequest
}

// On adds up the requests of all pods in a cluster with that many nodes.
func (s Sum) On(nodes int64) (cpu, memory resource.Quantity) {
	for _, p := range s.Pods {
		count := p.Pods
		if p.PerNode {
			count = nodes
		}
		for range count {
			cpu.Add(p.CPU)
			memory.Add(p.Memory)
		}
	}
	return cpu, memory
}

// Requests computes what the rendered components ask for, sidecars included. Whether a
// pod gets one follows from the labels of its namespace and its own; its size is the
// injector's, or what the pod's annotations say. Where Istio is not among the
// components (an existing one is used), sidecars of unknown size are not counted.
func Requests(rendered []Rendered) (Sum, error) {
	namespaces := map[string]map[string]string{} // labels
	minimum := map[string]int64{}                // autoscalers by target
	var sidecar *sidecarSize
	for _, r := range rendered {
		for _, u := range r.Objects {
			switch u.GetKind() {
			case "Namespace":
				namespaces[u.GetName()] = u.GetLabels()
			case "HorizontalPodAutoscaler":
				kind, _, _ := unstructured.NestedString(u.Object, "spec", "scaleTargetRef", "kind")
				name, _, _ := unstructured.NestedString(u.Object, "spec", "scaleTargetRef", "name")
				least, found, _ := unstructured.NestedInt64(u.Object, "spec", "minReplicas")
				if !found {
					least = 1 // the API's default
				}
				minimum[kind+"/"+u.GetNamespace()+"/"+name] = least
			case "ConfigMap":
				if u.GetName() != "istio-sidecar-injector" {
					continue
				}
				var err error
				if sidecar, err = readSidecarSize(u); err != nil {
					return Sum{}, err
				}
			}
		}
	}
	var sum Sum
	for _, r := range rendered {
		for _, u := range r.Objects {
			template, err := podTemplate(u)
			if err != nil {
				return Sum{}, err
			}
			if template == nil {
				continue
			}
			p := PodRequest{Component: r.Component.Name, Kind: u.GetKind(), Namespace: u.GetNamespace(), Name: u.GetName(), Pods: 1}
			if replicas, found, _ := unstructured.NestedInt64(u.Object, "spec", "replicas"); found {
				p.Pods = replicas
			}
			if least, ok := minimum[u.GetKind()+"/"+u.GetNamespace()+"/"+u.GetName()]; ok {
				p.Pods = least
			}
			p.PerNode = u.GetKind() == "DaemonSet"
			if sidecar != nil && injected(namespaces[u.GetNamespace()], template) {
				p.Sidecar = true
				if err := sidecar.addTo(template); err != nil {
					return Sum{}, fmt.Errorf("%s %s/%s: %w", u.GetKind(), u.GetNamespace(), u.GetName(), err)
				}
			}
			p.Spec = &template.Spec
			requests := podresource.PodRequests(&corev1.Pod{Spec: template.Spec}, podresource.PodResourcesOptions{})
			p.CPU, p.Memory = requests[corev1.ResourceCPU], requests[corev1.ResourceMemory]
			sum.Pods = append(sum.Pods, p)
		}
	}
	return sum, nil
}

// Sidecar is what the injector of the rendered components adds to a pod that says
// nothing about it, such as a notebook's. Zero where Istio is not among them.
func Sidecar(rendered []Rendered) (cpu, memory resource.Quantity, err error) {
	for _, r := range rendered {
		for _, u := range r.Objects {
			if u.GetKind() == "ConfigMap" && u.GetName() == "istio-sidecar-injector" {
				size, err := readSidecarSize(u)
				if err != nil {
					return cpu, memory, err
				}
				return size.Requests[corev1.ResourceCPU], size.Requests[corev1.ResourceMemory], nil
			}
		}
	}
	return cpu, memory, nil
}

// podTemplate is the template of a workload that runs from the installation on; nil for
// every other kind.
func podTemplate(u *unstructured.Unstructured) (*corev1.PodTemplateSpec, error) {
	switch u.GetKind() {
	case "Deployment", "StatefulSet", "DaemonSet":
	default:
		return nil, nil
	}
	content, _, err := unstructured.NestedMap(u.Object, "spec", "template")
	if err != nil {
		return nil, fmt.Errorf("%s %s/%s: %w", u.GetKind(), u.GetNamespace(), u.GetName(), err)
	}
	template := &corev1.PodTemplateSpec{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(content, template); err != nil {
		return nil, fmt.Errorf("%s %s/%s: its pod template cannot be read: %w", u.GetKind(), u.GetNamespace(), u.GetName(), err)
	}
	return template, nil
}

// injected follows the selectors of the injector's webhooks, and istiod's own rules for
// what they let through: a pod on the node's network is left alone, and so is one that
// says so.
func injected(namespace map[string]string, template *corev1.PodTemplateSpec) bool {
	const inject, revision, plain = "sidecar.istio.io/inject", "istio.io/rev", "istio-injection"
	wish, said := template.Labels[inject]
	if !said {
		wish = template.Annotations[inject]
	}
	if template.Spec.HostNetwork || wish == "false" {
		return false
	}
	if setting, ok := namespace[plain]; ok {
		return setting == "enabled"
	}
	return namespace[revision] == "default" || template.Labels[inject] == "true" || template.Labels[revision] == "default"
}

// sidecarSize is the resources that the injector's values give its containers.
type sidecarSize struct {
	Requests corev1.ResourceList `json:"requests"`
	Limits   corev1.ResourceList `json:"limits"`
}

func readSidecarSize(u *unstructured.Unstructured) (*sidecarSize, error) {
	text, _, err := unstructured.NestedString(u.Object, "data", "values")
	if err != nil {
		return nil, fmt.Errorf("ConfigMap %s/%s: %w", u.GetNamespace(), u.GetName(), err)
	}
	var values struct {
		Global struct {
			Proxy struct {
				Resources sidecarSize `json:"resources"`
			} `json:"proxy"`
		} `json:"global"`
	}
	if err := json.Unmarshal([]byte(text), &values); err != nil {
		return nil, fmt.Errorf("ConfigMap %s/%s: its key values is not JSON: %w", u.GetNamespace(), u.GetName(), err)
	}
	return &values.Global.Proxy.Resources, nil
}

// addTo adds the injector's containers: one that sets up the network and ends, and one
// that keeps running from then on.
func (s *sidecarSize) addTo(template *corev1.PodTemplateSpec) error {
	requests := corev1.ResourceList{}
	for name, suffix := range map[corev1.ResourceName]string{corev1.ResourceCPU: "CPU", corev1.ResourceMemory: "Memory"} {
		request := template.Annotations["sidecar.istio.io/proxy"+suffix]
		limit := template.Annotations["sidecar.istio.io/proxy"+suffix+"Limit"]
		switch {
		case request == "" && limit == "":
			if quantity, ok := s.Requests[name]; ok {
				requests[name] = quantity
			}
			continue
		case request == "":
			request = limit // which is what the API server makes of a limit alone
		}
		quantity, err := resource.ParseQuantity(request)
		if err != nil {
			return fmt.Errorf("annotation sidecar.istio.io/proxy%s: %q: %w", suffix, request, err)
		}
		requests[name] = quantity
	}
	resources := corev1.ResourceRequirements{Requests: requests}
	always := corev1.ContainerRestartPolicyAlways
	template.Spec.InitContainers = append(template.Spec.InitContainers,
		corev1.Container{Name: "istio-init", Resources: resources},
		corev1.Container{Name: "istio-proxy", Resources: resources, RestartPolicy: &always})
	return nil
}
