package exposure

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// Labels of what ServiceLB makes for a Service.
const (
	serviceLBName      = "svccontroller.k3s.cattle.io/svcname"
	serviceLBNamespace = "svccontroller.k3s.cattle.io/svcnamespace"
)

// servedBy names the Service that a DaemonSet of ServiceLB is for. Older versions of k3s have
// no label for its namespace.
func servedBy(d *appsv1.DaemonSet) report.Ref {
	labels := d.Spec.Template.Labels
	return report.Ref{Kind: "Service", Namespace: labels[serviceLBNamespace], Name: labels[serviceLBName]}
}

// serviceLBGivesNone is why k3s's ServiceLB gives the gateway no node's address: another
// Service has the ports of the nodes, or its pods do not run for another reason.
func (s *Snapshot) serviceLBGivesNone() []report.Cause {
	var ours *appsv1.DaemonSet
	all := s.daemons(serviceLBPod)
	for _, d := range all {
		if ref := servedBy(d); ref.Name == ServiceName && (ref.Namespace == "" || ref.Namespace == Namespace) || ref.Name == "" && strings.HasPrefix(d.Name, "svclb-"+ServiceName) {
			ours = d
		}
	}
	if ours == nil || ours.Status.NumberReady > 0 {
		return nil
	}
	object := report.Ref{Group: "apps", Kind: "DaemonSet", Namespace: ours.Namespace, Name: ours.Name}
	state := fmt.Sprintf("%s: %d of %d pods are ready", object, ours.Status.NumberReady, ours.Status.DesiredNumberScheduled)
	if c, ok := s.portsTaken(ours, all); ok {
		c.Evidence = append([]string{state}, c.Evidence...)
		return []report.Cause{c}
	}
	return []report.Cause{{
		Name: diagnose.LoadBalancerPending, Severity: report.Delay, Object: object,
		Summary: "the pods by which ServiceLB (k3s) serves the gateway are not ready", Evidence: []string{state},
		Remedy: fmt.Sprintf("kubectl -n %s describe daemonset %s; kubectl -n %s get pods -o wide", ours.Namespace, ours.Name, ours.Namespace),
	}}
}

// portsTaken names the Services whose ports of the nodes the gateway wants too.
func (s *Snapshot) portsTaken(ours *appsv1.DaemonSet, all []*appsv1.DaemonSet) (report.Cause, bool) {
	want := hostPorts(&ours.Spec.Template.Spec)
	var lines, services []string
	for _, d := range all {
		if d == ours {
			continue
		}
		for _, port := range hostPorts(&d.Spec.Template.Spec) {
			if !slices.Contains(want, port) {
				continue
			}
			name := strings.TrimPrefix(d.Name, "svclb-")
			if ref := servedBy(d); ref.Name != "" {
				name = strings.TrimPrefix(ref.Namespace+"/"+ref.Name, "/")
			}
			lines = append(lines, fmt.Sprintf("DaemonSet %s/%s has port %d of the nodes, for Service %s", d.Namespace, d.Name, port, name))
			if !slices.Contains(services, name) {
				services = append(services, name)
			}
		}
	}
	return report.Cause{
		Name: diagnose.HostPortsTaken, Severity: report.Error, Object: ServiceRef,
		Summary:  fmt.Sprintf("ports of the nodes that the gateway needs belong to Service %s: ServiceLB (k3s) can serve one of them", strings.Join(services, " and ")),
		Evidence: lines,
		Remedy: "start k3s without Traefik (--disable traefik) if nothing uses it; or without ServiceLB (--disable servicelb), then: kubectl jupyter expose\n" +
			"kubectl jupyter expose --type NodePort   needs neither",
	}, len(lines) > 0
}

func hostPorts(pod *corev1.PodSpec) []int32 {
	var out []int32
	for _, c := range pod.Containers {
		for _, p := range c.Ports {
			if p.HostPort != 0 {
				out = append(out, p.HostPort)
			}
		}
	}
	return out
}

// ciliumSilent: Cilium has given the gateway an address of a pool and has nothing that
// announces it. A network may lead there by itself, so that it is a warning.
func (s *Snapshot) ciliumSilent(svc *corev1.Service, d Detection) (report.Cause, bool) {
	if d.Provider != Cilium || len(svc.Status.LoadBalancer.Ingress) == 0 || len(s.CiliumBGP) > 0 || s.ofNode(svc.Status.LoadBalancer.Ingress[0].IP) {
		return report.Cause{}, false
	}
	var evidence []string
	for i := range s.CiliumL2 {
		why := s.passesOver(&s.CiliumL2[i], svc)
		if why == "" {
			return report.Cause{}, false
		}
		evidence = append(evidence, fmt.Sprintf("CiliumL2AnnouncementPolicy %s: %s", s.CiliumL2[i].GetName(), why))
	}
	if len(evidence) == 0 {
		evidence = []string{"CiliumL2AnnouncementPolicies: 0, objects of Cilium's BGP: 0"}
	}
	return report.Cause{
		Name: diagnose.AdvertisementMissing, Severity: report.Warning,
		Summary:  fmt.Sprintf("Cilium has assigned %s to the gateway, and has no policy that announces it: only a route that somebody else made leads there", svc.Status.LoadBalancer.Ingress[0].IP),
		Evidence: evidence,
		Remedy:   "create a CiliumL2AnnouncementPolicy with loadBalancerIPs: true that selects the Service and a node, or announce it by BGP",
	}, true
}

// passesOver says why a policy does not announce the gateway's address; empty where it does,
// as far as can be told: which interfaces nodes have is not known.
func (s *Snapshot) passesOver(u *unstructured.Unstructured, svc *corev1.Service) string {
	var policy struct {
		Spec struct {
			LoadBalancerIPs bool                  `json:"loadBalancerIPs"`
			Services        *metav1.LabelSelector `json:"serviceSelector"`
			Nodes           *metav1.LabelSelector `json:"nodeSelector"`
		} `json:"spec"`
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &policy); err != nil {
		return ""
	}
	selects := func(selector *metav1.LabelSelector, of map[string]string) bool {
		return selector == nil || matchesAny([]metav1.LabelSelector{*selector}, of)
	}
	switch {
	case !policy.Spec.LoadBalancerIPs:
		return "loadBalancerIPs is not true"
	case !selects(policy.Spec.Services, svc.Labels):
		return "its serviceSelector does not select the gateway's Service"
	case !slices.ContainsFunc(s.Nodes, func(n corev1.Node) bool { return selects(policy.Spec.Nodes, n.Labels) }):
		return "its nodeSelector selects no node"
	}
	return ""
}

// ofNode tells that an address is a node's own.
func (s *Snapshot) ofNode(text string) bool {
	a, err := netip.ParseAddr(text)
	return err == nil && slices.ContainsFunc(s.Nodes, func(n corev1.Node) bool { return slices.Contains(addressesOf(n), a.Unmap()) })
}
