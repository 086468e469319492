package exposure

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// Pool is a set of addresses that MetalLB gives, of either kind of configuration.
type Pool struct {
	Name string `json:"name"`
	// Ref is the object that it stands in: an IPAddressPool, or the ConfigMap.
	Ref    report.Ref `json:"object"`
	Ranges []Range    `json:"ranges"`
	// Serves tells whether the gateway may get an address of it, without asking for it by name.
	Serves bool `json:"serves"`
	// Why not, where it does not.
	Why string `json:"why,omitempty"`
	// Ours is the one that this program makes.
	Ours bool `json:"ours,omitempty"`
	// announced is the protocol of a pool in the ConfigMap, which says how it is announced.
	announced string
}

// addressPool is what matters here of an IPAddressPool.
type addressPool struct {
	Metadata metav1.ObjectMeta `json:"metadata"`
	Spec     struct {
		Addresses     []string `json:"addresses"`
		AutoAssign    *bool    `json:"autoAssign"`
		AvoidBuggyIPs bool     `json:"avoidBuggyIPs"`
		Allocation    *struct {
			Namespaces         []string               `json:"namespaces"`
			NamespaceSelectors []metav1.LabelSelector `json:"namespaceSelectors"`
			ServiceSelectors   []metav1.LabelSelector `json:"serviceSelectors"`
		} `json:"serviceAllocation"`
	} `json:"spec"`
}

// AllPools are the pools of the configuration that the provider heeds.
func (s *Snapshot) AllPools(p Provider) []Pool {
	var pools []Pool
	switch p {
	case MetalLB:
		pools = s.customPools()
	case MetalLBConfigMap:
		pools = s.legacyPools()
	}
	for i := range pools {
		pool := &pools[i]
		if family := s.familyMissing(pool.Ranges); family != "" && pool.Serves && len(pool.Ranges) > 0 {
			pool.Serves, pool.Why = false, fmt.Sprintf("it has no %s address, which the gateway's Service needs", family)
		}
	}
	return pools
}

// familyMissing is a family that the gateway's Service needs an address of and ranges do
// not hold; empty where they will do. A Service that only prefers both is content with one.
func (s *Snapshot) familyMissing(ranges []Range) corev1.IPFamily {
	svc := s.Gateway()
	if svc == nil {
		return ""
	}
	policy := svc.Spec.IPFamilyPolicy
	either := policy != nil && *policy == corev1.IPFamilyPolicyPreferDualStack
	var missing corev1.IPFamily
	for _, family := range svc.Spec.IPFamilies {
		held := slices.ContainsFunc(ranges, func(r Range) bool { return familyOf(r.From) == family })
		switch {
		case held && either:
			return ""
		case !held && missing == "":
			missing = family
		}
	}
	return missing
}

func familyOf(a netip.Addr) corev1.IPFamily {
	if a.Is4() {
		return corev1.IPv4Protocol
	}
	return corev1.IPv6Protocol
}

func (s *Snapshot) customPools() []Pool {
	var out []Pool
	for i := range s.Pools {
		var p addressPool
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(s.Pools[i].Object, &p); err != nil {
			continue // the definition's schema has accepted it, so this is no pool that anybody serves
		}
		pool := Pool{
			Name: p.Metadata.Name, Ranges: lenient(p.Spec.Addresses), Ours: p.Metadata.Name == PoolName, Serves: true,
			Ref: report.Ref{Group: poolKind.Group, Kind: poolKind.Kind, Namespace: p.Metadata.Namespace, Name: p.Metadata.Name},
		}
		switch a := p.Spec.Allocation; {
		case p.Spec.AutoAssign != nil && !*p.Spec.AutoAssign:
			pool.Serves, pool.Why = false, "autoAssign is false"
		case a == nil:
		case (len(a.Namespaces) > 0 || len(a.NamespaceSelectors) > 0) && !slices.Contains(a.Namespaces, Namespace) && !matchesAny(a.NamespaceSelectors, s.namespaceLabels()):
			pool.Serves, pool.Why = false, "it is for other namespaces"
		case len(a.ServiceSelectors) > 0 && (s.Gateway() == nil || !matchesAny(a.ServiceSelectors, s.Gateway().Labels)):
			pool.Serves, pool.Why = false, "it is for other Services"
		}
		out = append(out, pool)
	}
	return out
}

