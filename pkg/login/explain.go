package login

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// Path is the whole chain.
type Path struct {
	APIVersion string        `json:"apiVersion"`
	Kind       string        `json:"kind"`
	Target     report.Target `json:"target"`
	WayIn      report.WayIn  `json:"wayIn"`
	Links      []report.Link `json:"links"`
}

// Broken tells whether anything on the way is missing or does not work. A single pod
// is not the way: its Service says whether there is another.
func (p *Path) Broken() bool {
	return slices.ContainsFunc(p.Links, func(l report.Link) bool {
		return (l.State == report.Missing || l.State == report.Failed) && l.Object.Kind != "Pod"
	})
}

// Unclear tells whether something on the way could not be read.
func (p *Path) Unclear() bool {
	return slices.ContainsFunc(p.Links, func(l report.Link) bool { return l.State == report.Unknown })
}

// Explain lists the objects that a request passes, in its order: the gateway's Service
// and pods, the policies, the Gateway, and for each path its VirtualService, Service,
// Deployment and pods.
func Explain(g *Ground, target report.Target) *Path {
	p := &Path{APIVersion: report.APIVersion, Kind: "LoginPath", Target: target, WayIn: g.WayIn()}
	p.Links = slices.Concat(g.entrance(), g.policyLinks(), []report.Link{g.credentialsLink()}, g.originLinks(), []report.Link{g.gatewayLink()})
	for _, r := range []struct {
		path string
		ref  report.Ref
	}{
		{"/oauth2/", report.Ref{Group: networkingGroup, Kind: "VirtualService", Namespace: proxyNamespace, Name: proxyName}},
		{"/dex/", report.Ref{Group: networkingGroup, Kind: "VirtualService", Namespace: dexNamespace, Name: dexName}},
		{webAppPath, report.Ref{Group: networkingGroup, Kind: "VirtualService", Namespace: stackNamespace, Name: "jupyter-web-app-jupyter-web-app"}},
	} {
		p.Links = append(p.Links, g.routeLinks(r.path, r.ref)...)
	}
	return p
}

// entrance is the gateway's Service with what is behind it.
func (g *Ground) entrance() []report.Link {
	links := g.serviceLinks(GatewayRef, 0)
	if in := g.WayIn(); g.Service != nil && in.Missing != "" {
		links[0].State, links[0].Problem = report.Failed, in.Missing
	}
	return links
}

func (g *Ground) policyLinks() []report.Link {
	links := make([]report.Link, 0, len(policyHops)+1)
	for _, h := range policyHops {
		l := report.Link{Object: h.ref(), State: report.Ready, Says: h.does}
		p := g.policy(h.kind, h.name)
		switch {
		case g.policyUnread(h.kind):
			l.State, l.Problem = report.Unknown, "could not be read"
		case p == nil:
			l.State, l.Says, l.Problem = report.Missing, "", h.without
		case h.wrong != nil:
			if l.Problem = h.wrong(g, p); l.Problem != "" {
				l.State = report.Failed
			}
		}
		if p != nil && h.name == tokenPolicy {
			l.Says += "; issuer " + strings.Join(g.issuers(), ", ")
		}
		links = append(links, l)
		if h.name == checkPolicy {
			links = append(links, g.providerLink())
		}
	}
	return links
}

// providerLink is the entry of the mesh configuration that the CUSTOM policy names.
func (g *Ground) providerLink() report.Link {
	l := report.Link{Depth: 1, Object: meshRef, State: report.Ready}
	name, service, known := g.provider()
	switch {
	case g.gone(meshRef):
		l.State, l.Problem = report.Missing, "without the mesh configuration istiod has no provider"
	case g.Providers == nil:
		l.State, l.Problem = report.Unknown, "could not be read"
	case !known:
		l.State, l.Problem = report.Failed, fmt.Sprintf("has no extension provider %q: the gateway denies everything", name)
	default:
		l.Says = fmt.Sprintf("provider %s is %s", name, service)
	}
	return l
}

func (g *Ground) gatewayLink() report.Link {
	l := report.Link{Object: gatewayRef, State: report.Ready}
	switch {
	case g.unread(gatewayRef) != nil:
		l.State, l.Problem = report.Unknown, g.unread(gatewayRef).Error()
	case g.Gateway == nil:
		l.State, l.Problem = report.Missing, "nothing listens on the address"
	default:
		var doors []string
		for _, s := range g.Gateway.Spec.Servers {
			door := fmt.Sprintf("%s on port %d", s.Port.Protocol, s.Port.Number)
			if s.TLS != nil && s.TLS.HTTPSRedirect {
				door += " (redirects to HTTPS)"
			}
			if s.TLS != nil && s.TLS.CredentialName != "" {
				door += " with Secret " + istioNamespace + "/" + s.TLS.CredentialName
			}
			doors = append(doors, door)
		}
		l.Says = strings.Join(doors, ", ")
	}
	return l
}

