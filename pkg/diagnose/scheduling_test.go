package diagnose

import (
	"fmt"
	"testing"
)

const pendingDex = `
  containers: [{name: dex, image: d, resources: {requests: {cpu: 500m, memory: 2Gi}}}]`

func noNode(message string) string {
	return `
  phase: Pending
  conditions: [{type: PodScheduled, status: "False", reason: Unschedulable, message: '` + message + `'}]`
}

// busy is a pod that leaves little of node worker.
const busy = `
---
apiVersion: v1
kind: Pod
metadata: {namespace: other, name: busy}
spec:
  nodeName: worker
  initContainers: [{name: proxy, image: p, restartPolicy: Always, resources: {requests: {cpu: 100m, memory: 128Mi}}}]
  containers: [{name: busy, image: b, resources: {requests: {cpu: 1700m, memory: 3Gi}}}]
status: {phase: Running, conditions: [{type: Ready, status: "True"}]}
`

const controlPlane = `
---
apiVersion: v1
kind: Node
metadata: {name: control-plane}
spec: {taints: [{key: node-role.kubernetes.io/control-plane, effect: NoSchedule}]}
status: {allocatable: {cpu: "4", memory: 8Gi, pods: "110"}, conditions: [{type: Ready, status: "True"}]}
`

// gpuNode has as many GPUs, and a pod that has some of them.
func gpuNode(name string, has, held int) string {
	return fmt.Sprintf(`
---
apiVersion: v1
kind: Node
metadata: {name: %[1]s}
status: {allocatable: {cpu: "4", memory: 8Gi, pods: "110", nvidia.com/gpu: "%[2]d"}, conditions: [{type: Ready, status: "True"}]}
---
apiVersion: v1
kind: Pod
metadata: {namespace: other, name: holder-%[1]s}
spec:
  nodeName: %[1]s
  containers: [{name: c, image: b, resources: {limits: {nvidia.com/gpu: "%[3]d"}, requests: {nvidia.com/gpu: "%[3]d"}}}]
status: {phase: Running, conditions: [{type: Ready, status: "True"}]}
`, name, has, held)
}

