package kwok

import (
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// MaxNodes is how many simulated nodes a bed may have.
const MaxNodes = 250

// NodeOptions say which nodes there are.
type NodeOptions struct {
	// Count is how many, GPUs how many of them, the last ones, have GPUs.
	Count, GPUs int
	// Tainted nodes take only pods that tolerate kwok.x-k8s.io/node, so that they can stand beside a real node.
	Tainted bool
	// Addresses of a node, by its number.
	Addresses func(index int) []netip.Addr
	// KubeletVersion is what the nodes say of their kubelet; kwok's own when empty.
	KubeletVersion string
}

// gpuModel is a GPU as GPU feature discovery labels it.
type gpuModel struct {
	product, family string
	memoryMiB       int
	count           int
}

// The two kinds of GPU nodes, taken in turn.
var gpuModels = []gpuModel{
	{product: "NVIDIA-A100-SXM4-80GB", family: "ampere", memoryMiB: 81920, count: 4},
	{product: "Tesla-T4", family: "turing", memoryMiB: 15360, count: 1},
}

// Nodes returns simulated nodes.
func Nodes(o NodeOptions) ([]*unstructured.Unstructured, error) {
	count := o.Count
	if count < 0 || count > MaxNodes {
		return nil, fmt.Errorf("%d simulated nodes: the number must be 0 to %d", count, MaxNodes)
	}
	if o.GPUs < 0 {
		return nil, fmt.Errorf("%d nodes with GPUs: the number must not be negative", o.GPUs)
	}
	gpus := min(o.GPUs, count)
	var all []*unstructured.Unstructured
	for i := range count {
		var n *corev1.Node
		if g := i - (count - gpus); g >= 0 {
			n = node(fmt.Sprintf("gpu-%d", g), "16", "128Gi", o.Addresses(i))
			withGPU(n, gpuModels[g%len(gpuModels)])
		} else {
			n = node(fmt.Sprintf("cpu-%d", i), "8", "32Gi", o.Addresses(i))
		}
		n.Status.NodeInfo.KubeletVersion = o.KubeletVersion
		if o.Tainted {
			n.Spec.Taints = []corev1.Taint{{Key: SelectorKey, Value: SelectorValue, Effect: corev1.TaintEffectNoSchedule}}
		}
		obj, err := runtime.DefaultUnstructuredConverter.ToUnstructured(n)
		if err != nil {
			return nil, err
		}
		all = append(all, &unstructured.Unstructured{Object: obj})
	}
	return all, nil
}

func node(name, cpu, memory string, at []netip.Addr) *corev1.Node {
	var addresses []corev1.NodeAddress
	for _, a := range at {
		addresses = append(addresses, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: a.String()})
	}
	resources := corev1.ResourceList{
		corev1.ResourceCPU:              resource.MustParse(cpu),
		corev1.ResourceMemory:           resource.MustParse(memory),
		corev1.ResourcePods:             resource.MustParse("110"),
		corev1.ResourceEphemeralStorage: resource.MustParse("100Gi"),
	}
	return &corev1.Node{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Node"},
		ObjectMeta: metav1.ObjectMeta{
			Name: name,
			Labels: map[string]string{
				corev1.LabelHostname:   name,
				corev1.LabelArchStable: "amd64",
				corev1.LabelOSStable:   "linux",
			},
			Annotations: map[string]string{
				SelectorKey: SelectorValue,
				// Tells metrics-server where this node's figures are, since all
				// nodes share one kubelet port.
				"metrics.k8s.io/resource-metrics-path": "/metrics/nodes/" + name + "/metrics/resource",
			},
		},
		Status: corev1.NodeStatus{
			Capacity:    resources,
			Allocatable: resources.DeepCopy(),
			Addresses:   append(addresses, corev1.NodeAddress{Type: corev1.NodeHostName, Address: name}),
		},
	}
}

func withGPU(n *corev1.Node, m gpuModel) {
	const gpu = corev1.ResourceName("nvidia.com/gpu")
	q := *resource.NewQuantity(int64(m.count), resource.DecimalSI)
	n.Status.Capacity[gpu], n.Status.Allocatable[gpu] = q, q
	for k, v := range map[string]string{
		"nvidia.com/gpu.present":          "true",
		"nvidia.com/gpu.product":          m.product,
		"nvidia.com/gpu.family":           m.family,
		"nvidia.com/gpu.memory":           fmt.Sprint(m.memoryMiB),
		"nvidia.com/gpu.count":            fmt.Sprint(m.count),
		"nvidia.com/gpu.replicas":         "1",
		"nvidia.com/gpu.sharing-strategy": "none",
	} {
		n.Labels[k] = v
	}
}
