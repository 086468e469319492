package status

import (
	"fmt"
	"slices"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/login"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// checkNetworkPolicies: policies that keep people from the gateway, the gateway from what is
// behind it, or pieces of the login from each other. Whether anything enforces them is not
// known, and a gateway without an address is not for clients outside yet.
func checkNetworkPolicies(s *Snapshot) []report.Cause {
	base, reached := s.base()
	causes := login.NetworkPolicyCauses(s.NetworkPolicies, s.Pods(), s.MeshPods, base != nil && base.Scheme == "https")
	for i := range causes {
		if causes[i].Component == "istio" && !reached {
			causes[i].Severity = report.Info
		}
	}
	return causes
}

// provider is one that the mesh's settings name for checks by somebody else.
type provider struct {
	Name  string `json:"name"`
	HTTP  *authz `json:"envoyExtAuthzHttp"`
	Proto *authz `json:"envoyExtAuthzGrpc"`
}

type authz struct {
	Service string `json:"service"`
	Port    int    `json:"port"`
}

// checkMesh: a policy that hands the decision to a provider whom the mesh does not
// know, or to a Service that nobody is behind. istiod then denies everything.
func checkMesh(s *Snapshot) []report.Cause {
	mesh := s.Object(meshConfig)
	if mesh == nil || s.Component("oauth2-proxy") == nil {
		return nil
	}
	text, whole, _ := unstructured.NestedString(mesh.Object, "data", "mesh")
	if !whole {
		return nil
	}
	var config struct {
		Providers []provider `json:"extensionProviders"`
	}
	if err := yaml.Unmarshal([]byte(text), &config); err != nil {
		return []report.Cause{{
			Name: diagnose.ExtAuthzProviderMissing, Severity: report.Error, Component: "istio", Object: meshConfig,
			Summary: "the mesh configuration cannot be read", Evidence: []string{err.Error()},
			Remedy: "restore them: kubectl jupyter install --adopt",
		}}
	}
	var causes []report.Cause
	for _, u := range s.All("security.istio.io", "AuthorizationPolicy") {
		action, _, _ := unstructured.NestedString(u.Object, "spec", "action")
		name, _, _ := unstructured.NestedString(u.Object, "spec", "provider", "name")
		if action != "CUSTOM" || u.GetNamespace() != meshConfig.Namespace {
			continue
		}
		c := report.Cause{Severity: report.Error, Component: "oauth2-proxy", Object: cluster.RefOf(u)}
		i := slices.IndexFunc(config.Providers, func(p provider) bool { return p.Name == name })
		if i < 0 {
			c.Name, c.Summary = diagnose.ExtAuthzProviderMissing, fmt.Sprintf("the mesh has no provider %q, so every request is denied: RBAC: access denied", name)
			c.Evidence = []string{fmt.Sprintf("%s: spec.provider.name is %q; extensionProviders of %s: %s", cluster.RefOf(u), name, meshConfig, names(config.Providers))}
			c.Remedy = "restore the provider: kubectl jupyter install --adopt"
			causes = append(causes, c)
			continue
		}
		if why := s.behind(config.Providers[i]); why != "" {
			c.Name, c.Summary = diagnose.OAuth2ProxyUnreachable, "the authorization provider does not answer, so every request is denied"
			c.Evidence = []string{why}
			c.Remedy = "kubectl -n oauth2-proxy get pods,services,endpointslices; kubectl jupyter status oauth2-proxy"
			causes = append(causes, c)
		}
	}
	return causes
}

func names(all []provider) string {
	var out []string
	for _, p := range all {
		out = append(out, p.Name)
	}
	if len(out) == 0 {
		return "none"
	}
	return strings.Join(out, ", ")
}

// behind tells what is wrong with the Service of a provider in the namespaces of the stack.
func (s *Snapshot) behind(p provider) string {
	a := p.HTTP
	if a == nil {
		a = p.Proto
	}
	if a == nil {
		return fmt.Sprintf("provider %s of %s has no service", p.Name, meshConfig)
	}
	parts := strings.SplitN(a.Service, ".", 3)
	if len(parts) < 2 {
		return "" // a name that only the mesh knows
	}
	ref := report.Ref{Kind: "Service", Namespace: parts[1], Name: parts[0]}
	switch s.Presence(ref) {
	case Absent:
		return fmt.Sprintf("provider %s: %s: not found", p.Name, ref)
	case Present:
	default:
		return ""
	}
	if !slices.ContainsFunc(s.Reads, func(r Read) bool {
		return r.Kind == "EndpointSlice" && r.Namespace == ref.Namespace && r.Error == ""
	}) {
		return ""
	}
	if s.endpoints(ref) == 0 {
		return fmt.Sprintf("provider %s: %s has no ready endpoints", p.Name, ref)
	}
	return ""
}

// endpoints counts the addresses behind a Service that take traffic.
func (s *Snapshot) endpoints(service report.Ref) int {
	var all []discoveryv1.EndpointSlice
	for _, u := range s.All("discovery.k8s.io", "EndpointSlice") {
		var slice discoveryv1.EndpointSlice
		if into(u, &slice) {
			all = append(all, slice)
		}
	}
	return diagnose.ReadyEndpoints(all, service.Namespace, service.Name)
}