func TestScheduling(t *testing.T) {
	run(t, []testCase{{
		name:    "too little cpu shows what is asked for and what each node has left",
		objects: dexPod(pendingDex, noNode("0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.")) + busy,
		want:    "error InsufficientCPU Deployment auth/dex",
	}, {
		name:    "too little of both is two causes",
		objects: dexPod(pendingDex, noNode("0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory.")) + busy,
		want:    "error InsufficientCPU Deployment auth/dex",
		then:    []string{"error InsufficientMemory Deployment auth/dex"},
	}, {
		name: "a pod that is larger than any node needs another node and not more room",
		objects: dexPod(`
  containers: [{name: dex, image: d, resources: {requests: {memory: 5Gi}}}]`, noNode("0/1 nodes are available: 1 Insufficient memory.")),
		want: "error InsufficientMemory Deployment auth/dex",
	}, {
		name: "a GPU that no node has",
		objects: dexPod(`
  containers: [{name: dex, image: d, resources: {limits: {nvidia.com/gpu: "1"}, requests: {nvidia.com/gpu: "1"}}}]`, noNode("0/1 nodes are available: 1 Insufficient nvidia.com/gpu.")),
		want: "error ResourceMissing Deployment auth/dex",
	}, {
		name: "GPUs that are free, but not on one node",
		objects: dexPod(`
  containers: [{name: dex, image: d, resources: {limits: {nvidia.com/gpu: "2"}, requests: {nvidia.com/gpu: "2"}}}]`, noNode("0/3 nodes are available: 3 Insufficient nvidia.com/gpu.")) +
			gpuNode("gpu-0", 2, 1) + gpuNode("gpu-1", 2, 1),
		want: "error ResourceFragmented Deployment auth/dex",
	}, {
		name: "GPUs that others have",
		objects: dexPod(`
  containers: [{name: dex, image: d, resources: {limits: {nvidia.com/gpu: "2"}, requests: {nvidia.com/gpu: "2"}}}]`, noNode("0/3 nodes are available: 3 Insufficient nvidia.com/gpu.")) +
			gpuNode("gpu-0", 2, 2) + gpuNode("gpu-1", 2, 1),
		want: "error InsufficientResource Deployment auth/dex",
	}, {
		name: "a full cluster that grows by itself is a delay",
		objects: dexPod(pendingDex, noNode("0/1 nodes are available: 1 Insufficient cpu.")) + busy +
			about("Pod", "auth", "dex-6f7-x2x", "TriggeredScaleUp", "11:59", "pod triggered scale-up: [{pool 1->2 (max: 5)}]"),
		want: "delay InsufficientCPU Deployment auth/dex",
	}, {
		name: "a node that Karpenter is adding is a delay",
		objects: dexPod(pendingDex, noNode("0/1 nodes are available: 1 Insufficient cpu.")) + busy +
			about("Pod", "auth", "dex-6f7-x2x", "Nominated", "11:59", "Pod should schedule on: nodeclaim/default-4x2qf"),
		want: "delay InsufficientCPU Deployment auth/dex",
	}, {
		name: "a cluster that has no node yet, and gets one",
		objects: dexAlone + podOfDex(pendingDex, noNode("no nodes available to schedule pods")) +
			about("Pod", "auth", "dex-6f7-x2x", "Nominated", "11:59", "Pod should schedule on: nodeclaim/default-4x2qf"),
		want: "delay NoNodes Deployment auth/dex",
	}, {
		name: "a node that was asked for long ago does not come",
		objects: dexPod(pendingDex, noNode("0/1 nodes are available: 1 Insufficient cpu.")) + busy +
			about("Pod", "auth", "dex-6f7-x2x", "TriggeredScaleUp", "11:30", "pod triggered scale-up: [{pool 1->2 (max: 5)}]"),
		want: "error InsufficientCPU Deployment auth/dex",
	}, {
		name: "an autoscaler that has given up is quoted",
		objects: dexPod(pendingDex, noNode("0/1 nodes are available: 1 Insufficient cpu.")) + busy +
			about("Pod", "auth", "dex-6f7-x2x", "TriggeredScaleUp", "11:50", "pod triggered scale-up: [{pool 1->2 (max: 2)}]") +
			about("Pod", "auth", "dex-6f7-x2x", "NotTriggerScaleUp", "11:58", "pod did not trigger scale-up: 1 max node group size reached"),
		want: "error InsufficientCPU Deployment auth/dex",
	}, {
		name:    "ports of the host that another pod has are quoted",
		objects: dexPod(pendingDex, noNode("0/1 nodes are available: 1 node(s) didn''t have free ports for the requested pod ports.")),
		want:    "error Unschedulable Deployment auth/dex",
	}, {
		name:    "a volume of another zone than the nodes",
		objects: dexPod(pendingDex, noNode("0/1 nodes are available: 1 node(s) had volume node affinity conflict.")),
		want:    "error Unschedulable Deployment auth/dex",
	}, {
		name:    "a scheduler of its own that does not run",
		objects: dexPod("\n  schedulerName: hami-scheduler"+pendingDex, "\n  phase: Pending"),
		want:    "error NotScheduledYet Deployment auth/dex",
	}, {
		name:    "a control plane that could take the pod is worth a warning when workers are full",
		objects: dexPod(pendingDex, noNode("0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s).")) + busy + controlPlane,
		want:    "error InsufficientCPU Deployment auth/dex",
		then:    []string{"warning UntoleratedTaint Deployment auth/dex"},
	}, {
		name:    "a cluster of tainted nodes",
		objects: dexAlone + podOfDex(pendingDex, noNode("0/1 nodes are available: 1 node(s) had untolerated taint(s).")) + controlPlane,
		want:    "error UntoleratedTaint Deployment auth/dex",
	}, {
		name: "a cordoned node",
		objects: dexPod(pendingDex, noNode("0/2 nodes are available: 1 node(s) were unschedulable.")) + `
---
apiVersion: v1
kind: Node
metadata: {name: resting}
spec: {unschedulable: true, taints: [{key: node.kubernetes.io/unschedulable, effect: NoSchedule}]}
status: {allocatable: {cpu: "4"}}
`,
		want: "error UntoleratedTaint Deployment auth/dex",
	}, {
		name: "labels that no node has",
		objects: dexPod(`
  nodeSelector: {disk: fast}`+pendingDex, noNode("0/1 nodes are available: 1 node(s) didn''t match Pod''s node affinity/selector.")),
		want: "error NodeSelectorMismatch Deployment auth/dex",
	}, {
		name:    "a cluster without nodes",
		objects: dexAlone + podOfDex(pendingDex, noNode("no nodes available to schedule pods")),
		want:    "error NoNodes Deployment auth/dex",
	}, {
		name:    "nobody schedules",
		objects: dexPod(pendingDex, "\n  phase: Pending"),
		want:    "error NotScheduledYet Deployment auth/dex",
	}, {
		name:      "without the right to list all pods the nodes' sizes must do",
		objects:   dexPod(pendingDex, noNode("0/1 nodes are available: 1 Insufficient cpu.")) + busy,
		forbidden: []string{"nodes"},
		want:      "error InsufficientCPU Deployment auth/dex",
		then:      []string{"warning Forbidden"},
	}})
}

