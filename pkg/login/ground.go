package login

import (
	"cmp"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

var (
	gatewayRef      = report.Ref{Group: networkingGroup, Kind: "Gateway", Namespace: stackNamespace, Name: gatewayName}
	dexConfigRef    = report.Ref{Kind: "ConfigMap", Namespace: dexNamespace, Name: dexName}
	proxyConfigRef  = report.Ref{Kind: "ConfigMap", Namespace: proxyNamespace, Name: proxyName}
	proxyParamsRef  = report.Ref{Kind: "ConfigMap", Namespace: proxyNamespace, Name: "oauth2-proxy-parameters"}
	webAppParamsRef = report.Ref{Kind: "ConfigMap", Namespace: stackNamespace, Name: "jupyter-web-app-parameters"}
	meshRef         = report.Ref{Kind: "ConfigMap", Namespace: istioNamespace, Name: "istio"}
)

// Ground is what the cluster said about the way in, at one moment. Passwords, their
// hashes, tokens and keys are not in it.
type Ground struct {
	// Service is the gateway's; nil where it does not exist.
	Service *corev1.Service
	// Gateway is nil where it does not exist.
	Gateway *Gateway
	// Nodes are read only where the Service is of type NodePort.
	Nodes []corev1.Node
	// Passwords are the e-mail addresses of Dex's Password objects.
	Passwords []string
	// FirstUser is the one that the installation recorded.
	FirstUser string
	// Hosts that the installation's certificate was chosen for, names and addresses.
	Hosts []string
	// Dex is its configuration, nil where it could not be read.
	Dex *DexConfig

	Services    []corev1.Service
	Endpoints   []discoveryv1.EndpointSlice
	Deployments []appsv1.Deployment
	Pods        []corev1.Pod
	// Policies are the AuthorizationPolicies and RequestAuthentications of Istio's namespace.
	Policies []*unstructured.Unstructured
	Routes   []Route
	// Filters are the EnvoyFilters of Istio's namespace. Filter is the one for credentials as
	// it is installed, OriginFilter the one for the notebooks' origin; nil where not known.
	Filters      []*unstructured.Unstructured
	Filter       *unstructured.Unstructured
	OriginFilter *unstructured.Unstructured
	// Notebooks is where they are served; nil where that could not be read.
	Notebooks *components.NotebookOrigin
	// Domain is the cluster's, as the installation recorded it; empty where it is the usual one.
	Domain string
	// Providers of the mesh configuration; nil where it could not be read.
	Providers []Provider
	// Proxy is oauth2-proxy's configuration file, ProxyParameters and WebAppParameters
	// the variables of oauth2-proxy and of the web app.
	Proxy            map[string]string
	ProxyParameters  map[string]string
	WebAppParameters map[string]string
	Profiles         []Profile
	// ClientAgrees tells whether Dex and oauth2-proxy hold the same client name and
	// secret; nil where that could not be read.
	ClientAgrees *bool
	// NetworkPolicies of all namespaces.
	NetworkPolicies []networkingv1.NetworkPolicy
	// MeshRoot is the mesh's root certificate in PEM, MeshPods are pods with a sidecar.
	MeshRoot string
	MeshPods []corev1.Pod
	// Leaf is the certificate that the cluster holds for the gateway, Authority what signed
	// it, where it is there; both in PEM, without keys.
	Leaf, Authority []byte

	// missing are objects that were asked for and are not there.
	missing []report.Ref
	// failed are reads that failed.
	failed []readError
}

type readError struct {
	what string
	err  error
}

// unread is why something could not be read; nil when it was read, or is not there.
func (g *Ground) unread(what report.Ref) error {
	for _, f := range g.failed {
		if f.what == what.String() {
			return f.err
		}
	}
	return nil
}

// Expect takes the filters from the objects of a release, to compare those in the cluster with.
func (g *Ground) Expect(objects []*unstructured.Unstructured) {
	for _, u := range objects {
		switch cluster.RefOf(u) {
		case CredentialsRef:
			g.Filter = u
		case OriginRef:
			g.OriginFilter = u
		}
	}
}

// gone tells that an object was asked for and is not there.
func (g *Ground) gone(ref report.Ref) bool { return slices.Contains(g.missing, ref) }

// DexConfig is the part of Dex's configuration that others have to agree with.
type DexConfig struct {
	Issuer          string `json:"issuer"`
	StaticPasswords []struct {
		Email string `json:"email"`
	} `json:"staticPasswords"`
	StaticClients []DexClient `json:"staticClients"`
}

// DexClient is a program that Dex logs people in for.
type DexClient struct {
	RedirectURIs []string `json:"redirectURIs"`
}

// Provider is an entry of the mesh configuration's extensionProviders.
type Provider struct {
	Name string `json:"name"`
	HTTP *struct {
		Service string `json:"service"`
		Port    int    `json:"port"`
	} `json:"envoyExtAuthzHttp"`
}

// Route is a VirtualService, as far as it matters.
type Route struct {
	Metadata struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	} `json:"metadata"`
	Spec struct {
		Hosts    []string    `json:"hosts"`
		Gateways []string    `json:"gateways"`
		HTTP     []HTTPRoute `json:"http"`
	} `json:"spec"`
}

