//go:build e2e_real

package e2e

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// profileNamespace is the first user's, by the default address.
const profileNamespace = peoplesHome

// TestRealNode installs onto a node whose containers run and whose network policies are enforced, with the components
// themselves where they can be had, and takes everything out again. It needs root; its images are built first, which takes about twenty minutes the
// first time. What is a stand-in here (Kubeflow's own programs) the log says.
func TestRealNode(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("a real node needs root: run it with sudo")
	}
	images := realImages(t)
	b := newBed(t, "--nodes", "real", "--network-policies")
	before := b.versions("")

	const password = "correct horse battery staple"
	if r := b.run(context.Background(), password+"\n", nil, "install", "--password-stdin", "--timeout", "5m"); r.Code != 0 {
		t.Fatalf("install: %s", r)
	}

	t.Run("every image of the installation is on the node under its own name", func(t *testing.T) {
		for image := range strings.Lines(b.must("images").Stdout) {
			image = strings.TrimSpace(image)
			// Only the form's first notebook image is made; nobody exposes the gateway here.
			if strings.Contains(image, "/notebook-servers/") || strings.Contains(image, "acmesolver") {
				continue
			}
			if _, ok := images[image]; !ok {
				t.Errorf("image %s of the installation is not among the bed's", image)
			}
		}
	})
	t.Run("cert-manager has issued the certificate of the PodDefaults webhook and its CA is in the webhook's configuration", b.podDefaultsCertificate)
	t.Run("cert-manager refuses a certificate that makes no sense", func(t *testing.T) {
		_, err := b.tryKubectl(`{"apiVersion":"cert-manager.io/v1","kind":"Certificate","metadata":{"name":"bad","namespace":"default"},
			"spec":{"secretName":"bad","issuerRef":{"name":"x"}}}`, "create", "--dry-run=server", "-f", "-")
		if err == nil || !strings.Contains(err.Error(), "webhook.cert-manager.io") {
			t.Errorf("creating a Certificate without names: %v, want it refused by webhook.cert-manager.io", err)
		}
	})
	t.Run("istiod injects the sidecar of our templates", func(t *testing.T) {
		b.sidecar(t, "registry.istio.io/release/proxyv2:1.30.8", "istio-validation")
	})
	t.Run("no pod has a container with rights, but for the CNI plugin's on the node", func(t *testing.T) {
		for line := range strings.Lines(b.kubectl("get", "pods", "-A", "-o",
			`jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name} {.spec.initContainers[*].securityContext.capabilities.add}{.spec.containers[*].securityContext.capabilities.add}{"\n"}{end}`)) {
			name, added, _ := strings.Cut(strings.TrimSpace(line), " ")
			if added != "" && !strings.HasPrefix(name, "kube-system/") {
				t.Errorf("pod %s adds capabilities: %s", name, added)
			}
		}
	})
	t.Run("status finds nothing wrong", func(t *testing.T) {
		wantSays(t, b.must("status").Stdout, "release 26.03", "Ready: 14 components")
	})
	t.Run("Dex answers discovery with its issuer", func(t *testing.T) {
		code, body := b.get(t, "http://dex.auth.svc.cluster.local:5556/dex/.well-known/openid-configuration")
		var d struct{ Issuer string }
		if err := json.Unmarshal(body, &d); code != http.StatusOK || err != nil || !strings.HasSuffix(d.Issuer, "/dex") {
			t.Errorf("discovery = %d, issuer %q (%v), want 200 and an issuer that ends with /dex: %s", code, d.Issuer, err, body)
		}
	})
	t.Run("oauth2-proxy is alive, ready, and lets nobody in without a login", func(t *testing.T) {
		for path, want := range map[string]int{"/ping": http.StatusOK, "/oauth2/auth": http.StatusUnauthorized} {
			if code, body := b.get(t, "http://oauth2-proxy.oauth2-proxy.svc.cluster.local"+path); code != want {
				t.Errorf("GET %s = %d, want %d: %s", path, code, want, body)
			}
		}
	})
	t.Run("a notebook runs with its volume and its PodDefault", func(t *testing.T) {
		b.notebook(t, notebookImage(t, images), realProxy(images))
	})
	t.Run("programs run as Jobs with what that notebook has", func(t *testing.T) {
		if images[notebookImage(t, images)] != "real" {
			t.Skip("the notebook is a stand-in, which runs no kernels: see the list above for why")
		}
		b.runs(t, "first", "home")
	})
	t.Run("a person logs in through the gateway, creates a notebook and opens it, and nobody else does", func(t *testing.T) {
		if !realProxy(images) {
			t.Skip("the proxy is a stand-in, which knows no login: see the list above for why")
		}
		b.login(t, password, notebookImage(t, images))
	})
	t.Run("a second install changes nothing", func(t *testing.T) {
		was := b.versions(memberSelector)
		if len(was) < 150 {
			t.Fatalf("found %d objects of the installation, want all of them", len(was))
		}
		wantSays(t, b.must("install", "--timeout", "5m").Stderr, "nothing to change")
		compareVersions(t, was, b.versions(memberSelector))
	})
	t.Run("uninstall with all data leaves nothing", func(t *testing.T) {
		b.must("uninstall", "--yes", "--delete-crds", "--delete-data")
		var left []string
		for name := range b.versions("") {
			// The kubelet may write its Lease after the first look.
			if _, ok := before[name]; !ok && !strings.HasPrefix(name, "Event.") && !strings.HasPrefix(name, "Lease.coordination.k8s.io/v1 kube-node-lease/") {
				left = append(left, name)
			}
		}
		slices.Sort(left)
		if len(left) > 0 {
			t.Errorf("%d objects are left:\n%s", len(left), strings.Join(left, "\n"))
		}
	})
}

// transport goes through the bed's proxy, which reaches every Service.
func (b *bed) transport(t *testing.T) http.RoundTripper {
	t.Helper()
	transport, err := b.Transport()
	if err != nil {
		t.Fatal(err)
	}
	return transport
}

// get asks a Service.
func (b *bed) get(t *testing.T, address string) (int, []byte) {
	t.Helper()
	c := http.Client{Timeout: 20 * time.Second, Transport: b.transport(t)}
	r, err := c.Get(address)
	if err != nil {
		t.Fatalf("GET %s: %v", address, err)
	}
	defer func() { _ = r.Body.Close() }()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, body
}