func TestVolumes(t *testing.T) {
	const claim = `
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {namespace: auth, name: home, creationTimestamp: "2026-03-01T11:50:00Z"}
spec: {}
status: {phase: Pending}
`
	const mounts = pendingDex + `
  volumes: [{name: home, persistentVolumeClaim: {claimName: home}}]`
	unbound := noNode("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.")
	class := func(name, more string) string {
		return `
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: ` + name + more + `
`
	}
	run(t, []testCase{{
		name:    "no default StorageClass, where there is one that could be it",
		objects: dexPod(mounts, unbound) + claim + class("fast", "}") + about("PersistentVolumeClaim", "auth", "home", "FailedBinding", "11:59", "no persistent volumes available for this claim and no storage class is set"),
		want:    "error NoDefaultStorageClass PersistentVolumeClaim auth/home",
	}, {
		name:     "no StorageClass at all, told of the claim itself",
		objects:  dexPod(mounts, unbound) + claim,
		subjects: []Subject{subject("user-profile", "PersistentVolumeClaim", "auth", "home", "Pending")},
		want:     "error NoDefaultStorageClass PersistentVolumeClaim auth/home",
	}, {
		name: "a StorageClass that does not exist",
		objects: dexPod(mounts, unbound) + `
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {namespace: auth, name: home, creationTimestamp: "2026-03-01T11:50:00Z"}
spec: {storageClassName: slow}
status: {phase: Pending}
` + class("fast", "}") + about("PersistentVolumeClaim", "auth", "home", "ProvisioningFailed", "11:59", `storageclass.storage.k8s.io "slow" not found`),
		want: "error StorageClassMissing PersistentVolumeClaim auth/home",
	}, {
		name: "a provisioner that fails says why",
		objects: dexPod(mounts, unbound) + claim + class("fast", `, annotations: {storageclass.kubernetes.io/is-default-class: "true"}}`) +
			about("PersistentVolumeClaim", "auth", "home", "ProvisioningFailed", "11:59", "failed to provision volume with StorageClass \"fast\": quota exceeded"),
		want: "error ProvisioningFailed PersistentVolumeClaim auth/home",
	}, {
		name: "a provisioner that does not run",
		objects: dexPod(mounts, unbound) + claim + class("fast", `, annotations: {storageclass.kubernetes.io/is-default-class: "true"}}`) +
			about("PersistentVolumeClaim", "auth", "home", "ExternalProvisioning", "11:59", "Waiting for a volume to be created either by the external provisioner ..."),
		want: "error VolumePending PersistentVolumeClaim auth/home",
	}, {
		name: "a volume that waits for its first pod is nobody's fault",
		objects: dex + `
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {namespace: auth, name: home, creationTimestamp: "2026-03-01T11:50:00Z"}
spec: {storageClassName: local}
status: {phase: Pending}
` + class("local", "}\nvolumeBindingMode: WaitForFirstConsumer"),
		subjects: []Subject{subject("user-profile", "PersistentVolumeClaim", "auth", "home", "Pending")},
		want:     "delay VolumePending PersistentVolumeClaim auth/home",
	}, {
		name: "a node was chosen ten minutes ago, and nothing creates the volume",
		objects: dexPod(mounts, "\n  phase: Pending") + `
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  namespace: auth
  name: home
  creationTimestamp: "2026-03-01T11:50:00Z"
  annotations: {volume.kubernetes.io/selected-node: n1, volume.kubernetes.io/storage-provisioner: kubernetes.io/aws-ebs}
spec: {storageClassName: gp2}
status: {phase: Pending}
` + class("gp2", "}\nvolumeBindingMode: WaitForFirstConsumer") + about("PersistentVolumeClaim", "auth", "home", "ExternalProvisioning", "11:59", "Waiting for a volume to be created either by the external provisioner ..."),
		want: "error VolumePending PersistentVolumeClaim auth/home",
	}, {
		name: "a class whose volumes somebody makes by hand creates none",
		objects: dexPod(mounts, noNode(`0/1 nodes are available: 1 node(s) didn''t find available persistent volumes to bind.`)) + `
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {namespace: auth, name: home, creationTimestamp: "2026-03-01T11:50:00Z"}
spec: {storageClassName: local}
status: {phase: Pending}
` + class("local", "}\nprovisioner: kubernetes.io/no-provisioner\nvolumeBindingMode: WaitForFirstConsumer") +
			about("PersistentVolumeClaim", "auth", "home", "WaitForPodScheduled", "11:59", "waiting for pod dex-6f7-x2x to be scheduled"),
		want: "error VolumePending PersistentVolumeClaim auth/home",
	}, {
		name:    "a claim that does not exist",
		objects: dexPod(mounts, noNode(`0/1 nodes are available: persistentvolumeclaim "home" not found.`)),
		want:    "error VolumeMissing Deployment auth/dex",
	}})
}
