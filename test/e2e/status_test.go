//go:build e2e

package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// status runs `status -o json` and returns the report and the exit code.
func (b *bed) status(args ...string) (report.Report, int) {
	b.t.Helper()
	r := b.jupyter(append([]string{"status", "-o", "json"}, args...)...)
	var out report.Report
	if err := json.Unmarshal([]byte(r.Stdout), &out); err != nil {
		b.t.Fatalf("status: %v: %s", err, r)
	}
	return out, r.Code
}

// healthy fails the test where anything is told of a stack that should be whole.
func (b *bed) healthy(when string) {
	b.t.Helper()
	r, code := b.status()
	if code != 0 || r.State != report.Ready {
		b.t.Errorf("%s: state %s, exit code %d", when, r.State, code)
	}
	for _, c := range r.Causes {
		if c.Severity > report.Info {
			b.t.Errorf("%s: %s %s: %s: %s %q", when, c.Severity, c.Name, c.Object, c.Summary, c.Evidence)
		}
	}
}

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
	do:   [][]string{{"-n", "kubeflow", "set", "image", "deployment/profiles-deployment", "manager=ghcr.io/kubeflow/kubeflow/profile-controller:v1.9.2"}},
	want: diagnose.Drift, component: "profiles", state: report.Ready,
	says: []string{"kubectl-set", "containers[manager].image was ghcr.io/kubeflow/kubeflow/profile-controller:v1.10.0, is ghcr.io/kubeflow/kubeflow/profile-controller:v1.9.2"},
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
		{"patch", "mutatingwebhookconfiguration", "admission-webhook-mutating-webhook-configuration", "--type=json", "-p", `[{"op":"remove","path":"/webhooks/0/clientConfig/caBundle"}]`},
	},
	undo: [][]string{{"-n", "cert-manager", "scale", "deployment", "cert-manager-cainjector", "--replicas=1"}},
	want: diagnose.WebhookCABundleMissing, component: "poddefaults", says: []string{"no clientConfig.caBundle", "cainjector"},
}, {
	name: "nobody behind a webhook",
	do: [][]string{
		{"-n", "kubeflow", "scale", "deployment", "admission-webhook-deployment", "--replicas=0"},
		{"-n", "kubeflow", "wait", "--for=delete", "pod", "-l", "app=poddefaults", "--timeout=60s"},
	},
	undo: [][]string{{"-n", "kubeflow", "scale", "deployment", "admission-webhook-deployment", "--replicas=1"}},
	want: diagnose.WebhookWithoutEndpoints, component: "poddefaults", says: []string{"admission-webhook-deployment.kubeflow.org", "ready endpoints: 0"},
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
	want: diagnose.ScaledToZero, component: "dex", says: []string{"Deployment auth/dex", "replicas: 0", "kubectl -n auth scale deployment dex --replicas=1"},
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
	want: diagnose.NoLoadBalancerController, component: "istio", says: []string{"nothing in the cluster gives LoadBalancer addresses"}, state: anyState,
}, {
	name: "no default StorageClass",
	do:   [][]string{{"annotate", "storageclass", "--all", "--overwrite", "storageclass.kubernetes.io/is-default-class=false"}},
	want: diagnose.NoDefaultStorageClass, says: []string{"kubectl annotate storageclass"}, state: anyState,
}}

