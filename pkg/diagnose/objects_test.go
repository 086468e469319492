package diagnose

import (
	"testing"
)

// starved is a Deployment whose ReplicaSet cannot make its pod.
func starved(message string) string {
	return `
apiVersion: v1
kind: Namespace
metadata: {name: auth}
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
status: {replicas: 0}
` + about("ReplicaSet", "auth", "dex-6f7", "FailedCreate", "11:40", "Error creating: something old that has been mended") +
		about("ReplicaSet", "auth", "dex-6f7", "FailedCreate", "11:59", "Error creating: "+message)
}

const injector = `
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: istio-sidecar-injector}
webhooks:
- name: namespace.sidecar-injector.istio.io
  sideEffects: None
  admissionReviewVersions: [v1]
  clientConfig: {caBundle: CA==, service: {namespace: istio-system, name: istiod, path: /inject, port: 443}}
`

const istiod = `
---
apiVersion: v1
kind: Namespace
metadata: {name: istio-system}
---
apiVersion: v1
kind: Service
metadata: {namespace: istio-system, name: istiod}
spec: {selector: {app: istiod}}
`

const istiodPending = istiod + `
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {namespace: istio-system, name: istiod-1, labels: {kubernetes.io/service-name: istiod}}
addressType: IPv4
endpoints: []
---
apiVersion: v1
kind: Node
metadata: {name: worker}
status: {allocatable: {cpu: "1", memory: 4Gi, pods: "110"}, conditions: [{type: Ready, status: "True"}]}
---
apiVersion: v1
kind: Pod
metadata:
  namespace: istio-system
  name: istiod-5c
  creationTimestamp: "2026-03-01T11:50:00Z"
  labels: {app: istiod}
  ownerReferences: [{apiVersion: apps/v1, kind: StatefulSet, name: istiod, uid: r, controller: true}]
spec:
  containers: [{name: discovery, image: i, resources: {requests: {cpu: "2"}}}]
status:
  phase: Pending
  conditions: [{type: PodScheduled, status: "False", reason: Unschedulable, message: '0/1 nodes are available: 1 Insufficient cpu.'}]
`

const istiodReady = istiod + `
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {namespace: istio-system, name: istiod-1, labels: {kubernetes.io/service-name: istiod}}
addressType: IPv4
endpoints: [{addresses: [10.244.0.9], conditions: {ready: true}}]
`

func callFailed(why string) string {
	return `Internal error occurred: failed calling webhook "namespace.sidecar-injector.istio.io": failed to call webhook: Post "https://istiod.istio-system.svc:443/inject?timeout=10s": ` + why
}

