//go:build e2e_real

package e2e

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"slices"
	"testing"
)

func (b *bed) podDefaultsCertificate(t *testing.T) {
	if got := b.kubectl("-n", "kubeflow", "get", "certificate", "poddefaults-webhook-cert",
		"-o", `jsonpath={.status.conditions[?(@.type=="Ready")].status}`); got != "True" {
		t.Fatalf("Certificate kubeflow/poddefaults-webhook-cert: Ready is %q, want True", got)
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
	leaf := decode(b.kubectl("-n", "kubeflow", "get", "secret", "poddefaults-webhook-certs", "-o", `jsonpath={.data.tls\.crt}`))
	roots := x509.NewCertPool()
	roots.AddCert(decode(b.kubectl("get", "mutatingwebhookconfiguration", "poddefaults-webhook-mutating-webhook-configuration",
		"-o", "jsonpath={.webhooks[0].clientConfig.caBundle}")))
	if _, err := leaf.Verify(x509.VerifyOptions{DNSName: "poddefaults-webhook-service.kubeflow.svc", Roots: roots}); err != nil {
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

// sidecar looks at what istiod adds to a pod: the proxy with an image, and beside it an init
// container that sets up the pod's network, or sees that Istio's CNI plugin has.
func (b *bed) sidecar(t *testing.T, image, network string) {
	out, err := b.tryKubectl(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"probe","namespace":"kubeflow"},
		"spec":{"securityContext":{"runAsNonRoot":true,"runAsUser":1000,"seccompProfile":{"type":"RuntimeDefault"}},
		"containers":[{"name":"c","image":"probe","securityContext":{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]}}}]}}`, "create", "--dry-run=server", "-o", "json", "-f", "-")
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
	init, proxy := find(network), find("istio-proxy")
	for _, c := range []container{init, proxy} {
		if c.Image != image {
			t.Errorf("image of %s = %s, want %s", c.Name, c.Image, image)
		}
	}
	if len(init.Args) == 0 || init.Args[0] != "istio-iptables" || !slices.Contains(init.Args, "15006") {
		t.Errorf("arguments of %s = %q, want istio-iptables with port 15006", network, init.Args)
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
func (b *bed) notebook(t *testing.T, image string, policies bool) {
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
        image: %[2]s
        volumeMounts: [{name: home, mountPath: /home/jovyan}]
      volumes: [{name: home, persistentVolumeClaim: {claimName: home}}]
`, profileNamespace, image))
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
