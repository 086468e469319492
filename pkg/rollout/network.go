package rollout

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// Network is what the manifests have to know of the cluster's network, and how it is known.
type Network struct {
	// Domain ends the names of Services.
	Domain, How string
	// Given tells that somebody has chosen it.
	Given bool
	// IPv6: pods have addresses of IPv6, first or alone. Only tells that they have no others.
	IPv6, Only bool
}

// NetworkSettings are what a run recorded of it.
type NetworkSettings struct {
	Domain string `json:"domain,omitempty"`
	// Given tells that somebody has chosen the domain.
	Given bool `json:"given,omitempty"`
	IPv6  bool `json:"ipv6,omitempty"`
}

// network finds out what the cluster's network is like. What may not be read is as it was, or
// as it mostly is.
func (i *Intent) network(ctx context.Context, e *Engine) (*Network, error) {
	if i.net != nil {
		return i.net, nil
	}
	n := &Network{Domain: i.Manifests.ClusterDomain, How: "as --cluster-domain says", Given: i.Manifests.ClusterDomain != ""}
	if n.Domain == "" {
		domain, how, err := e.clusterDomain(ctx)
		if err != nil {
			return nil, err
		}
		n.Domain, n.How = domain, how
		if domain == "" {
			n.Domain, n.How = cmp.Or(i.recordedNetwork.Domain, components.DefaultDomain), "the usual one: the cluster does not tell its domain; --cluster-domain chooses another"
		}
	}
	families, err := e.families(ctx)
	if err != nil {
		return nil, err
	}
	switch {
	case families == nil:
		n.IPv6 = i.recordedNetwork.IPv6
	case families[0] == "IPv6":
		n.IPv6, n.Only = true, len(families) == 1
	}
	i.net = n
	return n, nil
}

// apply has the manifests rendered for the network.
func (i *Intent) apply(n *Network) {
	i.Manifests.ClusterDomain, i.Manifests.IPv6 = n.Domain, n.IPv6
}

// networkSettings are what is recorded of it. The default domain is none that has to be.
func (i *Intent) networkSettings() NetworkSettings {
	n := i.net
	if n == nil {
		m := i.Manifests
		return NetworkSettings{Domain: m.ClusterDomain, Given: m.ClusterDomain != "", IPv6: m.IPv6}
	}
	s := NetworkSettings{Domain: n.Domain, Given: n.Given, IPv6: n.IPv6}
	if s.Domain == components.DefaultDomain && !s.Given {
		s.Domain = ""
	}
	return s
}

// domainIn are ConfigMaps of kube-system that tell the domain: that of CoreDNS, by which
// names resolve, and those of kubeadm and its kubelets.
var domainIn = []struct {
	name, key string
	read      func(text string) string
}{
	{"coredns", "Corefile", zoneOf},
	{"rke2-coredns-rke2-coredns", "Corefile", zoneOf},
	{"kubelet-config", "kubelet", func(text string) string {
		var c struct{ ClusterDomain string }
		_ = yaml.Unmarshal([]byte(text), &c)
		return c.ClusterDomain
	}},
	{"kubeadm-config", "ClusterConfiguration", func(text string) string {
		var c struct{ Networking struct{ DNSDomain string } }
		_ = yaml.Unmarshal([]byte(text), &c)
		return c.Networking.DNSDomain
	}},
}

// clusterDomain is what the cluster says of its domain; empty where it does not.
func (e *Engine) clusterDomain(ctx context.Context) (domain, how string, err error) {
	for _, in := range domainIn {
		u, err := e.cluster.Dynamic.Resource(configMaps).Namespace(metav1.NamespaceSystem).Get(ctx, in.name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
			continue
		}
		if err != nil {
			return "", "", fmt.Errorf("ConfigMap %s/%s: %w", metav1.NamespaceSystem, in.name, err)
		}
		text, _, _ := unstructured.NestedString(u.Object, "data", in.key)
		if domain := strings.TrimSuffix(in.read(text), "."); domain != "" {
			return domain, fmt.Sprintf("ConfigMap %s/%s", metav1.NamespaceSystem, in.name), nil
		}
	}
	return "", "", nil
}

// servesZones is the line of a Corefile with the zones of CoreDNS's plugin kubernetes.
var servesZones = regexp.MustCompile(`(?m)^\s*kubernetes\s+([^{\n]+)`)

// zoneOf is the zone of the cluster's Services: the first that is not for reverse look-ups.
func zoneOf(corefile string) string {
	m := servesZones.FindStringSubmatch(corefile)
	if m == nil {
		return ""
	}
	for _, zone := range strings.Fields(m[1]) {
		zone = strings.TrimSuffix(zone, ".")
		if !strings.HasSuffix(zone, ".arpa") && !strings.ContainsAny(zone, "/{") {
			return zone
		}
	}
	return ""
}

// families of the cluster's Services, which are those of its pods; nil where they may not be
// read. The API server's own Service is in every cluster.
func (e *Engine) families(ctx context.Context) ([]string, error) {
	u, err := e.cluster.Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "services"}).
		Namespace(metav1.NamespaceDefault).Get(ctx, "kubernetes", metav1.GetOptions{})
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("Service %s/kubernetes: %w", metav1.NamespaceDefault, err)
	}
	families, _, _ := unstructured.NestedStringSlice(u.Object, "spec", "ipFamilies")
	if len(families) == 0 {
		return nil, nil
	}
	return families, nil
}
