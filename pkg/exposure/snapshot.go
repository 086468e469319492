package exposure

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
)

// Snapshot is what the cluster said about its addresses at one moment. It can be
// written as JSON and read again.
type Snapshot struct {
	Time metav1.Time `json:"time"`
	// Nodes without their images, and all Services.
	Nodes    []corev1.Node    `json:"nodes,omitempty"`
	Services []corev1.Service `json:"services,omitempty"`
	// GatewayNamespace is the namespace of the gateway; pools may be for some only.
	GatewayNamespace *corev1.Namespace `json:"gatewayNamespace,omitempty"`
	// Events of the gateway's Service, the newest last.
	Events []corev1.Event `json:"events,omitempty"`
	// Deployments and DaemonSets that have to do with load balancers, and the gateway's.
	Deployments []appsv1.Deployment `json:"deployments,omitempty"`
	DaemonSets  []appsv1.DaemonSet  `json:"daemonSets,omitempty"`
	// PoolKind tells whether IPAddressPool is served.
	PoolKind          bool                        `json:"poolKind,omitempty"`
	Pools             []unstructured.Unstructured `json:"pools,omitempty"`
	L2Advertisements  []unstructured.Unstructured `json:"l2Advertisements,omitempty"`
	BGPAdvertisements []unstructured.Unstructured `json:"bgpAdvertisements,omitempty"`
	BGPPeers          []unstructured.Unstructured `json:"bgpPeers,omitempty"`
	CiliumPools       []unstructured.Unstructured `json:"ciliumPools,omitempty"`
	// CiliumL2 are the policies by which Cilium announces addresses, CiliumBGP what it has
	// of BGP.
	CiliumL2  []unstructured.Unstructured `json:"ciliumL2,omitempty"`
	CiliumBGP []unstructured.Unstructured `json:"ciliumBGP,omitempty"`
	// CalicoPools are what Calico gives pods their addresses from.
	CalicoPools []unstructured.Unstructured `json:"calicoPools,omitempty"`
	// LegacyConfig is the ConfigMap of MetalLB up to 0.12; KubeProxy that of kube-proxy.
	LegacyConfig *corev1.ConfigMap `json:"legacyConfig,omitempty"`
	KubeProxy    *corev1.ConfigMap `json:"kubeProxy,omitempty"`
	// ServiceRanges are the blocks that cluster IPs come from.
	ServiceRanges []string `json:"serviceRanges,omitempty"`
}

var (
	nodesResource      = schema.GroupVersionResource{Version: "v1", Resource: "nodes"}
	servicesResource   = schema.GroupVersionResource{Version: "v1", Resource: "services"}
	namespacesResource = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	eventsResource     = schema.GroupVersionResource{Version: "v1", Resource: "events"}
	configMapsResource = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	deployments        = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	daemonSets         = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "daemonsets"}

	poolKind        = schema.GroupKind{Group: "metallb.io", Kind: "IPAddressPool"}
	l2Kind          = schema.GroupKind{Group: "metallb.io", Kind: "L2Advertisement"}
	bgpKind         = schema.GroupKind{Group: "metallb.io", Kind: "BGPAdvertisement"}
	bgpPeerKind     = schema.GroupKind{Group: "metallb.io", Kind: "BGPPeer"}
	ciliumPoolKind  = schema.GroupKind{Group: "cilium.io", Kind: "CiliumLoadBalancerIPPool"}
	ciliumL2Kind    = schema.GroupKind{Group: "cilium.io", Kind: "CiliumL2AnnouncementPolicy"}
	calicoPoolKind  = schema.GroupKind{Group: "crd.projectcalico.org", Kind: "IPPool"}
	serviceCIDRKind = schema.GroupKind{Group: "networking.k8s.io", Kind: "ServiceCIDR"}
)

// ciliumBGPKinds announce addresses by BGP, in its older and newer form.
var ciliumBGPKinds = []schema.GroupKind{{Group: "cilium.io", Kind: "CiliumBGPPeeringPolicy"}, {Group: "cilium.io", Kind: "CiliumBGPAdvertisement"}}

