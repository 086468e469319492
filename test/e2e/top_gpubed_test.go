//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// gpuCluster has on each node another way to share GPUs:
//
//	gpu-0  two whole A100
//	gpu-1  one T4 in four time slices
//	cpu-0  one A100 in three MIG slices
//	cpu-1  four L4 of a DRA driver, one of them tainted; an older generation had five
//	cpu-2  two of AMD's and one of Intel's, cordoned
//
// The API server and the scheduler are real: who gets which DRA device, and why a pod waits,
// is theirs to say.
const gpuCluster = `
apiVersion: v1
kind: Namespace
metadata: {name: kubeflow-ada, annotations: {owner: ada@example.com}}
---
apiVersion: v1
kind: Namespace
metadata: {name: kubeflow-bob}
---
apiVersion: v1
kind: Namespace
metadata: {name: monitoring, labels: {resource.kubernetes.io/admin-access: "true"}}
---
apiVersion: kubeflow.org/v1
kind: Profile
metadata: {name: kubeflow-ada}
spec: {owner: {kind: User, name: ada@example.com}}
---
apiVersion: kubeflow.org/v1
kind: Notebook
metadata: {name: vision, namespace: kubeflow-ada, annotations: {notebooks.kubeflow.org/last-activity: "LAST"}}
spec: {template: {spec: {containers: [{name: vision, image: x}]}}}
---
apiVersion: resource.k8s.io/v1
kind: DeviceClass
metadata: {name: big-gpu}
spec:
  extendedResourceName: nvidia.com/gpu
  selectors: [{cel: {expression: 'device.driver == "gpu.nvidia.com"'}}]
---
apiVersion: resource.k8s.io/v1
kind: ResourceSlice
metadata: {name: cpu-1-old}
spec:
  driver: gpu.nvidia.com
  nodeName: cpu-1
  pool: {name: cpu-1, generation: 1, resourceSliceCount: 1}
  devices: [{name: gpu-0}, {name: gpu-1}, {name: gpu-2}, {name: gpu-3}, {name: gpu-4}]
---
apiVersion: resource.k8s.io/v1
kind: ResourceSlice
metadata: {name: cpu-1-new}
spec:
  driver: gpu.nvidia.com
  nodeName: cpu-1
  pool: {name: cpu-1, generation: 2, resourceSliceCount: 1}
  devices:
  - {name: gpu-0, attributes: {productName: {string: NVIDIA L4}}, capacity: {memory: {value: 23034Mi}}}
  - {name: gpu-1, attributes: {productName: {string: NVIDIA L4}}, capacity: {memory: {value: 23034Mi}}}
  - {name: gpu-2, attributes: {productName: {string: NVIDIA L4}}, capacity: {memory: {value: 23034Mi}}}
  - {name: gpu-3, attributes: {productName: {string: NVIDIA L4}}, capacity: {memory: {value: 23034Mi}}, taints: [{key: gpu.nvidia.com/xid, effect: NoSchedule}]}
---
apiVersion: resource.k8s.io/v1
kind: ResourceClaimTemplate
metadata: {name: one, namespace: kubeflow-ada}
spec: {spec: {devices: {requests: [{name: gpu, exactly: {deviceClassName: big-gpu}}]}}}
---
apiVersion: resource.k8s.io/v1
kind: ResourceClaimTemplate
metadata: {name: nine, namespace: kubeflow-ada}
spec: {spec: {devices: {requests: [{name: gpu, exactly: {deviceClassName: big-gpu, count: 9}}]}}}
---
apiVersion: resource.k8s.io/v1
kind: ResourceClaimTemplate
metadata: {name: watcher, namespace: monitoring}
spec: {spec: {devices: {requests: [{name: gpu, exactly: {deviceClassName: big-gpu, adminAccess: true, allocationMode: All, tolerations: [{operator: Exists}]}}]}}}
`

// gpuPods is one pod a line: namespace, name, node, label, and what it asks for.
var gpuPods = []struct{ namespace, name, node, labels, asks string }{
	{"kubeflow-ada", "vision-0", "gpu-0", "notebook-name: vision", "nvidia.com/gpu: 1"},
	{"kubeflow-ada", "draft-0", "gpu-1", "notebook-name: draft", "nvidia.com/gpu: 1"},
	{"kubeflow-bob", "lab-0", "gpu-1", "notebooks.kubeflow.org/workspace-name: lab", "nvidia.com/gpu: 1"},
	{"kubeflow-ada", "nlp-0", "cpu-0", "notebook-name: nlp", "nvidia.com/mig-3g.20gb: 1"},
	{"kubeflow-bob", "draft-0", "cpu-0", "notebook-name: draft", "nvidia.com/mig-1g.5gb: 1"},
	{"kubeflow-ada", "claimed-0", "", "notebook-name: claimed", "template one"},
	{"kubeflow-ada", "ext-0", "cpu-1", "app: batch", "nvidia.com/gpu: 1"},
	{"monitoring", "watcher", "cpu-1", "app: watcher", "template watcher"},
	{"kubeflow-ada", "greedy", "", "app: batch", "template nine"},
	{"kubeflow-bob", "many-0", "", "notebook-name: many", "nvidia.com/gpu: 8"},
	{"monitoring", "dcgm-whole", "gpu-0", "app: nvidia-dcgm-exporter", ""},
	{"monitoring", "dcgm-shared", "gpu-1", "app.kubernetes.io/name: dcgm-exporter", ""},
	{"monitoring", "dcgm-mig", "cpu-0", "app: nvidia-dcgm-exporter-dra", ""},
	{"monitoring", "dcgm-broken", "cpu-1", "app: nvidia-dcgm-exporter", ""},
}

