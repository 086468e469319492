package exposure

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// component is whose the gateway is.
const component = "istio"

// Causes name why the gateway has no address, or one that is announced to nobody, worst
// first; none where its Service is of another type, or all is well. It is pure.
func (s *Snapshot) Causes() []report.Cause {
	svc := s.Gateway()
	if svc == nil || svc.Spec.Type != corev1.ServiceTypeLoadBalancer {
		return nil
	}
	var causes []report.Cause
	add := func(c report.Cause) {
		c.Component = cmp.Or(c.Component, component)
		if c.Object.Kind == "" {
			c.Object = ServiceRef
		}
		causes = append(causes, c)
	}
	d := s.Detect()
	waits := len(svc.Status.LoadBalancer.Ingress) == 0
	if waits {
		for _, c := range s.withoutAddress(svc, d) {
			add(c)
		}
		if len(causes) == 0 {
			add(report.Cause{
				Name: diagnose.LoadBalancerPending, Severity: report.Delay,
				Summary:  cmp.Or(d.Product, "the load balancer controller") + " has not assigned an address to the gateway yet",
				Evidence: append(s.warnings(), d.Evidence...), Remedy: "kubectl -n " + Namespace + " describe service " + ServiceName,
			})
		}
	}
	if c, ok := s.ciliumSilent(svc, d); ok {
		add(c)
	}
	if d.Provider == MetalLB || d.Provider == MetalLBConfigMap {
		for _, c := range s.unannounced(svc, d) {
			if waits {
				c.Severity = min(c.Severity, report.Warning) // the address comes first
			}
			add(c)
		}
	}
	return diagnose.Rank(causes)
}

// withoutAddress is why no address comes.
func (s *Snapshot) withoutAddress(svc *corev1.Service, d Detection) []report.Cause {
	if class := svc.Spec.LoadBalancerClass; class != nil && !s.serves(d, *class) {
		return []report.Cause{{
			Name: diagnose.LoadBalancerClassUnserved, Severity: report.Error,
			Summary:  fmt.Sprintf("the Service is of loadBalancerClass %s, which nothing here serves", *class),
			Evidence: append([]string{"spec.loadBalancerClass: " + *class}, d.Evidence...),
			Remedy:   "remove the class by setting the type again: kubectl jupyter expose --type ClusterIP, then kubectl jupyter expose",
		}}
	}
	switch d.Provider {
	case None:
		return []report.Cause{{
			Name: diagnose.NoLoadBalancerController, Severity: report.Error,
			Summary: "nothing in the cluster assigns LoadBalancer addresses", Evidence: d.Evidence,
			Remedy: "install MetalLB with a range of addresses: kubectl jupyter expose; for access without an address: kubectl jupyter port-forward",
		}}
	case MetalLBMixed:
		return []report.Cause{mixed(d)}
	case MetalLB, MetalLBConfigMap:
		return s.metalLBGivesNone(svc, d)
	case ServiceLB:
		return s.serviceLBGivesNone()
	}
	return nil
}

func mixed(d Detection) report.Cause {
	return report.Cause{
		Name: diagnose.MetalLBModesMixed, Severity: report.Error, Component: component, Object: ServiceRef,
		Summary: "MetalLB is configured by ConfigMap and by custom resources, and one of them has no effect", Evidence: d.Evidence,
		Remedy: "keep one: with controller 0.13 or later, IPAddressPools and no ConfigMap; with an older one, the ConfigMap and no CRDs of metallb.io",
	}
}

