//go:build e2e

package e2e

import (
	"encoding/json"
	"strings"
	"testing"

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

func TestStatus(t *testing.T) {
	b := newBed(t)

	r := b.jupyter("status")
	if r.Code != 1 {
		t.Errorf("an empty cluster: %s", r)
	}
	wantSays(t, r.Stdout, "Nothing is installed: run kubectl jupyter install", "Missing")

	if r := b.jupyter("status", "--wait", "--timeout", "2s"); r.Code != 1 || !strings.Contains(r.Stderr, "timed out after 2s, not all components are Ready") {
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
		wantSays(t, r.Stderr, diagnose.ObjectRefused, "what kubectl-set has set in it", "kubectl "+strings.Join(append(deployment, "NAME-"), " "))
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

func (b *bed) formats() {
	t := b.t
	wantSays(t, b.must("status").Stdout, "NAME", "STATE", "PODS", "cert-manager", "v1.20.3", "2/2", "URL:", "Users:    user@example.com", "Ready: 14 components.")
	wantSays(t, b.must("status", "-o", "wide").Stdout, "OBJECTS", "OFFERED", "TITLE", "Jupyter Web App")
	short := b.must("status", "-o", "short").Stdout
	wantSays(t, short, "profile default", "Kubernetes v1.", "versions: cert-manager v1.20.3")
	if lines := strings.Count(short, "\n"); lines > 5 || strings.Contains(short, "user@example.com") || strings.Contains(short, "127.0.0.1") {
		t.Errorf("the short form of a whole stack has %d lines, or tells who and where:\n%s", lines, short)
	}
	if names := strings.Fields(b.must("status", "-o", "name").Stdout); len(names) != 14 || names[0] != "cert-manager" {
		t.Errorf("names: %q", names)
	}
	if got := b.must("status", "-o", "jsonpath={.state} {.components[?(@.name=='dex')].pods.ready}").Stdout; got != "Ready 2\n" {
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
