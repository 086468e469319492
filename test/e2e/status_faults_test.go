//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

const anyState report.State = "any"

// fault is something that somebody does to a whole stack.
type fault struct {
	name string
	// do are kubectl's arguments; undo, what an installation does not put right: how many
	// pods there are is not sent.
	do, undo [][]string
	// want is the cause, component the row that it is found in, and says what its text holds.
	want      string
	component string
	says      []string
	// state of the whole; Failed when empty, any when it depends on how long it has lasted.
	state report.State
}

var faults = []fault{{
	name: "another image",
	do:   [][]string{{"-n", "kubeflow", "set", "image", "deployment/profiles-deployment", "manager=ghcr.io/kubeflow/dashboard/profile-controller:v1.10.0"}},
	want: diagnose.Drift, component: "profiles", state: report.Ready,
	says: []string{"kubectl-set", "containers[manager].image was ghcr.io/kubeflow/dashboard/profile-controller:v2.0.0, is ghcr.io/kubeflow/dashboard/profile-controller:v1.10.0"},
}, {
	name: "a configuration edited by hand",
	do:   [][]string{{"-n", "auth", "patch", "configmap", "dex", "--type=merge", "-p", `{"data":{"config.yaml":"issuer: http://elsewhere"}}`}},
	want: diagnose.Drift, component: "dex",
	says: []string{"kubectl-patch (Update", "data[config.yaml] is different"},
}, {
	name: "a policy that lets everybody in",
	do:   [][]string{{"-n", "istio-system", "patch", "authorizationpolicy", "istio-ingressgateway-require-jwt", "--type=merge", "-p", `{"spec":{"rules":[]}}`}},
	want: diagnose.PolicyChanged, component: "oauth2-proxy",
	says: []string{"istio-ingressgateway-require-jwt", "spec.rules", "kubectl-patch"},
}, {
	name: "a policy deleted",
	do:   [][]string{{"-n", "istio-system", "delete", "authorizationpolicy", "global-deny-all"}},
	want: diagnose.PolicyMissing, component: "istio", says: []string{"istio-system/global-deny-all: not found"},
}, {
	name: "a route deleted",
	do:   [][]string{{"-n", "auth", "delete", "virtualservice", "dex"}},
	want: diagnose.RouteMissing, component: "dex", says: []string{"auth/dex: not found", "404"},
}, {
	name: "the gateway deleted",
	do:   [][]string{{"-n", "kubeflow", "delete", "gateways.networking.istio.io", "kubeflow-gateway"}},
	want: diagnose.ObjectMissing, component: "kubeflow-gateway", says: []string{"kubeflow/kubeflow-gateway: not found"},
}, {
	name: "the injector's configuration deleted",
	do:   [][]string{{"delete", "mutatingwebhookconfiguration", "istio-sidecar-injector"}},
	want: diagnose.InjectorNotInjecting, component: "istio", says: []string{"istio-proxy", "namespace kubeflow"},
}, {
	name: "the namespace's label taken away",
	do:   [][]string{{"label", "namespace", "kubeflow", "istio-injection-"}},
	want: diagnose.Drift, component: "kubeflow-namespace", says: []string{"metadata.labels.istio-injection is gone"},
}, {
	name: "cert-manager's validation deleted",
	do:   [][]string{{"delete", "validatingwebhookconfiguration", "cert-manager-webhook"}},
	want: diagnose.WebhookNotRefusing, component: "cert-manager", says: []string{"webhook.cert-manager.io admits an invalid object"},
}, {
	name: "a webhook without its CA",
	do: [][]string{
		{"-n", "cert-manager", "scale", "deployment", "cert-manager-cainjector", "--replicas=0"},
		{"-n", "cert-manager", "wait", "--for=delete", "pod", "-l", "app=cainjector", "--timeout=60s"},
		{"patch", "mutatingwebhookconfiguration", "poddefaults-webhook-mutating-webhook-configuration", "--type=json", "-p", `[{"op":"remove","path":"/webhooks/0/clientConfig/caBundle"}]`},
	},
	undo: [][]string{{"-n", "cert-manager", "scale", "deployment", "cert-manager-cainjector", "--replicas=1"}},
	want: diagnose.WebhookCABundleMissing, component: "poddefaults", says: []string{"no clientConfig.caBundle", "cainjector"},
}, {
	name: "nobody behind a webhook",
	do: [][]string{
		{"-n", "kubeflow", "scale", "deployment", "poddefaults-webhook-deployment", "--replicas=0"},
		{"-n", "kubeflow", "wait", "--for=delete", "pod", "-l", "app=poddefaults", "--timeout=60s"},
	},
	undo: [][]string{{"-n", "kubeflow", "scale", "deployment", "poddefaults-webhook-deployment", "--replicas=1"}},
	want: diagnose.WebhookWithoutEndpoints, component: "poddefaults", says: []string{"poddefaults-webhook-deployment.kubeflow.org", "ready endpoints: 0"},
}, {
	name: "the provider taken out of the mesh",
	do:   [][]string{{"-n", "istio-system", "patch", "configmap", "istio", "--type=merge", "-p", `{"data":{"mesh":"rootNamespace: istio-system"}}`}},
	want: diagnose.ExtAuthzProviderMissing, component: "oauth2-proxy", says: []string{`no provider "oauth2-proxy"`, "extensionProviders of ConfigMap istio-system/istio: none"},
}, {
	name: "the provider's Service deleted",
	do:   [][]string{{"-n", "oauth2-proxy", "delete", "service", "oauth2-proxy"}},
	want: diagnose.OAuth2ProxyUnreachable, component: "oauth2-proxy", says: []string{"oauth2-proxy/oauth2-proxy: not found"},
}, {
	name: "nobody behind the provider",
	do: [][]string{
		{"-n", "oauth2-proxy", "scale", "deployment", "oauth2-proxy", "--replicas=0"},
		{"-n", "oauth2-proxy", "wait", "--for=delete", "pod", "--all", "--timeout=60s"},
	},
	want: diagnose.OAuth2ProxyUnreachable, component: "oauth2-proxy", says: []string{"no ready endpoints"},
}, {
	name: "the login switched off",
	do:   [][]string{{"-n", "auth", "scale", "deployment", "dex", "--replicas=0"}},
	want: diagnose.ScaledToZero, component: "dex", says: []string{"Deployment auth/dex", "replicas: 0", "kubectl -n auth scale deployment dex --replicas=2"},
}, {
	name: "a program that crashes",
	do:   [][]string{{"-n", "auth", "set", "image", "deployment/dex", "dex=images.invalid/crash:v1"}},
	want: diagnose.CrashLoopBackOff, component: "dex", says: []string{"auth/dex"}, state: report.Degraded,
}, {
	name: "a Deployment deleted",
	do:   [][]string{{"-n", "kubeflow", "delete", "deployment", "jupyter-web-app-deployment"}},
	want: diagnose.ObjectMissing, component: "jupyter-web-app", says: []string{"Deployment kubeflow/jupyter-web-app-deployment: not found"},
}, {
	name: "definitions deleted",
	do:   [][]string{{"delete", "crd", "destinationrules.networking.istio.io"}},
	want: diagnose.KindMissing, component: "istio-crds", says: []string{"destinationrules.networking.istio.io: not found", "no matches for kind"},
}, {
	name: "an address that nobody gives",
	do:   [][]string{{"-n", "istio-system", "patch", "service", "istio-ingressgateway", "-p", `{"spec":{"type":"LoadBalancer"}}`}},
	want: diagnose.NoLoadBalancerController, component: "istio", says: []string{"nothing in the cluster assigns LoadBalancer addresses"}, state: anyState,
}, {
	name: "no default StorageClass",
	do:   [][]string{{"annotate", "storageclass", "--all", "--overwrite", "storageclass.kubernetes.io/is-default-class=false"}},
	want: diagnose.NoDefaultStorageClass, says: []string{"kubectl annotate storageclass"}, state: anyState,
}}

