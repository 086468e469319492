// Package offer finds what the web app's form for a new notebook can offer on the nodes of a
// cluster, and changes the form.
package offer

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/form"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
)

// FromNodes is what a form offers where it offers what the nodes have: every kind of GPUs, the
// nodes by the product of their GPUs, the taints of nodes with GPUs, and the form's sizes, or
// the largest that fit where those are too large. Notes say what stays as it is.
func FromNodes(nodes []corev1.Node, f *form.Form) (chosen components.Form, notes []string) {
	gpus := gpuNodes(nodes, f)
	if len(gpus) == 0 {
		notes = append(notes, "no node has a GPU: the form keeps its kinds of GPUs, its affinities and its tolerations")
	}
	chosen.GPUs = kinds(gpus, f)
	chosen.Affinities = affinities(gpus)
	chosen.Tolerations = tolerations(gpus)
	if len(gpus) > 0 && len(chosen.Affinities) == 0 {
		notes = append(notes, "no node says which product its GPUs are (labels of GPU feature discovery, AMD's node labeller or GKE): the form keeps its affinities")
	}
	if len(gpus) > 0 && len(chosen.Tolerations) == 0 {
		notes = append(notes, "no node with GPUs has taints: the form keeps its tolerations")
	}
	var note string
	if chosen.CPU, chosen.Memory, note = sizes(nodes, f); note != "" {
		notes = append(notes, note)
	}
	return chosen, notes
}

// gpuNode is a node with the kinds of GPUs that it has.
type gpuNode struct {
	*corev1.Node
	gpus []usage.GPU
}

func gpuNodes(nodes []corev1.Node, f *form.Form) []gpuNode {
	// Kinds that the form has, and that nobody else knows as GPUs.
	var others []string
	for _, v := range f.GPUs.Value.Vendors {
		others = append(others, v.Resource)
	}
	var out []gpuNode
	for i := range nodes {
		gpus := slices.DeleteFunc(usage.GPUsOf(&nodes[i], others), func(g usage.GPU) bool { return g.Capacity == 0 })
		if len(gpus) > 0 {
			out = append(out, gpuNode{&nodes[i], gpus})
		}
	}
	return out
}

// kinds of GPUs, whole ones first.
func kinds(nodes []gpuNode, f *form.Form) []components.FormGPU {
	titles := map[string]string{}
	for _, v := range f.GPUs.Value.Vendors {
		titles[v.Resource] = v.Title
	}
	// A kind is shared where all nodes share it: somewhere else a person gets a whole one.
	shared := map[string]usage.Sharing{}
	for _, n := range nodes {
		for _, g := range n.gpus {
			if was, ok := shared[g.Resource]; ok && was != g.Sharing {
				shared[g.Resource] = usage.NotShared
			} else if !ok {
				shared[g.Resource] = g.Sharing
			}
		}
	}
	var out []components.FormGPU
	for _, name := range slices.Sorted(maps.Keys(shared)) {
		title := title(name)
		if title == "" {
			title = cmp.Or(titles[name], name)
		}
		if shared[name] != usage.NotShared {
			title += fmt.Sprintf(" (shared by %s)", shared[name])
		}
		out = append(out, components.FormGPU{Resource: name, Title: title})
	}
	whole := func(g components.FormGPU) bool { return strings.HasSuffix(g.Resource, "/gpu") }
	slices.SortStableFunc(out, func(a, b components.FormGPU) int {
		switch {
		case whole(a) == whole(b):
			return 0
		case whole(a):
			return -1
		}
		return 1
	})
	return out
}

// title is what people read for a resource; empty where nothing is known of it.
func title(name string) string {
	vendor, kind, _ := strings.Cut(name, "/")
	switch vendor {
	case "nvidia.com":
		switch profile, isMIG := strings.CutPrefix(kind, "mig-"); {
		case isMIG:
			return "NVIDIA MIG " + profile
		default:
			return "NVIDIA"
		}
	case "amd.com":
		if kind == "gpu" {
			return "AMD"
		}
		return "AMD " + kind
	case "gpu.intel.com":
		return "Intel " + kind
	}
	return ""
}

// productLabels name the product of a node's GPUs.
var productLabels = []string{"nvidia.com/gpu.product", "amd.com/gpu.product-name", "gpu.intel.com/product", "cloud.google.com/gke-accelerator"}

// affinities are one for each product.
func affinities(nodes []gpuNode) []components.FormAffinity {
	var out []components.FormAffinity
	for _, n := range nodes {
		for _, label := range productLabels {
			product := n.Labels[label]
			if product == "" {
				continue
			}
			key := keyOf(product)
			if !slices.ContainsFunc(out, func(a components.FormAffinity) bool { return a.Key == key }) {
				out = append(out, components.FormAffinity{Key: key, Title: product, Affinity: onNodesWith(label, product)})
			}
			break
		}
	}
	slices.SortFunc(out, func(a, b components.FormAffinity) int { return strings.Compare(a.Key, b.Key) })
	return out
}

