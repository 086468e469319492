package exposure

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// poolOf is the pool that the gateway's address is of, or would come from.
func (s *Snapshot) poolOf(svc *corev1.Service, pools []Pool) (Pool, bool) {
	for _, g := range s.given() {
		for _, p := range pools {
			if g.Service == ServiceRef && slices.ContainsFunc(p.Ranges, func(r Range) bool { return r.contains(g.Address) }) {
				return p, true
			}
		}
	}
	if can := usable(pools); len(svc.Status.LoadBalancer.Ingress) == 0 && len(can) == 1 {
		return can[0], true
	}
	return Pool{}, false
}

// announcement is what matters here of an L2Advertisement or a BGPAdvertisement.
type announcement struct {
	Spec struct {
		Pools         []string               `json:"ipAddressPools"`
		PoolSelectors []metav1.LabelSelector `json:"ipAddressPoolSelectors"`
		Nodes         []metav1.LabelSelector `json:"nodeSelectors"`
		// Services that it is for; MetalLB has that since 0.16.
		Services []metav1.LabelSelector `json:"serviceSelectors"`
		// Peers of a BGPAdvertisement; all of them where it names none.
		Peers []string `json:"peers"`
	} `json:"spec"`
}

// unadvertised is why nothing announces the gateway's address, which is of a pool; empty where
// something does.
func (s *Snapshot) unadvertised(p Pool, svc *corev1.Service) []report.Cause {
	var reasons []string
	all := slices.Concat(s.L2Advertisements, s.BGPAdvertisements)
	for i := range all {
		why, ofPool := s.silent(&all[i], p, svc)
		if ofPool && why == "" {
			return nil
		}
		if ofPool {
			reasons = append(reasons, fmt.Sprintf("%s %s: %s", all[i].GetKind(), all[i].GetName(), why))
		}
	}
	c := report.Cause{
		Name: diagnose.AdvertisementMissing, Severity: report.Error, Object: p.Ref,
		Summary:  fmt.Sprintf("no L2Advertisement or BGPAdvertisement selects pool %s", p.Name),
		Evidence: append(describePools([]Pool{p}), fmt.Sprintf("L2Advertisements: %d, BGPAdvertisements: %d, none of them for this pool", len(s.L2Advertisements), len(s.BGPAdvertisements))),
		Remedy:   fmt.Sprintf("create an L2Advertisement in namespace %s with %s in spec.ipAddressPools", p.Ref.Namespace, p.Name),
	}
	if len(reasons) > 0 {
		c.Summary = fmt.Sprintf("what announces pool %s does not announce the gateway's address", p.Name)
		c.Evidence = append(describePools([]Pool{p}), reasons...)
		c.Remedy = "correct what is named, or " + c.Remedy
	}
	return []report.Cause{c}
}

// advertised tells whether any advertisement is for a pool.
func (s *Snapshot) advertised(p Pool) bool {
	return slices.ContainsFunc(slices.Concat(s.L2Advertisements, s.BGPAdvertisements), func(u unstructured.Unstructured) bool {
		_, ofPool := s.silent(&u, p, s.Gateway())
		return ofPool
	})
}

// silent tells whether an advertisement is for a pool, and why it does not announce the
// gateway's address all the same; empty where it does. Whether a router takes what it is told
// is not known.
func (s *Snapshot) silent(u *unstructured.Unstructured, p Pool, svc *corev1.Service) (why string, ofPool bool) {
	var a announcement
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &a); err != nil || u.GetNamespace() != p.Ref.Namespace {
		return "", false
	}
	if len(a.Spec.Pools)+len(a.Spec.PoolSelectors) > 0 && !slices.Contains(a.Spec.Pools, p.Name) && !matchesAny(a.Spec.PoolSelectors, s.labelsOf(p)) {
		return "", false
	}
	switch {
	case len(a.Spec.Nodes) > 0 && !slices.ContainsFunc(s.Nodes, func(n corev1.Node) bool { return matchesAny(a.Spec.Nodes, n.Labels) }):
		return "its nodeSelectors select no node", true
	case len(a.Spec.Services) > 0 && (svc == nil || !matchesAny(a.Spec.Services, svc.Labels)):
		return "its serviceSelectors do not select the gateway's Service", true
	case u.GetKind() != bgpKind.Kind:
	case len(s.BGPPeers) == 0:
		return "there is no BGPPeer to tell", true
	case len(a.Spec.Peers) > 0 && !slices.ContainsFunc(s.BGPPeers, func(u unstructured.Unstructured) bool {
		return slices.Contains(a.Spec.Peers, u.GetName())
	}):
		return fmt.Sprintf("no BGPPeer has the name %s", strings.Join(a.Spec.Peers, " or ")), true
	}
	return "", true
}

func (s *Snapshot) labelsOf(p Pool) map[string]string {
	for i := range s.Pools {
		if s.Pools[i].GetName() == p.Name && s.Pools[i].GetNamespace() == p.Ref.Namespace {
			return s.Pools[i].GetLabels()
		}
	}
	return nil
}
