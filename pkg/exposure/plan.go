package exposure

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// Request is what a person asks for.
type Request struct {
	// Type the gateway's Service is to have; empty means LoadBalancer, or the NodePort that an
	// earlier run has set.
	Type corev1.ServiceType
	// Ranges for the pool; none takes a pool that is there, or proposes one.
	Ranges []Range
	// Addresses the gateway is to have, at most one of each family.
	Addresses []netip.Addr
	// InstallMetalLB is nil where nobody said; true also completes one of ours.
	InstallMetalLB *bool
}

// Input is a part of a Request that an error is about.
type Input string

// Parts of a Request.
const (
	InputRanges    Input = "ranges"
	InputAddresses Input = "addresses"
	InputMetalLB   Input = "metallb"
	InputType      Input = "type"
)

// Unfit is why a part of a request cannot be met.
type Unfit struct {
	Input Input
	Err   error
}

func (u *Unfit) Error() string { return u.Err.Error() }

func (u *Unfit) Unwrap() error { return u.Err }

func unfit(i Input, format string, args ...any) error {
	return &Unfit{i, fmt.Errorf(format, args...)}
}

// Plan is what has to be done so that the gateway is reached as the request says. A plan
// is made without writing anything.
type Plan struct {
	Detection Detection `json:"detection"`
	// Install MetalLB first.
	Install bool `json:"installMetalLB,omitempty"`
	// IgnoreExcluded: its speakers have to announce from nodes that load balancers are told
	// to leave out, since there are no others.
	IgnoreExcluded bool `json:"ignoreExcluded,omitempty"`
	// Pool to write, nil where those that are there will do.
	Pool *PoolPlan `json:"pool,omitempty"`
	// Set is what the Service is to have; Unchanged tells that it has it.
	Set       Set  `json:"service"`
	Unchanged bool `json:"unchanged,omitempty"`
	// Asks are decisions that nobody has made yet, each a sentence for a person, with the
	// flag that makes it.
	Asks []Ask `json:"-"`
	// Warnings are worth knowing.
	Warnings []string `json:"warnings,omitempty"`

	record Record
}

// Ask is a decision of the plan's own, which a person has to confirm.
type Ask struct {
	Says string
	// With makes the decision without a question.
	With string
}

// PoolPlan is the pool that this program makes, with its advertisement.
type PoolPlan struct {
	// Provider tells which of MetalLB's two configurations it goes into.
	Provider  Provider `json:"provider"`
	Namespace string   `json:"namespace"`
	// ConfigMap that the pool goes into, where that is how MetalLB is configured.
	ConfigMap string        `json:"configMap,omitempty"`
	Ranges    []Range       `json:"ranges"`
	Action    report.Action `json:"action"`
}

// NewPlan decides what to do.
func (s *Snapshot) NewPlan(q Request) (*Plan, error) {
	svc := s.Gateway()
	if svc == nil {
		return nil, fmt.Errorf("%s does not exist: run kubectl jupyter install first", ServiceRef)
	}
	record, err := recordOf(svc)
	if err != nil {
		return nil, err
	}
	p := &Plan{Detection: s.Detect(), Set: Set{Type: q.typeAfter(record)}}
	if p.Set.Type != corev1.ServiceTypeLoadBalancer {
		if len(q.Ranges)+len(q.Addresses) > 0 || q.InstallMetalLB != nil && *q.InstallMetalLB {
			return nil, unfit(InputType, "a Service of type %s has no load balancer address: omit the type, or the range, the address and MetalLB", p.Set.Type)
		}
	} else {
		if err := s.planAddresses(p, q); err != nil {
			return nil, err
		}
		if record != nil && record.Set.Type == corev1.ServiceTypeLoadBalancer {
			p.Set.keep(record.Set, q)
		}
	}
	p.record = Record{Set: p.Set}
	if record != nil {
		p.record.Before = record.Before
	} else {
		p.record.Before = beforeOf(svc, p.Set)
	}
	p.Unchanged = p.Set.holds(svc) && (record == nil || len(record.Set.Annotations) == len(p.Set.Annotations))
	return p, nil
}

// typeAfter is the type that is meant: a node port that was chosen earlier stays until
// something is asked for that only a load balancer has.
func (q Request) typeAfter(earlier *Record) corev1.ServiceType {
	if q.Type == "" && earlier != nil && earlier.Set.Type == corev1.ServiceTypeNodePort && len(q.Ranges)+len(q.Addresses) == 0 && q.InstallMetalLB == nil {
		return corev1.ServiceTypeNodePort
	}
	return cmp.Or(q.Type, corev1.ServiceTypeLoadBalancer)
}

