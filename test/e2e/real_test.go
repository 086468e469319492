//go:build e2e_real

package e2e

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// profileNamespace is the first user's, by the default address.
const profileNamespace = "kubeflow-user-example-com"

// must be the components themselves for this test to say anything: a stand-in would pass whatever we send.
var mustBeReal = []string{
	"quay.io/jetstack/cert-manager-controller", "quay.io/jetstack/cert-manager-webhook", "quay.io/jetstack/cert-manager-cainjector",
	"docker.io/istio/pilot", "ghcr.io/dexidp/dex", "quay.io/oauth2-proxy/oauth2-proxy",
}

// TestRealNode installs onto a node whose containers run, with the components themselves where they can be had,
// and takes everything out again. It needs root; its images are built first, which takes about twenty minutes the
// first time. What is a stand-in here (Kubeflow's own programs) the log says.
func TestRealNode(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("a real node needs root: run it with sudo")
	}
	images := realImages(t)
	b := newBed(t, "--nodes", "real")
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
	t.Run("istiod injects the sidecar of our templates", b.sidecar)
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
		b.notebook(t, images["docker.io/istio/proxyv2:1.24.3"] == "real")
	})
	t.Run("a person logs in through the gateway, creates a notebook and opens it, and nobody else does", func(t *testing.T) {
		if images["docker.io/istio/proxyv2:1.24.3"] != "real" {
			t.Skip("the proxy is a stand-in, which knows no login: see the list above for why")
		}
		b.login(t, password)
	})
	t.Run("a second install changes nothing", func(t *testing.T) {
		was := b.versions(memberSelector)
		if len(was) < 150 {
			t.Fatalf("found %d objects of the installation, want all of them", len(was))
		}
		wantSays(t, b.must("install", "--timeout", "5m").Stderr, "nothing to change")
		compare(t, was, b.versions(memberSelector))
	})
	t.Run("uninstall with all data leaves nothing", func(t *testing.T) {
		b.must("uninstall", "--yes", "--delete-crds", "--delete-data")
		var left []string
		for name := range b.versions("") {
			if _, ok := before[name]; !ok && !strings.HasPrefix(name, "Event.") {
				left = append(left, name)
			}
		}
		slices.Sort(left)
		if len(left) > 0 {
			t.Errorf("%d objects are left:\n%s", len(left), strings.Join(left, "\n"))
		}
	})
}

// realImages builds what is missing and logs which images are stand-ins.
func realImages(t *testing.T) map[string]string {
	t.Helper()
	devcluster := programs(t).Devcluster
	build := exec.Command(devcluster, "images", "build")
	build.Stderr = os.Stderr // minutes of progress, which a failed test's log would show too late
	_, err := build.Output()
	list, lerr := exec.Command(devcluster, "images", "list", "-o", "json").Output()
	if lerr != nil {
		t.Fatalf("devcluster images: %v", lerr)
	}
	var all []struct{ Name, Kind, From, Note, Missing string }
	if err := json.Unmarshal(list, &all); err != nil {
		t.Fatal(err)
	}
	have := map[string]string{}
	for _, i := range all {
		if i.Missing == "" {
			have[i.Name] = i.Kind
		}
		t.Logf("%-9s  %s  from %s  %s%s", i.Kind, i.Name, i.From, i.Note, i.Missing)
	}
	for _, want := range mustBeReal {
		if !slices.ContainsFunc(all, func(i struct{ Name, Kind, From, Note, Missing string }) bool {
			return strings.HasPrefix(i.Name, want+":") && i.Kind == "real" && i.Missing == ""
		}) {
			t.Fatalf("there is no real image %s (devcluster images build: %v)", want, err)
		}
	}
	return have
}

