package diagnose

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// Outside are clients that no selector of a policy finds.
var Outside = Peer{Says: "clients outside of the cluster"}

// GatewayPort is the port of the gateway's pods that clients come in by.
func GatewayPort(https bool) int32 {
	if https {
		return 8443
	}
	return 8080
}

// Peer is who opens a connection: pods of a namespace, or, where Namespace is empty,
// clients outside of the cluster, whom no selector finds.
type Peer struct {
	// Says is how people call it.
	Says      string
	Namespace string
	Labels    map[string]string
}

// maxPolicies of one list. A part of them proves nothing: the next one may admit.
const maxPolicies = 2000

// NetworkPolicies of a namespace, or of all; none where there are too many to judge.
func NetworkPolicies(ctx context.Context, c *cluster.Cluster, namespace string) ([]networkingv1.NetworkPolicy, error) {
	resource := schema.GroupVersionResource{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"}
	list, err := c.Dynamic.Resource(resource).Namespace(namespace).List(ctx, metav1.ListOptions{Limit: maxPolicies})
	if err != nil || list.GetContinue() != "" {
		return nil, err
	}
	out := make([]networkingv1.NetworkPolicy, len(list.Items))
	for i := range list.Items {
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(list.Items[i].Object, &out[i]); err != nil {
			return nil, fmt.Errorf("NetworkPolicy %s/%s: %w", list.Items[i].GetNamespace(), list.Items[i].GetName(), err)
		}
	}
	return out, nil
}

// CutOff are the policies that keep a peer from a pod's TCP port: policies select the pod,
// and none of them admits it. It is empty where the connection is admitted, as far as can
// be told: a selector of labels that are not known, or of addresses, may admit whom it is for.
//
// It follows the API's rules: policies add up, and a pod that no policy selects is open. A
// CNI plugin that enforces no policies admits everybody.
func CutOff(policies []networkingv1.NetworkPolicy, to *corev1.Pod, port int32, from Peer) []report.Ref {
	var by []report.Ref
	for i := range policies {
		p := &policies[i]
		if p.Namespace != to.Namespace || !ingress(p) || !matches(&p.Spec.PodSelector, to.Labels) {
			continue
		}
		by = append(by, report.Ref{Group: "networking.k8s.io", Kind: "NetworkPolicy", Namespace: p.Namespace, Name: p.Name})
		for _, rule := range p.Spec.Ingress {
			if takesPort(rule.Ports, to, port) && takesPeer(rule.From, p.Namespace, from) {
				return nil
			}
		}
	}
	return by
}

// ingress tells that a policy is about who may connect to its pods.
func ingress(p *networkingv1.NetworkPolicy) bool {
	return len(p.Spec.PolicyTypes) == 0 || slices.Contains(p.Spec.PolicyTypes, networkingv1.PolicyTypeIngress)
}

func matches(s *metav1.LabelSelector, set map[string]string) bool {
	selector, err := metav1.LabelSelectorAsSelector(s)
	return err == nil && selector.Matches(labels.Set(set))
}

func takesPort(ports []networkingv1.NetworkPolicyPort, to *corev1.Pod, port int32) bool {
	if len(ports) == 0 {
		return true
	}
	for _, p := range ports {
		if p.Protocol != nil && *p.Protocol != corev1.ProtocolTCP {
			continue
		}
		switch {
		case p.Port == nil:
			return true
		case p.Port.Type == intstr.String:
			for _, c := range slices.Concat(to.Spec.InitContainers, to.Spec.Containers) {
				if slices.ContainsFunc(c.Ports, func(n corev1.ContainerPort) bool { return n.Name == p.Port.StrVal && n.ContainerPort == port }) {
					return true
				}
			}
		case p.Port.IntVal == port, p.EndPort != nil && p.Port.IntVal <= port && port <= *p.EndPort:
			return true
		}
	}
	return false
}

func takesPeer(peers []networkingv1.NetworkPolicyPeer, own string, from Peer) bool {
	if len(peers) == 0 {
		return true
	}
	for _, p := range peers {
		switch {
		case p.IPBlock != nil:
			return true // somebody has said whose addresses they are
		case from.Namespace == "":
			continue
		case p.NamespaceSelector == nil && from.Namespace != own:
			continue
		case p.NamespaceSelector != nil && !mayMatch(p.NamespaceSelector, map[string]string{corev1.LabelMetadataName: from.Namespace}):
			continue
		case p.PodSelector == nil || matches(p.PodSelector, from.Labels):
			return true
		}
	}
	return false
}

// mayMatch takes a selector of other labels than those that are known for one that matches.
func mayMatch(s *metav1.LabelSelector, known map[string]string) bool {
	for name := range s.MatchLabels {
		if _, is := known[name]; !is {
			return true
		}
	}
	for _, e := range s.MatchExpressions {
		if _, is := known[e.Key]; !is {
			return true
		}
	}
	return matches(s, known)
}

// NetworkPolicyCause is that policies cut a pod of the stack off from a peer that needs it;
// nil where they do not. Pods of one workload are alike: one is enough.
func NetworkPolicyCause(policies []networkingv1.NetworkPolicy, component string, to *corev1.Pod, says string, port int32, from Peer) *report.Cause {
	by := CutOff(policies, to, port, from)
	if len(by) == 0 {
		return nil
	}
	c := &report.Cause{
		Name: NetworkPolicyBlocks, Severity: report.Warning, Component: component, Object: by[0], Also: by[1:],
		Summary: fmt.Sprintf("network policies admit no connections from %s to %s: where the cluster's network enforces them, nobody gets through", from.Says, says),
		Remedy:  fmt.Sprintf("kubectl -n %s get networkpolicies; add one that admits TCP port %d of %s", to.Namespace, port, says),
	}
	if component != "" {
		c.Remedy = "kubectl jupyter install   restores the policies of release 26.03\notherwise: " + c.Remedy
	}
	for _, ref := range by {
		c.Evidence = append(c.Evidence, fmt.Sprintf("%s: selects pod %s, and admits TCP port %d to others only", ref, to.Name, port))
	}
	return c
}