func TestRefusals(t *testing.T) {
	run(t, []testCase{{
		name:    "a webhook whose pod cannot be scheduled: the pod first, then the webhook, then what it holds up",
		objects: starved(callFailed(`no endpoints available for service "istiod"`)) + injector + istiodPending,
		want:    "error InsufficientCPU StatefulSet istio-system/istiod",
		then:    []string{"error WebhookWithoutEndpoints MutatingWebhookConfiguration istio-sidecar-injector"},
	}, {
		name:    "a webhook whose service is gone",
		objects: starved(callFailed(`service "istiod" not found`)) + injector,
		want:    "error WebhookServiceMissing MutatingWebhookConfiguration istio-sidecar-injector",
	}, {
		name:    "a webhook that has recovered, while the controller waits to try again",
		objects: starved(callFailed(`dial tcp 10.96.0.9:443: connect: connection refused`)) + injector + istiodReady,
		want:    "delay WebhookUnreachable MutatingWebhookConfiguration istio-sidecar-injector",
	}, {
		name:    "a webhook behind a firewall, as on private clusters",
		objects: starved(callFailed(`context deadline exceeded`)) + injector + istiodReady,
		want:    "error WebhookTimeout MutatingWebhookConfiguration istio-sidecar-injector",
	}, {
		name:    "a webhook whose certificate is not trusted",
		objects: starved(callFailed(`tls: failed to verify certificate: x509: certificate signed by unknown authority`)) + injector + istiodReady,
		want:    "error WebhookCertificateRejected MutatingWebhookConfiguration istio-sidecar-injector",
	}, {
		name: "a webhook without a caBundle, told of its configuration",
		objects: `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: cert-manager-webhook}
webhooks:
- name: webhook.cert-manager.io
  clientConfig: {service: {namespace: istio-system, name: istiod}}
- name: second.cert-manager.io
  clientConfig: {service: {namespace: istio-system, name: istiod}}
` + istiodReady + `
---
apiVersion: v1
kind: Pod
metadata: {namespace: istio-system, name: istiod-1, labels: {app: istiod}}
spec: {nodeName: worker, containers: [{name: discovery}]}
status: {phase: Running, conditions: [{type: Ready, status: "True", lastTransitionTime: "2026-03-01T11:50:00Z"}]}
`,
		subjects: []Subject{subject("cert-manager", "ValidatingWebhookConfiguration", "", "cert-manager-webhook", "does not answer")},
		want:     "error WebhookCABundleMissing ValidatingWebhookConfiguration cert-manager-webhook",
	}, {
		name: "a webhook that could not be asked, told of the object that was refused",
		objects: `
apiVersion: v1
kind: Namespace
metadata: {name: kubeflow}
`,
		subjects: []Subject{subject("poddefaults", "Issuer", "kubeflow", "admission-webhook",
			`Internal error occurred: failed calling webhook "webhook.cert-manager.io": failed to call webhook: Post "https://cert-manager-webhook.cert-manager.svc:443/validate?timeout=30s": service "cert-manager-webhook" not found`)},
		forbidden: []string{"mutatingwebhookconfigurations", "validatingwebhookconfigurations", "issuers"},
		want:      "error WebhookServiceMissing Issuer kubeflow/admission-webhook",
		then:      []string{"warning Forbidden"},
	}, {
		name: "a webhook that is switched off, told of a call that is tried again",
		objects: dex + injector + istiod + `
---
apiVersion: apps/v1
kind: ReplicaSet
metadata:
  namespace: istio-system
  name: istiod-5c
  ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: istiod, uid: d, controller: true}]
spec: {replicas: 0, selector: {}, template: {metadata: {labels: {app: istiod, istio: pilot}}}}
`,
		subjects: []Subject{subject("istio", "Pod", "auth", "probe", `check that admission works (Pod auth/probe, dry run): webhook namespace.sidecar-injector.istio.io does not answer yet: no endpoints available for service "istiod"`)},
		want:     "error ScaledToZero Deployment istio-system/istiod",
		then:     []string{"error WebhookWithoutEndpoints MutatingWebhookConfiguration istio-sidecar-injector"},
	}, {
		name:    "a webhook that refuses on purpose",
		objects: starved(`admission webhook "validation.gatekeeper.sh" denied the request: [no-latest] image must not be latest`),
		want:    "error WebhookRefused Deployment auth/dex",
	}, {
		name:    "Pod Security that a pod with istio-init does not meet",
		objects: starved(`pods "dex-6f7-" is forbidden: violates PodSecurity "restricted:latest": non-default capabilities (container "istio-init" must not include "NET_ADMIN", "NET_RAW" in securityContext.capabilities.add)`),
		want:    "error PodSecurityViolation Deployment auth/dex", hopeless: true,
	}, {
		name:    "a quota that is used up",
		objects: starved(`pods "dex-6f7-abc" is forbidden: exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2`),
		want:    "error QuotaExceeded Deployment auth/dex",
	}, {
		name:    "a quota that wants requests",
		objects: starved(`pods "dex-6f7-abc" is forbidden: failed quota: compute: must specify limits.cpu for: dex; limits.memory for: dex`),
		want:    "error QuotaExceeded Deployment auth/dex",
	}, {
		name:    "a notebook in a namespace without a Profile",
		objects: starved(`pods "nb-0" is forbidden: error looking up service account auth/default-editor: serviceaccount "default-editor" not found`),
		want:    "error ServiceAccountMissing Deployment auth/dex",
	}, {
		name:    "a quota that wants requests of the sidecar names its containers",
		objects: starved(`pods "nb-0" is forbidden: failed quota: kf-resource-quota: must specify limits.cpu for: istio-init,istio-proxy; limits.memory for: istio-init,istio-proxy`),
		want:    "error QuotaExceeded Deployment auth/dex",
	}, {
		name:    "a priority that a namespace has no quota for",
		objects: starved(`pods "dex-6f7-abc" is forbidden: insufficient quota to match these scopes: [{PriorityClass In [system-node-critical system-cluster-critical]}]`),
		want:    "error QuotaExceeded Deployment auth/dex",
	}, {
		name:    "OpenShift's security context constraints are named, with the one that admits the pod",
		objects: starved(`pods "istiod-6f7-" is forbidden: unable to validate against any security context constraint: [provider "anyuid": Forbidden: not usable by user or serviceaccount, spec.containers[0].securityContext.runAsUser: Invalid value: 1337: must be in the ranges: [1000680000, 1000689999]]`),
		want:    "error SecurityContextConstraints Deployment auth/dex",
	}, {
		name:    "OpenShift's constraints on a pod with istio-init need the privileged one",
		objects: starved(`pods "nb-0" is forbidden: unable to validate against any security context constraint: [provider restricted-v2: .initContainers[0].capabilities.add: Invalid value: "NET_ADMIN": capability may not be added]`),
		want:    "error SecurityContextConstraints Deployment auth/dex",
	}, {
		name:    "a service account that could not be looked up is not missing",
		objects: starved(`pods "nb-0" is forbidden: error looking up service account auth/default-editor: etcdserver: request timed out`),
		want:    "error FailedCreate Deployment auth/dex",
	}, {
		name:     "a notebook whose name leaves no room for its labels",
		objects:  "apiVersion: v1\nkind: Namespace\nmetadata: {name: auth}\n" + about("StatefulSet", "auth", "n57", "FailedCreate", "11:59", `create Pod n57-0 in StatefulSet n57 failed error: Pod "n57-0" is invalid: metadata.labels: Invalid value: "n57-6d5f8": must be no more than 63 bytes`),
		subjects: []Subject{subject("", "Notebook", "auth", "n57", "has no ready pod")},
		want:     "error InvalidObject Notebook auth/n57", hopeless: true,
	}, {
		name:     "a platform that denies a namespace to everybody is not a missing right",
		objects:  dex,
		subjects: []Subject{subject("cert-manager", "Role", "kube-system", "leader", `roles.rbac.authorization.k8s.io is forbidden: User "x@example.com" cannot create resource "roles" in API group "rbac.authorization.k8s.io" in the namespace "kube-system": GKEAutopilot authz: the namespace "kube-system" is managed and the request's verb "create" is denied`)},
		want:     "error Forbidden Role kube-system/leader",
	}, {
		name:    "a control plane that is outside the pods' network, as on EKS with Calico",
		objects: starved(callFailed(`Address is not allowed`)) + injector + istiodReady,
		want:    "error WebhookUnreachable MutatingWebhookConfiguration istio-sidecar-injector",
	}, {
		name:    "a tunnel to the pods that fails while the webhook's pod is ready",
		objects: starved(callFailed(`dial tcp 10.96.0.9:443: connect: no route to host`)) + injector + istiodReady,
		want:    "error WebhookUnreachable MutatingWebhookConfiguration istio-sidecar-injector",
	}, {
		name:    "a webhook that speaks plain HTTP is not one with an untrusted certificate",
		objects: starved(callFailed(`tls: first record does not look like a TLS handshake`)) + injector + istiodReady,
		want:    "error WebhookUnreachable MutatingWebhookConfiguration istio-sidecar-injector",
	}, {
		name:    "pods that are refused for a reason without a name",
		objects: starved(`pods "dex-" is forbidden: the moon is full`),
		want:    "error FailedCreate Deployment auth/dex",
	}, {
		name:     "a kind that the server does not know, from what it answered",
		subjects: []Subject{subject("dex", "VirtualService", "", "dex", `no matches for kind "VirtualService" in version "networking.istio.io/v1"`)},
		unknown:  []string{"VirtualService"},
		want:     "error KindMissing VirtualService dex",
	}, {
		name:     "an object that the server does not accept",
		objects:  dex,
		subjects: []Subject{subject("dex", "Service", "auth", "dex", `Service "dex" is invalid: spec.ports[0].port: Invalid value: 99999: must be between 1 and 65535, inclusive`)},
		want:     "error InvalidObject Service auth/dex", hopeless: true,
	}, {
		name:     "a person without the right",
		objects:  dex,
		subjects: []Subject{subject("dex", "ConfigMap", "auth", "dex", `configmaps "dex" is forbidden: User "jane" cannot patch resource "configmaps" in API group "" in the namespace "auth"`)},
		want:     "error Forbidden ConfigMap auth/dex",
	}})
}