// routeLinks is the way of a path behind the gateway.
func (g *Ground) routeLinks(path string, expected report.Ref) []report.Link {
	if g.listFailed("VirtualService", expected.Namespace) {
		return []report.Link{{Object: expected, State: report.Unknown, Problem: "could not be read"}}
	}
	route := g.route(path)
	if route == nil {
		problem := path + " has no route"
		for i := range g.Routes {
			if g.Routes[i].ref() == expected {
				return []report.Link{{Object: expected, State: report.Failed, Problem: problem + ": it exists, but does not have the path or is bound to another Gateway"}}
			}
		}
		return []report.Link{{Object: expected, State: report.Missing, Problem: problem}}
	}
	links := []report.Link{{Object: route.ref(), State: report.Ready}}
	for i := range route.Spec.HTTP {
		rule := &route.Spec.HTTP[i]
		if len(rule.Route) == 0 || !slices.ContainsFunc(rule.paths(), func(p string) bool { return strings.HasPrefix(path, strings.TrimSuffix(p, "*")) }) {
			continue
		}
		links[0].Says = strings.Join(rule.paths(), ", ")
		for _, to := range rule.Route {
			links = append(links, g.serviceLinks(serviceOf(to.Destination.Host, route.Metadata.Namespace), 1)...)
		}
		break
	}
	return links
}

// serviceLinks is a Service with the Deployment and the pods behind it.
func (g *Ground) serviceLinks(ref report.Ref, depth int) []report.Link {
	l := report.Link{Depth: depth, Object: ref, State: report.Ready}
	s := g.service(ref.Namespace, ref.Name)
	switch {
	case s == nil && g.listFailed("Service", ref.Namespace):
		l.State, l.Problem = report.Unknown, "could not be read"
		return []report.Link{l}
	case s == nil:
		l.State, l.Problem = report.Missing, "there is no such Service"
		return []report.Link{l}
	}
	l.Says = serviceSays(s)
	if g.listFailed("EndpointSlice", ref.Namespace) {
		l.State, l.Problem = report.Unknown, "its endpoints could not be read"
	} else if n := g.readyEndpoints(ref.Namespace, ref.Name); n == 0 {
		l.State, l.Problem = report.Failed, "no endpoints: none of its pods is ready"
	} else {
		l.Says += fmt.Sprintf(", %d endpoints", n)
		if n == 1 {
			l.Says = strings.TrimSuffix(l.Says, "s")
		}
	}
	links := []report.Link{l}
	selector := labels.SelectorFromSet(s.Spec.Selector)
	if len(s.Spec.Selector) == 0 {
		return links
	}
	for i := range g.Deployments {
		d := &g.Deployments[i]
		if d.Namespace != ref.Namespace || !selector.Matches(labels.Set(d.Spec.Template.Labels)) {
			continue
		}
		links = append(links, deploymentLink(d, depth+1))
	}
	if len(links) == 1 && !g.listFailed("Deployment", ref.Namespace) {
		links = append(links, report.Link{
			Depth: depth + 1, Object: report.Ref{Group: "apps", Kind: "Deployment", Namespace: ref.Namespace, Name: ref.Name},
			State: report.Missing, Problem: "no Deployment makes pods for the Service",
		})
	}
	for i := range g.Pods {
		if p := &g.Pods[i]; p.Namespace == ref.Namespace && selector.Matches(labels.Set(p.Labels)) {
			links = append(links, podLink(p, depth+2))
		}
	}
	return links
}

func serviceSays(s *corev1.Service) string {
	var at []string
	for _, i := range s.Status.LoadBalancer.Ingress {
		at = append(at, i.IP+i.Hostname)
	}
	at = append(at, s.Spec.ExternalIPs...)
	if len(at) == 0 && s.Spec.ClusterIP != "" {
		at = append(at, s.Spec.ClusterIP)
	}
	var ports []string
	for _, p := range s.Spec.Ports {
		port := fmt.Sprint(p.Port)
		if s.Spec.Type == corev1.ServiceTypeNodePort && p.NodePort != 0 {
			port += fmt.Sprintf(":%d", p.NodePort)
		}
		ports = append(ports, port)
	}
	kind := s.Spec.Type
	if kind == "" {
		kind = corev1.ServiceTypeClusterIP
	}
	return fmt.Sprintf("%s %s, ports %s", kind, strings.Join(at, " "), strings.Join(ports, " "))
}

func deploymentLink(d *appsv1.Deployment, depth int) report.Link {
	wanted := int32(1)
	if d.Spec.Replicas != nil {
		wanted = *d.Spec.Replicas
	}
	ready := d.Status.ReadyReplicas
	l := report.Link{
		Depth: depth, State: report.Ready, Says: fmt.Sprintf("%d of %d ready", ready, wanted),
		Object: report.Ref{Group: "apps", Kind: "Deployment", Namespace: d.Namespace, Name: d.Name},
	}
	switch {
	case wanted == 0:
		l.State, l.Problem = report.Failed, "it is scaled to zero"
	case ready == 0:
		l.State, l.Problem = report.Failed, "no pod is ready"
	case ready < wanted:
		l.State = report.Degraded
	}
	return l
}

func podLink(p *corev1.Pod, depth int) report.Link {
	l := report.Link{Depth: depth, State: report.Ready, Object: report.Ref{Kind: "Pod", Namespace: p.Namespace, Name: p.Name}}
	var parts []string
	for _, s := range []string{p.Status.PodIP, p.Spec.NodeName} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	l.Says = strings.Join(parts, " on ")
	if !slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue }) {
		l.State, l.Problem = report.Failed, "not ready, "+strings.ToLower(string(p.Status.Phase))
		if p.DeletionTimestamp != nil {
			l.State, l.Problem = report.Removing, "being deleted"
		}
	}
	return l
}

func (g *Ground) deployment(namespace, name string) *appsv1.Deployment {
	for i := range g.Deployments {
		if d := &g.Deployments[i]; d.Namespace == namespace && d.Name == name {
			return d
		}
	}
	return nil
}