// HTTPRoute is one rule of it.
type HTTPRoute struct {
	Match []struct {
		URI map[string]string `json:"uri"`
	} `json:"match"`
	Route []struct {
		Destination struct {
			Host string `json:"host"`
			Port struct {
				Number int `json:"number"`
			} `json:"port"`
		} `json:"destination"`
	} `json:"route"`
}

// Profile is a person's place.
type Profile struct {
	Name, Owner string
}

// Notebook is one that runs, and can be asked.
type Notebook struct {
	Namespace, Name string
}

func (r *Route) ref() report.Ref {
	return report.Ref{Group: networkingGroup, Kind: "VirtualService", Namespace: r.Metadata.Namespace, Name: r.Metadata.Name}
}

// paths that the route takes, as in "/dex/*".
func (h *HTTPRoute) paths() []string {
	var out []string
	for _, m := range h.Match {
		for kind, value := range m.URI {
			if kind == "prefix" {
				value += "*"
			}
			out = append(out, value)
		}
	}
	return out
}

// leads tells whether the route hangs on the gateway and takes a path by its prefix.
func (r *Route) leads(path string) bool {
	if !r.attached() {
		return false
	}
	for i := range r.Spec.HTTP {
		for _, m := range r.Spec.HTTP[i].Match {
			if p := m.URI["prefix"]; p != "" && strings.HasPrefix(path, p) && len(r.Spec.HTTP[i].Route) > 0 {
				return true
			}
		}
	}
	return false
}

// attached tells whether the route hangs on the gateway.
func (r *Route) attached() bool {
	return slices.ContainsFunc(r.Spec.Gateways, func(g string) bool {
		namespace, name, ok := strings.Cut(g, "/")
		if !ok {
			namespace, name = r.Metadata.Namespace, g
		}
		return namespace == stackNamespace && name == gatewayName
	})
}

func (g *Ground) service(namespace, name string) *corev1.Service {
	for i := range g.Services {
		if s := &g.Services[i]; s.Namespace == namespace && s.Name == name {
			return s
		}
	}
	return nil
}

func (g *Ground) readyEndpoints(namespace, service string) int {
	return diagnose.ReadyEndpoints(g.Endpoints, namespace, service)
}

func (g *Ground) policy(kind, name string) *unstructured.Unstructured {
	for _, p := range g.Policies {
		if p.GetKind() == kind && p.GetName() == name {
			return p
		}
	}
	return nil
}

// route that takes a path at the gateway; nil where none does.
func (g *Ground) route(path string) *Route {
	for i := range g.Routes {
		if g.Routes[i].leads(path) {
			return &g.Routes[i]
		}
	}
	return nil
}

func (g *Ground) profileOf(email string) *Profile {
	for i := range g.Profiles {
		if strings.EqualFold(g.Profiles[i].Owner, email) {
			return &g.Profiles[i]
		}
	}
	return nil
}

// serviceOf turns a host name of the mesh into a Service: NAME.NAMESPACE.svc...
func serviceOf(host, namespace string) report.Ref {
	parts := strings.SplitN(host, ".", 3)
	if len(parts) > 1 {
		namespace = parts[1]
	}
	return report.Ref{Kind: "Service", Namespace: namespace, Name: parts[0]}
}

// tomlStrings reads the string settings of oauth2-proxy's file: KEY = "VALUE". The rest of
// the format does not matter here.
func tomlStrings(text string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok || strings.HasPrefix(key, "#") {
			continue
		}
		value, _, _ = strings.Cut(strings.TrimSpace(value), " #")
		out[strings.TrimSpace(key)] = strings.Trim(strings.TrimSpace(value), `"'`)
	}
	return out
}

func parseMesh(text string) ([]Provider, error) {
	var mesh struct {
		ExtensionProviders []Provider `json:"extensionProviders"`
	}
	if err := yaml.Unmarshal([]byte(text), &mesh); err != nil {
		return nil, err
	}
	if mesh.ExtensionProviders == nil {
		return []Provider{}, nil
	}
	return mesh.ExtensionProviders, nil
}

func sortGround(g *Ground) {
	slices.SortFunc(g.Pods, func(a, b corev1.Pod) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	slices.SortFunc(g.MeshPods, func(a, b corev1.Pod) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	slices.SortFunc(g.Routes, func(a, b Route) int {
		return cmp.Or(strings.Compare(a.Metadata.Namespace, b.Metadata.Namespace), strings.Compare(a.Metadata.Name, b.Metadata.Name))
	})
	slices.SortFunc(g.Profiles, func(a, b Profile) int { return strings.Compare(a.Name, b.Name) })
	slices.Sort(g.Passwords)
}