func onNodesWith(label, value string) map[string]any {
	expression := map[string]any{"key": label, "operator": string(corev1.NodeSelectorOpIn), "values": []any{value}}
	return map[string]any{"nodeAffinity": map[string]any{"requiredDuringSchedulingIgnoredDuringExecution": map[string]any{
		"nodeSelectorTerms": []any{map[string]any{"matchExpressions": []any{expression}}},
	}}}
}

var notInKey = regexp.MustCompile(`[^a-z0-9]+`)

// keyOf makes a key of the form out of any text.
func keyOf(text string) string {
	return strings.Trim(notInKey.ReplaceAllString(strings.ToLower(text), "-"), "-")
}

// tolerations are one group for each set of taints that nodes with GPUs have.
func tolerations(nodes []gpuNode) []components.FormTolerations {
	groups := map[string]components.FormTolerations{}
	for _, n := range nodes {
		var texts []string
		var all []map[string]any
		for _, t := range taints(n.Node) {
			texts = append(texts, t.ToString())
			toleration := map[string]any{"key": t.Key, "operator": string(corev1.TolerationOpExists), "effect": string(t.Effect)}
			if t.Value != "" {
				toleration["operator"], toleration["value"] = string(corev1.TolerationOpEqual), t.Value
			}
			all = append(all, toleration)
		}
		if len(all) > 0 {
			text := strings.Join(texts, ", ")
			groups[text] = components.FormTolerations{Key: keyOf(text), Title: "Nodes with GPUs: " + text, Tolerations: all}
		}
	}
	var out []components.FormTolerations
	for _, text := range slices.Sorted(maps.Keys(groups)) {
		out = append(out, groups[text])
	}
	return out
}

// passing are prefixes of taints that say how a node is now, not whom it is for.
var passing = []string{"node.kubernetes.io/", "node.cloudprovider.kubernetes.io/", "ToBeDeletedByClusterAutoscaler", "DeletionCandidateOfClusterAutoscaler"}

// taints that keep a notebook away, as long as it does not put up with them, in their order.
func taints(n *corev1.Node) []corev1.Taint {
	var out []corev1.Taint
	for _, t := range n.Spec.Taints {
		if t.Effect != corev1.TaintEffectPreferNoSchedule && !slices.ContainsFunc(passing, func(p string) bool { return strings.HasPrefix(t.Key, p) }) {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b corev1.Taint) int { return strings.Compare(a.ToString(), b.ToString()) })
	return out
}

// share of a node that notebooks can have: the sidecar and the node's own pods need the rest.
const share = 0.9

// sizes are those that the form proposes and no node fits, made as large as fits.
func sizes(nodes []corev1.Node, f *form.Form) (cpu, memory, note string) {
	room := Largest(nodes)
	if room == nil {
		return "", "", "no node is open to notebooks: the form keeps its sizes"
	}
	cores, err := strconv.ParseFloat(string(f.CPU.Value), 64)
	if err != nil {
		cores = 0
	}
	amount, err := resource.ParseQuantity(string(f.Memory.Value))
	if err != nil {
		amount = resource.Quantity{}
	}
	if cores > room.CPU {
		cpu = strconv.FormatFloat(room.CPU, 'f', -1, 64)
	}
	if gi := float64(amount.Value()) / (1 << 30); gi > room.MemoryGi {
		memory = strconv.FormatFloat(room.MemoryGi, 'f', 1, 64) + "Gi"
	}
	return cpu, memory, ""
}

// Room is what a notebook can have at most on an empty node.
type Room struct {
	Node     string  `json:"node"`
	CPU      float64 `json:"cpu"`
	MemoryGi float64 `json:"memoryGi"`
}

// Largest is the room of the node with the most memory that is open to every notebook; nil
// where there is none.
func Largest(nodes []corev1.Node) *Room {
	var out *Room
	for i := range nodes {
		n := &nodes[i]
		if n.Spec.Unschedulable || len(taints(n)) > 0 {
			continue
		}
		cpu, memory := n.Status.Allocatable[corev1.ResourceCPU], n.Status.Allocatable[corev1.ResourceMemory]
		room := Room{
			Node: n.Name, CPU: down(cpu.AsApproximateFloat64() * share),
			MemoryGi: down(float64(memory.Value()) / (1 << 30) * share),
		}
		if out == nil || room.MemoryGi > out.MemoryGi || room.MemoryGi == out.MemoryGi && room.CPU > out.CPU {
			out = &room
		}
	}
	return out
}

// down rounds to a tenth.
func down(f float64) float64 { return math.Floor(f*10) / 10 }