func (s *Snapshot) namespaceLabels() map[string]string {
	if s.GatewayNamespace == nil {
		return nil
	}
	return s.GatewayNamespace.Labels
}

func matchesAny(selectors []metav1.LabelSelector, of map[string]string) bool {
	return slices.ContainsFunc(selectors, func(l metav1.LabelSelector) bool {
		selector, err := metav1.LabelSelectorAsSelector(&l)
		return err == nil && selector.Matches(labels.Set(of))
	})
}

// legacyConfig is what matters here of MetalLB's ConfigMap.
type legacyConfig struct {
	AddressPools []struct {
		Name     string `json:"name"`
		Protocol string `json:"protocol"`
		// Addresses may hold nulls and lists where a template was filled with nothing.
		Addresses  []any `json:"addresses"`
		AutoAssign *bool `json:"auto-assign"`
	} `json:"address-pools"`
}

// configKey is the one key of the ConfigMap.
const configKey = "config"

func (s *Snapshot) legacyPools() []Pool {
	if s.LegacyConfig == nil {
		return nil
	}
	var config legacyConfig
	if err := yaml.Unmarshal([]byte(s.LegacyConfig.Data[configKey]), &config); err != nil {
		return nil // MetalLB cannot read it either; who wants to edit it is told
	}
	var out []Pool
	for _, p := range config.AddressPools {
		var addresses []string
		for _, a := range p.Addresses {
			if text, ok := a.(string); ok {
				addresses = append(addresses, text)
			}
		}
		pool := Pool{
			Name: p.Name, Ranges: lenient(addresses), Ours: p.Name == PoolName, Serves: true, announced: p.Protocol,
			Ref: report.Ref{Kind: "ConfigMap", Namespace: s.LegacyConfig.Namespace, Name: s.LegacyConfig.Name},
		}
		if p.AutoAssign != nil && !*p.AutoAssign {
			pool.Serves, pool.Why = false, "auto-assign is false"
		}
		out = append(out, pool)
	}
	return out
}

// lenient reads the ranges that somebody else wrote. What cannot be read holds no
// address: minikube's addon writes " - " before anybody has configured it.
func lenient(all []string) []Range {
	var out []Range
	for _, text := range all {
		if p, err := netip.ParsePrefix(strings.TrimSpace(text)); err == nil {
			out = append(out, prefixRange(p))
			continue
		}
		from, to, ok := strings.Cut(text, "-")
		a, errA := netip.ParseAddr(strings.TrimSpace(from))
		b, errB := netip.ParseAddr(strings.TrimSpace(to))
		if ok && errA == nil && errB == nil && a.Is4() == b.Is4() && !b.Less(a) {
			out = append(out, Range{From: a, To: b})
		}
	}
	return out
}

// Given is an address that a Service has from a load balancer.
type Given struct {
	Address netip.Addr
	Service report.Ref
}

// given are the addresses that Services have from load balancers.
func (s *Snapshot) given() []Given {
	var out []Given
	for i := range s.Services {
		svc := &s.Services[i]
		if svc.Spec.Type != corev1.ServiceTypeLoadBalancer {
			continue
		}
		for _, g := range svc.Status.LoadBalancer.Ingress {
			if a, err := netip.ParseAddr(g.IP); err == nil {
				out = append(out, Given{a, report.Ref{Kind: "Service", Namespace: svc.Namespace, Name: svc.Name}})
			}
		}
	}
	return out
}

// usable are the pools that hold addresses and may serve the gateway.
func usable(pools []Pool) []Pool {
	return slices.DeleteFunc(slices.Clone(pools), func(p Pool) bool { return !p.Serves || len(p.Ranges) == 0 })
}

// describePools is one line for each pool.
func describePools(pools []Pool) []string {
	out := make([]string, 0, len(pools))
	for _, p := range pools {
		line := fmt.Sprintf("pool %s of %s: %s", p.Name, p.Ref, strings.Join(texts(p.Ranges), ", "))
		if len(p.Ranges) == 0 {
			line = fmt.Sprintf("pool %s of %s: no addresses", p.Name, p.Ref)
		}
		if p.Why != "" {
			line += "; " + p.Why
		}
		out = append(out, line)
	}
	return out
}
