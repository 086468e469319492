package users

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

// IsolationPolicy names the NetworkPolicy that closes a person's namespace.
const IsolationPolicy = "kubectl-jupyter-isolation"

var (
	networkPolicies = schema.GroupVersionResource{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"}
	nodes           = schema.GroupVersionResource{Version: "v1", Resource: "nodes"}
	endpointSlices  = schema.GroupVersionResource{Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices"}
)

// notInternet are blocks of IPv4 addresses that are not the internet's: of private networks,
// in which clusters have their nodes, pods and Services, and of this link, which has the
// metadata of clouds (RFC 6890). 168.63.129.16 is Azure's for the same purpose.
var notInternet = []string{
	"10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/3",
}

// internet6 are the addresses of IPv6 that the internet routes (RFC 4291); the metadata of
// a cloud (fd00:ec2::254), private networks and this link are not among them.
const internet6 = "2000::/3"

// nodeLocalDNS is where NodeLocal DNSCache answers, in Kubernetes' own manifests.
const nodeLocalDNS = "169.254.20.10/32"

// isolation is the policy. Own are addresses of the cluster that are the internet's too:
// nodes and pods with public addresses.
func isolation(namespace string, own []netip.Prefix) (*unstructured.Unstructured, error) {
	udp, tcp := corev1.ProtocolUDP, corev1.ProtocolTCP
	port := func(p *corev1.Protocol, number int32) networkingv1.NetworkPolicyPort {
		return networkingv1.NetworkPolicyPort{Protocol: p, Port: ptr.To(intstr.FromInt32(number))}
	}
	in := func(namespace, label, value string) networkingv1.NetworkPolicyPeer {
		return networkingv1.NetworkPolicyPeer{
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}},
			PodSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{label: value}},
		}
	}
	block := func(cidr string, except ...string) networkingv1.NetworkPolicyPeer {
		return networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: cidr, Except: except}}
	}
	itself := networkingv1.NetworkPolicyPeer{PodSelector: &metav1.LabelSelector{}}
	var except6 []string
	except4 := slices.Clone(notInternet)
	for _, p := range own {
		if p.Addr().Is4() {
			except4 = append(except4, p.String())
		} else {
			except6 = append(except6, p.String())
		}
	}
	policy := &networkingv1.NetworkPolicy{
		TypeMeta: metav1.TypeMeta{APIVersion: networkPolicies.GroupVersion().String(), Kind: "NetworkPolicy"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: IsolationPolicy, Labels: map[string]string{managedBy: FieldManager},
		},
		Spec: networkingv1.NetworkPolicySpec{
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
			Ingress: []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{
				itself,
				in("istio-system", "app", "istio-ingressgateway"),
				in("kubeflow", "app", "notebook-controller"), // asks notebooks whether they are idle
			}}},
			Egress: []networkingv1.NetworkPolicyEgressRule{
				{To: []networkingv1.NetworkPolicyPeer{itself}},
				{
					To:    []networkingv1.NetworkPolicyPeer{in("kube-system", "k8s-app", "kube-dns"), in("openshift-dns", "dns.operator.openshift.io/daemonset-dns", "default"), block(nodeLocalDNS)},
					Ports: []networkingv1.NetworkPolicyPort{port(&udp, 53), port(&tcp, 53), port(&udp, 5353), port(&tcp, 5353)},
				},
				// The sidecar's certificate and configuration.
				{To: []networkingv1.NetworkPolicyPeer{in("istio-system", "app", "istiod")}, Ports: []networkingv1.NetworkPolicyPort{port(&tcp, 15012)}},
				{To: []networkingv1.NetworkPolicyPeer{block("0.0.0.0/0", except4...), block(internet6, except6...)}},
			},
		},
	}
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(policy)
	if err != nil {
		return nil, err
	}
	delete(object, "status")
	return &unstructured.Unstructured{Object: object}, nil
}

// ownAddresses are the addresses of nodes, of the API server and of pods, as far as Nodes
// and the endpoints of Service default/kubernetes name them, that notInternet does not hold.
func (u *Users) ownAddresses(ctx context.Context) ([]netip.Prefix, error) {
	var all []netip.Prefix
	add := func(p netip.Prefix, err error) {
		if err == nil && !slices.Contains(all, p.Masked()) && public(p) {
			all = append(all, p.Masked())
		}
	}
	address := func(text string) {
		if a, err := netip.ParseAddr(text); err == nil {
			add(a.Unmap().Prefix(a.Unmap().BitLen()))
		}
	}
	list, err := u.Cluster.Dynamic.Resource(nodes).List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return nil, fmt.Errorf("nodes, whose addresses a closed namespace does not reach: %w", err)
	}
	for i := range list.Items {
		var n corev1.Node
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(list.Items[i].Object, &n); err != nil {
			return nil, fmt.Errorf("Node %s: %w", list.Items[i].GetName(), err)
		}
		for _, a := range n.Status.Addresses {
			address(a.Address)
		}
		for _, cidr := range n.Spec.PodCIDRs {
			add(netip.ParsePrefix(cidr))
		}
	}
	slicesOf, err := u.Cluster.Dynamic.Resource(endpointSlices).Namespace(metav1.NamespaceDefault).List(ctx, metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=kubernetes"})
	if err != nil {
		return nil, fmt.Errorf("the API server's addresses: EndpointSlices of default/kubernetes: %w", err)
	}
	for i := range slicesOf.Items {
		var s discoveryv1.EndpointSlice
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(slicesOf.Items[i].Object, &s); err != nil {
			return nil, fmt.Errorf("EndpointSlice default/%s: %w", slicesOf.Items[i].GetName(), err)
		}
		for _, e := range s.Endpoints {
			for _, a := range e.Addresses {
				address(a)
			}
		}
	}
	slices.SortFunc(all, func(a, b netip.Prefix) int { return a.Compare(b) })
	return all, nil
}

