package diagnose

import "testing"

// dex is a Deployment of one pod; what is wrong with the pod is a case's own.
const dex = dexAlone + `
apiVersion: v1
kind: Node
metadata: {name: worker}
status:
  allocatable: {cpu: "2", memory: 4Gi, pods: "110"}
  conditions: [{type: Ready, status: "True"}]
---
`

// dexAlone has no node.
const dexAlone = `
apiVersion: v1
kind: Namespace
metadata: {name: auth}
status: {phase: Active}
---
apiVersion: apps/v1
kind: Deployment
metadata: {namespace: auth, name: dex}
spec: {replicas: 1}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata:
  namespace: auth
  name: dex-6f7
  ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: dex, uid: d, controller: true}]
spec: {replicas: 1, selector: {}}
status: {replicas: 1}
---
`

// dexPod with more of its metadata, spec and status.
func dexPod(spec, status string) string { return dex + podOfDex(spec, status) }

func podOfDex(spec, status string) string {
	return `
apiVersion: v1
kind: Pod
metadata:
  namespace: auth
  name: dex-6f7-x2x
  creationTimestamp: "2026-03-01T11:50:00Z"
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: dex-6f7, uid: r, controller: true}]
spec:` + spec + `
status:` + status
}

// about makes an event about an object.
func about(kind, namespace, name, reason, last, message string) string {
	return `
---
apiVersion: v1
kind: Event
metadata: {namespace: ` + namespace + `, name: ` + name + `.` + reason + last[:2] + last[3:5] + `}
type: Warning
reason: ` + reason + `
lastTimestamp: "2026-03-01T` + last + `:00Z"
involvedObject: {kind: ` + kind + `, namespace: ` + namespace + `, name: ` + name + `}
message: ` + "'" + message + "'\n"
}

const onWorker = `
  nodeName: worker
  containers: [{name: dex, image: ghcr.io/dexidp/dex:v2.41.1, resources: {limits: {memory: 128Mi}}}]`

func waiting(reason, message string) string {
	return `
  phase: Pending
  containerStatuses: [{name: dex, state: {waiting: {reason: ` + reason + `, message: '` + message + `'}}}]`
}

func crashed(exit, more string) string {
	return `
  phase: Running
  conditions: [{type: Ready, status: "False"}]
  containerStatuses:
  - {name: dex, restartCount: 4, state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: ` + exit + more + `}}}`
}