// suffers does what the fault says, sees it named, and installs over it.
func (b *bed) suffers(f fault) {
	for _, args := range f.do {
		b.kubectl(args...)
	}
	var got report.Report
	named := func() bool {
		var code int
		got, code = b.status()
		want := f.state
		if want == "" {
			want = report.Failed
		}
		if (code == 0) != (got.State == report.Ready) {
			b.t.Fatalf("state %s and exit code %d", got.State, code)
		}
		return slices.ContainsFunc(got.Causes, func(c report.Cause) bool {
			text := c.Summary + "\n" + strings.Join(c.Evidence, "\n") + "\n" + c.Remedy
			return c.Name == f.want && c.Component == f.component && (got.State == want || want == anyState) &&
				!slices.ContainsFunc(f.says, func(s string) bool { return !strings.Contains(text, s) })
		})
	}
	eventually(b.t, fmt.Sprintf("%s in %s, saying %q", f.want, f.component, f.says), named, func() {
		b.t.Logf("state %s", got.State)
		for _, c := range got.Causes {
			b.t.Logf("%s %s (%s) %s: %s %q", c.Severity, c.Name, c.Component, c.Object, c.Summary, c.Evidence)
		}
	})
	if f.component != "" {
		row := got.Components[slices.IndexFunc(got.Components, func(c report.Component) bool { return c.Name == f.component })]
		if row.Cause == "" {
			b.t.Errorf("the row of %s names no cause", f.component)
		}
	}
	for _, c := range got.Causes {
		if !strings.HasPrefix(c.Docs, "https://") || c.Severity > report.Info && c.Remedy == "" {
			b.t.Errorf("%s has no page or no remedy: %+v", c.Name, c)
		}
	}
	for _, args := range f.undo {
		b.kubectl(args...)
	}
	b.must("install", "--adopt", "--timeout", "3m")
}
