//go:build e2e_real

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestClustersOnARealNode installs where pods have addresses of IPv6 alone, of both families,
// and where names end with another domain, logs in, and works with a notebook. Envoy, istiod, Dex,
// oauth2-proxy and JupyterLab are themselves, Kubeflow's own programs are stand-ins.
func TestClustersOnARealNode(t *testing.T) {
	onlyWithOtherClusters(t)
	if os.Geteuid() != 0 {
		t.Fatal("a real node needs root: run it with sudo")
	}
	images := realImages(t)
	if !realProxy(images) || images[notebookImage(t, images)] != "real" {
		t.Skip("the proxy or the notebook is a stand-in: see the list above for why")
	}
	for _, c := range []struct {
		name  string
		flags []string
		// gateway is an address in the range of cluster IPs.
		gateway string
		// network is what preflight says of it; nothing where it is as in most clusters.
		network string
		// listens is what the server of a second notebook is told to listen on; the first one's is
		// that of the form, whose server listens on IPv4 alone.
		listens string
		// there is what was there before the installation.
		there string
	}{
		{"IPv6 alone", []string{"--ip-family", "ipv6"}, "fd00:10:96::ff0a", "pods have addresses of IPv6 alone", "::", ""},
		{"IPv4 and IPv6", []string{"--ip-family", "dual"}, "10.96.255.10", "", "", ""},
		{"another domain, and Gateway API 1.5", []string{"--cluster-domain", "corp.example"}, "10.96.255.10", "domain corp.example (ConfigMap kube-system/coredns)", "", gatewayAPI15},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := startBed(t, append([]string{"--nodes", "real"}, c.flags...)...)
			if c.there != "" {
				b.apply(c.there)
			}
			var l struct {
				Checks []struct{ Check, Found string }
			}
			if err := json.Unmarshal([]byte(b.must("preflight", "-o", "json").Stdout), &l); err != nil {
				t.Fatal(err)
			}
			if c.network != "" && !slices.ContainsFunc(l.Checks, func(a struct{ Check, Found string }) bool {
				return a.Check == "network" && strings.Contains(a.Found, c.network)
			}) {
				t.Errorf("preflight says %v, want of the network: %s", l.Checks, c.network)
			}
			if r := b.run(context.Background(), loginPassword, nil, "install", "--password-stdin", "--timeout", "5m"); r.Code != 0 {
				t.Fatalf("install: %s", r)
			}
			wantSays(t, b.must("status").Stdout, "Ready: 14 components")
			b.kubectl("-n", "istio-system", "patch", "service", "istio-ingressgateway", "-p", `{"spec":{"externalIPs":["`+c.gateway+`"]}}`)
			b.throughProxy(t)
			b.healthy(t)
			gateway := "http://" + urlHost(c.gateway)
			b.must("notebook", "create", "lab", "-n", profileNamespace, "--cpu", "0.2", "--memory", "512Mi")
			b.runsACell(t, gateway, "lab")
			if ip := b.kubectl("-n", profileNamespace, "get", "pod", "lab-0", "-o", "jsonpath={.status.podIP}"); strings.Contains(ip, ":") != strings.Contains(c.gateway, ":") {
				t.Errorf("the notebook's pod has the address %s", ip)
			}
			if c.listens != "" {
				b.kubectl("-n", profileNamespace, "patch", "notebook", "lab", "--type=json", "-p",
					`[{"op": "add", "path": "/spec/template/spec/containers/0/args", "value": ["--ServerApp.ip=`+c.listens+`"]}]`)
				b.kubectl("-n", profileNamespace, "delete", "pod", "lab-0")
				b.answers(t, gateway, "lab")
			}
			if r := b.must("status").Stdout; !strings.Contains(r, "Ready: 14 components.") {
				t.Errorf("status with a notebook: %s", r)
			}
			wantSays(t, b.must("install", "--timeout", "5m").Stderr, "nothing to change")
		})
	}
}

// gatewayAPI15 is a definition as Gateway API has it since 1.5, which older Istio with its alpha
// kinds, or in ambient mode, waits for in another version: it never gets ready.
const gatewayAPI15 = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: tlsroutes.gateway.networking.k8s.io
  annotations:
    api-approved.kubernetes.io: https://github.com/kubernetes-sigs/gateway-api/pull/4200
    gateway.networking.k8s.io/bundle-version: v1.5.0
    gateway.networking.k8s.io/channel: standard
spec:
  group: gateway.networking.k8s.io
  scope: Namespaced
  names: {kind: TLSRoute, listKind: TLSRouteList, plural: tlsroutes, singular: tlsroute}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
  - {name: v1alpha2, served: false, storage: false, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
`

// urlHost is an address as URLs have it.
func urlHost(address string) string {
	if strings.Contains(address, ":") {
		return "[" + address + "]"
	}
	return address
}

// answers opens a notebook through the gateway as its owner.
func (b *bed) answers(t *testing.T, gateway, name string) {
	t.Helper()
	b.kubectl("-n", profileNamespace, "wait", "--for=create", "pod/"+name+"-0", "--timeout=60s")
	b.kubectl("-n", profileNamespace, "wait", "--for=condition=Ready", "pod/"+name+"-0", "--timeout=2m")
	person := b.signsIn(t, gateway, nil, loginUser, loginPassword, profileNamespace)
	path := fmt.Sprintf("/notebook/%s/%s/", profileNamespace, name)
	var p page
	eventually(t, "the gateway leads to JupyterLab", func() bool {
		p = person.follow(person.get(path))
		return p.code == http.StatusOK && strings.Contains(p.body, "JupyterLab")
	}, func() { t.Logf("GET %s = %d: %.300s", path, p.code, p.body) })
}

// runsACell opens a notebook, and runs a cell in it through the API server.
func (b *bed) runsACell(t *testing.T, gateway, name string) {
	t.Helper()
	b.answers(t, gateway, name)
	t.Run("a cell", func(t *testing.T) {
		s := &shell{b.in(t), name, profileNamespace, loginUser, gateway + "/jupyter/"}
		server := s.connected(t)
		if out := server.run(t, server.kernel(t), "print('the cell says', 6 * 7)", true); !strings.Contains(out, "the cell says 42") {
			t.Errorf("a cell printed %q", out)
		}
	})
}