// public tells a block that the policy's rule for the internet would let through.
func public(p netip.Prefix) bool {
	if !p.Addr().Is4() {
		six := netip.MustParsePrefix(internet6)
		return six.Contains(p.Addr()) && p.Bits() > six.Bits()
	}
	return p.Bits() > 0 && !slices.ContainsFunc(notInternet, func(block string) bool {
		not := netip.MustParsePrefix(block)
		return not.Contains(p.Addr()) && p.Bits() >= not.Bits()
	})
}

// Isolate closes the namespace of a Profile: a NetworkPolicy that the Profile owns, and
// that goes with it. One of that name that somebody has changed is put right.
func (u *Users) Isolate(ctx context.Context, profile string) error {
	own, err := u.ownAddresses(ctx)
	if err != nil {
		return err
	}
	policy, err := isolation(profile, own)
	if err != nil {
		return err
	}
	owner, err := u.ownedBy(ctx, profile)
	if err != nil {
		return err
	}
	policy.SetOwnerReferences([]metav1.OwnerReference{owner})
	_, err = u.Cluster.Dynamic.Resource(networkPolicies).Namespace(profile).Apply(ctx, IsolationPolicy, policy, metav1.ApplyOptions{FieldManager: FieldManager, Force: true})
	if err != nil {
		return fmt.Errorf("NetworkPolicy %s/%s: %w", profile, IsolationPolicy, err)
	}
	return nil
}

// ownedBy makes what refers to it go with a Profile.
func (u *Users) ownedBy(ctx context.Context, profile string) (metav1.OwnerReference, error) {
	r, err := u.Cluster.Mapper.Preferred(profileKind)
	if err != nil {
		return metav1.OwnerReference{}, fmt.Errorf("Profile %s: %w", profile, err)
	}
	home, err := u.Cluster.Dynamic.Resource(r.GroupVersionResource).Get(ctx, profile, metav1.GetOptions{})
	if err != nil {
		return metav1.OwnerReference{}, fmt.Errorf("Profile %s: %w", profile, err)
	}
	return metav1.OwnerReference{APIVersion: home.GetAPIVersion(), Kind: home.GetKind(), Name: home.GetName(), UID: home.GetUID()}, nil
}

// MayIsolate tries whether the policy could be written, before anything else is: in a
// namespace that is there, as a dry run.
func (u *Users) MayIsolate(ctx context.Context) error {
	own, err := u.ownAddresses(ctx)
	if err != nil {
		return fmt.Errorf("nothing was changed: %w", err)
	}
	policy, err := isolation(dexNamespace, own)
	if err != nil {
		return err
	}
	_, err = u.Cluster.Dynamic.Resource(networkPolicies).Namespace(dexNamespace).Apply(ctx, IsolationPolicy, policy,
		metav1.ApplyOptions{FieldManager: FieldManager, DryRun: []string{metav1.DryRunAll}})
	if err != nil {
		return fmt.Errorf("nothing was changed: NetworkPolicy %s: %w", IsolationPolicy, err)
	}
	return nil
}

// Unisolate opens the namespace of a Profile again; nothing happens where it is open. Other
// policies stay. It tells whether the namespace was closed.
func (u *Users) Unisolate(ctx context.Context, profile string) (bool, error) {
	client := u.Cluster.Dynamic.Resource(networkPolicies).Namespace(profile)
	live, err := client.Get(ctx, IsolationPolicy, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err == nil && live.GetLabels()[managedBy] != FieldManager {
		err = errors.New("it is not managed by kubectl-jupyter: delete it with kubectl")
	}
	if err == nil {
		err = client.Delete(ctx, IsolationPolicy, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: ptr.To(live.GetUID())}})
	}
	if err != nil && !apierrors.IsNotFound(err) {
		return false, fmt.Errorf("NetworkPolicy %s/%s: %w", profile, IsolationPolicy, err)
	}
	return true, nil
}

// IsolateAll closes the namespaces of all Profiles, or opens them, and returns their names.
func (u *Users) IsolateAll(ctx context.Context, closed bool) ([]string, error) {
	return u.eachProfile(ctx, func(name string) (bool, error) {
		if !closed {
			return u.Unisolate(ctx, name)
		}
		if err := u.AwaitHome(ctx, name); err != nil {
			return false, err
		}
		return true, u.Isolate(ctx, name)
	})
}

// eachProfile does something about each Profile that is not being deleted, until one fails,
// and returns the names of those for which it was done.
func (u *Users) eachProfile(ctx context.Context, do func(name string) (bool, error)) ([]string, error) {
	profiles, err := u.all(ctx, profileKind)
	if err != nil {
		return nil, err
	}
	var done []string
	for i := range profiles {
		if profiles[i].GetDeletionTimestamp() != nil {
			continue
		}
		name := profiles[i].GetName()
		did, err := do(name)
		if err != nil {
			return done, err
		}
		if did {
			done = append(done, name)
		}
	}
	return done, nil
}

// isolated are the namespaces that have the policy.
func (u *Users) isolated(ctx context.Context) (map[string]bool, error) {
	list, err := u.Cluster.Metadata.Resource(networkPolicies).List(ctx, metav1.ListOptions{LabelSelector: managedBy + "=" + FieldManager})
	if err != nil {
		return nil, fmt.Errorf("network policies: %w", err)
	}
	out := map[string]bool{}
	for i := range list.Items {
		if list.Items[i].Name == IsolationPolicy && list.Items[i].DeletionTimestamp == nil {
			out[list.Items[i].Namespace] = true
		}
	}
	return out, nil
}
