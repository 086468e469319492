package exposure

import (
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

func ofType(t corev1.ServiceType) func(*corev1.Service) {
	return func(s *corev1.Service) { s.Spec.Type = t }
}

// gateway is the Service as an installation leaves it, with changes.
func gateway(change ...func(*corev1.Service)) with {
	return service(Namespace, ServiceName, append([]func(*corev1.Service){ofType(corev1.ServiceTypeClusterIP)}, change...)...)
}

func recorded(t *testing.T, r Record) func(*corev1.Service) {
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return annotated(RecordAnnotation, string(text))
}

func annotated(k, v string) func(*corev1.Service) {
	return func(s *corev1.Service) {
		if s.Annotations == nil {
			s.Annotations = map[string]string{}
		}
		s.Annotations[k] = v
	}
}

func families(all ...corev1.IPFamily) func(*corev1.Service) {
	return func(s *corev1.Service) { s.Spec.IPFamilies = all }
}

func prefersBoth(s *corev1.Service) {
	policy := corev1.IPFamilyPolicyPreferDualStack
	s.Spec.IPFamilyPolicy = &policy
}

func metalLBRuns(s *Snapshot) {
	definitions(s)
	deployment(metalLBNamespace, "controller", newController)(s)
	daemonSet(metalLBNamespace, "speaker", "quay.io/metallb/speaker:v0.14.9")(s)
}

func oursRuns(s *Snapshot) {
	metalLBRuns(s)
	s.Deployments[0].Labels = map[string]string{"kubectl-jupyter/component": "metallb"}
}

func legacyRuns(text string) with {
	return func(s *Snapshot) {
		config(text)(s)
		deployment(metalLBNamespace, "controller", oldController)(s)
		daemonSet(metalLBNamespace, "speaker", "quay.io/metallb/speaker:v0.9.6")(s)
	}
}

func addresses(all ...string) []netip.Addr {
	var out []netip.Addr
	for _, a := range all {
		out = append(out, netip.MustParseAddr(a))
	}
	return out
}

func TestThePlanUsesWhatIsThereAndAsksForTheRest(t *testing.T) {
	yes, no := true, false
	mini := node("m", minikube, at("192.168.49.2"))
	lan := node("n", at("192.168.10.5"))
	for name, c := range map[string]struct {
		cluster *Snapshot
		request Request
		install bool
		pool    string // action and ranges
		set     Set
		asks    []string
		warns   string
	}{
		"an empty minikube: MetalLB and a range, both to be confirmed": {
			snapshot(mini, gateway()),
			Request{},
			true, "created 192.168.49.240-192.168.49.250",
			Set{Type: "LoadBalancer"},
			[]string{"--install-metallb", "--address-pool 192.168.49.240-192.168.49.250"},
			"",
		},
		"the same, decided by flags": {
			snapshot(mini, gateway()),
			Request{InstallMetalLB: &yes, Ranges: ranges(t, "192.168.49.100-192.168.49.110")},
			true,
			"created 192.168.49.100-192.168.49.110",
			Set{Type: "LoadBalancer"},
			nil, "",
		},
		"a pool that is there will do": {
			snapshot(lan, gateway(), metalLBRuns, pool("theirs", "192.168.10.200-192.168.10.210")), Request{}, false, "", Set{Type: "LoadBalancer"}, nil, "",
		},
		"a range beside somebody's pool is the one that the address comes from": {
			snapshot(lan, gateway(), metalLBRuns, pool("theirs", "192.168.10.200-192.168.10.210")),
			Request{Ranges: ranges(t, "192.168.10.220-192.168.10.230")},
			false, "created 192.168.10.220-192.168.10.230",
			Set{Type: "LoadBalancer", Annotations: map[string]string{"metallb.io/address-pool": PoolName}},
			nil, "",
		},
		"the range of somebody's pool is that pool": {
			snapshot(lan, gateway(), metalLBRuns, pool("theirs", "192.168.10.200-192.168.10.210")),
			Request{Ranges: ranges(t, "192.168.10.200-192.168.10.210")},
			false, "",
			Set{Type: "LoadBalancer"},
			nil, "",
		},
		"our pool gets another range": {
			snapshot(lan, gateway(), oursRuns, pool(PoolName, "192.168.10.200-192.168.10.210")),
			Request{Ranges: ranges(t, "192.168.10.220-192.168.10.230")},
			false, "configured 192.168.10.220-192.168.10.230",
			Set{Type: "LoadBalancer"},
			nil, "",
		},
		"our pool without its advertisement is completed": {
			snapshot(lan, gateway(), oursRuns, pool(PoolName, "192.168.10.200-192.168.10.210")),
			Request{Ranges: ranges(t, "192.168.10.200-192.168.10.210")},
			false, "configured 192.168.10.200-192.168.10.210",
			Set{Type: "LoadBalancer"},
			nil, "",
		},
		"minikube's addon gets its pool in the ConfigMap": {
			snapshot(mini, gateway(), legacyRuns(minikubeEmpty)),
			Request{},
			false, "created 192.168.49.240-192.168.49.250",
			Set{Type: "LoadBalancer"},
			[]string{"--address-pool 192.168.49.240-192.168.49.250"},
			"",
		},
		"an address for MetalLB goes into its annotation": {
			snapshot(lan, gateway(), metalLBRuns, pool("theirs", "192.168.10.200-192.168.10.210")),
			Request{Addresses: addresses("192.168.10.203")},
			false, "",
			Set{Type: "LoadBalancer", Annotations: map[string]string{"metallb.io/loadBalancerIPs": "192.168.10.203"}},
			nil, "",
		},
		"an old MetalLB reads the Service's field": {
			snapshot(lan, gateway(), legacyRuns("address-pools:\n- {name: a, protocol: layer2, addresses: [192.168.10.200-192.168.10.210]}")),
			Request{Addresses: addresses("192.168.10.203")},
			false, "",
			Set{Type: "LoadBalancer", LoadBalancerIP: "192.168.10.203"},
			nil, "",
		},
		"two families need a Service of two": {
			snapshot(lan, gateway(), metalLBRuns, pool("theirs", "192.168.10.200-192.168.10.210", "fd00:1::10-fd00:1::1f")),
			Request{Addresses: addresses("192.168.10.203", "fd00:1::11")},
			false, "",
			Set{Type: "LoadBalancer", IPFamilyPolicy: "RequireDualStack", Annotations: map[string]string{"metallb.io/loadBalancerIPs": "192.168.10.203,fd00:1::11"}},
			nil, "",
		},
		"a gateway that likes both families is content with one": {
			snapshot(lan, gateway(families("IPv6", "IPv4"), prefersBoth), metalLBRuns),
			Request{Ranges: ranges(t, "192.168.10.200-192.168.10.210")},
			false,
			"created 192.168.10.200-192.168.10.210",
			Set{Type: "LoadBalancer"},
			nil, "",
		},
		"a cloud gives what it has": {
			snapshot(node("e", providerID("aws:///a/i-1"), at("10.0.0.4")), gateway()), Request{}, false, "", Set{Type: "LoadBalancer"}, nil, "",
		},
		"Cilium has an annotation of its own": {
			snapshot(lan, gateway(), daemonSet("kube-system", "cilium", "quay.io/cilium/cilium:v1.17.0"), func(s *Snapshot) {
				s.CiliumPools = s.Pools[:0:0]
				pool("x")(s)
				s.CiliumPools, s.Pools, s.PoolKind = s.Pools, nil, false
			}),
			Request{Addresses: addresses("192.168.10.203")},
			false, "",
			Set{Type: "LoadBalancer", Annotations: map[string]string{"lbipam.cilium.io/ips": "192.168.10.203"}},
			nil, "",
		},
		"nothing is installed where that is forbidden": {
			snapshot(lan, gateway()), Request{InstallMetalLB: &no}, false, "", Set{Type: "LoadBalancer"}, nil, "waiting for an address from outside",
		},
		"a node port needs no pool": {snapshot(lan, gateway()), Request{Type: "NodePort"}, false, "", Set{Type: "NodePort"}, nil, ""},
		"a node port that was chosen stays": {
			snapshot(lan, gateway(ofType("NodePort"), recorded(t, Record{Set: Set{Type: "NodePort"}}))), Request{}, false, "", Set{Type: "NodePort"}, nil, "",
		},
		"until a load balancer is asked for": {
			snapshot(lan, gateway(ofType("NodePort"), recorded(t, Record{Set: Set{Type: "NodePort"}})), metalLBRuns),
			Request{Ranges: ranges(t, "192.168.10.200-192.168.10.210")},
			false, "created 192.168.10.200-192.168.10.210",
			Set{Type: "LoadBalancer"},
			nil, "",
		},
		"an address that was asked for stays": {
			snapshot(lan, metalLBRuns, pool("theirs", "192.168.10.200-192.168.10.210"), gateway(ofType("LoadBalancer"), annotated("metallb.io/loadBalancerIPs", "192.168.10.203"),
				recorded(t, Record{Set: Set{Type: "LoadBalancer", Annotations: map[string]string{"metallb.io/loadBalancerIPs": "192.168.10.203"}}}))),
			Request{},
			false, "",
			Set{Type: "LoadBalancer", Annotations: map[string]string{"metallb.io/loadBalancerIPs": "192.168.10.203"}},
			nil, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := c.cluster.NewPlan(c.request)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if p.Pool != nil {
				got = string(p.Pool.Action) + " " + strings.Join(texts(p.Pool.Ranges), ",")
			}
			var asks []string
			for _, a := range p.Asks {
				asks = append(asks, a.With)
			}
			if p.Install != c.install || got != c.pool {
				t.Errorf("install %v, pool %q, want %v, %q", p.Install, got, c.install, c.pool)
			}
			if diff := cmp.Diff(c.set, p.Set); diff != "" {
				t.Errorf("Service: -want +got\n%s", diff)
			}
			if diff := cmp.Diff(c.asks, asks); diff != "" {
				t.Errorf("asks: -want +got\n%s", diff)
			}
			if w := strings.Join(p.Warnings, "\n"); !strings.Contains(w, c.warns) || c.warns == "" && w != "" {
				t.Errorf("warnings %q, want %q", w, c.warns)
			}
		})
	}
}