func (s *Snapshot) metalLBGivesNone(svc *corev1.Service, d Detection) []report.Cause {
	for _, c := range s.controllers(metalLBController) {
		if c.Status.AvailableReplicas == 0 {
			return []report.Cause{{
				Name: diagnose.AddressControllerDown, Severity: report.Error,
				Object:   report.Ref{Group: "apps", Kind: "Deployment", Namespace: c.Namespace, Name: c.Name},
				Summary:  "MetalLB's controller, which assigns the addresses, is not running",
				Evidence: []string{fmt.Sprintf("Deployment %s/%s: %d of %d replicas are available", c.Namespace, c.Name, c.Status.AvailableReplicas, replicas(c.Spec.Replicas))},
				Remedy:   fmt.Sprintf("kubectl -n %s describe pods -l component=controller", c.Namespace),
			}}
		}
	}
	pools := s.AllPools(d.Provider)
	if len(usable(pools)) == 0 {
		c := report.Cause{
			Name: diagnose.AddressPoolMissing, Severity: report.Error,
			Summary: "MetalLB has no addresses for the gateway", Evidence: describePools(pools),
			Remedy: "choose an unused range in the nodes' network: kubectl jupyter expose --address-pool START-END",
		}
		if len(pools) == 0 {
			c.Evidence = []string{"there is no pool"}
		}
		if err := s.legacyUnreadable(d); err != nil {
			c.Evidence = append(c.Evidence, err.Error())
		}
		return []report.Cause{c}
	}
	for _, e := range slices.Backward(s.Events) {
		if e.Type != corev1.EventTypeWarning || e.Reason != "AllocationFailed" && e.Reason != "LoadBalancerFailed" {
			continue
		}
		said := e.Reason + ": " + e.Message
		if strings.Contains(e.Message, "no available IPs") {
			c, _ := s.exhausted(usable(pools))
			c.Evidence = append([]string{said}, c.Evidence...)
			return []report.Cause{c}
		}
		return []report.Cause{{
			Name: diagnose.AddressRefused, Severity: report.Error,
			Summary: "MetalLB does not assign the address that the Service requests", Evidence: append(append([]string{said}, asked(svc)...), describePools(pools)...),
			Remedy: "request a free one from a pool: kubectl jupyter expose --load-balancer-ip ADDRESS; or accept any: kubectl jupyter expose --undo, then kubectl jupyter expose",
		}}
	}
	if c, none := s.exhausted(usable(pools)); none {
		return []report.Cause{c}
	}
	return nil
}

func replicas(n *int32) int32 {
	if n == nil {
		return 1
	}
	return *n
}

// legacyUnreadable is why MetalLB cannot read its ConfigMap, nil where it can.
func (s *Snapshot) legacyUnreadable(d Detection) error {
	if d.Provider != MetalLBConfigMap || s.LegacyConfig == nil {
		return nil
	}
	var config legacyConfig
	if err := yaml.Unmarshal([]byte(s.LegacyConfig.Data[configKey]), &config); err != nil {
		return fmt.Errorf("ConfigMap %s/%s: key %s: %w", s.LegacyConfig.Namespace, s.LegacyConfig.Name, configKey, err)
	}
	return nil
}

// asked is what a Service wants of its load balancer.
func asked(svc *corev1.Service) []string {
	var out []string
	if ip := svc.Spec.LoadBalancerIP; ip != "" {
		out = append(out, "spec.loadBalancerIP: "+ip)
	}
	for k, v := range svc.Annotations {
		for _, prefix := range []string{"metallb.io/", "metallb.universe.tf/"} {
			if strings.HasPrefix(k, prefix) {
				out = append(out, k+": "+v)
			}
		}
	}
	slices.Sort(out)
	return out
}

// exhausted tells whether every address of the pools belongs to another Service, and who
// they are.
func (s *Snapshot) exhausted(pools []Pool) (report.Cause, bool) {
	total, used := new(big.Int), new(big.Int)
	var who []string
	given := s.given()
	for _, p := range pools {
		for _, r := range p.Ranges {
			total.Add(total, r.size())
			for _, g := range given {
				if g.Service != ServiceRef && r.contains(g.Address) {
					used.Add(used, big.NewInt(1))
					who = append(who, fmt.Sprintf("%s has %s", g.Service, g.Address))
				}
			}
		}
	}
	return report.Cause{
		Name: diagnose.AddressPoolExhausted, Severity: report.Error, Component: component, Object: ServiceRef,
		Summary:  "all addresses of the pools are assigned to other Services",
		Evidence: append(describePools(pools), who[:min(len(who), 10)]...),
		Remedy:   "add a range: kubectl jupyter expose --address-pool START-END; or delete a LoadBalancer that is not needed: kubectl get services -A | grep LoadBalancer",
	}, used.Cmp(total) >= 0
}

