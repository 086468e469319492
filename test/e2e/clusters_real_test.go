//go:build e2e_real

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
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
		// network is what preflight says of it, image what a notebook is told beside its image.
		network string
		args    []string
	}{
		{
			"IPv6 alone",
			[]string{"--ip-family", "ipv6"},
			"fd00:10:96::ff0a",
			"pods have addresses of IPv6 alone",
			// The images that the form offers listen on IPv4 alone.
			[]string{"--ServerApp.ip=::"},
		},
		{"IPv4 and IPv6", []string{"--ip-family", "dual"}, "10.96.255.10", "domain cluster.local", nil},
		{"another domain", []string{"--cluster-domain", "corp.example"}, "10.96.255.10", "domain corp.example (ConfigMap kube-system/coredns)", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := startBed(t, append([]string{"--nodes", "real"}, c.flags...)...)
			var l struct {
				Checks []struct{ Check, Found string }
			}
			if err := json.Unmarshal([]byte(b.must("preflight", "-o", "json").Stdout), &l); err != nil {
				t.Fatal(err)
			}
			for _, a := range l.Checks {
				if a.Check == "network" && !strings.Contains(a.Found, c.network) {
					t.Errorf("preflight says of the network: %s, want %q", a.Found, c.network)
				}
			}
			if r := b.run(context.Background(), loginPassword, nil, "install", "--password-stdin", "--timeout", "5m"); r.Code != 0 {
				t.Fatalf("install: %s", r)
			}
			wantSays(t, b.must("status").Stdout, "Ready: 14 components")
			b.kubectl("-n", "istio-system", "patch", "service", "istio-ingressgateway", "-p", `{"spec":{"externalIPs":["`+c.gateway+`"]}}`)
			b.throughProxy(t)
			b.healthy(t)
			b.worksInANotebook(t, "http://"+urlHost(c.gateway), notebookImage(t, images), c.args)
			wantSays(t, b.must("install", "--timeout", "5m").Stderr, "nothing to change")
		})
	}
}

// urlHost is an address as URLs have it.
func urlHost(address string) string {
	if strings.Contains(address, ":") {
		return "[" + address + "]"
	}
	return address
}

// worksInANotebook makes one, opens it through the gateway as its owner, and runs a cell in it
// through the API server.
func (b *bed) worksInANotebook(t *testing.T, gateway, image string, args []string) {
	t.Helper()
	container := map[string]any{"name": "lab", "image": image, "args": args}
	text, err := json.Marshal(map[string]any{
		"apiVersion": "kubeflow.org/v1", "kind": "Notebook", "metadata": map[string]any{"name": "lab", "namespace": profileNamespace},
		"spec": map[string]any{"template": map[string]any{"spec": map[string]any{"containers": []any{container}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	b.apply(string(text))
	b.kubectl("-n", profileNamespace, "wait", "notebook/lab", "--for=jsonpath={.status.readyReplicas}=1", "--timeout=2m")
	person := b.signsIn(t, gateway, nil, loginUser, loginPassword, profileNamespace)
	path := fmt.Sprintf("/notebook/%s/lab/", profileNamespace)
	var p page
	eventually(t, "the gateway leads to JupyterLab", func() bool {
		p = person.follow(person.get(path))
		return p.code == http.StatusOK && strings.Contains(p.body, "JupyterLab")
	}, func() { t.Logf("GET %s = %d: %.300s", path, p.code, p.body) })
	if ip := net.ParseIP(b.kubectl("-n", profileNamespace, "get", "pod", "lab-0", "-o", "jsonpath={.status.podIP}")); ip == nil {
		t.Error("the notebook's pod has no address")
	}
	s := &shell{b, "lab", profileNamespace, loginUser, gateway + "/jupyter/"}
	server := s.connected(t)
	if out := server.run(t, server.kernel(t), "print('the cell says', 6 * 7)", true); !strings.Contains(out, "the cell says 42") {
		t.Errorf("a cell printed %q", out)
	}
}