func TestObjects(t *testing.T) {
	crd := func(conditions string) string {
		return `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: notebooks.kubeflow.org}
status: {conditions: [` + conditions + `]}
`
	}
	notebooks := []Subject{subject("notebook-controller", "CustomResourceDefinition", "", "notebooks.kubeflow.org", "")}
	certificate := []Subject{subject("poddefaults", "Certificate", "kubeflow", "serving", "False")}
	serving := func(rest string) string {
		return `
apiVersion: v1
kind: Namespace
metadata: {name: kubeflow}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {namespace: kubeflow, name: serving, creationTimestamp: "2026-03-01T11:50:00Z"}
spec: {secretName: s, issuerRef: {kind: ClusterIssuer, name: selfsigned}}
` + rest
	}
	const issuer = `
---
apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata: {name: selfsigned, creationTimestamp: "2026-03-01T11:50:00Z"}
`
	run(t, []testCase{{
		name:     "definitions that want the same names",
		objects:  crd(`{type: NamesAccepted, status: "False", reason: PluralConflict, message: '"notebooks" is already in use'}, {type: Established, status: "False", reason: NotAccepted, message: not all names are accepted}`),
		subjects: notebooks,
		want:     "error CRDNamesConflict CustomResourceDefinition notebooks.kubeflow.org", hopeless: true,
	}, {
		name:     "a definition without a structural schema",
		objects:  crd(`{type: NonStructuralSchema, status: "True", reason: Violations, message: "spec.validation.openAPIV3Schema.type: Required value"}`),
		subjects: notebooks,
		want:     "error CRDNonStructural CustomResourceDefinition notebooks.kubeflow.org", hopeless: true,
	}, {
		name:     "a definition that is not served yet",
		objects:  crd(`{type: Established, status: "False", reason: Installing, message: the initial names have been accepted}`),
		subjects: notebooks,
		want:     "delay CRDNotEstablished CustomResourceDefinition notebooks.kubeflow.org",
	}, {
		name: "a namespace that does not go away, and what it waits for",
		objects: `
apiVersion: v1
kind: Namespace
metadata: {name: kubeflow, deletionTimestamp: "2026-03-01T11:30:00Z"}
status:
  phase: Terminating
  conditions:
  - {type: NamespaceDeletionContentFailure, status: "False", reason: ContentDeleted}
  - {type: NamespaceContentRemaining, status: "True", reason: SomeResourcesRemain, message: 'Some resources are remaining: notebooks.kubeflow.org has 1 resource instances'}
  - {type: NamespaceFinalizersRemaining, status: "True", reason: SomeFinalizersRemain, message: 'Some content in the namespace has finalizers remaining: kubeflow.org/nb in 1 resource instances'}
`,
		subjects: []Subject{subject("kubeflow-namespace", "Namespace", "", "kubeflow", "Terminating")},
		want:     "error NamespaceTerminating Namespace kubeflow",
	}, {
		name:     "everything of a namespace that does not exist has one cause",
		subjects: []Subject{subject("dex", "Deployment", "auth", "dex", ""), subject("dex", "Service", "auth", "dex", "")},
		want:     "error NamespaceMissing Namespace auth",
	}, {
		name: "a certificate whose issuer does not exist",
		objects: serving(`
status: {conditions: [{type: Ready, status: "False", reason: DoesNotExist, message: Issuing certificate as Secret does not exist}]}`),
		subjects: certificate,
		want:     "error IssuerMissing Certificate kubeflow/serving",
	}, {
		name: "a certificate whose issuer cannot issue",
		objects: serving("") + issuer + `
status: {conditions: [{type: Ready, status: "False", reason: ErrGetKeyPair, message: 'Error getting keypair for CA issuer: secret "root" not found'}]}`,
		subjects: certificate,
		want:     "error IssuerNotReady ClusterIssuer selfsigned",
	}, {
		name: "a certificate that cert-manager never looked at",
		objects: serving("") + issuer + `
status: {conditions: [{type: Ready, status: "True"}]}`,
		subjects: certificate,
		want:     "error CertificateIgnored Certificate kubeflow/serving",
	}, {
		name: "an address that nobody gives",
		objects: dex + `
apiVersion: v1
kind: Service
metadata: {namespace: auth, name: gateway, creationTimestamp: "2026-03-01T11:50:00Z"}
spec: {type: LoadBalancer}
status: {loadBalancer: {}}
`,
		subjects: []Subject{subject("istio", "Service", "auth", "gateway", "")},
		want:     "error LoadBalancerPending Service auth/gateway",
	}, {
		name: "an object that its finalizer keeps",
		objects: `
apiVersion: kubeflow.org/v1
kind: Profile
metadata: {name: jane, deletionTimestamp: "2026-03-01T11:30:00Z", finalizers: [profile-finalizer]}
`,
		subjects: []Subject{subject("user-profile", "Profile", "", "jane", "")},
		want:     "error StuckTerminating Profile jane",
	}, {
		name: "a deadline that has passed without a pod to show for it",
		objects: dex + `
apiVersion: apps/v1
kind: Deployment
metadata: {namespace: auth, name: web}
status: {conditions: [{type: Progressing, status: "False", reason: ProgressDeadlineExceeded, message: ReplicaSet "web-1" has timed out progressing.}]}
`,
		subjects: []Subject{subject("jupyter-web-app", "Deployment", "auth", "web", "")},
		want:     "error ProgressDeadlineExceeded Deployment auth/web",
	}, {
		name: "an object's own words when nothing else is known",
		objects: `
apiVersion: kubeflow.org/v1
kind: Profile
metadata: {name: jane}
status: {conditions: [{type: Failed, status: "True", message: "reconcile: namespace jane is owned by somebody else"}]}
`,
		subjects: []Subject{subject("user-profile", "Profile", "", "jane", "")},
		want:     "delay NotReady Profile jane",
	}, {
		name:    "what waits for others is not missing, and the others are the cause",
		objects: dexPod(onWorker, waiting("InvalidImageName", "couldn''t parse image name")),
		subjects: []Subject{
			subject("oauth2-proxy", "RequestAuthentication", "istio-system", "dex-jwt", "waits for dex: Ready"),
			deployment("auth", "dex"),
		},
		want: "error InvalidImageName Deployment auth/dex", hopeless: true,
	}, {
		name:     "what waits for others says so when nothing is known of them",
		objects:  dex,
		subjects: []Subject{subject("oauth2-proxy", "RequestAuthentication", "auth", "dex-jwt", "waits for dex: Ready")},
		want:     "delay NotReady RequestAuthentication auth/dex-jwt",
	}, {
		name:     "a dry run's object is not missing",
		objects:  dex,
		subjects: []Subject{subject("cert-manager", "Certificate", "auth", "probe", "check that admission works (Certificate auth/probe, dry run): the webhook has not refused it")},
		want:     "delay NotReady Certificate auth/probe",
	}, {
		name:     "no subject is passed over in silence",
		objects:  dex + `{apiVersion: v1, kind: ConfigMap, metadata: {namespace: auth, name: dex}}`,
		subjects: []Subject{subject("dex", "ConfigMap", "auth", "dex", "")},
		want:     "delay NotReady ConfigMap auth/dex",
	}, {
		name:      "what may not be read is said",
		objects:   dex,
		forbidden: []string{"pods", "events"},
		want:      "delay NotReady Deployment auth/dex",
		then:      []string{"warning Forbidden"},
	}})
}