func TestPods(t *testing.T) {
	run(t, []testCase{{
		name: "an image that its registry does not have will never come",
		objects: dexPod(onWorker, waiting("ImagePullBackOff", `Back-off pulling image "ghcr.io/dexidp/dex:v2.41.1"`)) +
			about("Pod", "auth", "dex-6f7-x2x", "Failed", "11:58", `Failed to pull image "ghcr.io/dexidp/dex:v2.41.1": rpc error: code = NotFound desc = failed to pull and unpack image "ghcr.io/dexidp/dex:v2.41.1": failed to resolve reference "ghcr.io/dexidp/dex:v2.41.1": ghcr.io/dexidp/dex:v2.41.1: not found`),
		want: "error ImagePullBackOff Deployment auth/dex", hopeless: true,
	}, {
		name:    "a registry that asks for a login is answered with a pull secret",
		objects: dexPod(onWorker, waiting("ErrImagePull", `failed to pull and unpack image "ghcr.io/dexidp/dex:v2.41.1": failed to resolve reference: unexpected status from HEAD request: 401 Unauthorized`)),
		want:    "error ImagePullBackOff Deployment auth/dex",
	}, {
		name:    "a registry that limits pulls lets the image through later",
		objects: dexPod(onWorker, waiting("ErrImagePull", `toomanyrequests: You have reached your pull rate limit.`)),
		want:    "delay ImagePullBackOff Deployment auth/dex",
	}, {
		name:    "a registry that cannot be reached for ten minutes is taken for unreachable",
		objects: dexPod(onWorker, waiting("ImagePullBackOff", `Back-off pulling image "ghcr.io/dexidp/dex:v2.41.1": ErrImagePull: failed to do request: Head "https://ghcr.io/v2/dexidp/dex/manifests/v2.41.1": dial tcp: lookup ghcr.io: i/o timeout`)),
		want:    "error ImagePullBackOff Deployment auth/dex",
	}, {
		name:    "an invalid image name is told from one that cannot be pulled",
		objects: dexPod(onWorker, waiting("InvalidImageName", `Failed to apply default image tag "ghcr.io/Dex": couldn''t parse image name`)),
		want:    "error InvalidImageName Deployment auth/dex", hopeless: true,
	}, {
		name: "an image being pulled is a delay, with its age",
		objects: dexPod(onWorker, waiting("ContainerCreating", "")) +
			about("Pod", "auth", "dex-6f7-x2x", "Pulling", "11:59", `Pulling image "ghcr.io/dexidp/dex:v2.41.1"`),
		want: "delay ImagePulling Deployment auth/dex",
	}, {
		name:    "an image for another architecture is named before it is pulled",
		objects: dexPod(onWorker, waiting("ErrImagePull", `no match for platform in manifest: not found`)),
		want:    "error WrongArchitecture Deployment auth/dex", hopeless: true,
	}, {
		name:    "an image for another architecture, in CRI-O's words",
		objects: dexPod(onWorker, waiting("ErrImagePull", `choosing an image from manifest list docker://ghcr.io/dexidp/dex:v2.41.1: no image found in image index for architecture arm64, variant "v8", OS linux`)),
		want:    "error WrongArchitecture Deployment auth/dex", hopeless: true,
	}, {
		name:    "a mirror that serves plain HTTP is reached, and is told from one that is not",
		objects: dexPod(onWorker, waiting("ErrImagePull", `failed to pull and unpack image "ghcr.io/dexidp/dex:v2.41.1": failed to resolve reference "ghcr.io/dexidp/dex:v2.41.1": failed to do request: Head "https://ghcr.io/v2/dexidp/dex/manifests/v2.41.1": http: server gave HTTP response to HTTPS client`)),
		want:    "error ImagePullBackOff Deployment auth/dex",
	}, {
		name:    "a mirror with a private CA that the node does not know",
		objects: dexPod(onWorker, waiting("ErrImagePull", `failed to do request: Head "https://ghcr.io/v2/dexidp/dex/manifests/v2.41.1": tls: failed to verify certificate: x509: certificate signed by unknown authority`)),
		want:    "error ImagePullBackOff Deployment auth/dex",
	}, {
		name:    "a certificate of a mirror that is not valid yet may be the node's clock",
		objects: dexPod(onWorker, waiting("ErrImagePull", `failed to do request: Head "https://harbor.corp.example:5000/v2/dexidp/dex/manifests/v2.41.1": tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2020-01-01T00:00:00Z is before 2026-01-01T00:00:00Z`)),
		want:    "error ImagePullBackOff Deployment auth/dex",
	}, {
		name:    "a certificate for another name, as something between node and registry has",
		objects: dexPod(onWorker, waiting("ErrImagePull", `failed to do request: Head "https://ghcr.io/v2/dexidp/dex/manifests/v2.41.1": tls: failed to verify certificate: x509: certificate is valid for proxy.corp.example, not ghcr.io`)),
		want:    "error ImagePullBackOff Deployment auth/dex",
	}, {
		name:    "a registry that does not tell private images from missing ones",
		objects: dexPod(onWorker, waiting("ErrImagePull", `failed to resolve reference "ghcr.io/dexidp/dex:v2.41.1": pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed`)),
		want:    "error ImagePullBackOff Deployment auth/dex",
	}, {
		name:    "a crash shows its exit code and the last lines of the log, without passwords",
		objects: dexPod(onWorker, crashed("2", ", reason: Error")),
		logs: map[string]string{"dex-6f7-x2x dex": "level=INFO starting\nlevel=INFO config password=hunter2 issuer=http://dex\n" +
			"Authorization: Bearer abcdefghijklmnop\nconnecting to postgres://dex:s3cret@db/dex\n\nfailed to initialize storage: no such host\n"},
		want: "error CrashLoopBackOff Deployment auth/dex",
	}, {
		name:    "a panic is shown from its first line on",
		objects: dexPod(onWorker, crashed("2", ", reason: Error")),
		logs: map[string]string{"dex-6f7-x2x dex": "one\ntwo\npanic: runtime error: invalid memory address\n\n" +
			"goroutine 1 [running]:\nmain.main()\n\t/src/main.go:10\nmain.other()\n\t/src/main.go:20\nexit status 2\n"},
		want: "error CrashLoopBackOff Deployment auth/dex",
	}, {
		name:    "a container that was killed for its memory shows its limit",
		objects: dexPod(onWorker, crashed("137", ", reason: OOMKilled")),
		want:    "error OOMKilled Deployment auth/dex",
	}, {
		name:    "inotify limits are told from other crashes by the log",
		objects: dexPod(onWorker, crashed("1", ", reason: Error")),
		logs:    map[string]string{"dex-6f7-x2x dex": "Error: failed to create watcher: too many open files"},
		want:    "error TooManyOpenFiles Deployment auth/dex",
	}, {
		name:    "a process that opens too much is not a node without inotify watches",
		objects: dexPod(onWorker, crashed("1", ", reason: Error")),
		logs:    map[string]string{"dex-6f7-x2x dex": "http: Accept error: accept tcp [::]:5556: accept4: too many open files"},
		want:    "error TooManyOpenFiles Deployment auth/dex",
	}, {
		name:    "a program for another architecture is told by what the kernel says",
		objects: dexPod(onWorker, crashed("255", ", reason: Error")),
		logs:    map[string]string{"dex-6f7-x2x dex": "exec /usr/local/bin/dex: exec format error"},
		want:    "error WrongArchitecture Deployment auth/dex", hopeless: true,
	}, {
		name: "a container that runs again after a crash may work this time",
		objects: dexPod(onWorker, `
  phase: Running
  conditions: [{type: Ready, status: "False"}]
  containerStatuses: [{name: dex, restartCount: 1, state: {running: {startedAt: "2026-03-01T11:59:50Z"}}, lastState: {terminated: {exitCode: 1, reason: Error}}}]`),
		want: "delay CrashLoopBackOff Deployment auth/dex",
	}, {
		name: "istio-init without kernel modules is named, with the modules",
		objects: dexPod(`
  nodeName: worker
  initContainers: [{name: istio-init, image: docker.io/istio/proxyv2:1.24.3}]
  containers: [{name: dex, image: d}]`, `
  phase: Pending
  initContainerStatuses:
  - {name: istio-init, restartCount: 5, state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 1, reason: Error}}}
  containerStatuses: [{name: dex, state: {waiting: {reason: PodInitializing}}}]`),
		logs: map[string]string{"dex-6f7-x2x istio-init": "error Command error output: xtables parameter problem: iptables-restore: unable to initialize table 'nat'"},
		want: "error IstioInitCrash Deployment auth/dex",
	}, {
		name: "istio-init that may not change the network needs a capability, and no modules",
		objects: dexPod(`
  nodeName: worker
  initContainers: [{name: istio-init, image: docker.io/istio/proxyv2:1.24.3}]
  containers: [{name: dex, image: d}]`, `
  phase: Pending
  initContainerStatuses:
  - {name: istio-init, restartCount: 5, state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 3, reason: Error}}}
  containerStatuses: [{name: dex, state: {waiting: {reason: PodInitializing}}}]`),
		logs: map[string]string{"dex-6f7-x2x istio-init": "iptables -t nat -N ISTIO_INBOUND\nError: iptables v1.8.7: can't initialize iptables table: Permission denied (you must be root)"},
		want: "error IstioInitCrash Deployment auth/dex",
	}, {
		name: "istio-init that ends after it has set its rules is quoted",
		objects: dexPod(`
  nodeName: worker
  initContainers: [{name: istio-init, image: docker.io/istio/proxyv2:1.24.3}]
  containers: [{name: dex, image: d}]`, `
  phase: Pending
  initContainerStatuses:
  - {name: istio-init, restartCount: 5, state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 1, reason: Error}}}
  containerStatuses: [{name: dex, state: {waiting: {reason: PodInitializing}}}]`),
		logs: map[string]string{"dex-6f7-x2x istio-init": "Running iptables-restore --noflush --counters\niptables-save\nerror: flag provided but not defined: -z"},
		want: "error CrashLoopBackOff Deployment auth/dex",
	}, {
		name:    "a container that refers to a missing Secret is named with the kubelet's words",
		objects: dexPod(onWorker, waiting("CreateContainerConfigError", `secret "dex-oidc-client" not found`)),
		want:    "error CreateContainerConfigError Deployment auth/dex",
	}, {
		name: "a pod without a network is the node's fault",
		objects: dexPod(onWorker, waiting("ContainerCreating", "")) +
			about("Pod", "auth", "dex-6f7-x2x", "FailedCreatePodSandBox", "11:59", `Failed to create pod sandbox: plugin type="calico" failed (add): error getting ClusterInformation: connection is unauthorized`),
		want: "error PodSandboxFailed Deployment auth/dex",
	}, {
		name: "a pod whose first image cannot be pulled has no fault of its network",
		objects: dexPod(onWorker, waiting("ContainerCreating", "")) +
			about("Pod", "auth", "dex-6f7-x2x", "FailedCreatePodSandBox", "11:59", `Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get sandbox image "registry.k8s.io/pause:3.8": failed to pull image "registry.k8s.io/pause:3.8": dial tcp: i/o timeout`),
		want: "error PodSandboxFailed Deployment auth/dex",
	}, {
		name: "a RuntimeClass that the node does not have",
		objects: dexPod(onWorker, waiting("ContainerCreating", "")) +
			about("Pod", "auth", "dex-6f7-x2x", "FailedCreatePodSandBox", "11:59", `Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get sandbox runtime: no runtime for "nvidia" is configured`),
		want: "error PodSandboxFailed Deployment auth/dex",
	}, {
		name: "a sandbox that fails for another reason is quoted",
		objects: dexPod(onWorker, waiting("ContainerCreating", "")) +
			about("Pod", "auth", "dex-6f7-x2x", "FailedCreatePodSandBox", "11:59", `Failed to create pod sandbox: rpc error: code = Unknown desc = failed to start sandbox: cgroup deadline`),
		want: "error PodSandboxFailed Deployment auth/dex",
	}, {
		name: "a probe that fails for long is an error, with the probe's words",
		objects: dexPod(onWorker, `
  phase: Running
  conditions: [{type: Ready, status: "False"}]
  containerStatuses: [{name: dex, state: {running: {startedAt: "2026-03-01T11:55:00Z"}}}]`) +
			about("Pod", "auth", "dex-6f7-x2x", "Unhealthy", "11:59", `Readiness probe failed: Get "http://10.244.0.9:5558/healthz/ready": dial tcp 10.244.0.9:5558: connect: connection refused`),
		want: "error ProbeFailing Deployment auth/dex",
	}, {
		name: "a program that never gets ready is shown with what it says itself",
		objects: dexPod(onWorker, `
  phase: Running
  conditions: [{type: Ready, status: "False"}]
  containerStatuses: [{name: dex, state: {running: {startedAt: "2026-03-01T11:50:00Z"}}}]`) +
			about("Pod", "auth", "dex-6f7-x2x", "Unhealthy", "11:59", `Readiness probe failed: HTTP probe failed with statuscode: 503`),
		logs: map[string]string{"dex-6f7-x2x dex": "info\tstarting\nwarn\twaiting for sync\nerror\twatch error: failed to list *v1alpha2.TLSRoute: the server could not find the requested resource"},
		want: "error ProbeFailing Deployment auth/dex",
	}, {
		name: "a probe that fails while the program starts is a delay",
		objects: dexPod(onWorker, `
  phase: Running
  conditions: [{type: Ready, status: "False"}]
  containerStatuses: [{name: dex, state: {running: {startedAt: "2026-03-01T11:58:30Z"}}}]`) +
			about("Pod", "auth", "dex-6f7-x2x", "Unhealthy", "11:59", `Readiness probe failed: HTTP probe failed with statuscode: 503`) +
			// of before the restart: says nothing about now
			about("Pod", "auth", "dex-6f7-x2x", "Unhealthy", "11:40", `Startup probe failed`),
		want: "delay ProbeFailing Deployment auth/dex",
	}, {
		name: "a pod on a node that has gone is the node's",
		objects: `
apiVersion: v1
kind: Node
metadata: {name: gone}
status:
  conditions:
  - {type: MemoryPressure, status: Unknown, reason: NodeStatusUnknown}
  - {type: Ready, status: Unknown, reason: NodeStatusUnknown, message: Kubelet stopped posting node status., lastTransitionTime: "2026-03-01T11:45:00Z"}
---` + dexPod(`
  nodeName: gone
  containers: [{name: dex, image: d}]`, `
  phase: Running
  conditions: [{type: Ready, status: "False"}]
  containerStatuses: [{name: dex, ready: false, state: {running: {startedAt: "2026-03-01T11:00:00Z"}}}]`),
		want: "error NodeNotReady Node gone",
	}, {
		name: "a node without disk space throws pods out",
		objects: dexPod(onWorker, `
  phase: Failed
  reason: Evicted
  message: 'The node was low on resource: ephemeral-storage.'`),
		want: "error Evicted Deployment auth/dex",
	}, {
		name: "a GPU that the node has lost since the scheduler counted it",
		objects: dexPod(onWorker, `
  phase: Failed
  reason: OutOfnvidia.com/gpu
  message: 'Pod was rejected: Node did not have enough resource: nvidia.com/gpu, requested: 1, used: 1, capacity: 1'`),
		want: "error Evicted Deployment auth/dex",
	}, {
		name: "a node that was shut down did not reclaim anything",
		objects: dexPod(onWorker, `
  phase: Failed
  reason: Terminated
  message: 'Pod was terminated in response to imminent node shutdown.'`),
		want: "error Evicted Deployment auth/dex",
	}, {
		name: "a pod that should have ended long ago",
		objects: dex + `
apiVersion: v1
kind: Pod
metadata:
  namespace: auth
  name: dex-6f7-x2x
  deletionTimestamp: "2026-03-01T11:40:00Z"
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: dex-6f7, uid: r, controller: true}]
spec: {nodeName: worker, containers: [{name: dex, image: d}]}
status: {phase: Running}`,
		want: "error StuckTerminating Deployment auth/dex",
	}, {
		name: "a pod without its sidecar needs to be made again",
		objects: `
apiVersion: v1
kind: Namespace
metadata: {name: kubeflow, labels: {istio-injection: enabled}}
---
apiVersion: v1
kind: Pod
metadata:
  namespace: kubeflow
  name: jupyter-web-app-1
  ownerReferences: [{apiVersion: apps/v1, kind: StatefulSet, name: jupyter-web-app, uid: r, controller: true}]
spec: {nodeName: worker, containers: [{name: web, image: w}]}
status: {phase: Running, conditions: [{type: Ready, status: "True"}]}
---
apiVersion: v1
kind: Pod
metadata:
  namespace: kubeflow
  name: admission-webhook-1
  labels: {sidecar.istio.io/inject: "false"}
spec: {nodeName: worker, containers: [{name: web, image: w}]}
status: {phase: Running, conditions: [{type: Ready, status: "True"}]}
---
apiVersion: v1
kind: Pod
metadata: {namespace: kubeflow, name: profiles-1}
spec: {nodeName: worker, initContainers: [{name: istio-proxy, image: p}], containers: [{name: web, image: w}]}
status: {phase: Running, conditions: [{type: Ready, status: "True"}]}
`,
		subjects: []Subject{subject("jupyter-web-app", "Namespace", "", "kubeflow", "")},
		want:     "error SidecarMissing StatefulSet kubeflow/jupyter-web-app",
	}, {
		name: "a volume that another pod holds on another node, with its name",
		objects: dexPod(onWorker, waiting("ContainerCreating", "")) +
			about("Pod", "auth", "dex-6f7-x2x", "FailedAttachVolume", "11:59", `Multi-Attach error for volume "pvc-0a1b" Volume is already used by pod(s) pvcviewer-workspace-54f9f6b595-dvzdn`),
		want: "error VolumeInUse Deployment auth/dex",
	}, {
		name: "a volume that a node which is gone has not given back",
		objects: dexPod(onWorker, waiting("ContainerCreating", "")) + `
---
apiVersion: v1
kind: Node
metadata: {name: gone}
status: {conditions: [{type: Ready, status: Unknown}]}
` +
			about("Pod", "auth", "dex-6f7-x2x", "FailedAttachVolume", "11:59", `Multi-Attach error for volume "pvc-0a1b" Volume is already exclusively attached to one node and can''t be attached to another`),
		want: "error VolumeInUse Deployment auth/dex",
	}, {
		name: "a mount that waits for a certificate leads to the certificate",
		objects: dexPod(onWorker+`
  volumes: [{name: certs, secret: {secretName: webhook-certs}}]`, waiting("ContainerCreating", "")) +
			about("Pod", "auth", "dex-6f7-x2x", "FailedMount", "11:59", `MountVolume.SetUp failed for volume "certs" : secret "webhook-certs" not found`) + `
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {namespace: auth, name: webhook-cert}
spec: {secretName: webhook-certs, issuerRef: {name: selfsigned}}
status:
  conditions:
  - {type: Issuing, status: "True", reason: DoesNotExist, message: Issuing certificate as Secret does not exist}
  - {type: Ready, status: "False", reason: DoesNotExist, message: Issuing certificate as Secret does not exist}
---
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {namespace: auth, name: selfsigned}
status: {conditions: [{type: Ready, status: "True"}]}
`,
		want: "delay CertificateNotReady Certificate auth/webhook-cert",
		then: []string{"delay MountFailed Deployment auth/dex"},
	}, {
		name:    "a pod that merely starts is a delay",
		objects: dexPod(onWorker, waiting("ContainerCreating", "")),
		want:    "delay ContainerStarting Deployment auth/dex",
	}})
}
