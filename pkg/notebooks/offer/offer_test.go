package offer

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/form"
)

// release is a form as a release has it.
const release = `
spawnerFormDefaults:
  image: {value: a/jupyter-scipy:v1, options: [a/jupyter-scipy:v1]}
  cpu: {value: "0.5", limitFactor: "1.2"}
  memory: {value: 1.0Gi, limitFactor: "1.2"}
  gpus: {value: {num: none, vendors: [{limitsKey: nvidia.com/gpu, uiName: NVIDIA}, {limitsKey: habana.ai/gaudi, uiName: Intel Gaudi}]}}
`

func nodes(t *testing.T, text string) []corev1.Node {
	t.Helper()
	var out []corev1.Node
	for _, doc := range strings.Split(text, "\n---\n") {
		var n corev1.Node
		if err := yaml.Unmarshal([]byte(doc), &n); err != nil {
			t.Fatal(err)
		}
		out = append(out, n)
	}
	return out
}

const worker = `
metadata: {name: worker}
status: {capacity: {cpu: 4, memory: 16Gi}, allocatable: {cpu: 4, memory: 16Gi}}`

func TestTheFormOffersWhatTheNodesHave(t *testing.T) {
	for _, tt := range []struct {
		name, nodes string
		// gpus are resource and title, affinities key, label and value, tolerations key and title.
		gpus, affinities, tolerations []string
		cpu, memory                   string
		notes                         []string
	}{
		{
			name:  "without GPUs it stays as it is",
			nodes: worker,
			notes: []string{"no node has a GPU"},
		},
		{
			name: "whole GPUs and MIG slices of one node, by profile",
			nodes: worker + `
---
metadata: {name: a100, labels: {nvidia.com/gpu.product: NVIDIA-A100-SXM4-40GB}}
spec: {taints: [{key: nvidia.com/gpu, value: present, effect: NoSchedule}, {key: node.kubernetes.io/not-ready, effect: NoExecute}]}
status: {capacity: {nvidia.com/gpu: 2, nvidia.com/mig-3g.20gb: 1, nvidia.com/mig-1g.5gb: 3, cpu: 64, memory: 256Gi}}`,
			gpus:        []string{"nvidia.com/gpu NVIDIA", "nvidia.com/mig-1g.5gb NVIDIA MIG 1g.5gb", "nvidia.com/mig-3g.20gb NVIDIA MIG 3g.20gb"},
			affinities:  []string{"nvidia-a100-sxm4-40gb nvidia.com/gpu.product NVIDIA-A100-SXM4-40GB"},
			tolerations: []string{"nvidia-com-gpu-present-noschedule Nodes with GPUs: nvidia.com/gpu=present:NoSchedule"},
		},
		{
			name: "slots of shared GPUs say so, unless a node has whole ones",
			nodes: worker + `
---
metadata: {name: shared, labels: {nvidia.com/gpu.product: Tesla-T4-SHARED, nvidia.com/gpu.replicas: "4", nvidia.com/gpu.sharing-strategy: time-slicing}}
status: {capacity: {nvidia.com/gpu: 4}}`,
			gpus:       []string{"nvidia.com/gpu NVIDIA (shared by time-slicing)"},
			affinities: []string{"tesla-t4-shared nvidia.com/gpu.product Tesla-T4-SHARED"},
			notes:      []string{"no node with GPUs has taints"},
		},
		{
			name: "a kind that some nodes share and others do not is not called shared",
			nodes: worker + `
---
metadata: {name: shared, labels: {nvidia.com/gpu.replicas: "4"}}
status: {capacity: {nvidia.com/gpu: 4}}
---
metadata: {name: whole}
status: {capacity: {nvidia.com/gpu: 4}}`,
			gpus:  []string{"nvidia.com/gpu NVIDIA"},
			notes: []string{"no node says which product", "no node with GPUs has taints"},
		},
		{
			name: "AMD, Intel and a kind that only the form knows",
			nodes: worker + `
---
metadata: {name: amd, labels: {amd.com/gpu.product-name: AMD_Instinct_MI300X}}
status: {capacity: {amd.com/gpu: 8}}
---
metadata: {name: parts}
spec: {taints: [{key: dedicated, value: ml, effect: NoExecute}, {key: soft, effect: PreferNoSchedule}]}
status: {capacity: {amd.com/cpx_nps4: 8}}
---
metadata: {name: intel, labels: {gpu.intel.com/product: Max_1550}}
status: {capacity: {gpu.intel.com/i915: 2, gpu.intel.com/i915_monitoring: 1}}
---
metadata: {name: gaudi}
spec: {taints: [{key: habana.ai/gaudi, effect: NoSchedule}]}
status: {capacity: {habana.ai/gaudi: 8, example.com/fpga: 1}}`,
			gpus: []string{
				"amd.com/gpu AMD", "amd.com/cpx_nps4 AMD cpx_nps4", "gpu.intel.com/i915 Intel i915", "habana.ai/gaudi Intel Gaudi",
			},
			affinities: []string{"amd-instinct-mi300x amd.com/gpu.product-name AMD_Instinct_MI300X", "max-1550 gpu.intel.com/product Max_1550"},
			tolerations: []string{
				"dedicated-ml-noexecute Nodes with GPUs: dedicated=ml:NoExecute", "habana-ai-gaudi-noschedule Nodes with GPUs: habana.ai/gaudi:NoSchedule",
			},
		},
		{
			name: "a device plugin that is away offers nothing",
			nodes: worker + `
---
metadata: {name: a100}
status: {capacity: {nvidia.com/gpu: 0}}`,
			notes: []string{"no node has a GPU"},
		},
		{
			name: "sizes that fit nowhere become the largest that do",
			nodes: `
metadata: {name: small}
status: {allocatable: {cpu: 400m, memory: 900Mi}}
---
metadata: {name: control-plane}
spec: {taints: [{key: node-role.kubernetes.io/control-plane, effect: NoSchedule}]}
status: {allocatable: {cpu: 8, memory: 32Gi}}
---
metadata: {name: drained}
spec: {unschedulable: true}
status: {allocatable: {cpu: 8, memory: 32Gi}}`,
			cpu: "0.3", memory: "0.7Gi",
			notes: []string{"no node has a GPU"},
		},
		{
			name: "without a node that is open to notebooks sizes stay",
			nodes: `
metadata: {name: control-plane}
spec: {taints: [{key: node-role.kubernetes.io/control-plane, effect: NoSchedule}]}
status: {allocatable: {cpu: 100m, memory: 1Mi}}`,
			notes: []string{"no node has a GPU", "no node is open to notebooks"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := form.Parse([]byte(release))
			if err != nil {
				t.Fatal(err)
			}
			got, notes := FromNodes(nodes(t, tt.nodes), f)
			var gpus, affinities, tolerations []string
			for _, g := range got.GPUs {
				gpus = append(gpus, g.Resource+" "+g.Title)
			}
			for _, a := range got.Affinities {
				affinities = append(affinities, a.Key+" "+required(t, a))
			}
			for _, g := range got.Tolerations {
				tolerations = append(tolerations, g.Key+" "+g.Title)
			}
			for _, c := range []struct {
				what      string
				got, want []string
			}{{"GPUs", gpus, tt.gpus}, {"affinities", affinities, tt.affinities}, {"tolerations", tolerations, tt.tolerations}} {
				if !slices.Equal(c.got, c.want) {
					t.Errorf("%s = %q, want %q", c.what, c.got, c.want)
				}
			}
			if got.CPU != tt.cpu || got.Memory != tt.memory {
				t.Errorf("sizes = %q, %q, want %q, %q", got.CPU, got.Memory, tt.cpu, tt.memory)
			}
			if len(notes) != len(tt.notes) {
				t.Errorf("notes = %q, want %q", notes, tt.notes)
			}
			for i, want := range tt.notes {
				if i < len(notes) && !strings.HasPrefix(notes[i], want) {
					t.Errorf("note %d = %q, want %q", i, notes[i], want)
				}
			}
			if err := (components.Options{Form: got}).Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

// required is the label and the value that an affinity wants, as Kubernetes reads it.
func required(t *testing.T, a components.FormAffinity) string {
	t.Helper()
	text, err := yaml.Marshal(a.Affinity)
	if err != nil {
		t.Fatal(err)
	}
	var affinity corev1.Affinity
	if err := yaml.UnmarshalStrict(text, &affinity); err != nil {
		t.Fatal(err)
	}
	e := affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchExpressions[0]
	if e.Operator != corev1.NodeSelectorOpIn {
		t.Errorf("operator %s", e.Operator)
	}
	return e.Key + " " + strings.Join(e.Values, ",")
}

func TestATaintWithoutAValueIsToleratedWhateverItsValue(t *testing.T) {
	got := tolerations([]gpuNode{{Node: &nodes(t, `
metadata: {name: gpu}
spec: {taints: [{key: b, effect: NoSchedule}, {key: a, value: x, effect: NoExecute}]}`)[0]}})
	if len(got) != 1 {
		t.Fatalf("%d groups, want one: %+v", len(got), got)
	}
	text, err := yaml.Marshal(got[0].Tolerations)
	if err != nil {
		t.Fatal(err)
	}
	var read []corev1.Toleration
	if err := yaml.UnmarshalStrict(text, &read); err != nil {
		t.Fatal(err)
	}
	want := []corev1.Toleration{
		{Key: "a", Operator: corev1.TolerationOpEqual, Value: "x", Effect: corev1.TaintEffectNoExecute},
		{Key: "b", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule},
	}
	if !slices.Equal(read, want) {
		t.Errorf("tolerations = %+v, want %+v", read, want)
	}
}