// serves tells whether some controller was started for a class of load balancers.
func (s *Snapshot) serves(d Detection, class string) bool {
	if d.Provider == Cloud || d.Provider == Cilium || d.Provider == Other {
		return true // they know their classes themselves
	}
	named := func(pod *corev1.PodSpec) bool { v, _ := argument(pod, "lb-class"); return v == class }
	for i := range s.Deployments {
		if named(&s.Deployments[i].Spec.Template.Spec) {
			return true
		}
	}
	return false
}

// unannounced is why an address answers from nowhere.
func (s *Snapshot) unannounced(svc *corev1.Service, d Detection) []report.Cause {
	var causes []report.Cause
	speakers := s.daemons(metalLBSpeaker)
	ready := 0
	for _, sp := range speakers {
		ready += int(sp.Status.NumberReady)
	}
	if ready == 0 {
		c := report.Cause{
			Name: diagnose.AnnouncerDown, Severity: report.Error,
			Summary:  "no MetalLB speaker is ready, so nothing announces the address",
			Evidence: []string{"the speakers' DaemonSet does not exist"},
			Remedy:   fmt.Sprintf("kubectl -n %s describe pods -l component=speaker", d.Namespace),
		}
		for i, sp := range speakers {
			c.Object = report.Ref{Group: "apps", Kind: "DaemonSet", Namespace: sp.Namespace, Name: sp.Name}
			line := fmt.Sprintf("%s: %d of %d pods are ready", c.Object, sp.Status.NumberReady, sp.Status.DesiredNumberScheduled)
			c.Evidence = append(c.Evidence[:i], line)
		}
		causes = append(causes, c)
	}
	if d.Provider == MetalLB {
		if p, ok := s.poolOf(svc, s.AllPools(d.Provider)); ok {
			causes = append(causes, s.unadvertised(p, svc)...)
		}
	}
	if d.Provider == MetalLB && atLeast(d.Version, "0.14.0") && s.allExcluded() && !s.ignoresExcluded() {
		c := report.Cause{
			Name: diagnose.ExcludedFromLoadBalancers, Severity: report.Error,
			Object:  report.Ref{Kind: "Node", Name: s.Nodes[0].Name},
			Summary: "all nodes are labeled as excluded from external load balancers, so MetalLB does not announce the address",
			Remedy:  "kubectl label nodes --all " + excludedLabel + "-",
		}
		for _, n := range s.Nodes[:min(len(s.Nodes), 5)] {
			c.Evidence = append(c.Evidence, fmt.Sprintf("Node %s: label %s", n.Name, excludedLabel))
		}
		causes = append(causes, c)
	}
	if s.ipvsWithoutStrictARP() {
		causes = append(causes, report.Cause{
			Name: diagnose.StrictARPOff, Severity: report.Warning,
			Object:   report.Ref{Kind: "ConfigMap", Namespace: s.KubeProxy.Namespace, Name: s.KubeProxy.Name},
			Summary:  "kube-proxy runs in mode ipvs without strictARP: every node answers ARP for the address",
			Evidence: []string{"mode: ipvs, ipvs.strictARP: false"},
			Remedy:   "set ipvs.strictARP to true: kubectl -n kube-system edit configmap kube-proxy; then kubectl -n kube-system rollout restart daemonset kube-proxy",
		})
	}
	return causes
}

func (s *Snapshot) ignoresExcluded() bool {
	for _, d := range s.daemons(metalLBSpeaker) {
		if v, _ := argument(&d.Spec.Template.Spec, "ignore-exclude-lb"); v == "true" {
			return true
		}
	}
	return false
}

func (s *Snapshot) ipvsWithoutStrictARP() bool {
	if s.KubeProxy == nil {
		return false
	}
	var proxy struct {
		Mode string `json:"mode"`
		IPVS struct {
			StrictARP bool `json:"strictARP"`
		} `json:"ipvs"`
	}
	for _, text := range s.KubeProxy.Data {
		if err := yaml.Unmarshal([]byte(text), &proxy); err == nil && proxy.Mode == "ipvs" {
			return !proxy.IPVS.StrictARP
		}
	}
	return false
}

// warnings are the newest two of the Service's events that warn.
func (s *Snapshot) warnings() []string {
	var out []string
	for i := len(s.Events) - 1; i >= 0 && len(out) < 2; i-- {
		if e := s.Events[i]; e.Type == corev1.EventTypeWarning {
			out = append(out, e.Reason+": "+e.Message)
		}
	}
	return out
}
