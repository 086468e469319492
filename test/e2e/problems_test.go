//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// problem is one of those that people meet: how it is made to happen, and what
// `kubectl jupyter status` must say then. The list of all twenty is in
// docs/troubleshooting; those that no bed can show are tested with recorded objects
// where their detectors are.
type problem struct {
	// name is how people tell of it.
	name string
	// make it happen on a bed with the whole stack, and put it right again.
	make, undo func(*bed)
	cause      string
	// says must be in the summary, the evidence or the remedy.
	says []string
}

const (
	firstProfile = "kubeflow-user-example-com"
	// someNotebook is one that two PodDefaults want to change.
	someNotebook = `
apiVersion: kubeflow.org/v1
kind: Notebook
metadata: {name: refused, namespace: ` + firstProfile + `, labels: {wants: both}}
spec:
  template:
    spec:
      containers: [{name: refused, image: "example.com/notebook:1"}]
`
)

func TestProblemsThatPeopleMeetAreNamedByStatus(t *testing.T) {
	b := newBed(t)
	b.must("install", "--timeout", "5m")
	eventually(t, "the stack is Ready", func() bool { return b.report().State == report.Ready })

	// undo puts back what make has kept.
	var undo func()
	back := func(*bed) { undo() }
	change := func(kind, namespace, name, patch string) func(*bed) {
		return func(b *bed) {
			undo = b.keep(kind, namespace, name)
			b.kubectl("-n", namespace, "patch", kind, name, "--type=json", "-p", patch)
		}
	}
	setting := func(namespace, name, key, from, to string) func(*bed) {
		return func(b *bed) {
			undo = b.keep("configmap", namespace, name)
			text := b.kubectl("-n", namespace, "get", "configmap", name, "-o", "jsonpath={.data."+strings.ReplaceAll(key, ".", `\.`)+"}")
			if !strings.Contains(text, from) {
				t.Fatalf("ConfigMap %s/%s: %s has no %q", namespace, name, key, from)
			}
			value, _ := json.Marshal(strings.ReplaceAll(text, from, to))
			b.kubectl("-n", namespace, "patch", "configmap", name, "--type=json", "-p",
				fmt.Sprintf(`[{"op": "replace", "path": "/data/%s", "value": %s}]`, key, value))
		}
	}
	restarted := func(namespace, deployment string) func(*bed) {
		return func(b *bed) {
			b.kubectl("-n", namespace, "rollout", "restart", "deployment", deployment)
			b.kubectl("-n", namespace, "rollout", "status", "deployment", deployment, "--timeout=60s")
		}
	}
	installed := func(b *bed) { b.must("install", "--timeout", "5m") }

	problems := []problem{{
		name:  "no matches for kind",
		make:  func(b *bed) { b.kubectl("delete", "crd", "poddefaults.kubeflow.org") },
		undo:  installed,
		cause: diagnose.KindMissing, says: []string{"poddefaults.kubeflow.org", "kubectl jupyter install"},
	}, {
		name: "failed calling webhook: no endpoints",
		make: func(b *bed) {
			b.kubectl("-n", "cert-manager", "scale", "deployment", "cert-manager-webhook", "--replicas=0")
		},
		undo: func(b *bed) {
			b.kubectl("-n", "cert-manager", "scale", "deployment", "cert-manager-webhook", "--replicas=1")
		},
		cause: diagnose.WebhookWithoutEndpoints, says: []string{"webhook.cert-manager.io"},
	}, {
		name:  "Could not find CSRF cookie XSRF-TOKEN",
		make:  setting("kubeflow", "jupyter-web-app-parameters", "JWA_APP_SECURE_COOKIES", "false", "true"),
		undo:  back,
		cause: diagnose.SecureCookiesOverHTTP, says: []string{"JWA_APP_SECURE_COOKIES is true", "--tls self-signed"},
	}, {
		name: "the list of namespaces fails",
		make: change("virtualservice", "kubeflow", "jupyter-web-app-jupyter-web-app",
			`[{"op": "replace", "path": "/spec/http/2/match/0/uri/exact", "value": "/elsewhere"}]`),
		undo:  back,
		cause: diagnose.NamespaceListFails, says: []string{"/api/namespaces", "kubeflow-user"},
	}, {
		name: "network policies keep clients from the gateway",
		make: func(b *bed) {
			b.kubectl("-n", "istio-system", "delete", "networkpolicy", "istio-ingressgateway")
		},
		undo:  installed,
		cause: diagnose.NetworkPolicyBlocks, says: []string{"clients outside of the cluster", "default-allow-same-namespace-istio-system", "8080"},
	}, {
		name: "a policy of a person's namespace keeps the gateway from notebooks",
		make: func(b *bed) {
			b.apply(`{apiVersion: kubeflow.org/v1, kind: Notebook, metadata: {name: closed, namespace: ` + firstProfile + `}, spec: {template: {spec: {containers: [{name: closed, image: "example.com/notebook:1"}]}}}}`)
			b.kubectl("-n", firstProfile, "wait", "--for=create", "pod/closed-0", "--timeout=60s")
			b.apply(`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: own, namespace: ` + firstProfile + `}, spec: {podSelector: {}, ingress: [{from: [{podSelector: {}}]}]}}`)
		},
		undo: func(b *bed) {
			b.kubectl("-n", firstProfile, "delete", "networkpolicy", "own")
			b.kubectl("-n", firstProfile, "delete", "notebook", "closed")
		},
		cause: diagnose.NetworkPolicyBlocks, says: []string{"notebook " + firstProfile + "/closed", "8888"},
	}, {
		name: "no Profile",
		make: func(b *bed) {
			b.kubectl("delete", "profile", firstProfile, "--timeout=60s")
			// The namespace goes later; until then nothing can be created in it.
			b.kubectl("wait", "--for=delete", "namespace/"+firstProfile, "--timeout=60s")
		},
		undo:  installed,
		cause: diagnose.ProfileMissing, says: []string{firstProfile},
	}, {
		name:  "RBAC: access denied, as the mesh does not know the provider",
		make:  setting("istio-system", "istio", "mesh", "- name: oauth2-proxy", "- name: somebody-else"),
		undo:  back,
		cause: diagnose.ExtAuthzProviderMissing, says: []string{"RBAC: access denied", "somebody-else"},
	}, {
		name: "401 Jwt issuer is not configured",
		make: change("requestauthentication", "istio-system", "dex-jwt",
			`[{"op": "replace", "path": "/spec/jwtRules/0/issuer", "value": "http://old.example.com/dex"}]`),
		undo:  back,
		cause: diagnose.JWTIssuerUnknown, says: []string{"http://old.example.com/dex", "dex.auth.svc.cluster.local:5556/dex"},
	}, {
		name:  "Unregistered redirect_uri",
		make:  setting("oauth2-proxy", "oauth2-proxy", "oauth2_proxy.cfg", `redirect_url = "/oauth2/callback"`, `redirect_url = "/somewhere/else"`),
		undo:  back,
		cause: diagnose.RedirectURIUnregistered, says: []string{"/somewhere/else", "/oauth2/callback"},
	}, {
		name: "the login loops, as browsers drop the cookie",
		make: setting("oauth2-proxy", "oauth2-proxy", "oauth2_proxy.cfg", `cookie_expire = "24h"`,
			"cookie_expire = \"24h\"\ncookie_samesite = \"none\""),
		undo:  back,
		cause: diagnose.LoginLoop, says: []string{"cookie_samesite is none"},
	}, {
		name: "the login loops, as a pod has another cookie secret",
		make: func(b *bed) {
			b.kubectl("-n", "oauth2-proxy", "patch", "secret", "oauth2-proxy", "--type=merge", "-p", `{"stringData": {"cookie-secret": "0123456789abcdef0123456789abcdef"}}`)
		},
		undo:  restarted("oauth2-proxy", "oauth2-proxy"),
		cause: diagnose.LoginLoop, says: []string{"changed by kubectl-patch", "rollout restart deployment oauth2-proxy"},
	}, {
		name: "a changed password is ignored",
		make: func(b *bed) {
			b.kubectl("-n", "auth", "patch", "secret", "dex-passwords", "--type=merge", "-p", `{"stringData": {"DEX_USER_PASSWORD": "$2y$10$abcdefghijklmnopqrstuu"}}`)
		},
		undo:  restarted("auth", "dex"),
		cause: diagnose.PasswordChangeIgnored, says: []string{"changed by kubectl-patch", "rollout restart deployment dex"},
	}, {
		name: "a notebook waits for its volume: no default StorageClass",
		make: func(b *bed) {
			b.kubectl("annotate", "storageclass", "simulated", "storageclass.kubernetes.io/is-default-class=false", "--overwrite")
			b.apply(fmt.Sprintf(`
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: home, namespace: %[1]s}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}
---
apiVersion: kubeflow.org/v1
kind: Notebook
metadata: {name: waits, namespace: %[1]s}
spec: {template: {spec: {containers: [{name: waits, image: "example.com/notebook:1"}], volumes: [{name: home, persistentVolumeClaim: {claimName: home}}]}}}
`, firstProfile))
		},
		undo: func(b *bed) {
			b.kubectl("annotate", "storageclass", "simulated", "storageclass.kubernetes.io/is-default-class=true", "--overwrite")
			b.kubectl("-n", firstProfile, "delete", "notebook/waits", "pvc/home", "--timeout=60s")
		},
		cause: diagnose.NoDefaultStorageClass, says: []string{"claim " + firstProfile + "/home", "kubectl annotate storageclass"},
	}, {
		name: "EXTERNAL-IP is pending",
		make: func(b *bed) {
			b.kubectl("-n", "istio-system", "patch", "service", "istio-ingressgateway", "--type=merge", "-p",
				`{"spec": {"type": "LoadBalancer", "loadBalancerClass": "example.com/nobody"}}`)
		},
		undo: func(b *bed) {
			b.kubectl("-n", "istio-system", "patch", "service", "istio-ingressgateway", "--type=merge", "-p", `{"spec": {"type": "ClusterIP"}}`)
		},
		cause: diagnose.LoadBalancerClassUnserved, says: []string{"example.com/nobody"},
	}, {
		name: "503 WRONG_VERSION_NUMBER: no sidecar",
		make: func(b *bed) {
			b.kubectl("label", "namespace", "kubeflow", "istio-injection-")
			b.kubectl("-n", "kubeflow", "delete", "pod", "-l", "app=jupyter-web-app", "--timeout=60s")
			b.kubectl("-n", "kubeflow", "wait", "pod", "-l", "app=jupyter-web-app", "--for=condition=Ready", "--timeout=60s")
			b.kubectl("label", "namespace", "kubeflow", "istio-injection=enabled")
		},
		undo:  restarted("kubeflow", "jupyter-web-app-deployment"),
		cause: diagnose.SidecarMissing, says: []string{"istio-proxy", "rollout restart deployment jupyter-web-app-deployment"},
	}, {
		name: "Insufficient cpu",
		make: change("deployment", "kubeflow", "notebook-controller-deployment",
			`[{"op": "add", "path": "/spec/template/spec/containers/0/resources", "value": {"requests": {"cpu": "1000"}}}]`),
		undo:  back,
		cause: diagnose.InsufficientCPU, says: []string{"Insufficient cpu", "cpu free"},
	}, {
		name: "the PodDefaults webhook refuses a notebook's pod",
		make: func(b *bed) {
			for _, value := range []string{"one", "two"} {
				b.apply(fmt.Sprintf(`{apiVersion: kubeflow.org/v1alpha1, kind: PodDefault, metadata: {name: %s, namespace: %s},
					spec: {desc: d, selector: {matchLabels: {wants: both}}, env: [{name: MODE, value: %s}]}}`, value, firstProfile, value))
			}
			b.apply(someNotebook)
		},
		undo: func(b *bed) {
			b.kubectl("-n", firstProfile, "delete", "notebook,poddefault", "--all", "--timeout=60s")
		},
		cause: diagnose.WebhookRefused, says: []string{"conflict", "refused"},
	}, {
		name:  "a webhook does not answer in time, as behind the firewall of a private cluster",
		make:  func(b *bed) { undo = b.silence("poddefaults-webhook-mutating-webhook-configuration") },
		undo:  back,
		cause: diagnose.WebhookTimeout, says: []string{"deadline exceeded", "4443"},
	}, {
		name: "versions that do not belong together",
		make: func(b *bed) {
			pod := b.kubectl("-n", "istio-system", "get", "pod", "-l", "app=istio-ingressgateway", "-o", "jsonpath={.items[0].metadata.name}")
			b.kubectl("-n", "istio-system", "set", "image", "pod/"+pod, "istio-proxy=registry.istio.io/release/proxyv2:1.28.0")
		},
		undo:  restarted("istio-system", "istio-ingressgateway"),
		cause: diagnose.VersionSkew, says: []string{"istiod: 1.30.8", "istio-proxy 1.28.0"},
	}}
	for _, p := range problems {
		t.Run(p.name, func(t *testing.T) {
			b := b.in(t)
			p.make(b)
			eventually(t, fmt.Sprintf("status names %s and says %q", p.cause, p.says), func() bool { return b.report().names(p) != nil })
			c := b.report().names(p)
			if c == nil {
				t.Fatal("a second look does not see it")
			}
			if want := diagnose.Page(p.cause); !strings.HasSuffix(c.Docs, want) {
				t.Errorf("it leads to %q, want %s", c.Docs, want)
			}
			if c.Remedy == "" || len(c.Evidence) == 0 {
				t.Errorf("it has no remedy or no evidence: %+v", c)
			}
			p.undo(b)
			eventually(t, "nobody speaks of it any more", func() bool { return b.report().names(p) == nil })
		})
	}
}