// reading is one Read: requests side by side into one snapshot.
type reading struct {
	cluster.Reads
	c        *cluster.Cluster
	snapshot *Snapshot
	failed   []error
}

// add plans a read that does not end the others when it fails.
func (r *reading) add(what string, read func(context.Context) error) {
	r.Plan(func(ctx context.Context) error {
		if err := read(ctx); err != nil {
			r.Keep(func() { r.failed = append(r.failed, fmt.Errorf("%s: %w", what, err)) })
		}
		return nil
	})
}

// inFlight are as many requests as a reading makes at a time: all of them.
const inFlight = 16

// Read asks for everything that has to do with the addresses of load balancers: a dozen
// requests, side by side, and one more. The error names all that could not be read; the
// snapshot then holds the rest.
func Read(ctx context.Context, c *cluster.Cluster) (*Snapshot, error) {
	r := &reading{Reads: cluster.Reads{InFlight: inFlight}, c: c, snapshot: &Snapshot{Time: metav1.NewTime(time.Now())}}
	s := r.snapshot
	readList(r, nodesResource, "", metav1.ListOptions{}, &s.Nodes, func(n *corev1.Node) bool { n.Status.Images = nil; return true })
	readList(r, servicesResource, "", metav1.ListOptions{}, &s.Services, nil)
	readList(r, eventsResource, Namespace, metav1.ListOptions{FieldSelector: "involvedObject.kind=Service,involvedObject.name=" + ServiceName}, &s.Events, nil)
	readList(r, deployments, "", metav1.ListOptions{}, &s.Deployments, func(d *appsv1.Deployment) bool {
		return d.Namespace == Namespace && d.Name == ServiceName || concerns(d.Name, d.Labels, &d.Spec.Template.Spec)
	})
	readList(r, daemonSets, "", metav1.ListOptions{}, &s.DaemonSets, func(d *appsv1.DaemonSet) bool { return concerns(d.Name, d.Labels, &d.Spec.Template.Spec) })
	readOne(r, namespacesResource, "", Namespace, &s.GatewayNamespace)
	readOne(r, configMapsResource, "kube-system", "kube-proxy", &s.KubeProxy)
	_, err := c.Mapper.Preferred(poolKind)
	s.PoolKind = err == nil
	r.kind(poolKind, &s.Pools)
	r.kind(l2Kind, &s.L2Advertisements)
	r.kind(bgpKind, &s.BGPAdvertisements)
	r.kind(bgpPeerKind, &s.BGPPeers)
	r.kind(ciliumPoolKind, &s.CiliumPools)
	r.kind(ciliumL2Kind, &s.CiliumL2)
	bgp := make([][]unstructured.Unstructured, len(ciliumBGPKinds))
	for i, kind := range ciliumBGPKinds {
		r.kind(kind, &bgp[i])
	}
	r.kind(calicoPoolKind, &s.CalicoPools)
	r.add("Service ranges", r.serviceRanges)
	_ = r.Run(ctx) // the reads keep their errors
	s.CiliumBGP = slices.Concat(bgp...)
	// Where the old configuration is, the controller knows.
	at := s.legacyConfigAt()
	readOne(r, configMapsResource, at.Namespace, at.Name, &s.LegacyConfig)
	_ = r.Run(ctx)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	slices.SortStableFunc(s.Events, func(a, b corev1.Event) int { return when(a).Compare(when(b)) })
	return s, errors.Join(r.failed...)
}

// readList reads all objects of a resource; keep, where it is set, drops some of them
// and may take out of the others what is not needed.
func readList[T any](r *reading, gvr schema.GroupVersionResource, namespace string, o metav1.ListOptions, into *[]T, keep func(*T) bool) {
	r.add(gvr.Resource, func(ctx context.Context) error {
		list, err := r.c.Dynamic.Resource(gvr).Namespace(namespace).List(ctx, o)
		if err != nil {
			return err
		}
		for i := range list.Items {
			u := &list.Items[i]
			if gvr != servicesResource {
				u.SetManagedFields(nil) // of a Service they say who opened it
			}
			var t T
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &t); err != nil {
				return fmt.Errorf("%s/%s: %w", u.GetNamespace(), u.GetName(), err)
			}
			if keep == nil || keep(&t) {
				*into = append(*into, t)
			}
		}
		return nil
	})
}

