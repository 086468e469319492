package exposure

import (
	"maps"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
)

func warning(reason, message string) with {
	return func(s *Snapshot) {
		s.Events = append(s.Events, corev1.Event{Type: corev1.EventTypeWarning, Reason: reason, Message: message})
	}
}

func advertisement(change ...func(map[string]any)) with {
	return func(s *Snapshot) {
		spec := map[string]any{}
		for _, c := range change {
			c(spec)
		}
		s.L2Advertisements = append(s.L2Advertisements, unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "metallb.io/v1beta1", "kind": "L2Advertisement",
			"metadata": map[string]any{"namespace": metalLBNamespace, "name": "l2"}, "spec": spec,
		}})
	}
}

// bgp is a BGPAdvertisement for all pools, and peers.
func bgp(spec map[string]any, peers ...string) with {
	return func(s *Snapshot) {
		s.BGPAdvertisements = append(s.BGPAdvertisements, unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "metallb.io/v1beta1", "kind": "BGPAdvertisement",
			"metadata": map[string]any{"namespace": metalLBNamespace, "name": "bgp"}, "spec": spec,
		}})
		for _, name := range peers {
			s.BGPPeers = append(s.BGPPeers, unstructured.Unstructured{Object: map[string]any{"kind": "BGPPeer", "metadata": map[string]any{"name": name}}})
		}
	}
}

// announces is an L2Advertisement with a specification.
func announces(spec map[string]any) with {
	return advertisement(func(m map[string]any) { maps.Copy(m, spec) })
}

func selecting(field, key, value string) map[string]any {
	return map[string]any{field: []any{map[string]any{"matchLabels": map[string]any{key: value}}}}
}

func excluded(n *corev1.Node) { n.Labels[excludedLabel] = "" }

func proxyConfig(text string) with {
	return func(s *Snapshot) {
		s.KubeProxy = &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "kube-proxy"}, Data: map[string]string{"config.conf": text}}
	}
}

// serviceLB is what k3s makes for a Service, of whose pods so many are ready.
func serviceLB(service string, ready int32, ports ...int32) with {
	return func(s *Snapshot) {
		d := appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "svclb-" + service + "-1a2b"}}
		d.Status.DesiredNumberScheduled, d.Status.NumberReady = 1, ready
		namespace := map[string]string{"traefik": "kube-system"}[service]
		if namespace == "" {
			namespace = Namespace
		}
		d.Spec.Template.Labels = map[string]string{serviceLBName: service, serviceLBNamespace: namespace}
		for _, p := range ports {
			d.Spec.Template.Spec.Containers = append(d.Spec.Template.Spec.Containers, corev1.Container{Ports: []corev1.ContainerPort{{HostPort: p}}})
		}
		s.DaemonSets = append(s.DaemonSets, d)
	}
}

func ciliumRuns(s *Snapshot) {
	daemonSet("kube-system", "cilium", "quay.io/cilium/cilium:v1.18.1")(s)
	s.CiliumPools = []unstructured.Unstructured{{Object: map[string]any{"kind": "CiliumLoadBalancerIPPool"}}}
}

func ciliumPolicy(spec map[string]any) with {
	return func(s *Snapshot) {
		s.CiliumL2 = append(s.CiliumL2, unstructured.Unstructured{Object: map[string]any{"kind": "CiliumL2AnnouncementPolicy", "metadata": map[string]any{"name": "l2"}, "spec": spec}})
	}
}

