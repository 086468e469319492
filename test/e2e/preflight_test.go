//go:build e2e

package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/preflight"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// lookedAt is `preflight -o json`.
type lookedAt struct {
	report.Report
	Result   preflight.Result
	Checks   []preflight.Answer
	Capacity *preflight.Capacity
}

// preflight runs the command and wants an exit code.
func (b *bed) preflight(t *testing.T, code int, args ...string) lookedAt {
	t.Helper()
	r := b.jupyter(append([]string{"preflight", "-o", "json"}, args...)...)
	if r.Code != code {
		t.Errorf("preflight %v: want exit code %d: %s", args, code, r)
	}
	var out lookedAt
	if err := json.Unmarshal([]byte(r.Stdout), &out); err != nil || out.Kind != "Preflight" {
		t.Fatalf("preflight %v prints no report (%v): %s", args, err, r)
	}
	return out
}

// want finds the cause and holds it to what it must say.
func (l lookedAt) want(t *testing.T, name string, severity report.Severity, says ...string) {
	t.Helper()
	var names []string
	for _, c := range l.Causes {
		names = append(names, c.Severity.String()+" "+c.Name)
		if c.Name != name || c.Severity != severity {
			continue
		}
		text := strings.Join(append([]string{c.Summary, c.Remedy, c.Component, c.Docs}, c.Evidence...), "\n")
		wantSays(t, text, append(says, "docs/troubleshooting/")...)
		return
	}
	t.Errorf("no %s %s among %v", severity, name, names)
}

func (l lookedAt) answer(t *testing.T, check string) preflight.Answer {
	t.Helper()
	i := slices.IndexFunc(l.Checks, func(a preflight.Answer) bool { return a.Check == check })
	if i < 0 {
		t.Fatalf("no check %s among %v", check, l.Checks)
	}
	return l.Checks[i]
}

// refuses wants install to stop for the reason before anything is written.
func (b *bed) refuses(t *testing.T, reason string, args ...string) {
	t.Helper()
	before := b.versions("")
	r := b.jupyter(append([]string{"install", "--timeout", "1m"}, args...)...)
	if r.Code != 1 {
		t.Errorf("install %v: want it refused: %s", args, r)
	}
	wantSays(t, r.Stderr, reason, "nothing was changed")
	b.wantUntouched(before)
}