func gpuPod(namespace, name, node, labels, asks string) string {
	claims, resources := "", "{requests: {cpu: 500m, memory: 1Gi}}"
	if template, ok := strings.CutPrefix(asks, "template "); ok {
		claims = "resourceClaims: [{name: gpu, resourceClaimTemplateName: " + template + "}]"
		resources = "{claims: [{name: gpu}]}"
	} else if asks != "" {
		resources = "{requests: {cpu: 500m, memory: 1Gi}, limits: {" + asks + "}}"
	}
	selector := ""
	if node != "" {
		selector = "nodeSelector: {kubernetes.io/hostname: " + node + "}"
	}
	return fmt.Sprintf(`
---
apiVersion: v1
kind: Pod
metadata: {name: %s, namespace: %s, labels: {%s}, annotations: {kwok.x-k8s.io/usage-cpu: 250m, kwok.x-k8s.io/usage-memory: 512Mi}}
spec:
  %s
  %s
  containers: [{name: main, image: x, resources: %s}]
`, name, namespace, labels, selector, claims, resources)
}

// gpuBed makes the nodes and pods, and puts stand-ins for the exporters where the simulated
// pods have their addresses. The API server reaches them as it reaches any pod.
func gpuBed(t *testing.T) *bed {
	b := newBed(t, "--metrics-server=true")
	for _, crd := range []string{"profiles/crds/profiles", "notebook-controller/crds/notebooks"} {
		b.kubectl("apply", "-f", filepath.Join("..", "..", "pkg", "components", "releases", components.DefaultRelease, filepath.Dir(crd), filepath.Base(crd)+".kubeflow.org.json"))
	}
	eventually(t, "Profiles and Notebooks can be made", func() bool {
		_, err := b.tryKubectl("", "get", "profiles.kubeflow.org,notebooks.kubeflow.org", "-A")
		return err == nil
	})
	for node, change := range map[string]struct{ resources, labels string }{
		"gpu-0": {`"nvidia.com/gpu":"2"`, "nvidia.com/gpu.memory=40960"},
		"gpu-1": {`"nvidia.com/gpu":"4"`, "nvidia.com/gpu.product=Tesla-T4-SHARED nvidia.com/gpu.replicas=4 nvidia.com/gpu.sharing-strategy=time-slicing"},
		"cpu-0": {`"nvidia.com/mig-1g.5gb":"2","nvidia.com/mig-3g.20gb":"1"`, "nvidia.com/mig.strategy=mixed nvidia.com/mig-1g.5gb.product=NVIDIA-A100-SXM4-40GB-MIG-1g.5gb"},
		"cpu-2": {`"amd.com/gpu":"2","gpu.intel.com/i915":"1","gpu.intel.com/i915_monitoring":"1","example.com/megabytes":"80000"`, "amd.com/gpu.product-name=AMD_Instinct_MI300X amd.com/gpu.vram=192G gpu.intel.com/product=Flex_170"},
	} {
		b.kubectl("patch", "node", node, "--subresource=status", "-p", `{"status":{"capacity":{`+change.resources+`},"allocatable":{`+change.resources+`}}}`)
		b.kubectl(append([]string{"label", "--overwrite", "node", node}, strings.Fields(change.labels)...)...)
	}
	b.kubectl("cordon", "cpu-2")
	manifest := strings.ReplaceAll(gpuCluster, "LAST", time.Now().Add(-2*time.Hour).UTC().Format(time.RFC3339))
	for _, p := range gpuPods {
		manifest += gpuPod(p.namespace, p.name, p.node, p.labels, p.asks)
	}
	b.apply(manifest)
	for _, p := range gpuPods {
		if p.name != "greedy" && p.name != "many-0" {
			b.kubectl("-n", p.namespace, "wait", "--for=condition=Ready", "--timeout=60s", "pod/"+p.name)
		}
	}
	standIn := filepath.Join(t.TempDir(), "stand-in-dcgm-exporter")
	build := exec.Command("go", "build", "-o", standIn, "../standin/dcgm-exporter")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", build, err, out)
	}
	for pod, args := range map[string][]string{
		"dcgm-whole": {"-file", "whole.prom"}, "dcgm-shared": {"-file", "shared.prom"}, "dcgm-mig": {"-file", "mig.prom"}, "dcgm-broken": {"-status", "500"},
	} {
		if args[0] == "-file" {
			file, err := filepath.Abs(filepath.Join("..", "..", "pkg", "usage", "dcgm", "testdata", args[1]))
			if err != nil {
				t.Fatal(err)
			}
			args[1] = file
		}
		address := b.kubectl("-n", "monitoring", "get", "pod", pod, "-o", "jsonpath={.status.podIP}") + ":9400"
		cmd := exec.Command(programs(t).Devcluster, append([]string{"exec", "--dir", b.Dir, "--", standIn, "-listen", address}, args...)...)
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Signal(os.Interrupt); _ = cmd.Wait() })
	}
	eventually(t, "all stand-ins for exporters answer", func() bool {
		for _, pod := range []string{"dcgm-whole", "dcgm-shared", "dcgm-mig"} {
			if _, err := b.tryKubectl("", "get", "--raw", "/api/v1/namespaces/monitoring/pods/http:"+pod+":9400/proxy/metrics"); err != nil {
				return false
			}
		}
		return true
	})
	return b
}