func TestWhatCannotBeHadIsRefusedBeforeAnythingIsWritten(t *testing.T) {
	yes := true
	lan := node("n", at("192.168.10.5"))
	theirs := pool("theirs", "192.168.10.200-192.168.10.201")
	for name, c := range map[string]struct {
		cluster *Snapshot
		request Request
		input   Input // where a flag is to be named
		cause   string
		says    string
	}{
		"no gateway":                          {snapshot(lan), Request{}, "", "", "kubectl jupyter install first"},
		"no range on somebody's own machines": {snapshot(lan, gateway()), Request{}, InputRanges, "", "choose an unused one in the nodes' network (node n has 192.168.10.5)"},
		"a range of the nodes":                {snapshot(lan, gateway()), Request{Ranges: ranges(t, "192.168.10.1-192.168.10.9")}, InputRanges, "", "address of node n"},
		"both kinds of MetalLB":               {snapshot(lan, gateway(), definitions, legacyRuns(minikubeEmpty)), Request{}, "", diagnose.MetalLBModesMixed, "nothing was changed"},
		"MetalLB beside a cloud's own":        {snapshot(node("e", providerID("aws:///a/i-1")), gateway()), Request{InstallMetalLB: &yes}, InputMetalLB, "", "AWS already assigns addresses"},
		"a second MetalLB":                    {snapshot(lan, gateway(), metalLBRuns), Request{InstallMetalLB: &yes}, InputMetalLB, "", "with another owner"},
		"a range in a cloud":                  {snapshot(node("e", providerID("aws:///a/i-1")), gateway()), Request{Ranges: ranges(t, "10.9.0.1-10.9.0.9")}, InputRanges, "", "a range is only for MetalLB"},
		"an address of no pool":               {snapshot(lan, gateway(), metalLBRuns, theirs), Request{Addresses: addresses("192.168.10.250")}, InputAddresses, "", "is in none of the ranges 192.168.10.200-192.168.10.201"},
		"an address that is taken":            {snapshot(lan, gateway(), metalLBRuns, theirs, service("shop", "web", has("192.168.10.200"))), Request{Addresses: addresses("192.168.10.200")}, InputAddresses, "", "Service shop/web has it"},
		"two addresses of a family":           {snapshot(lan, gateway(), metalLBRuns, theirs), Request{Addresses: addresses("192.168.10.200", "192.168.10.201")}, InputAddresses, "", "one address of each family"},
		"an address of ServiceLB":             {snapshot(node("k", func(n *corev1.Node) { n.Status.NodeInfo.KubeletVersion = "v1.31.4+k3s1" }), gateway()), Request{Addresses: addresses("192.168.10.200")}, InputAddresses, "", "does not support requesting an address"},
		"a pool that is used up": {
			snapshot(lan, gateway(), metalLBRuns, theirs, service("shop", "a", has("192.168.10.200")), service("shop", "b", has("192.168.10.201"))),
			Request{},
			"", diagnose.AddressPoolExhausted, "nothing was changed",
		},
		"ranges that an old MetalLB would not take": {
			snapshot(lan, gateway(ofType("LoadBalancer"), has("192.168.10.200")),
				legacyRuns("address-pools:\n- {name: kubectl-jupyter, protocol: layer2, addresses: [192.168.10.200-192.168.10.210]}")),
			Request{Ranges: ranges(t, "192.168.10.220-192.168.10.230")},
			InputRanges, "", "has 192.168.10.200, and MetalLB v0.9.6 accepts no ranges without",
		},
		"a range for a node port":                               {snapshot(lan, gateway()), Request{Type: "NodePort", Ranges: ranges(t, "192.168.10.200-192.168.10.209")}, InputType, "", "has no load balancer address"},
		"a range of a family that the gateway does not have":    {snapshot(lan, gateway(families("IPv4"))), Request{Ranges: ranges(t, "fd00:1::10-fd00:1::1f")}, InputRanges, "", "needs an IPv4 address, and none is in fd00:1::10-fd00:1::1f"},
		"a pool of a family that the gateway does not have":     {snapshot(lan, gateway(families("IPv4")), metalLBRuns, pool("six", "fd00:1::10-fd00:1::1f")), Request{}, InputRanges, "", "choose an unused one in the nodes' network"},
		"an address of a family that the gateway does not have": {snapshot(lan, gateway(families("IPv4")), metalLBRuns, pool("both", "192.168.10.200-192.168.10.210", "fd00:1::10-fd00:1::1f")), Request{Addresses: addresses("fd00:1::11")}, InputAddresses, "", "is of family IPv4"},
		"one family for a gateway that insists on both":         {snapshot(lan, gateway(families("IPv4", "IPv6"))), Request{Ranges: ranges(t, "192.168.10.200-192.168.10.210")}, InputRanges, "", "needs an IPv6 address"},
		"a record that cannot be read":                          {snapshot(lan, gateway(annotated(RecordAnnotation, "{"))), Request{}, "", "", "remove the annotation"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := c.cluster.NewPlan(c.request)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("NewPlan() = %+v, %v, want an error that says %q", p, err, c.says)
			}
			var unfit *Unfit
			if errors.As(err, &unfit) != (c.input != "") || unfit != nil && unfit.Input != c.input {
				t.Errorf("the error is about %+v, want %q", unfit, c.input)
			}
			var failure *rollout.Failure
			if errors.As(err, &failure) != (c.cause != "") || failure != nil && failure.Causes[0].Name != c.cause {
				t.Errorf("the causes are %+v, want %q", failure, c.cause)
			}
		})
	}
}