func TestPreflightSaysWhatWouldKeepAnInstallationFromWorking(t *testing.T) {
	b := newBed(t)
	nodes := strings.Fields(b.kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.name}"))

	t.Run("an empty cluster is good enough, and stays empty", func(t *testing.T) {
		before := b.versions("")
		l := b.preflight(t, 0)
		b.wantUntouched(before)
		for _, check := range []string{"permissions", "objects", "owners", "nodes", "capacity", "storage", "leftovers"} {
			if a := l.answer(t, check); a.Result != preflight.OK {
				t.Errorf("check %s: %s, %s", check, a.Result, a.Found)
			}
		}
		if c := l.Capacity; c.Open != len(nodes) || !c.Demands[0].Fits || !c.Demands[0].NotebookFits || c.Demands[0].Request.Memory == 0 {
			t.Errorf("capacity %+v", c)
		}
		table := b.must("preflight")
		wantSays(t, table.Stdout, "CHECK", "capacity", "The stack can be installed")
		wantSays(t, table.Stderr, `context "devcluster"`)
		wantSays(t, b.must("preflight", "-o", "wide").Stdout, "ASKS")
		if out := b.must("preflight", "-o", "jsonpath={.capacity.open}").Stdout; strings.TrimSpace(out) != "5" {
			t.Errorf("jsonpath prints %q", out)
		}
	})

	t.Run("no node is open", func(t *testing.T) {
		for _, n := range nodes {
			b.kubectl("cordon", n)
		}
		b.preflight(t, 1).want(t, "NoNodes", report.Fatal, "cordoned", "kubectl uncordon")
		b.refuses(t, "no node accepts pods")
		for _, n := range nodes {
			b.kubectl("uncordon", n)
		}
	})

	t.Run("one small node: slim would fit", func(t *testing.T) {
		for _, n := range nodes[1:] {
			b.kubectl("taint", "node", n, "dedicated=others:NoSchedule")
		}
		// The stack's 2048Mi for istiod alone, and the others have to go somewhere.
		b.resize(nodes[0], "1500m", "2500Mi")
		l := b.preflight(t, 1)
		l.want(t, "CapacityTooSmall", report.Fatal, "the stack does not fit", "memory is requested, 2500Mi is free",
			"with --profile slim", "which fits, plus a notebook", "node "+nodes[1]+" is excluded: taint dedicated=others:NoSchedule")
		l.want(t, "NodesExcluded", report.Info)
		b.refuses(t, "the stack does not fit")
		if slim := b.preflight(t, 0, "--profile", "slim"); slim.answer(t, "capacity").Result != preflight.OK {
			t.Errorf("slim: %+v", slim.answer(t, "capacity"))
		}
		// The stack fits and nothing else.
		b.resize(nodes[0], "1500m", "3500Mi")
		b.preflight(t, 0).want(t, "CapacityTooSmall", report.Warning, "no capacity for a notebook")
		b.resize(nodes[0], "8", "32Gi")
		for _, n := range nodes[1:] {
			b.kubectl("taint", "node", n, "dedicated-")
		}
	})

	t.Run("access reviews say yes and the server refuses the roles", func(t *testing.T) {
		b.apply(`
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: installer}
rules: [{apiGroups: ["*"], resources: ["*"], verbs: [get, list, watch, create, patch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: installer}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: installer}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: installer}]`)
		l := b.preflight(t, 1, "--as", "installer")
		l.want(t, "PermissionMissing", report.Fatal, `user "installer" cannot write`, "attempting to grant RBAC permissions not currently held", "escalate")
		b.refuses(t, "grant more than the user has", "--as", "installer")
	})

	t.Run("somebody without rights is told all of them, and what could not be told", func(t *testing.T) {
		l := b.preflight(t, 1, "--as", "nobody")
		l.want(t, "PermissionMissing", report.Fatal, "deployments.apps: create, ", "customresourcedefinitions.apiextensions.k8s.io: ")
		for _, check := range []string{"objects", "owners", "capacity", "storage"} {
			if a := l.answer(t, check); a.Result != preflight.Unknown {
				t.Errorf("check %s: %s, %s; want unknown", check, a.Result, a.Found)
			}
		}
	})

	t.Run("a policy refuses what the rights allow", func(t *testing.T) {
		b.apply(`
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: no-meshes}
spec:
  failurePolicy: Fail
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [namespaces]}]}
  validations: [{expression: "!object.metadata.name.startsWith('istio')", message: "meshes are run by the platform team"}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: no-meshes}
spec: {policyName: no-meshes, validationActions: [Deny]}`)
		// A policy works from some moment on, which nothing tells.
		eventually(t, "the policy is enforced", func() bool {
			_, err := b.tryKubectl("", "create", "namespace", "istio-system", "--dry-run=server")
			return err != nil
		})
		b.preflight(t, 1).want(t, "ObjectRefused", report.Fatal, "meshes are run by the platform team", "istio")
		b.refuses(t, "the server refuses the object")
		b.kubectl("delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", "no-meshes")
		eventually(t, "the policy is gone", func() bool {
			_, err := b.tryKubectl("", "create", "namespace", "istio-system", "--dry-run=server")
			return err == nil
		})
	})

	t.Run("what was left behind is found", func(t *testing.T) {
		b.apply(`
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: ghost}
webhooks:
- name: ghost.example.com
  sideEffects: None
  admissionReviewVersions: [v1]
  rules: [{apiGroups: [apps], apiVersions: [v1], operations: [CREATE], resources: [deployments]}]
  clientConfig: {service: {namespace: gone, name: ghost}}`)
		b.kubectl("create", "namespace", "auth")
		b.apply(`{apiVersion: v1, kind: ConfigMap, metadata: {name: kept, namespace: auth, finalizers: [example.com/keep]}}`)
		b.kubectl("delete", "namespace", "auth", "--wait=false")
		eventually(t, "the namespace says what holds it", func() bool {
			return strings.Contains(b.kubectl("get", "namespace", "auth", "-o", "jsonpath={.status.conditions}"), "example.com/keep")
		})
		b.kubectl("annotate", "storageclass", "--all", "storageclass.kubernetes.io/is-default-class-")
		l := b.preflight(t, 1)
		l.want(t, "WebhookServiceMissing", report.Fatal, "ghost.example.com", "gone/ghost", "it selects Deployment ", "kubectl delete validatingwebhookconfiguration ghost")
		l.want(t, "NamespaceTerminating", report.Warning, "namespace auth is being deleted", "example.com/keep")
		l.want(t, "NoDefaultStorageClass", report.Warning, "classes: simulated")
		b.kubectl("delete", "validatingwebhookconfiguration", "ghost")
		b.kubectl("-n", "auth", "patch", "configmap", "kept", "--type=merge", "-p", `{"metadata":{"finalizers":null}}`)
		b.kubectl("wait", "--for=delete", "namespace/auth", "--timeout=30s")
		b.preflight(t, 0).want(t, "NoDefaultStorageClass", report.Warning)
		b.kubectl("annotate", "storageclass", "--all", "storageclass.kubernetes.io/is-default-class=true")
	})

	t.Run("the default class's driver is not installed, as on a new EKS cluster", func(t *testing.T) {
		b.kubectl("annotate", "storageclass", "--all", "storageclass.kubernetes.io/is-default-class-")
		b.apply(`
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: gp2, annotations: {storageclass.kubernetes.io/is-default-class: "true"}}
provisioner: kubernetes.io/aws-ebs
volumeBindingMode: WaitForFirstConsumer`)
		b.preflight(t, 0).want(t, "StorageDriverMissing", report.Warning, "gp2 (kubernetes.io/aws-ebs)", "CSIDriver ebs.csi.aws.com: not found")
		b.apply(`{apiVersion: storage.k8s.io/v1, kind: CSIDriver, metadata: {name: ebs.csi.aws.com}}`)
		if a := b.preflight(t, 0).answer(t, "storage"); a.Result != preflight.OK {
			t.Errorf("with the driver: %s, %s", a.Result, a.Found)
		}
		b.kubectl("delete", "csidriver,storageclass", "ebs.csi.aws.com", "gp2", "--ignore-not-found")
		b.kubectl("annotate", "storageclass", "--all", "storageclass.kubernetes.io/is-default-class=true")
	})

	t.Run("the first user's namespace is somebody else's", func(t *testing.T) {
		b.kubectl("create", "namespace", "kubeflow-ada-example-com")
		l := b.preflight(t, 1, "--user-email", "ada@example.com")
		l.want(t, "BelongsToOthers", report.Fatal, "namespace kubeflow-ada-example-com exists and does not belong to ada@example.com", "--user-email", "--skip user-profile")
		b.refuses(t, "does not belong to ada@example.com", "--user-email", "ada@example.com")
		b.preflight(t, 0, "--user-email", "ada@example.com", "--skip", "user-profile")
		b.kubectl("annotate", "namespace", "kubeflow-ada-example-com", "owner=ada@example.com")
		b.preflight(t, 0, "--user-email", "ada@example.com")
		b.kubectl("delete", "namespace", "kubeflow-ada-example-com")
	})

	t.Run("nodes of another architecture", func(t *testing.T) {
		b.kubectl("label", "nodes", "--all", "--overwrite", "kubernetes.io/arch=arm64")
		b.preflight(t, 0).want(t, "WrongArchitecture", report.Warning, "amd64 only", "-cuda-")
		b.kubectl("label", "nodes", "--all", "--overwrite", "kubernetes.io/arch=amd64")
	})

	t.Run("a cert-manager that Helm manages", func(t *testing.T) {
		b.apply(`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: certificates.cert-manager.io
  labels: {app.kubernetes.io/managed-by: Helm}
  annotations: {meta.helm.sh/release-name: cm, meta.helm.sh/release-namespace: certs}
spec:
  group: cert-manager.io
  scope: Namespaced
  names: {kind: Certificate, plural: certificates, singular: certificate, listKind: CertificateList}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
---
{apiVersion: v1, kind: Namespace, metadata: {name: certs}}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: cm
  namespace: certs
  labels: {app.kubernetes.io/name: cert-manager, app.kubernetes.io/component: controller, app.kubernetes.io/version: v1.17.2}
spec:
  replicas: 1
  selector: {matchLabels: {app: cm}}
  template:
    metadata: {labels: {app: cm}}
    spec: {containers: [{name: cm, image: example.com/cm:1}]}`)
		b.kubectl("wait", "--for=condition=Established", "crd/certificates.cert-manager.io")
		l := b.preflight(t, 1)
		l.want(t, "BelongsToOthers", report.Fatal, "cert-manager v1.17.2 in namespace certs", "managed by Helm release certs/cm",
			"CustomResourceDefinition certificates.cert-manager.io", "--use-existing cert-manager", "--adopt")
		b.refuses(t, "1 object belongs to another owner")
		// The choice is heard; what it takes for granted is proven as well.
		used := b.jupyter("preflight", "--use-existing", "cert-manager")
		wantSays(t, used.Stderr, "component cert-manager", "does not exist", "install the component instead")
		if used.Code != 1 {
			t.Errorf("half a cert-manager is taken for a whole one: %s", used)
		}
	})

	t.Run("a server that does not answer tells nothing", func(t *testing.T) {
		if r := b.jupyter("preflight", "--server", "https://127.0.0.1:1"); r.Code != 2 {
			t.Errorf("want exit code 2: %s", r)
		}
	})
}

// resize changes what a simulated node says it has.
func (b *bed) resize(node, cpu, memory string) {
	b.t.Helper()
	b.kubectl("patch", "node", node, "--subresource=status", "--type=merge", "-p",
		`{"status":{"allocatable":{"cpu":"`+cpu+`","memory":"`+memory+`"},"capacity":{"cpu":"`+cpu+`","memory":"`+memory+`"}}}`)
}
