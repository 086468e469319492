//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
)

// addon is what minikube's addon leaves before anybody has configured it, and a comment.
const addon = `# changed by hand on Monday
address-pools:
- name: default
  protocol: layer2
  addresses:
  - -
`

// TestExposeWithSimulatedNodes exposes the gateway where no container runs: what is refused, node ports, and MetalLB
// of the kind that reads a ConfigMap. That one is in no registry; a stand-in of this test gives its addresses.
func TestExposeWithSimulatedNodes(t *testing.T) {
	b := newBed(t)
	b.must("install", "--only", "istio-crds,istio,kubeflow-namespace,kubeflow-gateway", "--timeout", "3m")
	b.Vars = []string{"HTTP_PROXY=" + b.state().Proxy} // the way to the bed's addresses from outside of its network
	gateway := func(path string) string {
		return b.kubectl("-n", "istio-system", "get", "service", "istio-ingressgateway", "-o", "jsonpath={"+path+"}")
	}
	installed := b.versions("")

	t.Run("what cannot be had is refused by the name of its flag, and nothing changes", func(t *testing.T) {
		for _, c := range []struct {
			args []string
			says []string
		}{
			{nil, []string{"--address-pool: no address range can be proposed for this cluster"}},
			{[]string{"--yes"}, []string{"--address-pool: no address range can be proposed for this cluster"}},
			{[]string{"--address-pool", "10.0.1.1-10.0.1.9", "--yes"}, []string{"--address-pool:", "the address of node cpu-0"}},
			{[]string{"--address-pool", "10.96.1.0/28", "--yes"}, []string{"--address-pool:", "10.96.0.0/", "the range of the Services' cluster IPs"}},
			{[]string{"--address-pool", "10.0.1.250-10.0.1.255", "--yes"}, []string{"--address-pool:", "the broadcast address"}},
			{[]string{"--address-pool", "10.0.1.240-10.0.1.250"}, []string{"MetalLB will be installed", "not a terminal: use --install-metallb, or --yes", `context "devcluster"`}},
			{[]string{"--load-balancer-ip", "10.0.1.9", "--address-pool", "10.0.1.240-10.0.1.250", "--yes"}, []string{"--load-balancer-ip:", "is in none of the ranges"}},
			{[]string{"--address-pool", "10.0.1.240-10.0.1.250", "--type", "NodePort"}, []string{"--type:"}},
			{[]string{"--undo", "--remove-metallb"}, []string{"--remove-metallb:"}},
			{[]string{"--as", "ada", "--address-pool", "10.0.1.240-10.0.1.250", "--yes"}, []string{"could not be determined", "nodes", "services", "deployments"}},
		} {
			r := b.jupyter(append([]string{"expose"}, c.args...)...)
			if r.Code != 1 || r.Stdout != "" {
				t.Errorf("expose %q: %s, want exit code 1 and nothing on standard output", c.args, r)
			}
			wantSays(t, r.Stderr, c.says...)
		}
		compareVersions(t, installed, b.versions(""))
	})

	t.Run("who may read and not write is told so before the first write", func(t *testing.T) {
		b.apply(`
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reads-all}
rules: [{apiGroups: ["*"], resources: ["*"], verbs: [get, list, watch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: reads-all}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reads-all}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: ada}]`)
		r := b.jupyter("expose", "--as", "ada", "--address-pool", "10.0.1.240-10.0.1.250", "--yes")
		if r.Code != 1 {
			t.Errorf("expose without the right to write: %s", r)
		}
		wantSays(t, r.Stderr, "nothing was changed", "services: patch in istio-system", "ipaddresspools.metallb.io: ")
	})

	t.Run("where nothing gives addresses it does not wait for ever, and says why none comes", func(t *testing.T) {
		r := b.jupyter("expose", "--install-metallb=false", "--timeout", "6s")
		if r.Code != 1 || r.Stdout != "" {
			t.Errorf("expose without a controller: %s", r)
		}
		wantSays(t, r.Stderr, diagnose.NoLoadBalancerController, "has no address after")
		r = b.jupyter("status")
		if r.Code == 0 {
			t.Errorf("status of a gateway without an address: %s", r)
		}
		wantSays(t, r.Stdout+r.Stderr, diagnose.NoLoadBalancerController)
		b.must("expose", "--undo")
		if got := gateway(".spec.type"); got != "ClusterIP" {
			t.Errorf("type after --undo = %s, want ClusterIP", got)
		}
	})

	t.Run("a node port is a way in, an install keeps it, and undo takes it back", func(t *testing.T) {
		r := b.must("expose", "--type", "NodePort", "--probe=false")
		port := gateway(`.spec.ports[?(@.port==80)].nodePort`)
		if want := "http://10.0.1.1:" + port + "/jupyter/\n"; r.Stdout != want {
			t.Errorf("standard output = %q, want %q", r.Stdout, want)
		}
		was := b.versions("")
		wantSays(t, b.must("expose", "--probe=false").Stderr, "Nothing to change")
		wantSays(t, b.must("install", "--only", "istio-crds,istio,kubeflow-namespace,kubeflow-gateway", "--timeout", "3m").Stderr, "nothing to change")
		compareVersions(t, was, b.versions(""))
		b.must("expose", "--undo")
		if got := gateway(".spec.type") + gateway(".spec.ports[*].nodePort") + gateway(".metadata.annotations"); got != "ClusterIP" {
			t.Errorf("after --undo: type, node ports and annotations = %q, want ClusterIP alone", got)
		}
	})

	t.Run("notebooks get a port of their own, an install keeps it, and it goes when the origin is shared again", func(t *testing.T) {
		was := b.versions("")
		dry := b.must("expose", "--type", "ClusterIP", "--notebook-origin", "port", "--dry-run=client")
		wantSays(t, dry.Stderr, "Notebooks would be served at port 8888 of the gateway.")
		compareVersions(t, was, b.versions(""))

		r := b.must("expose", "--type", "NodePort", "--notebook-origin", "port", "--probe=false", "-o", "json")
		app, notebooks := gateway(`.spec.ports[?(@.port==80)].nodePort`), gateway(`.spec.ports[?(@.port==8888)].nodePort`)
		wantSays(t, r.Stdout, `"notebooks": "http://10.0.1.1:`+notebooks+`"`)
		script := func() string {
			return b.kubectl("-n", "istio-system", "get", "envoyfilter", "kubeflow-gateway-origins", "-o", "yaml")
		}
		// Neither number is known before the Service has its port.
		wantSays(t, script(), app+"="+notebooks)
		servers := func() string {
			return b.kubectl("-n", "kubeflow", "get", "gateway", "kubeflow-gateway", "-o", "jsonpath={.spec.servers[*].port.number}")
		}
		if got := servers(); got != "80 8888" {
			t.Errorf("the gateway serves %s", got)
		}
		was = b.versions("")
		wantSays(t, b.must("expose", "--probe=false").Stderr, "Nothing to change")
		wantSays(t, b.must("install", "--only", "istio-crds,istio,kubeflow-namespace,kubeflow-gateway", "--timeout", "3m").Stderr, "nothing to change")
		compareVersions(t, was, b.versions(""))

		b.must("expose", "--type", "ClusterIP")
		if strings.Contains(script(), app+"="+notebooks) {
			t.Error("the node ports stay although there are none")
		}
		wantSays(t, b.must("expose", "--undo").Stderr, "notebooks keep an origin of their own")
		wantSays(t, b.must("expose", "--type", "ClusterIP", "--notebook-origin", "shared").Stderr, "scripts of a notebook's page can act in the web app")
		if got := servers() + " " + gateway(".spec.ports[*].port"); got != "80 15021 80 443" {
			t.Errorf("the gateway and its Service have %s", got)
		}
		if r := b.jupyter("expose", "--type", "ClusterIP", "--notebook-origin", "host=n.j.example.com"); r.Code != 0 || !strings.Contains(script(), `"n.j.example.com"`) {
			t.Errorf("a host: %s", r)
		}
		b.must("expose", "--type", "ClusterIP", "--notebook-origin", "shared")
		b.must("expose", "--undo")
		if left := b.kubectl("-n", "istio-system", "get", "envoyfilters", "-o", "name"); strings.Contains(left, "origins") {
			t.Errorf("left: %s", left)
		}
	})

	b.apply(`
apiVersion: v1
kind: Namespace
metadata: {name: metallb-system}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: controller, namespace: metallb-system, labels: {app: metallb, component: controller}}
spec:
  selector: {matchLabels: {app: metallb, component: controller}}
  template:
    metadata: {labels: {app: metallb, component: controller}}
    spec: {containers: [{name: controller, image: "quay.io/metallb/controller:v0.9.6", args: [--port=7472, --config=config]}]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: speaker, namespace: metallb-system, labels: {app: metallb, component: speaker}}
spec:
  selector: {matchLabels: {app: metallb, component: speaker}}
  template:
    metadata: {labels: {app: metallb, component: speaker}}
    spec: {containers: [{name: speaker, image: "quay.io/metallb/speaker:v0.9.6"}]}`)
	config, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"name": "config", "namespace": "metallb-system"}, "data": map[string]any{"config": addon},
	})
	if err != nil {
		t.Fatal(err)
	}
	b.apply(string(config))
	b.kubectl("-n", "metallb-system", "rollout", "status", "deployment/controller", "--timeout=1m")
	b.kubectl("-n", "metallb-system", "rollout", "status", "daemonset/speaker", "--timeout=1m")
	b.oldMetalLB(t)
	text := func() string {
		return b.kubectl("-n", "metallb-system", "get", "configmap", "config", "-o", `jsonpath={.data.config}`)
	}

	t.Run("minikube's addon gets a pool in its ConfigMap, the gateway an address of it, and a person the URL", func(t *testing.T) {
		r := b.must("expose", "--address-pool", "10.0.1.240-10.0.1.250")
		if want := "http://10.0.1.240/jupyter/\n"; r.Stdout != want {
			t.Errorf("standard output = %q, want %q", r.Stdout, want)
		}
		wantSays(t, r.Stderr, "LoadBalancer addresses are assigned by: MetalLB v0.9.6 in namespace metallb-system", "ConfigMap metallb-system/config configured")
		const want = "# changed by hand on Monday\naddress-pools:\n- addresses:\n  - 10.0.1.240-10.0.1.250\n  name: kubectl-jupyter\n  protocol: layer2\n"
		if got := text(); got != want {
			t.Errorf("ConfigMap = %s, want %s", got, want)
		}
		was := b.versions("")
		wantSays(t, b.must("expose").Stderr, "Nothing to change")
		wantSays(t, b.must("install", "--only", "istio-crds,istio,kubeflow-namespace,kubeflow-gateway", "--timeout", "3m").Stderr, "nothing to change")
		compareVersions(t, was, b.versions(""))
	})

	t.Run("programs get the whole of it", func(t *testing.T) {
		var out struct {
			Kind      string
			Detection struct{ Provider, Version string }
			WayIn     struct{ URL, Address, Via string }
			Changes   []struct{ Action string }
		}
		if err := json.Unmarshal([]byte(b.must("expose", "-o", "json").Stdout), &out); err != nil {
			t.Fatal(err)
		}
		if out.Kind != "Exposure" || out.Detection.Provider != "MetalLBConfigMap" || out.Detection.Version != "v0.9.6" || out.WayIn.Address != "10.0.1.240" || out.WayIn.Via != "LoadBalancer" {
			t.Errorf("-o json = %+v", out)
		}
		for _, c := range out.Changes {
			if c.Action != "unchanged" {
				t.Errorf("a run that changes nothing lists the change %q", c.Action)
			}
		}
		if got := b.must("expose", "-o", "jsonpath={.wayIn.url}").Stdout; got != "http://10.0.1.240/jupyter/\n" {
			t.Errorf("-o jsonpath = %q", got)
		}
	})

	t.Run("a certain address is asked for in the way that this MetalLB reads", func(t *testing.T) {
		if got := b.must("expose", "--load-balancer-ip", "10.0.1.245").Stdout; got != "http://10.0.1.245/jupyter/\n" {
			t.Errorf("standard output = %q, want the URL with 10.0.1.245", got)
		}
		if got := gateway(".spec.loadBalancerIP"); got != "10.0.1.245" {
			t.Errorf("spec.loadBalancerIP = %q, want 10.0.1.245", got)
		}
	})

	t.Run("somebody who writes the ConfigMap at the same moment loses nothing", func(t *testing.T) {
		configMaps := b.connect("").Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).Namespace("metallb-system")
		ctx, stop := context.WithCancel(t.Context())
		written := make(chan int, 1)
		go func() {
			n := 0
			for ; ctx.Err() == nil; n++ {
				patch := fmt.Sprintf(`{"metadata":{"annotations":{"example.com/n":"%d"}}}`, n)
				if _, err := configMaps.Patch(context.WithoutCancel(ctx), "config", types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
					t.Errorf("the other writer: %v", err)
					break
				}
				<-time.After(3 * time.Millisecond)
			}
			written <- n
		}()
		b.must("expose", "--address-pool", "10.0.1.230-10.0.1.250")
		stop()
		last := <-written - 1
		if got := b.kubectl("-n", "metallb-system", "get", "configmap", "config", "-o", `jsonpath={.metadata.annotations.example\.com/n}`); got != fmt.Sprint(last) {
			t.Errorf("the other writer's last value is %s, want %d", got, last)
		}
		wantSays(t, text(), "10.0.1.230-10.0.1.250", "# changed by hand on Monday")
	})

	t.Run("undo takes our pool out of the ConfigMap and leaves the rest", func(t *testing.T) {
		r := b.must("expose", "--undo")
		wantSays(t, r.Stderr, "MetalLB v0.9.6 in namespace metallb-system is kept: it has another owner")
		if got, want := text(), "# changed by hand on Monday\naddress-pools: []\n"; got != want {
			t.Errorf("ConfigMap = %q, want %q", got, want)
		}
		if got := gateway(".spec.type") + gateway(".spec.loadBalancerIP") + gateway(".metadata.annotations"); got != "ClusterIP" {
			t.Errorf("after --undo: type, address asked for and annotations = %q, want ClusterIP alone", got)
		}
	})

	t.Run("both kinds of MetalLB at once are told apart from one that works", func(t *testing.T) {
		b.apply(`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: ipaddresspools.metallb.io}
spec:
  group: metallb.io
  names: {kind: IPAddressPool, listKind: IPAddressPoolList, plural: ipaddresspools, singular: ipaddresspool}
  scope: Namespaced
  versions:
  - {name: v1beta1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}`)
		b.kubectl("wait", "crd/ipaddresspools.metallb.io", "--for=condition=Established", "--timeout=30s")
		was := gateway(".metadata.resourceVersion")
		r := b.jupyter("expose", "--address-pool", "10.0.1.240-10.0.1.250")
		if r.Code != 1 || gateway(".metadata.resourceVersion") != was {
			t.Errorf("expose with both kinds: %s", r)
		}
		wantSays(t, r.Stderr, diagnose.MetalLBModesMixed, "nothing was changed", "image quay.io/metallb/controller:v0.9.6", "kind IPAddressPool is served")
	})
}