// keep takes over what an earlier run set and this one does not speak of.
func (set *Set) keep(earlier Set, q Request) {
	if len(q.Addresses) == 0 {
		set.LoadBalancerIP = earlier.LoadBalancerIP
	}
	set.IPFamilyPolicy = cmp.Or(set.IPFamilyPolicy, earlier.IPFamilyPolicy)
	kept := maps.Clone(earlier.Annotations)
	if len(q.Addresses) > 0 {
		// Two answers to one question would be refused.
		maps.DeleteFunc(kept, func(k, _ string) bool { return strings.HasSuffix(strings.ToLower(k), "ips") })
	}
	if kept == nil {
		kept = map[string]string{}
	}
	maps.Copy(kept, set.Annotations)
	if len(kept) > 0 {
		set.Annotations = kept
	}
}

func (s *Snapshot) planAddresses(p *Plan, q Request) error {
	d := p.Detection
	install := q.InstallMetalLB != nil && *q.InstallMetalLB
	switch d.Provider {
	case MetalLBMixed:
		c := mixed(d)
		return &rollout.Failure{Err: fmt.Errorf("%s, nothing was changed", c.Summary), Causes: []report.Cause{c}}
	case MetalLB:
		if install && !d.Ours {
			return unfit(InputMetalLB, "%s is already installed, with another owner: omit the flag to use it", d)
		}
		p.Install = install
	case MetalLBConfigMap:
		if install {
			return unfit(InputMetalLB, "%s is already installed: omit the flag to use it", d)
		}
	case None:
		if q.InstallMetalLB != nil && !install {
			if len(q.Ranges) > 0 {
				return unfit(InputRanges, "nothing in the cluster assigns addresses from a range: that requires MetalLB, which is not to be installed")
			}
			p.Warnings = append(p.Warnings, "no LoadBalancer controller was found: waiting for an address from outside the cluster")
			return s.askFor(p, q)
		}
		p.Install = true
		if !install {
			p.Asks = append(p.Asks, Ask{"Nothing in the cluster assigns LoadBalancer addresses, so MetalLB will be installed in namespace " + metalLBNamespace, "--install-metallb"})
		}
	default:
		if install {
			return unfit(InputMetalLB, "%s already assigns addresses (%s), and MetalLB would conflict with it: omit the flag", d.Product, strings.Join(d.Evidence, "; "))
		}
		if len(q.Ranges) > 0 {
			return unfit(InputRanges, "%s assigns addresses (%s), and a range is only for MetalLB: omit the flag", d.Product, strings.Join(d.Evidence, "; "))
		}
		return s.askFor(p, q)
	}
	p.IgnoreExcluded = p.Install && s.allExcluded()
	if err := s.planPool(p, q); err != nil {
		return err
	}
	return s.askFor(p, q)
}

// planPool decides which pool the gateway's address comes from.
func (s *Snapshot) planPool(p *Plan, q Request) error {
	provider, namespace := p.Detection.Provider, cmp.Or(p.Detection.Namespace, metalLBNamespace)
	if provider == None {
		provider = MetalLB // it will be, of the current kind
	}
	pools := s.AllPools(provider)
	config := ""
	if provider == MetalLBConfigMap {
		at := s.legacyConfigAt()
		namespace, config = at.Namespace, at.Name
	}
	ranges := q.Ranges
	if len(ranges) == 0 {
		if can := usable(pools); len(can) > 0 {
			return s.enough(can)
		}
		proposal, err := s.Propose(pools)
		if err != nil {
			return &Unfit{InputRanges, err}
		}
		ranges = []Range{proposal.Range}
		p.Asks = append(p.Asks, Ask{fmt.Sprintf("The addresses are %s, %s", proposal.Range, proposal.Why), "--address-pool " + proposal.Range.String()})
	}
	if family := s.familyMissing(ranges); family != "" {
		return unfit(InputRanges, "%s needs an %s address, and none is in %s: use or add a range of that family", ServiceRef, family, strings.Join(texts(ranges), ", "))
	}
	// A pool of somebody else's that holds just these addresses is taken as it is.
	for _, theirs := range pools {
		if !theirs.Ours && theirs.Serves && sameRanges(theirs.Ranges, ranges) {
			return nil
		}
	}
	warnings, err := s.CheckRanges(ranges, pools)
	if err != nil {
		return &Unfit{InputRanges, err}
	}
	p.Warnings = append(p.Warnings, warnings...)
	if had := s.stuck(p.Detection, pools, ranges); had != "" {
		return unfit(InputRanges, "%s has %s, and MetalLB %s accepts no ranges without an address that it has assigned: keep it in the range, or release it first with kubectl jupyter expose --undo", ServiceRef, had, p.Detection.Version)
	}
	p.Pool = &PoolPlan{Provider: provider, Namespace: namespace, ConfigMap: config, Ranges: ranges, Action: report.Created}
	for _, ours := range pools {
		if !ours.Ours {
			continue
		}
		p.Pool.Action = report.Configured
		p.Pool.Namespace = ours.Ref.Namespace
		if sameRanges(ours.Ranges, ranges) && ours.Serves && (provider == MetalLBConfigMap || s.advertised(ours)) {
			p.Pool.Action = report.Unchanged
		}
	}
	// With several pools the gateway's address has to come from the one that was named.
	if len(usable(pools)) > 0 && slices.ContainsFunc(pools, func(o Pool) bool { return !o.Ours }) {
		p.Set.annotate(metalLBPrefix(p)+"/address-pool", PoolName)
	}
	return nil
}