func TestWhyTheGatewayHasNoAddressOrOneThatNobodyHears(t *testing.T) {
	waiting := gateway(ofType("LoadBalancer"))
	given := gateway(ofType("LoadBalancer"), has("192.168.10.200"))
	theirs := pool("theirs", "192.168.10.200-192.168.10.201")
	class := func(s *corev1.Service) { c := "example.com/lb"; s.Spec.LoadBalancerClass = &c }
	for name, c := range map[string]struct {
		cluster *Snapshot
		want    []string
		says    string
	}{
		"a Service of another type needs none": {snapshot(gateway()), nil, ""},
		"no gateway, no cause":                 {snapshot(), nil, ""},
		"all is well":                          {snapshot(node("a"), given, metalLBRuns, theirs, advertisement()), nil, ""},
		"nothing gives addresses":              {snapshot(waiting), []string{diagnose.NoLoadBalancerController}, "no LoadBalancer controller"},
		"both of MetalLB's ways":               {snapshot(waiting, definitions, legacyRuns(minikubeEmpty)), []string{diagnose.MetalLBModesMixed}, "v0.9.6"},
		"no pool":                              {snapshot(waiting, metalLBRuns), []string{diagnose.AddressPoolMissing}, "there is no pool"},
		"minikube's addon, not configured":     {snapshot(waiting, legacyRuns(minikubeEmpty)), []string{diagnose.AddressPoolMissing}, "no addresses"},
		"a pool that is given on request only": {snapshot(waiting, metalLBRuns, theirs, func(s *Snapshot) {
			_ = unstructured.SetNestedField(s.Pools[0].Object, false, "spec", "autoAssign")
		}), []string{diagnose.AddressPoolMissing}, "autoAssign is false"},
		"a pool for other namespaces": {snapshot(waiting, metalLBRuns, theirs, func(s *Snapshot) {
			_ = unstructured.SetNestedMap(s.Pools[0].Object, map[string]any{"namespaces": []any{"shop"}}, "spec", "serviceAllocation")
		}), []string{diagnose.AddressPoolMissing}, "for other namespaces"},
		"a pool of another family": {
			snapshot(gateway(ofType("LoadBalancer"), families("IPv4")), metalLBRuns, pool("six", "fd00:1::10-fd00:1::1f"), advertisement()),
			[]string{diagnose.AddressPoolMissing},
			"it has no IPv4 address",
		},
		"every address is taken": {
			snapshot(waiting, metalLBRuns, theirs, advertisement(), service("shop", "a", has("192.168.10.200")), service("shop", "b", has("192.168.10.201"))),
			[]string{diagnose.AddressPoolExhausted},
			"Service shop/b has 192.168.10.201",
		},
		"MetalLB says that every address is taken": {
			snapshot(waiting, metalLBRuns, theirs, advertisement(), warning("AllocationFailed", `Failed to allocate IP for "x": no available IPs`)),
			[]string{diagnose.AddressPoolExhausted},
			"no available IPs",
		},
		"an address that MetalLB refuses": {snapshot(gateway(ofType("LoadBalancer"), annotated("metallb.io/loadBalancerIPs", "10.9.9.9")), metalLBRuns, theirs, advertisement(),
			warning("AllocationFailed", `Failed to allocate IP for "x": ["10.9.9.9"] is not allowed in config`)), []string{diagnose.AddressRefused}, "metallb.io/loadBalancerIPs: 10.9.9.9"},
		"a class that nobody serves": {snapshot(gateway(ofType("LoadBalancer"), class), metalLBRuns, theirs, advertisement()), []string{diagnose.LoadBalancerClassUnserved}, "example.com/lb"},
		"a class that MetalLB was started for": {
			snapshot(gateway(ofType("LoadBalancer"), class), definitions, theirs, advertisement(),
				deployment(metalLBNamespace, "controller", newController, "--lb-class=example.com/lb"), daemonSet(metalLBNamespace, "speaker", "quay.io/metallb/speaker:v0.14.9")),
			[]string{diagnose.LoadBalancerPending},
			"",
		},
		"the controller is down": {
			snapshot(waiting, metalLBRuns, theirs, advertisement(), func(s *Snapshot) { s.Deployments[0].Status.AvailableReplicas = 0 }),
			[]string{diagnose.AddressControllerDown},
			"0 of 1 replicas",
		},
		"it may yet come":              {snapshot(waiting, metalLBRuns, theirs, advertisement()), []string{diagnose.LoadBalancerPending}, ""},
		"a cloud takes its time":       {snapshot(waiting, node("e", providerID("aws:///a/i-1"))), []string{diagnose.LoadBalancerPending}, "aws:///a/i-1"},
		"a pool without advertisement": {snapshot(given, metalLBRuns, theirs), []string{diagnose.AdvertisementMissing}, "L2Advertisements: 0"},
		"an advertisement for another pool": {
			snapshot(given, metalLBRuns, theirs, advertisement(func(m map[string]any) { m["ipAddressPools"] = []any{"other"} })),
			[]string{diagnose.AdvertisementMissing},
			"pool theirs",
		},
		"an advertisement that selects by label": {snapshot(node("a"), given, metalLBRuns, theirs, func(s *Snapshot) { s.Pools[0].SetLabels(map[string]string{"net": "lan"}) },
			advertisement(func(m map[string]any) {
				m["ipAddressPoolSelectors"] = []any{map[string]any{"matchLabels": map[string]any{"net": "lan"}}}
			})), nil, ""},
		"a pool that is announced by BGP":  {snapshot(node("a"), given, metalLBRuns, theirs, bgp(nil, "router")), nil, ""},
		"BGP for a peer that is there":     {snapshot(node("a"), given, metalLBRuns, theirs, bgp(map[string]any{"peers": []any{"none", "router"}}, "router")), nil, ""},
		"BGP and nobody to tell":           {snapshot(node("a"), given, metalLBRuns, theirs, bgp(nil)), []string{diagnose.AdvertisementMissing}, "BGPAdvertisement bgp: there is no BGPPeer to tell"},
		"BGP for a peer that is not there": {snapshot(node("a"), given, metalLBRuns, theirs, bgp(map[string]any{"peers": []any{"old"}}, "router")), []string{diagnose.AdvertisementMissing}, "no BGPPeer has the name old"},
		"BGP that fails beside layer 2":    {snapshot(node("a"), given, metalLBRuns, theirs, bgp(nil), advertisement()), nil, ""},
		"an advertisement for nodes that are not there": {
			snapshot(node("a"), given, metalLBRuns, theirs, announces(selecting("nodeSelectors", "edge", "yes"))),
			[]string{diagnose.AdvertisementMissing},
			"L2Advertisement l2: its nodeSelectors select no node",
		},
		"an advertisement for a node that is there": {
			snapshot(node("a", func(n *corev1.Node) { n.Labels["edge"] = "yes" }), given, metalLBRuns, theirs, announces(selecting("nodeSelectors", "edge", "yes"))), nil, "",
		},
		"an advertisement for other Services, as MetalLB 0.16 has it": {
			snapshot(node("a"), given, metalLBRuns, theirs, announces(selecting("serviceSelectors", "color", "blue"))),
			[]string{diagnose.AdvertisementMissing},
			"do not select the gateway's Service",
		},
		"no speaker is ready": {
			snapshot(given, metalLBRuns, theirs, advertisement(), func(s *Snapshot) { s.DaemonSets[0].Status.NumberReady = 0 }),
			[]string{diagnose.AnnouncerDown},
			"0 of 1 pods are ready",
		},
		"every node is to be left out":  {snapshot(node("a", excluded), given, metalLBRuns, theirs, advertisement()), []string{diagnose.ExcludedFromLoadBalancers}, "Node a"},
		"some nodes are to be left out": {snapshot(node("a", excluded), node("b"), given, metalLBRuns, theirs, advertisement()), nil, ""},
		"speakers that do not mind": {snapshot(node("a", excluded), given, definitions, theirs, advertisement(), deployment(metalLBNamespace, "controller", newController),
			daemonSet(metalLBNamespace, "speaker", "quay.io/metallb/speaker:v0.14.9", "--port=7472", "--ignore-exclude-lb")), nil, ""},
		"an old MetalLB does not mind either": {snapshot(node("a", excluded), given, legacyRuns("address-pools:\n- {name: a, protocol: layer2, addresses: [192.168.10.200-192.168.10.201]}")), nil, ""},
		"IPVS that answers everywhere":        {snapshot(node("a"), given, metalLBRuns, theirs, advertisement(), proxyConfig("mode: ipvs\nipvs: {strictARP: false}\n")), []string{diagnose.StrictARPOff}, "strictARP: false"},
		"ServiceLB, where Traefik has the ports of the nodes": {
			snapshot(waiting, node("a"), serviceLB("traefik", 1, 80, 443), serviceLB("istio-ingressgateway", 0, 15021, 80, 443)),
			[]string{diagnose.HostPortsTaken},
			"DaemonSet kube-system/svclb-traefik-1a2b has port 80 of the nodes, for Service kube-system/traefik",
		},
		"ServiceLB, whose pods do not run for another reason": {
			snapshot(waiting, node("a"), serviceLB("traefik", 1, 8000), serviceLB("istio-ingressgateway", 0, 15021, 80, 443)),
			[]string{diagnose.LoadBalancerPending},
			"0 of 1 pods are ready",
		},
		"ServiceLB that has just begun": {snapshot(waiting, node("a"), serviceLB("traefik", 1, 80, 443)), []string{diagnose.LoadBalancerPending}, ""},
		"Cilium without anything that announces": {
			snapshot(given, node("a"), ciliumRuns), []string{diagnose.AdvertisementMissing}, "CiliumL2AnnouncementPolicies: 0",
		},
		"Cilium with a policy for other Services": {
			snapshot(given, node("a"), ciliumRuns, ciliumPolicy(map[string]any{"loadBalancerIPs": true, "serviceSelector": map[string]any{"matchLabels": map[string]any{"color": "blue"}}})),
			[]string{diagnose.AdvertisementMissing},
			"does not select the gateway's Service",
		},
		"Cilium with a policy for nodes that are not there": {
			snapshot(given, node("a"), ciliumRuns, ciliumPolicy(map[string]any{"loadBalancerIPs": true, "nodeSelector": map[string]any{"matchLabels": map[string]any{"edge": "yes"}}})),
			[]string{diagnose.AdvertisementMissing},
			"selects no node",
		},
		"Cilium with a policy that announces": {snapshot(given, node("a"), ciliumRuns, ciliumPolicy(map[string]any{"loadBalancerIPs": true})), nil, ""},
		"Cilium with BGP": {snapshot(given, node("a"), ciliumRuns, func(s *Snapshot) {
			s.CiliumBGP = []unstructured.Unstructured{{Object: map[string]any{"kind": "CiliumBGPAdvertisement"}}}
		}), nil, ""},
		"IPVS as it should be": {snapshot(node("a"), given, metalLBRuns, theirs, advertisement(), proxyConfig("mode: ipvs\nipvs: {strictARP: true}\n")), nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			causes := c.cluster.Causes()
			var names []string
			for _, cause := range causes {
				names = append(names, cause.Name)
				if cause.Summary == "" || cause.Remedy == "" || cause.Object.Kind == "" || len(cause.Evidence) == 0 {
					t.Errorf("%s lacks a summary, a remedy, an object or evidence: %+v", cause.Name, cause)
				}
			}
			if !slices.Equal(names, c.want) {
				t.Fatalf("Causes() = %q, want %q", names, c.want)
			}
			if len(causes) > 0 && !strings.Contains(strings.Join(causes[0].Evidence, "\n")+causes[0].Summary, c.says) {
				t.Errorf("%s does not say %q: %q", names[0], c.says, causes[0].Evidence)
			}
		})
	}
}
