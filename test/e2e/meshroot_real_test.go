//go:build e2e_real

package e2e

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
)

// TestANotebookAnswersOverAnUninstallOnARealNode: the sidecar of a notebook that goes on
// running has its certificate of the mesh's key. With the key it answers after the next
// installation; without it the gateway refuses it, and that is what is said. Envoy and
// istiod are themselves.
func TestANotebookAnswersOverAnUninstallOnARealNode(t *testing.T) { overAnUninstall(t) }

// TestRelease110ANotebookAnswersOverAnUninstall is the same for somebody who has not upgraded.
func TestRelease110ANotebookAnswersOverAnUninstall(t *testing.T) {
	if !*otherReleases {
		t.Skip("make e2e-releases runs it")
	}
	overAnUninstall(t, "--release", "1.10")
}

// overAnUninstall takes the flags that choose a release.
func overAnUninstall(t *testing.T, release ...string) {
	if os.Geteuid() != 0 {
		t.Fatal("a real node needs root: run it with sudo")
	}
	images := realImages(t, release...)
	if !realProxy(images) {
		t.Skip("the proxy is a stand-in, which has no certificate: see the list above for why")
	}
	b := newBed(t, append([]string{"--nodes", "real"}, release...)...)
	install := func() {
		if r := b.run(context.Background(), loginPassword, nil, append([]string{"install", "--password-stdin", "--timeout", "5m"}, release...)...); r.Code != 0 {
			t.Fatalf("install: %s", r)
		}
		b.kubectl("-n", "istio-system", "patch", "service", "istio-ingressgateway", "-p", `{"spec":{"externalIPs":["`+gatewayAddress+`"]}}`)
	}
	// kernels is what became of the probe that asks the notebook.
	kernels := func(c checked) string {
		for _, p := range c.Probes {
			if p.Hop == "kernels" {
				return fmt.Sprintf("%s: %s %s", p.Outcome, p.Came, p.Cause)
			}
		}
		return "not tried"
	}
	// answers tells that the probe got something from the notebook.
	answers := func(c checked) bool {
		said := kernels(c)
		return strings.HasPrefix(said, "Passed") || strings.Contains(said, "the notebook")
	}
	install()
	b.throughProxy(t)
	b.apply(`{apiVersion: kubeflow.org/v1, kind: Notebook, metadata: {name: ada, namespace: ` + profileNamespace + `}, spec: {template: {spec: {containers: [{name: ada, image: "` + notebookImage(t, images) + `"}]}}}}`)
	b.kubectl("-n", profileNamespace, "wait", "--for=create", "pod/ada-0", "--timeout=60s")
	b.kubectl("-n", profileNamespace, "wait", "--for=condition=Ready", "pod/ada-0", "--timeout=180s")
	uid := func() string {
		return b.kubectl("-n", profileNamespace, "get", "pod", "ada-0", "-o", "jsonpath={.metadata.uid}")
	}
	was := uid()
	var c checked
	eventually(t, "the notebook answers", func() bool { c = b.checkLogin(t, loginPassword); return c.Code == 0 && answers(c) }, func() { t.Log(kernels(c), c.result) })

	wantSays(t, b.must("uninstall", "--yes", "--timeout", "5m").Stderr, "needed by 1 running pod of others")
	install()
	eventually(t, "the notebook answers after the next installation", func() bool { c = b.checkLogin(t, loginPassword); return c.Code == 0 && answers(c) }, func() { t.Log(kernels(c), c.result) })
	if uid() != was {
		t.Fatal("the notebook has been restarted, so this proves nothing")
	}
	if strings.Contains(b.must("status").Stdout, diagnose.MeshRootChanged) {
		t.Error("status says that the mesh's root has changed")
	}

	b.must("uninstall", "--yes", "--timeout", "5m")
	b.kubectl("-n", "istio-system", "delete", "secret", "istio-ca-secret")
	install()
	eventually(t, "the gateway refuses the notebook, and its cause is named", func() bool {
		c = b.checkLogin(t, loginPassword)
		return c.Code == 1 && c.at("kernels") == diagnose.MeshRootChanged
	}, func() { t.Log(kernels(c), c.result) })
	if uid() != was {
		t.Fatal("the notebook has been restarted, so this proves nothing")
	}
	wantSays(t, c.says(diagnose.MeshRootChanged), "Notebook "+profileNamespace+"/ada: istio-proxy of pod ada-0")
	r := b.jupyter("status")
	wantSays(t, r.Stdout, diagnose.MeshRootChanged, "kubectl -n "+profileNamespace+" delete pod ada-0")
	if r.Code == 0 {
		t.Errorf("status says that all is well: %s", r)
	}
	b.kubectl("-n", profileNamespace, "delete", "pod", "ada-0")
	b.kubectl("-n", profileNamespace, "wait", "--for=create", "pod/ada-0", "--timeout=60s")
	b.kubectl("-n", profileNamespace, "wait", "--for=condition=Ready", "pod/ada-0", "--timeout=180s")
	eventually(t, "the notebook answers after its restart", func() bool { c = b.checkLogin(t, loginPassword); return c.Code == 0 && answers(c) }, func() { t.Log(kernels(c), c.result) })
}