func TestAConfigMapOfAnotherNameIsTheOneThatIsEdited(t *testing.T) {
	s := snapshot(node("m", minikube, at("192.168.49.2")), gateway(), deployment("lb", "controller", oldController, "--config=ranges"))
	p, err := s.NewPlan(Request{Ranges: ranges(t, "192.168.49.100-192.168.49.110")})
	if err != nil {
		t.Fatal(err)
	}
	want := []report.Ref{{Kind: "ConfigMap", Namespace: "lb", Name: "ranges"}}
	if diff := cmp.Diff(want, p.Pool.Objects()); diff != "" {
		t.Errorf("objects of the pool: -want +got\n%s", diff)
	}
}

func TestASecondRunFindsNothingToDo(t *testing.T) {
	first, err := snapshot(gateway(), metalLBRuns, pool("theirs", "192.168.10.200-192.168.10.210"), node("n", at("192.168.10.5"))).
		NewPlan(Request{Ranges: ranges(t, "192.168.10.220-192.168.10.230"), Addresses: addresses("192.168.10.225")})
	if err != nil {
		t.Fatal(err)
	}
	after := gateway(ofType(first.Set.Type), recorded(t, first.record), has("192.168.10.225"), func(s *corev1.Service) {
		for k, v := range first.Set.Annotations {
			annotated(k, v)(s)
		}
	})
	advertised := func(s *Snapshot) {
		_, l2 := first.Pool.objects()
		s.L2Advertisements = append(s.L2Advertisements, *l2)
	}
	s := snapshot(after, metalLBRuns, pool("theirs", "192.168.10.200-192.168.10.210"), pool(PoolName, "192.168.10.220-192.168.10.230"), advertised, node("n", at("192.168.10.5")))
	for name, q := range map[string]Request{
		"the same flags": {Ranges: ranges(t, "192.168.10.220-192.168.10.230"), Addresses: addresses("192.168.10.225")},
		"no flags":       {},
	} {
		second, err := s.NewPlan(q)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !second.Unchanged || second.Pool != nil && second.Pool.Action != report.Unchanged {
			t.Errorf("%s: the Service is unchanged: %v, pool %+v, set %+v", name, second.Unchanged, second.Pool, second.Set)
		}
		if second.record.Before.Type != corev1.ServiceTypeClusterIP {
			t.Errorf("%s: before it was %q, want ClusterIP still", name, second.record.Before.Type)
		}
	}
	u, err := s.NewUndo(false)
	if err != nil || u.Service == nil || u.Service.Type != corev1.ServiceTypeClusterIP || u.Pool == nil || u.Pool.Name != PoolName || u.MetalLB {
		t.Errorf("NewUndo() = %+v, %v, want type ClusterIP back, our pool away and MetalLB kept", u, err)
	}
}