// stuck is the address of the gateway that new ranges of our pool lack, where MetalLB would
// go on with the old configuration for its sake, as it did before 0.14.
func (s *Snapshot) stuck(d Detection, pools []Pool, ranges []Range) string {
	if atLeast(d.Version, "0.14.0") {
		return ""
	}
	for _, g := range s.given() {
		if g.Service == ServiceRef && heldBy(pools, g.Address) && !slices.ContainsFunc(ranges, func(r Range) bool { return r.contains(g.Address) }) {
			return g.Address.String()
		}
	}
	return ""
}

// enough refuses to wait for an address where every one of the pools is taken.
func (s *Snapshot) enough(pools []Pool) error {
	if svc := s.Gateway(); len(svc.Status.LoadBalancer.Ingress) > 0 {
		return nil
	}
	if c, none := s.exhausted(pools); none {
		return &rollout.Failure{Err: errors.New("no pool has a free address for the gateway, nothing was changed"), Causes: []report.Cause{c}}
	}
	return nil
}

func (set *Set) annotate(k, v string) {
	if set.Annotations == nil {
		set.Annotations = map[string]string{}
	}
	set.Annotations[k] = v
}

// metalLBPrefix is that of MetalLB's annotations, which changed in 0.14.9: older ones know
// only the first, newer ones warn of it.
func metalLBPrefix(p *Plan) string {
	if !p.Install && !atLeast(p.Detection.Version, "0.14.9") {
		return "metallb.universe.tf"
	}
	return "metallb.io"
}

// askFor puts the addresses that were asked for where the provider looks for them.
func (s *Snapshot) askFor(p *Plan, q Request) error {
	if len(q.Addresses) == 0 {
		return nil
	}
	text := make([]string, len(q.Addresses))
	for i, a := range q.Addresses {
		text[i] = a.String()
		if err := s.canHave(p, a); err != nil {
			return err
		}
	}
	if families := s.Gateway().Spec.IPFamilies; len(q.Addresses) == 1 && len(families) > 0 && !slices.Contains(families, familyOf(q.Addresses[0])) {
		return unfit(InputAddresses, "%s: %s is of family %s: choose an address of that family", text[0], ServiceRef, families[0])
	}
	if len(q.Addresses) > 1 {
		if len(q.Addresses) > 2 || q.Addresses[0].Is4() == q.Addresses[1].Is4() {
			return unfit(InputAddresses, "%s: a Service has at most one address of each family", strings.Join(text, ", "))
		}
		p.Set.IPFamilyPolicy = corev1.IPFamilyPolicyRequireDualStack
	}
	d := p.Detection
	switch {
	case p.Install, d.Provider == MetalLB:
		p.Set.annotate(metalLBPrefix(p)+"/loadBalancerIPs", strings.Join(text, ","))
	case d.Provider == Cilium:
		p.Set.annotate("lbipam.cilium.io/ips", strings.Join(text, ","))
	case d.Product == "kube-vip":
		p.Set.annotate("kube-vip.io/loadbalancerIPs", strings.Join(text, ","))
	case d.Provider == ServiceLB, d.Provider == MinikubeTunnel:
		return unfit(InputAddresses, "%s does not support requesting an address: omit the flag", d.Product)
	case len(text) > 1:
		return unfit(InputAddresses, "%s accepts only one address: omit one of %s", cmp.Or(d.Product, "spec.loadBalancerIP"), strings.Join(text, ", "))
	default:
		p.Set.LoadBalancerIP = text[0]
	}
	return nil
}

// canHave refuses an address that MetalLB would refuse: of no pool, or taken.
func (s *Snapshot) canHave(p *Plan, a netip.Addr) error {
	for _, g := range s.given() {
		if g.Address == a && g.Service != ServiceRef {
			return unfit(InputAddresses, "%s: %s has it: choose another address", a, g.Service)
		}
	}
	var pools []Pool
	switch {
	case p.Pool != nil:
		// A named address comes from the named pool.
		pools = []Pool{{Ranges: p.Pool.Ranges}}
	case p.Detection.Provider == MetalLB, p.Detection.Provider == MetalLBConfigMap:
		pools = usable(s.AllPools(p.Detection.Provider))
	default:
		return nil // its controller knows
	}
	var all []string
	for _, pool := range pools {
		for _, r := range pool.Ranges {
			if r.contains(a) {
				return nil
			}
			all = append(all, r.String())
		}
	}
	return unfit(InputAddresses, "%s is in none of the ranges %s: choose one of them, or a range that contains it", a, strings.Join(all, ", "))
}

const excludedLabel = corev1.LabelNodeExcludeBalancers

// allExcluded tells whether every node that could announce an address is marked as one
// that load balancers leave out.
func (s *Snapshot) allExcluded() bool {
	for _, n := range s.Nodes {
		if _, excluded := n.Labels[excludedLabel]; !excluded {
			return false
		}
	}
	return len(s.Nodes) > 0
}