// looked is a status report.
type looked struct{ report.Report }

// report of status; its exit code may be 1 by then.
func (b *bed) report() looked {
	b.t.Helper()
	r := b.jupyter("status", "-o", "json")
	var out looked
	if err := json.Unmarshal([]byte(r.Stdout), &out.Report); err != nil {
		b.t.Fatalf("status: %v\n%s", err, r)
	}
	return out
}

// names finds the cause of a problem that says all that it has to say.
func (l looked) names(p problem) *report.Cause {
	for i := range l.Causes {
		c := &l.Causes[i]
		text := strings.Join(append([]string{c.Summary, c.Remedy, c.Object.String()}, c.Evidence...), "\n")
		if c.Name == p.cause && !slices.ContainsFunc(p.says, func(w string) bool { return !strings.Contains(text, w) }) {
			return c
		}
	}
	return nil
}

// keep remembers an object; what it returns puts it back.
func (b *bed) keep(kind, namespace, name string) func() {
	b.t.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(b.kubectl("-n", namespace, "get", kind, name, "-o", "json")), &object); err != nil {
		b.t.Fatal(err)
	}
	delete(object, "status")
	metadata := object["metadata"].(map[string]any)
	delete(metadata, "resourceVersion")
	text, err := json.Marshal(object)
	if err != nil {
		b.t.Fatal(err)
	}
	return func() {
		if _, err := b.tryKubectl(string(text), "replace", "-f", "-"); err != nil {
			b.t.Fatal(err)
		}
	}
}