func TestStatus(t *testing.T) {
	b := newBed(t)

	r := b.jupyter("status")
	if r.Code != 1 {
		t.Errorf("an empty cluster: %s", r)
	}
	wantSays(t, r.Stdout, "Nothing is installed: run kubectl jupyter install", "Missing")

	if r := b.jupyter("status", "--wait", "--timeout", "2s"); r.Code != 1 || !strings.Contains(r.Stderr, "not everything was Ready within 2s") {
		t.Errorf("a wait that is over: %s", r)
	}

	// One waits while the other installs: what is waited for is not there when it begins.
	waited := make(chan result, 1)
	go func() { waited <- b.jupyter("status", "--wait", "--timeout", "5m", "-o", "short") }()
	b.must("install", "--timeout", "5m")
	if r := <-waited; r.Code != 0 || !strings.Contains(r.Stdout, ": Ready\n") {
		t.Errorf("status --wait: %s", r)
	}

	t.Run("a fresh installation has nothing to tell", func(t *testing.T) {
		b := b.in(t)
		b.healthy("after an installation")
		b.must("install", "--timeout", "2m")
		b.healthy("after a second one")
	})
	t.Run("every format prints the same stack", func(t *testing.T) { b.in(t).formats() })
	t.Run("who may not look is told so", func(t *testing.T) { b.in(t).forbidden() })
	t.Run("a pipe gets a line for each change", func(t *testing.T) { b.in(t).follows() })
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) { b.in(t).suffers(f) })
	}
	t.Run("a change that an installation cannot take over is told with its author, and can be taken back", func(t *testing.T) {
		b := b.in(t)
		deployment := []string{"-n", "kubeflow", "set", "env", "deployment.apps", "jupyter-web-app-deployment"}
		b.kubectl(append(deployment, "APP_SECURE_COOKIES=true")...)
		r := b.jupyter("install", "--adopt", "--timeout", "3m")
		if r.Code != 1 {
			t.Errorf("an installation over it: %s", r)
		}
		wantSays(t, r.Stderr, diagnose.ObjectRefused, "what kubectl-set has set there", "kubectl "+strings.Join(append(deployment, "NAME-"), " "))
		b.kubectl(append(deployment, "APP_SECURE_COOKIES-")...)
		b.must("install", "--timeout", "3m")
	})
	t.Run("it can be put right", func(t *testing.T) {
		b := b.in(t)
		b.kubectl("annotate", "storageclass", "--all", "--overwrite", "storageclass.kubernetes.io/is-default-class=true")
		b.kubectl("-n", "istio-system", "patch", "service", "istio-ingressgateway", "-p", `{"spec":{"type":"ClusterIP"}}`)
		b.must("install", "--adopt", "--timeout", "3m")
		b.healthy("after all faults")
	})
	t.Run("a smaller profile is whole without what it leaves out", func(t *testing.T) {
		b := b.in(t)
		b.must("install", "--profile", "slim", "--timeout", "3m")
		b.healthy("after a change to slim")
	})
	t.Run("a large cluster is asked no more than a small one", func(t *testing.T) { b.in(t).asksTheSame() })
}

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
	eventuallyOr(b.t, fmt.Sprintf("%s in %s, saying %q", f.want, f.component, f.says), named, func() {
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

// eventuallyOr is eventually with something to say when it fails.
func eventuallyOr(t *testing.T, what string, check func() bool, otherwise func()) {
	t.Helper()
	deadline := time.Now().Add(40 * time.Second)
	for !check() {
		if time.Now().After(deadline) {
			otherwise()
			t.Fatalf("still not: %s", what)
		}
		<-time.After(300 * time.Millisecond)
	}
}

func (b *bed) formats() {
	t := b.t
	wantSays(t, b.must("status").Stdout, "NAME", "STATE", "PODS", "cert-manager", "v1.16.1", "2/2", "URL:", "Users:    user@example.com", "Ready: 14 components.")
	wantSays(t, b.must("status", "-o", "wide").Stdout, "OBJECTS", "OFFERED", "TITLE", "Jupyter Web App")
	short := b.must("status", "-o", "short").Stdout
	wantSays(t, short, "profile default", "Kubernetes v1.", "versions: cert-manager v1.16.1")
	if lines := strings.Count(short, "\n"); lines > 5 || strings.Contains(short, "user@example.com") || strings.Contains(short, "127.0.0.1") {
		t.Errorf("the short form of a whole stack has %d lines, or tells who and where:\n%s", lines, short)
	}
	if names := strings.Fields(b.must("status", "-o", "name").Stdout); len(names) != 14 || names[0] != "cert-manager" {
		t.Errorf("names: %q", names)
	}
	if got := b.must("status", "-o", "jsonpath={.state} {.components[?(@.name=='dex')].pods.ready}").Stdout; got != "Ready 1\n" {
		t.Errorf("jsonpath: %q", got)
	}
	wantSays(t, b.must("status", "-o", "yaml").Stdout, "kind: Status", "state: Ready")

	one := b.must("status", "jupyter-web-app").Stdout
	wantSays(t, one, "POD", "kubeflow/jupyter-web-app-deployment-", "Running", "EVENT", "Scheduled", "Ready: 1 component.")
	if strings.Contains(one, "cert-manager") {
		t.Errorf("a report of one component tells of others:\n%s", one)
	}
	if r := b.jupyter("status", "metallb"); r.Code != 1 || !strings.Contains(r.Stderr, "metallb is not part of the installation") {
		t.Errorf("a component that is not installed: %s", r)
	}
	if r := b.jupyter("status", "--server", "https://127.0.0.1:1"); r.Code != 2 {
		t.Errorf("a server that does not answer: %s", r)
	}
}

func (b *bed) forbidden() {
	t := b.t
	r, code := b.status("--as", "nobody")
	if code != 2 || r.State != report.Unknown {
		t.Errorf("state %s, exit code %d, want Unknown and 2", r.State, code)
	}
	for _, c := range r.Components {
		if c.State == report.Missing || c.Pods != nil {
			t.Errorf("%s is %s with pods %v to somebody who may see nothing", c.Name, c.State, c.Pods)
		}
	}
	text := b.jupyter("status", "--as", "nobody").Stdout
	wantSays(t, text, "forbidden", "Unknown")

	// Who may read most things is told the rest.
	b.kubectl("create", "clusterrolebinding", "viewer", "--clusterrole=view", "--user=viewer")
	r, _ = b.status("--as", "viewer")
	states := map[string]report.State{}
	for _, c := range r.Components {
		states[c.Name] = c.State
	}
	if states["dex"] != report.Ready || states["kubeflow-roles"] != report.Unknown {
		t.Errorf("a viewer sees %v, want dex Ready and kubeflow-roles Unknown", states)
	}
}

// follows starts a watch, changes something, and reads about it.
func (b *bed) follows() {
	t := b.t
	cmd := exec.CommandContext(t.Context(), programs(t).Plugin, "status", "--watch")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+b.Kubeconfig, "NO_COLOR=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			lines <- s.Text()
		}
	}()
	reads := func(text string) time.Duration {
		t.Helper()
		began := time.Now()
		timer := time.NewTimer(30 * time.Second)
		defer timer.Stop()
		for {
			select {
			case l, open := <-lines:
				if !open {
					t.Fatalf("the watch ended before it said %q", text)
				}
				if strings.Contains(l, text) {
					return time.Since(began)
				}
			case <-timer.C:
				t.Fatalf("the watch does not say %q", text)
			}
		}
	}
	reads("Ready: 14 components")
	b.kubectl("-n", "kubeflow", "delete", "virtualservice", "jupyter-web-app-jupyter-web-app")
	if took := reads("jupyter-web-app      Failed 1/1 RouteMissing"); took > 5*time.Second {
		t.Errorf("the change was told after %s: by a timer and not by a watch", took)
	}
	b.must("install", "--timeout", "2m")
	reads("Ready: 14 components")
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for range lines {
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("an interrupted watch ends with %d, want 130", code)
	}
}