func TestTakingBackLeavesWhatOthersUse(t *testing.T) {
	for name, c := range map[string]struct {
		cluster *Snapshot
		remove  bool
		pool    bool
		metalLB bool
		kept    string
		fails   string
	}{
		"nothing was done":                      {snapshot(gateway()), false, false, false, "", ""},
		"our pool goes":                         {snapshot(gateway(), oursRuns, pool(PoolName, "10.1.0.1-10.1.0.9")), false, true, false, "unless its removal is requested", ""},
		"unless another Service has an address": {snapshot(gateway(), oursRuns, pool(PoolName, "10.1.0.1-10.1.0.9"), service("shop", "web", has("10.1.0.2"))), false, false, false, "Service shop/web has 10.1.0.2 from it", ""},
		"MetalLB goes when that is asked":       {snapshot(gateway(), oursRuns, pool(PoolName, "10.1.0.1-10.1.0.9")), true, true, true, "", ""},
		"but not somebody else's":               {snapshot(gateway(), metalLBRuns), true, false, false, "", "another owner"},
		"nor from under somebody's pool":        {snapshot(gateway(), oursRuns, pool("theirs", "10.2.0.1-10.2.0.9")), true, false, false, "", "pools of another owner (theirs)"},
		"nor from under a Service":              {snapshot(gateway(), oursRuns, service("shop", "web", has("10.1.0.2"))), true, false, false, "", "Service shop/web has the address 10.1.0.2"},
		"our pool in the ConfigMap goes":        {snapshot(gateway(), legacyRuns("address-pools:\n- {name: kubectl-jupyter, addresses: [10.1.0.1-10.1.0.9]}")), false, true, false, "it has another owner", ""},
	} {
		t.Run(name, func(t *testing.T) {
			u, err := c.cluster.NewUndo(c.remove)
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) {
					t.Errorf("NewUndo() = %+v, %v, want an error that says %q", u, err, c.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if (u.Pool != nil) != c.pool || u.MetalLB != c.metalLB || !strings.Contains(strings.Join(u.Kept, "\n"), c.kept) {
				t.Errorf("NewUndo() = %+v, want pool %v, MetalLB %v, kept %q", u, c.pool, c.metalLB, c.kept)
			}
		})
	}
}
