package usage

import (
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Prefixes of the vendors' resources and labels.
const (
	nvidia = "nvidia.com/"
	amd    = "amd.com/"
	intel  = "gpu.intel.com/"
)

// IsGPU tells whether an extended resource is a GPU, a slice or a slot of one. Names are
// those of the device plugins of NVIDIA (gpu, gpu.shared, mig-*), AMD (gpu, and
// partitions such as cpx_nps4) and Intel (i915 and xe; their *_monitoring resources are
// no devices to compute on). Others are a user's own.
func IsGPU(name string, others []string) bool {
	if kind, ok := strings.CutPrefix(name, nvidia); ok && (kind == "gpu" || kind == "gpu.shared" || strings.HasPrefix(kind, "mig-")) {
		return true
	}
	if kind, ok := strings.CutPrefix(name, amd); ok && (kind == "gpu" || strings.Contains(kind, "_nps")) {
		return true
	}
	if kind, ok := strings.CutPrefix(name, intel); ok && (kind == "i915" || kind == "xe") {
		return true
	}
	return slices.Contains(others, name)
}

// GPUsOf are the GPU resources of a node, sorted by name. A resource stays listed while
// its device plugin is away, with a capacity of 0.
func GPUsOf(n *corev1.Node, others []string) []GPU {
	var out []GPU
	for name, capacity := range n.Status.Capacity {
		if !IsGPU(string(name), others) {
			continue
		}
		allocatable := n.Status.Allocatable[name]
		g := GPU{Resource: string(name), Origin: DevicePlugin, Replicas: 1, Capacity: capacity.Value(), Allocatable: allocatable.Value()}
		g.describe(n.Labels)
		out = append(out, g)
	}
	slices.SortFunc(out, func(a, b GPU) int { return strings.Compare(a.Resource, b.Resource) })
	return out
}

// sharedSuffix is what GPU feature discovery appends to the product of shared GPUs that
// keep their resource's name.
const sharedSuffix = "-SHARED"

// describe reads the labels of GPU feature discovery, AMD's node labeller and Intel's
// node feature rules.
func (g *GPU) describe(labels map[string]string) {
	switch {
	case strings.HasPrefix(g.Resource, nvidia):
		// nvidia.com/mig-1g.5gb.product describes nvidia.com/mig-1g.5gb.
		prefix := strings.TrimSuffix(g.Resource, ".shared") + "."
		product, shared := strings.CutSuffix(labels[prefix+"product"], sharedSuffix)
		g.Product = product
		g.MemoryEach = bytesOf(labels[prefix+"memory"]+"Mi", labels[prefix+"memory"] != "")
		if n, err := strconv.ParseInt(labels[prefix+"replicas"], 10, 64); err == nil && n > 1 {
			g.Replicas = n
		}
		g.describeGKE(labels)
		switch labels[prefix+"sharing-strategy"] {
		case "time-slicing":
			g.Sharing = TimeSlicing
		case "mps":
			g.Sharing = MPS
		case "":
			// Older versions have no such label, and time-slicing only.
			if shared || strings.HasSuffix(g.Resource, ".shared") || g.Replicas > 1 {
				g.Sharing = TimeSlicing
			}
		}
	case strings.HasPrefix(g.Resource, amd):
		g.Product = labels[amd+"gpu.product-name"]
		// The labeller divides by 2^30 and writes G.
		vram := labels[amd+"gpu.vram"]
		g.MemoryEach = bytesOf(vram+"i", vram != "")
	case strings.HasPrefix(g.Resource, intel):
		g.Product = labels[intel+"product"]
		// With sharedDevNum a device is counted as often as pods may have it. The labels count
		// the devices themselves, by their kind.
		var devices int64
		for key, value := range labels {
			if strings.HasPrefix(key, intel+"device-id.") && strings.HasSuffix(key, ".count") {
				n, _ := strconv.ParseInt(value, 10, 64)
				devices += n
			}
		}
		g.share(devices)
	}
}

// describeGKE reads the labels that GKE gives its nodes in place of GPU feature discovery's.
func (g *GPU) describeGKE(labels map[string]string) {
	const gke = "cloud.google.com/gke-"
	if g.Product == "" {
		g.Product = labels[gke+"accelerator"]
	}
	switch labels[gke+"gpu-sharing-strategy"] {
	case "time-sharing":
		g.Sharing = TimeSlicing
	case "mps":
		g.Sharing = MPS
	default:
		return
	}
	if n, err := strconv.ParseInt(labels[gke+"max-shared-clients-per-gpu"], 10, 64); err == nil && n > 1 {
		g.Replicas = n
	}
}

// share takes what is counted for slots where there are fewer devices, as HAMi's plugin and
// Intel's with sharedDevNum count them.
func (g *GPU) share(devices int64) {
	if g.Sharing == NotShared && devices > 0 && g.Allocatable == g.Capacity && g.Capacity > devices && g.Capacity%devices == 0 {
		g.Sharing, g.Replicas = Slots, g.Capacity/devices
	}
}

// bytesOf reads a quantity; 0 where there is none.
func bytesOf(text string, there bool) int64 {
	if !there {
		return 0
	}
	q, err := resource.ParseQuantity(text)
	if err != nil {
		return 0
	}
	return q.Value()
}

// Slots tells whether what is counted are slots of shared GPUs.
func (g GPU) Slots() bool { return g.Sharing != NotShared }
