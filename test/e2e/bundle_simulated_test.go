//go:build e2e

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/bedkit"
)

func supportBundle(t *testing.T, b *bed) {
	b.plant()

	t.Run("has what helps and nobody's credentials", func(t *testing.T) {
		b := b.in(t)
		files, r := b.bundle()
		b.wantNoSecrets(files)
		for name, wants := range map[string][]string{
			"manifest.yaml":                {"values of Secrets", "objects/auth/configmaps.yaml", "serverVersion: v1."},
			"versions.yaml":                {"profile: default"},
			"status.yaml":                  {"kind: Status", "name: dex"},
			"status.txt":                   {"release 26.03, profile default", "Ready: 14 components."},
			"nodes.yaml":                   {"cpu-0", "kubelet: "},
			"definitions.txt":              {"notebooks.kubeflow.org", "passwords.dex.coreos.com"},
			"events/auth.txt":              {"Warning Failed pod/planted x1: login as dex:[redacted]"},
			"objects/auth/secrets.yaml":    {"OIDC_CLIENT_SECRET: '[40 bytes]'"},
			"objects/auth/configmaps.yaml": {"issuer: http://dex.auth.svc.cluster.local:5556/dex", "/oauth2/callback"},
			"objects/cluster/mutatingwebhookconfigurations.admissionregistration.k8s.io.yaml": {"istio-sidecar-injector", "caBundle: '[certificate of "},
			"objects/istio-system/authorizationpolicies.security.istio.io.yaml":               {"istio-ingressgateway-require-jwt"},
			"objects/kube-system/configmaps.yaml":                                             {"name: kubectl-jupyter"},
			"objects/cluster/clusterrolebindings.rbac.authorization.k8s.io.yaml":              {"jupyter-web-app-cluster-role-binding"},
		} {
			for _, w := range wants {
				if !strings.Contains(files[name], w) {
					t.Errorf("%s does not say %q:\n%s", name, w, bedkit.Tail(files[name]))
				}
			}
		}
		for name := range files {
			if strings.Contains(name, "kubeflow-user-example-com") || strings.Contains(name, "profiles.kubeflow.org") {
				t.Errorf("%s is a person's", name)
			}
		}
		wantSays(t, r.Stderr, `Reading cluster "devcluster"`, "credentials redacted")
		// A simulated pod has no log, and the bundle says so.
		wantSays(t, files["manifest.yaml"], "what: logs/auth/dex-")
	})

	t.Run("takes user namespaces when it is asked to", func(t *testing.T) {
		b := b.in(t)
		b.apply(`{apiVersion: kubeflow.org/v1, kind: Notebook, metadata: {name: hers, namespace: kubeflow-user-example-com},
			spec: {template: {spec: {containers: [{name: hers, image: "example.com/nb:1", env: [{name: KEY, value: ` + plantedPersonal + `}]}]}}}}`)
		files, _ := b.bundle("--include-user-namespaces")
		b.wantNoSecrets(files)
		wantSays(t, files["objects/kubeflow-user-example-com/notebooks.kubeflow.org.yaml"], "name: hers")
		wantSays(t, files["objects/cluster/profiles.kubeflow.org.yaml"], "user@example.com")
		if _, there := files["objects/kubeflow-user-example-com/secrets.yaml"]; there {
			t.Error("people's Secrets are in it, if only their keys")
		}
	})

	t.Run("is made of what may be read", func(t *testing.T) {
		b := b.in(t)
		b.kubectl("create", "rolebinding", "look", "-n", "auth", "--clusterrole=view", "--user=jane")
		files, r := b.bundle("--as", "jane")
		// Nobody can tell that a word of a sentence is a Secret's value without the Secret.
		b.wantNoSecrets(files, plantedSecret)
		wantSays(t, files["objects/auth/deployments.apps.yaml"], "name: dex")
		wantSays(t, files["manifest.yaml"], `User "jane" cannot list resource "secrets"`, "secretsUnread:")
		wantSays(t, r.Stderr, "warning: the Secrets of auth, cert-manager", "only redacted if their format was recognized", "Not included, because it could not be read", "see manifest.yaml")
	})

	t.Run("goes to standard output for pipes", func(t *testing.T) {
		b := b.in(t)
		r := b.must("support-bundle", "-f", "-")
		if !strings.HasPrefix(r.Stdout, "\x1f\x8b") {
			t.Errorf("standard output is no gzip: %.20q", r.Stdout)
		}
	})

	t.Run("leaves no half of it when it is interrupted", func(t *testing.T) {
		b := b.in(t)
		dir := t.TempDir()
		r := b.run(context.Background(), "", func(p *os.Process) {
			// As soon as there is something to lose.
			eventually(t, "a file is being written", func() bool {
				entries, err := os.ReadDir(dir)
				return err == nil && len(entries) > 0
			})
			if err := p.Signal(os.Interrupt); err != nil {
				t.Error(err)
			}
		}, "support-bundle", "-f", filepath.Join(dir, "bundle.tar.gz"))
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) > 0 {
			t.Errorf("%v is left, error %v", entries, err)
		}
		if r.Code != 130 {
			t.Errorf("interrupted: %s", r)
		}
	})

	t.Run("overwrites nothing", func(t *testing.T) {
		b := b.in(t)
		file := filepath.Join(t.TempDir(), "mine")
		if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		r := b.jupyter("support-bundle", "-f", file)
		if r.Code != 1 {
			t.Errorf("exit code %d", r.Code)
		}
		wantSays(t, r.Stderr, "--file: ", "already exists: specify another file")
		if text, err := os.ReadFile(file); err != nil || string(text) != "mine" {
			t.Errorf("the file says %q, error %v", text, err)
		}
	})
}

// plant puts credentials everywhere.
func (b *bed) plant() {
	b.t.Helper()
	// kubectl apply repeats all of it in the annotation with the last applied configuration.
	b.apply(`
apiVersion: v1
kind: Secret
metadata: {name: planted, namespace: kubeflow}
stringData: {anything: ` + plantedSecret + `, "tls.key": "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj\n-----END PRIVATE KEY-----\n"}
---
apiVersion: v1
kind: Secret
metadata: {name: planted, namespace: kubeflow-user-example-com}
stringData: {anything: ` + plantedPersonal + `}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: planted, namespace: auth, annotations: {example.com/db-password: ` + plantedNote + `}}
data:
  config.yaml: |
    staticClients:
    - id: web
      secret: ` + plantedConfig + `
    connectors:
    - config: {bindPW: ` + plantedConfig + `}
  url: postgres://dex:` + plantedConfig + `@db/dex
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: planted, namespace: auth, annotations: {about: "it knows ` + plantedSecret + `"}}
spec:
  replicas: 0
  selector: {matchLabels: {app: planted}}
  template:
    metadata: {labels: {app: planted}}
    spec:
      containers:
      - name: planted
        image: example.com/planted:1
        args: [--db-password, ` + plantedVariable + `]
        env: [{name: DB, value: ` + plantedVariable + `}]
---
apiVersion: v1
kind: Event
metadata: {name: planted, namespace: auth}
involvedObject: {kind: Pod, namespace: auth, name: planted}
reason: Failed
type: Warning
message: "login as dex:` + plantedSecret + `, password=` + plantedEvent + `, Authorization: Bearer ` + plantedEvent + `"
firstTimestamp: "2026-01-01T00:00:00Z"
lastTimestamp: "2026-01-01T00:00:00Z"
`)
}
