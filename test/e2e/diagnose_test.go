//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// trouble is something that goes wrong on a real control plane.
type trouble struct {
	name string
	// manifest is applied in a namespace of its own, NS in the text. before and after
	// are kubectl's arguments for what comes around it.
	manifest      string
	before, after [][]string
	subject       report.Ref
	// want is the cause's name, and what its evidence, summary and remedy must say.
	want string
	says []string
}

func subjectIn(group, kind, name string) report.Ref {
	return report.Ref{Group: group, Kind: kind, Namespace: "NS", Name: name}
}

const oneContainer = `
      containers: [{name: web, image: example.com/web:1}]
`

var web = subjectIn("apps", "Deployment", "web")

func TestTroubleOnARealControlPlaneIsNamed(t *testing.T) {
	b := newBed(t)
	troubles := []trouble{{
		name: "a pod that asks for more cpu than any node has",
		manifest: deploy(`
      containers: [{name: web, image: example.com/web:1, resources: {requests: {cpu: "1000"}}}]`),
		subject: web, want: diagnose.InsufficientCPU, says: []string{"requests 1k cpu", "Insufficient cpu", "cpu free", "--profile slim"},
	}, {
		name: "a pod for a node that does not exist",
		manifest: deploy(`
      nodeSelector: {disk: fast}` + oneContainer),
		subject: web, want: diagnose.NodeSelectorMismatch, says: []string{"disk:fast", "node affinity/selector"},
	}, {
		name: "a claim of a StorageClass that does not exist",
		manifest: deploy(`
      volumes: [{name: home, persistentVolumeClaim: {claimName: home}}]`+oneContainer) + `
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: home, namespace: NS}
spec: {storageClassName: slow, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
`,
		subject: web, want: diagnose.StorageClassMissing, says: []string{"slow", "classes: "},
	}, {
		name: "a quota without room for a pod",
		manifest: `
{apiVersion: v1, kind: ResourceQuota, metadata: {name: small, namespace: NS}, spec: {hard: {pods: "0"}}}
---` + deploy(oneContainer),
		subject: web, want: diagnose.QuotaExceeded, says: []string{"exceeded quota: small", "limited: pods=0"},
	}, {
		name: "Pod Security that the pod does not meet",
		manifest: `
{apiVersion: v1, kind: Namespace, metadata: {name: NS, labels: {pod-security.kubernetes.io/enforce: restricted}}}
---` + deploy(oneContainer),
		subject: web, want: diagnose.PodSecurityViolation, says: []string{"runAsNonRoot", "enforce=baseline"},
	}, {
		name: "a service account that nobody made",
		manifest: deploy(`
      serviceAccountName: default-editor` + oneContainer),
		subject: web, want: diagnose.ServiceAccountMissing, says: []string{"default-editor", "Profile"},
	}, {
		name: "a webhook without anybody behind it",
		manifest: `
{apiVersion: v1, kind: Service, metadata: {name: guard, namespace: NS}, spec: {selector: {app: guard}, ports: [{port: 443}]}}
---` + podWebhook("MutatingWebhookConfiguration", "guard") + `---` + deploy(oneContainer),
		subject: web, want: diagnose.WebhookWithoutEndpoints, says: []string{"guard.example.com", "ready endpoints: 0"},
	}, {
		name:     "a webhook whose service is gone",
		manifest: podWebhook("ValidatingWebhookConfiguration", "ghost") + `---` + deploy(oneContainer),
		subject:  web, want: diagnose.WebhookServiceMissing, says: []string{"ghost.example.com", "delete validatingwebhookconfiguration NS"},
	}, {
		name:     "a pod that was there before the sidecar injector",
		manifest: deploy(oneContainer),
		after:    [][]string{{"-n", "NS", "wait", "--for=condition=Available", "deployment/web", "--timeout=60s"}, {"label", "namespace", "NS", "istio-injection=enabled"}},
		subject:  web, want: diagnose.SidecarMissing, says: []string{"istio-proxy", "rollout restart deployment web"},
	}, {
		name:     "a namespace that a finalizer keeps",
		manifest: `{apiVersion: v1, kind: ConfigMap, metadata: {name: kept, namespace: NS, finalizers: [example.com/keep]}}`,
		after:    [][]string{{"delete", "namespace", "NS", "--wait=false"}},
		subject:  report.Ref{Kind: "Namespace", Name: "NS"}, want: diagnose.NamespaceTerminating, says: []string{"example.com/keep in 1 resource instances"},
	}, {
		name: "two definitions of one kind",
		manifest: `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: firsts.NS.example.com}
spec:
  group: NS.example.com
  scope: Namespaced
  names: {kind: Thing, plural: firsts}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: seconds.NS.example.com}
spec:
  group: NS.example.com
  scope: Namespaced
  names: {kind: Thing, plural: seconds}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
`,
		subject: report.Ref{Kind: "CustomResourceDefinition", Name: "seconds.NS.example.com"},
		want:    diagnose.CRDNamesConflict, says: []string{"KindConflict", "Thing"},
	}, {
		name:     "a service that nobody gives an address",
		manifest: `{apiVersion: v1, kind: Service, metadata: {name: gateway, namespace: NS}, spec: {type: LoadBalancer, ports: [{port: 80}]}}`,
		subject:  subjectIn("", "Service", "gateway"), want: diagnose.LoadBalancerPending, says: []string{"kubectl jupyter expose"},
	}, {
		name:     "an object of a kind that the server does not know",
		manifest: `{apiVersion: v1, kind: ConfigMap, metadata: {name: any, namespace: NS}}`,
		subject:  subjectIn("networking.istio.io", "VirtualService", "dex"), want: diagnose.KindMissing, says: []string{"networking.istio.io"},
	}, {
		name:     "an object that is not there",
		manifest: `{apiVersion: v1, kind: ConfigMap, metadata: {name: any, namespace: NS}}`,
		subject:  subjectIn("apps", "Deployment", "deleted"), want: diagnose.ObjectMissing, says: []string{"install again"},
	}, {
		name:   "a claim without a class on a cluster without a default",
		before: [][]string{{"annotate", "storageclass", "--all", "--overwrite", "storageclass.kubernetes.io/is-default-class=false"}},
		manifest: deploy(`
      volumes: [{name: home, persistentVolumeClaim: {claimName: home}}]`+oneContainer) + `
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: home, namespace: NS}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
`,
		subject: web, want: diagnose.NoDefaultStorageClass, says: []string{"no storage class is set", "kubectl annotate storageclass"},
	}, {
		name:     "nodes that are cordoned",
		before:   [][]string{{"cordon", "-l", "kubernetes.io/os=linux"}},
		manifest: strings.Replace(deploy(oneContainer), "      tolerations: [{operator: Exists}]\n", "", 1),
		subject:  web, want: diagnose.UntoleratedTaint, says: []string{"unschedulable", "cordoned", "kubectl uncordon"},
	}}
	for i, tr := range troubles {
		t.Run(tr.name, func(t *testing.T) {
			b := b.in(t)
			ns := fmt.Sprintf("trouble-%d", i)
			in := func(s string) string { return strings.ReplaceAll(s, "NS", ns) }
			if !strings.Contains(tr.manifest, "kind: Namespace") {
				b.kubectl("create", "namespace", ns)
			}
			do := func(commands [][]string) {
				for _, args := range commands {
					var named []string
					for _, a := range args {
						named = append(named, in(a))
					}
					b.kubectl(named...)
				}
			}
			do(tr.before)
			b.apply(in(tr.manifest))
			do(tr.after)
			c := b.connect("")
			tr.subject.Namespace, tr.subject.Name = in(tr.subject.Namespace), in(tr.subject.Name)
			var causes []report.Cause
			// Controllers take a moment to find out; the cause may grow more evidence.
			eventually(t, tr.want+" is named first and says "+fmt.Sprint(tr.says), func() bool {
				causes = diagnose.Explain(t.Context(), c, []diagnose.Subject{{Component: "web", Ref: tr.subject}})
				if len(causes) == 0 || causes[0].Name != tr.want {
					return false
				}
				text := causes[0].Summary + "\n" + strings.Join(causes[0].Evidence, "\n") + "\n" + causes[0].Remedy
				return !slices.ContainsFunc(tr.says, func(w string) bool { return !strings.Contains(text, in(w)) })
			})
			for _, other := range causes[1:] {
				t.Errorf("also named: %s %s: %s %q", other.Name, other.Object, other.Summary, other.Evidence)
			}
		})
	}
}

// podWebhook asks a Service for every pod of the namespace.
func podWebhook(kind, service string) string {
	return fmt.Sprintf(`
apiVersion: admissionregistration.k8s.io/v1
kind: %[1]s
metadata: {name: NS}
webhooks:
- name: %[2]s.example.com
  sideEffects: None
  admissionReviewVersions: [v1]
  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NS}}
  rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
  clientConfig: {service: {namespace: NS, name: %[2]s}}
`, kind, service)
}