// readOne reads an object that may be absent.
func readOne[T any](r *reading, gvr schema.GroupVersionResource, namespace, name string, into **T) {
	r.add(strings.TrimSpace(strings.TrimSuffix(gvr.Resource, "s")+" "+strings.TrimPrefix(namespace+"/"+name, "/")), func(ctx context.Context) error {
		u, err := r.c.Dynamic.Resource(gvr).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		t := new(T)
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, t); err != nil {
			return err
		}
		*into = t
		return nil
	})
}

// kind reads all objects of a kind that the server may not have.
func (r *reading) kind(gk schema.GroupKind, into *[]unstructured.Unstructured) {
	resource, err := r.c.Mapper.Preferred(gk)
	if err != nil {
		return
	}
	r.add(resource.Resource, func(ctx context.Context) error {
		list, err := r.c.Dynamic.Resource(resource.GroupVersionResource).List(ctx, metav1.ListOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		for i := range list.Items {
			list.Items[i].SetManagedFields(nil)
		}
		*into = list.Items
		return nil
	})
}

// serviceRanges asks the ServiceCIDRs, which Kubernetes has since 1.33. Older servers tell
// their range only to those who ask for a cluster IP outside of it.
func (r *reading) serviceRanges(ctx context.Context) error {
	resource, err := r.c.Mapper.Preferred(serviceCIDRKind)
	if meta.IsNoMatchError(err) {
		return r.provokeServiceRange(ctx)
	}
	if err != nil {
		return err
	}
	list, err := r.c.Dynamic.Resource(resource.GroupVersionResource).List(ctx, metav1.ListOptions{})
	if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
		return r.provokeServiceRange(ctx)
	}
	if err != nil {
		return err
	}
	for _, u := range list.Items {
		blocks, _, _ := unstructured.NestedStringSlice(u.Object, "spec", "cidrs")
		r.snapshot.ServiceRanges = append(r.snapshot.ServiceRanges, blocks...)
	}
	slices.Sort(r.snapshot.ServiceRanges)
	return nil
}

// provokeServiceRange sends, as a dry run, a Service whose cluster IP is of a block set
// aside for documentation: the refusal names the range. Who may not ask is not told, and
// the cluster IPs that are in use have to do.
func (r *reading) provokeServiceRange(ctx context.Context) error {
	probe := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Service",
		"metadata": map[string]any{"generateName": "kubectl-jupyter-probe-", "namespace": Namespace},
		"spec":     map[string]any{"clusterIP": "192.0.2.1", "ports": []any{map[string]any{"port": int64(80)}}},
	}}
	_, err := r.c.Dynamic.Resource(servicesResource).Namespace(Namespace).Create(ctx, probe, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil {
		r.snapshot.ServiceRanges = rangesIn(err.Error())
	}
	return ctx.Err()
}

// rangesIn finds the blocks that the API server's allocator of cluster IPs names in its
// refusal; none where it refuses for another reason.
func rangesIn(message string) []string {
	var out []string
	for _, after := range strings.Split(message, "range of valid IPs is ")[1:] {
		text := strings.TrimRight(after[:len(after)-len(strings.TrimLeft(after, "0123456789abcdefABCDEF:./"))], ".")
		if _, err := netip.ParsePrefix(text); err == nil {
			out = append(out, text)
		}
	}
	return out
}

// GatewayRuns tells whether a pod of the gateway is there to answer.
func (s *Snapshot) GatewayRuns() bool {
	return slices.ContainsFunc(s.Deployments, func(d appsv1.Deployment) bool {
		return d.Namespace == Namespace && d.Name == ServiceName && d.Status.ReadyReplicas > 0
	})
}

// Gateway is the gateway's Service, nil where there is none.
func (s *Snapshot) Gateway() *corev1.Service {
	for i := range s.Services {
		if s.Services[i].Namespace == Namespace && s.Services[i].Name == ServiceName {
			return &s.Services[i]
		}
	}
	return nil
}
