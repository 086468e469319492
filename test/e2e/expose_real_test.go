//go:build e2e_real

package e2e

import (
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/exposure"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// gatewayParts are what exposing needs of the stack.
const gatewayParts = "istio-crds,istio,kubeflow-namespace,kubeflow-gateway"

// TestExposeOnARealNode exposes the gateway with MetalLB's own controller, webhook and speaker.
func TestExposeOnARealNode(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("a real node needs root: run it with sudo")
	}
	b := newBed(t, "--nodes", "real", "--network-policies")
	t.Setenv("HTTP_PROXY", b.state().Proxy) // the way to the bed's addresses from outside of its network
	// The bed's network is one machine with no other link: what a neighbour would find by ARP is made local.
	if out, err := exec.Command(programs(t).Devcluster, "exec", "--dir", b.Dir, "--", "ip", "route", "add", "local", "10.0.0.224/27", "dev", "lo").CombinedOutput(); err != nil {
		t.Fatalf("ip route: %v\n%s", err, out)
	}
	b.must("install", "--only", gatewayParts, "--timeout", "5m")
	// A cluster of one node that kubeadm made looks like this.
	b.kubectl("label", "nodes", "--all", "node.kubernetes.io/exclude-from-external-load-balancers=")
	gateway := func(path string) string {
		return b.kubectl("-n", "istio-system", "get", "service", "istio-ingressgateway", "-o", "jsonpath={"+path+"}")
	}
	const address = ".status.loadBalancer.ingress[0].ip"
	// causes are what status is told.
	causes := func() []report.Cause {
		s, err := exposure.Read(t.Context(), b.connect(""))
		if err != nil {
			t.Fatal(err)
		}
		return s.Causes()
	}
	names := func(all []report.Cause) (out []string) {
		for _, c := range all {
			out = append(out, c.Name)
		}
		return out
	}

	t.Run("killed between the pool and the Service, the next run goes on from there", func(t *testing.T) {
		pools := b.connect("").Dynamic.Resource(schema.GroupVersionResource{Group: "metallb.io", Version: "v1beta1", Resource: "ipaddresspools"}).Namespace("metallb-system")
		r := b.run(t.Context(), "", func(p *os.Process) {
			for ctx := t.Context(); ctx.Err() == nil; <-time.After(5 * time.Millisecond) {
				if _, err := pools.Get(ctx, exposure.PoolName, metav1.GetOptions{}); err == nil {
					break
				}
			}
			if err := p.Kill(); err != nil {
				t.Error(err)
			}
		}, "expose", "--yes", "--address-pool", "10.0.0.240-10.0.0.241")
		if r.Code == 0 || r.Stdout != "" {
			t.Fatalf("a run that was killed: %s", r)
		}
		t.Logf("killed with the gateway of type %s", gateway(".spec.type"))
		r = b.must("expose", "--yes", "--address-pool", "10.0.0.240-10.0.0.241")
		got := gateway(address)
		if a, err := netip.ParseAddr(got); err != nil || got != "10.0.0.240" && got != "10.0.0.241" {
			t.Errorf("address %s (%v), want one of 10.0.0.240-10.0.0.241", a, err)
		}
		if want := "http://" + got + "/jupyter/\n"; r.Stdout != want {
			t.Errorf("standard output = %q, want %q", r.Stdout, want)
		}
	})
	t.Run("the address is announced also where every node is to be left out", func(t *testing.T) {
		args := b.kubectl("-n", "metallb-system", "get", "daemonset", "speaker", "-o", "jsonpath={.spec.template.spec.containers[0].args}")
		if !strings.Contains(args, "--ignore-exclude-lb") {
			t.Errorf("the speaker's arguments are %s", args)
		}
		if got := causes(); len(got) > 0 {
			t.Errorf("causes of a gateway that is well: %+v", got)
		}
	})
	t.Run("a second run changes nothing, and neither does an installation", func(t *testing.T) {
		was := b.versions(memberSelector)
		for _, kind := range []string{"IPAddressPool.metallb.io/v1beta1", "L2Advertisement.metallb.io/v1beta1"} {
			if was[kind+" metallb-system/"+exposure.PoolName] == "" {
				t.Errorf("%s is not of the installation, so that uninstall would leave it", kind)
			}
		}
		wantSays(t, b.must("expose").Stderr, "Nothing to change")
		wantSays(t, b.must("expose", "--address-pool", "10.0.0.240-10.0.0.241", "--install-metallb").Stderr, "Nothing to change")
		wantSays(t, b.must("install", "--only", gatewayParts, "--timeout", "5m").Stderr, "nothing to change")
		compareVersions(t, was, b.versions(memberSelector))
	})
	t.Run("a bad pool is refused by MetalLB's webhook, and by us before that", func(t *testing.T) {
		_, err := b.tryKubectl(`{"apiVersion":"metallb.io/v1beta1","kind":"IPAddressPool","metadata":{"name":"bad","namespace":"metallb-system"},
			"spec":{"addresses":["10.0.0.241-10.0.0.242"]}}`, "create", "-f", "-")
		if err == nil || !strings.Contains(err.Error(), "ipaddresspoolvalidationwebhook.metallb.io") {
			t.Errorf("a pool that overlaps: %v, want it refused by MetalLB's webhook", err)
		}
		b.apply(`{"apiVersion":"metallb.io/v1beta1","kind":"IPAddressPool","metadata":{"name":"theirs","namespace":"metallb-system"},
			"spec":{"addresses":["10.0.0.230-10.0.0.231"],"autoAssign":false}}`)
		was := b.versions(memberSelector)
		r := b.jupyter("expose", "--address-pool", "10.0.0.231-10.0.0.239")
		if r.Code != 1 {
			t.Errorf("a range of somebody's pool: %s", r)
		}
		wantSays(t, r.Stderr, "--address-pool: 10.0.0.231-10.0.0.239 overlaps with 10.0.0.230-10.0.0.231 of pool theirs")
		compareVersions(t, was, b.versions(memberSelector))
	})
	t.Run("the address that is asked for is given", func(t *testing.T) {
		if got := b.must("expose", "--address-pool", "10.0.0.240-10.0.0.242", "--load-balancer-ip", "10.0.0.242").Stdout; got != "http://10.0.0.242/jupyter/\n" {
			t.Errorf("standard output = %q, want the URL with 10.0.0.242", got)
		}
	})
	t.Run("a pool that others have used up is named, before and while it is waited for", func(t *testing.T) {
		b.must("expose", "--undo")
		if got := gateway(".spec.type") + gateway(".metadata.annotations"); got != "ClusterIP" {
			t.Errorf("after --undo: type and annotations = %q, want ClusterIP alone", got)
		}
		if _, err := b.tryKubectl("", "-n", "metallb-system", "get", "ipaddresspool,l2advertisement", exposure.PoolName); err == nil {
			t.Error("after --undo our pool is there still")
		}
		b.apply(`{"apiVersion":"metallb.io/v1beta1","kind":"IPAddressPool","metadata":{"name":"theirs","namespace":"metallb-system"},
			"spec":{"addresses":["10.0.0.230-10.0.0.230"],"autoAssign":true}}`)
		b.kubectl("create", "service", "loadbalancer", "first", "--tcp=80")
		b.kubectl("wait", "service/first", "--for=jsonpath={.status.loadBalancer.ingress}", "--timeout=1m")
		r := b.jupyter("expose")
		if r.Code != 1 || gateway(".spec.type") != "ClusterIP" {
			t.Errorf("no address is left: %s", r)
		}
		wantSays(t, r.Stderr, diagnose.AddressPoolExhausted, "Service default/first has 10.0.0.230", "nothing was changed")

		b.kubectl("-n", "istio-system", "patch", "service", "istio-ingressgateway", "-p", `{"spec":{"type":"LoadBalancer"}}`)
		eventually(t, "MetalLB's own word for it is the evidence", func() bool {
			got := causes()
			return len(got) > 0 && got[0].Name == diagnose.AddressPoolExhausted && strings.Contains(strings.Join(got[0].Evidence, "\n"), "no available IPs")
		})
		b.kubectl("delete", "service", "first")
	})
	t.Run("an address without an advertisement is told from one that is heard", func(t *testing.T) {
		b.must("expose", "--probe=false")
		if got := names(causes()); !slices.Equal(got, []string{diagnose.AdvertisementMissing}) {
			t.Errorf("causes = %q, want %s: nobody announces the pool", got, diagnose.AdvertisementMissing)
		}
	})
	t.Run("a class that nobody serves ends the wait", func(t *testing.T) {
		b.kubectl("-n", "istio-system", "patch", "service", "istio-ingressgateway", "-p", `{"spec":{"type":"ClusterIP"}}`)
		b.kubectl("-n", "istio-system", "patch", "service", "istio-ingressgateway", "-p", `{"spec":{"type":"LoadBalancer","loadBalancerClass":"example.com/none"}}`)
		r := b.jupyter("expose", "--timeout", "2m")
		if r.Code != 1 || strings.Contains(r.Stderr, "has no address after") {
			t.Errorf("a class that nobody serves: %s, want it to end before its time", r)
		}
		wantSays(t, r.Stderr, diagnose.LoadBalancerClassUnserved, "example.com/none")
		b.must("expose", "--type", "ClusterIP")
		b.must("expose", "--probe=false")
		if got := gateway(".spec.loadBalancerClass") + gateway(address); got != "10.0.0.230" {
			t.Errorf("class and address = %q, want none and 10.0.0.230", got)
		}
	})
	t.Run("MetalLB goes when that is asked, and not from under somebody", func(t *testing.T) {
		r := b.jupyter("expose", "--undo", "--remove-metallb")
		if r.Code != 1 {
			t.Errorf("removing MetalLB with somebody's pool: %s", r)
		}
		wantSays(t, r.Stderr, "--remove-metallb: MetalLB has pools of another owner (theirs)")
		b.kubectl("-n", "metallb-system", "delete", "ipaddresspool", "theirs")
		b.must("expose", "--undo", "--remove-metallb")
		if _, err := b.tryKubectl("", "get", "namespace", "metallb-system"); err == nil {
			t.Error("namespace metallb-system is there still")
		}
	})
	t.Run("uninstall removes what expose made, MetalLB and its pool", func(t *testing.T) {
		b.must("expose", "--yes", "--address-pool", "10.0.0.240-10.0.0.241", "--probe=false")
		b.must("uninstall", "--yes", "--delete-crds", "--timeout", "5m")
		if left := b.versions(memberSelector); len(left) > 0 {
			t.Errorf("left of the installation: %v", left)
		}
		if _, err := b.tryKubectl("", "get", "namespace", "metallb-system"); err == nil {
			t.Error("namespace metallb-system is there still")
		}
	})
}