// requests counts what one status asks of the API server.
func (b *bed) requests() int {
	b.t.Helper()
	return strings.Count(b.must("status", "-v", "6").Stderr, " verb=")
}

func (b *bed) asksTheSame() {
	few := b.requests()
	var nodes strings.Builder
	const many = 1000
	for i := range many {
		fmt.Fprintf(&nodes, "{apiVersion: v1, kind: Node, metadata: {name: large-%d, labels: {type: none}}}\n---\n", i)
	}
	if _, err := b.tryKubectl(nodes.String(), "create", "-f", "-"); err != nil {
		b.t.Fatal(err)
	}
	if n := strings.Count(b.kubectl("get", "nodes", "-o", "name"), "\n"); n < many {
		b.t.Fatalf("%d nodes", n)
	}
	lots := b.requests()
	b.t.Logf("requests: %d, and %d with %d nodes more", few, lots, many)
	if few == 0 || lots != few {
		b.t.Errorf("%d requests with few nodes, %d with %d", few, lots, many)
	}
}

// TestStatusOfAStackOfSomebodyElse installs with other tools: no inventory, no labels
// of ours, ConfigMaps with the suffixes of kustomize's generators, another version of
// one component. These are the marks of upstream's own sequence.
func TestStatusOfAStackOfSomebodyElse(t *testing.T) {
	b := newBed(t)
	manifests := b.must("render").Stdout
	manifests = strings.NewReplacer(
		"cert-manager-controller:v1.16.1", "cert-manager-controller:v1.15.3",
		"cert-manager-webhook:v1.16.1", "cert-manager-webhook:v1.15.3",
		"cert-manager-cainjector:v1.16.1", "cert-manager-cainjector:v1.15.3",
		"jupyter-web-app-config\n", "jupyter-web-app-config-t6fdc2gbb5\n",
		"kubectl-jupyter/component", "example.com/component",
	).Replace(manifests)
	eventually(t, "everything is accepted", func() bool {
		_, err := b.tryKubectl(manifests, "apply", "--server-side", "--force-conflicts", "-f", "-")
		return err == nil
	})
	var r report.Report
	eventuallyOr(t, "Ready", func() bool { r, _ = b.status(); return r.State == report.Ready }, func() {
		t.Log(b.jupyter("status"))
	})
	if !r.Foreign {
		t.Error("it is taken for an installation of this plugin")
	}
	for _, c := range r.Components {
		if c.Name == "cert-manager" && (c.Version != "v1.15.3" || c.Offered != "v1.16.1") {
			t.Errorf("cert-manager: version %q, offered %q", c.Version, c.Offered)
		}
	}
	for _, c := range r.Causes {
		if c.Name == diagnose.Drift || c.Name == diagnose.ObjectMissing {
			t.Errorf("%s: %s %q", c.Name, c.Object, c.Evidence)
		}
	}
	b.kubectl("-n", "auth", "delete", "deployment", "dex")
	r, code := b.status()
	if !slices.ContainsFunc(r.Causes, func(c report.Cause) bool { return c.Name == diagnose.ObjectMissing && c.Component == "dex" }) || code != 1 {
		t.Errorf("dex is deleted: exit code %d, causes %+v", code, r.Causes)
	}
}