func compare(t *testing.T, was, is map[string]string) {
	t.Helper()
	for name, version := range was {
		if is[name] != version {
			t.Errorf("%s changed from %s to %q", name, version, is[name])
		}
	}
	for name := range is {
		if _, ok := was[name]; !ok {
			t.Errorf("%s is new", name)
		}
	}
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

func (b *bed) podDefaultsCertificate(t *testing.T) {
	if got := b.kubectl("-n", "kubeflow", "get", "certificate", "admission-webhook-cert",
		"-o", `jsonpath={.status.conditions[?(@.type=="Ready")].status}`); got != "True" {
		t.Fatalf("Certificate kubeflow/admission-webhook-cert: Ready is %q, want True", got)
	}
	decode := func(text string) *x509.Certificate {
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(raw)
		if block == nil {
			t.Fatalf("no certificate in %q", raw)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	leaf := decode(b.kubectl("-n", "kubeflow", "get", "secret", "webhook-certs", "-o", `jsonpath={.data.tls\.crt}`))
	roots := x509.NewCertPool()
	roots.AddCert(decode(b.kubectl("get", "mutatingwebhookconfiguration", "admission-webhook-mutating-webhook-configuration",
		"-o", "jsonpath={.webhooks[0].clientConfig.caBundle}")))
	if _, err := leaf.Verify(x509.VerifyOptions{DNSName: "admission-webhook-service.kubeflow.svc", Roots: roots}); err != nil {
		t.Errorf("the API server would not trust the webhook: %v", err)
	}
}

type container struct {
	Name, Image   string
	RestartPolicy string
	Args          []string
	Env           []struct{ Name, Value string }
}

type pod struct {
	Metadata struct{ Annotations map[string]string }
	Spec     struct{ InitContainers, Containers []container }
}

func (b *bed) sidecar(t *testing.T) {
	out, err := b.tryKubectl(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"probe","namespace":"kubeflow"},
		"spec":{"containers":[{"name":"c","image":"probe"}]}}`, "create", "--dry-run=server", "-o", "json", "-f", "-")
	if err != nil {
		t.Fatal(err)
	}
	var p pod
	if err := json.Unmarshal([]byte(out), &p); err != nil {
		t.Fatal(err)
	}
	if p.Metadata.Annotations["sidecar.istio.io/status"] == "" {
		t.Error("annotation sidecar.istio.io/status is missing: istiod did not inject")
	}
	find := func(name string) container {
		for _, c := range p.Spec.InitContainers {
			if c.Name == name {
				return c
			}
		}
		t.Fatalf("no init container %s among %+v", name, p.Spec.InitContainers)
		return container{}
	}
	init, proxy := find("istio-init"), find("istio-proxy")
	for _, c := range []container{init, proxy} {
		if want := "docker.io/istio/proxyv2:1.24.3"; c.Image != want {
			t.Errorf("image of %s = %s, want %s", c.Name, c.Image, want)
		}
	}
	// What pilot-agent of 1.24 takes.
	if len(init.Args) == 0 || init.Args[0] != "istio-iptables" || !slices.Contains(init.Args, "15006") {
		t.Errorf("arguments of istio-init = %q, want istio-iptables with port 15006", init.Args)
	}
	if len(proxy.Args) < 2 || proxy.Args[0] != "proxy" || proxy.Args[1] != "sidecar" || !slices.Contains(proxy.Args, "--domain") {
		t.Errorf("arguments of istio-proxy = %q, want proxy sidecar --domain ...", proxy.Args)
	}
	if proxy.RestartPolicy != "Always" {
		t.Errorf("restart policy of istio-proxy = %q, want Always: a native sidecar", proxy.RestartPolicy)
	}
	for _, name := range []string{"CA_ADDR", "POD_NAME", "ISTIO_META_CLUSTER_ID", "PROXY_CONFIG"} {
		if !slices.ContainsFunc(proxy.Env, func(e struct{ Name, Value string }) bool { return e.Name == name }) {
			t.Errorf("istio-proxy has no variable %s", name)
		}
	}
}

// notebook runs one as the web app would create it, in a mesh whose proxies enforce policies or in one whose
// proxies are stand-ins.
func (b *bed) notebook(t *testing.T, policies bool) {
	b.apply(fmt.Sprintf(`
apiVersion: kubeflow.org/v1alpha1
kind: PodDefault
metadata: {name: hello, namespace: %[1]s}
spec: {desc: says hello, selector: {matchLabels: {hello: "true"}}, env: [{name: HELLO, value: world}]}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: home, namespace: %[1]s}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: kubeflow.org/v1
kind: Notebook
metadata: {name: first, namespace: %[1]s, labels: {hello: "true"}}
spec:
  template:
    spec:
      serviceAccountName: default-editor
      containers:
      - name: first
        image: ghcr.io/kubeflow/kubeflow/notebook-servers/jupyter-scipy:v1.10.0
        volumeMounts: [{name: home, mountPath: /home/jovyan}]
      volumes: [{name: home, persistentVolumeClaim: {claimName: home}}]
`, profileNamespace))
	b.kubectl("-n", profileNamespace, "wait", "notebook/first", "--for=jsonpath={.status.readyReplicas}=1", "--timeout=2m")
	var p pod
	if err := json.Unmarshal([]byte(b.kubectl("-n", profileNamespace, "get", "pod", "first-0", "-o", "json")), &p); err != nil {
		t.Fatal(err)
	}
	if env := p.Spec.Containers[0].Env; !slices.ContainsFunc(env, func(e struct{ Name, Value string }) bool {
		return e.Name == "HELLO" && e.Value == "world"
	}) {
		t.Errorf("the notebook's variables = %v, want HELLO=world of the PodDefault", env)
	}
	if !slices.ContainsFunc(p.Spec.InitContainers, func(c container) bool { return c.Name == "istio-proxy" }) {
		t.Error("the notebook's pod has no sidecar")
	}
	path := "/notebook/" + profileNamespace + "/first/"
	// Who asks here is nobody of the mesh.
	want := http.StatusOK
	if policies {
		want = http.StatusForbidden
	}
	if code, body := b.get(t, "http://first."+profileNamespace+".svc.cluster.local"+path); code != want {
		t.Errorf("GET %s past the gateway = %d, want %d: %s", path, code, want, body)
	}
}
